# SPDX-License-Identifier: Apache-2.0
import warnings

import networkx as nx
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from qestim import BoltzmannPrior, QBMVAETransformer, device_report
from qestim.exceptions import PrecisionWarning
from qestim.qubo import IsingArrays, MaxCutProblem
from qestim.samplers import CIMEmulatorBackend, HardwareSampler


def test_a_model():
    rng = np.random.default_rng(0)
    J = np.triu(rng.standard_normal((20, 20)), 1)
    model = IsingArrays.from_matrix(J + J.T, rng.standard_normal(20))
    backend = CIMEmulatorBackend(bits=6, max_reads=60)
    report = device_report(model, backend, num_reads=100)
    sampler = HardwareSampler(backend, num_reads=100, seed=0)
    info = sampler.sample_arrays(model.dense, model.h).info
    assert report.fits
    assert report.machine_spins == info["machine_spins"] == 21
    assert report.rms_rel_error == info["rms_rel_error"]
    assert report.calls == info["calls"] == 2
    assert report.reads == 100
    assert report.seconds == pytest.approx(info["modelled_seconds"], rel=1e-9)
    assert "21 of 550 spins" in str(report)


def test_a_model_without_couplings_needs_no_machine():
    report = device_report(
        IsingArrays.from_matrix(np.zeros((3, 3)), np.ones(3)), _small()
    )
    assert (report.calls, report.seconds) == (0, 0)


def test_what_does_not_fit():
    report = device_report(MaxCutProblem(nx.cycle_graph(30)), _small())
    assert not report.fits
    assert "DOES NOT FIT: 30 of 20" in str(report)


def _small():
    return CIMEmulatorBackend(max_spins=20)


def test_the_settings_of_the_sampler_count():
    rng = np.random.default_rng(1)
    J = np.triu(rng.standard_normal((9, 9)), 1)
    J[0, 1] *= 20
    model = IsingArrays.from_matrix(J + J.T, rng.standard_normal(9))
    machine = CIMEmulatorBackend(bits=5, max_reads=30)
    options = {"split_bits": 7, "num_auxiliary": 2, "num_gauges": 3}
    for more in (options, {"clip_quantile": 0.9}):
        sampler = HardwareSampler(machine, num_reads=100, seed=0, **more)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrecisionWarning)
            info = sampler.sample_arrays(model.dense, model.h).info
        report = device_report(model, sampler)
        assert report.machine_spins == info["machine_spins"]
        assert report.rms_rel_error == info["rms_rel_error"]
        assert report.calls == info["calls"]
        assert report.seconds == pytest.approx(info["modelled_seconds"], rel=1e-9)
    plain = device_report(model, machine)
    assert (
        plain.machine_spins
        < device_report(model, HardwareSampler(machine, **options)).machine_spins
    )
    tight = HardwareSampler(CIMEmulatorBackend(bits=3, max_spins=12), split_bits=9)
    assert not device_report(model, tight).fits


def test_the_settings_of_an_estimators_sampler_count():
    X, _ = load_iris(return_X_y=True)
    machine = CIMEmulatorBackend()

    def calls(**options):
        sampler = HardwareSampler(machine, num_reads=40, seed=0, **options)
        model = QBMVAETransformer(
            4,
            max_iter=1,
            prior=BoltzmannPrior(resample_every=2),
            sampler=sampler,
            random_state=0,
        )
        return device_report(model, machine, X)

    one, four = calls(), calls(num_gauges=4)
    assert four.calls == 4 * one.calls > 0
    assert four.reads == one.reads


def test_an_estimator_is_rehearsed():
    X, _ = load_iris(return_X_y=True)
    backend = CIMEmulatorBackend()
    model = QBMVAETransformer(
        4,
        max_iter=3,
        prior=BoltzmannPrior(resample_every=2),
        sampler=HardwareSampler(backend),
        random_state=0,
    )
    report = device_report(model, backend, X)
    fitted = model.fit(X)
    assert report.calls == fitted.sampler_report_["calls"] > 0
    assert report.reads == fitted.sampler_report_["reads"]
    assert report.machine_spins == 5
    assert report.seconds > 60 * report.calls
    assert model.sampler.backend is backend


def test_what_cannot_be_reported():
    with pytest.raises(ValueError, match="LogisticRegression"):
        device_report(LogisticRegression(), CIMEmulatorBackend())
    model = QBMVAETransformer(sampler=HardwareSampler())
    with pytest.raises(ValueError, match="X=None"):
        device_report(model, CIMEmulatorBackend())
    X, _ = load_iris(return_X_y=True)
    idle = QBMVAETransformer(2, prior=BoltzmannPrior(negative_phase="pcd"), max_iter=1)
    with pytest.raises(ValueError, match="nothing to report"):
        device_report(idle, CIMEmulatorBackend(), X)
    with pytest.raises(TypeError, match=r"must be a dimod.BinaryQuadraticModel"):
        device_report(np.eye(3))
    with pytest.raises(TypeError, match=r"Got ndarray; data go in as X="):
        device_report(model, X)
    with pytest.raises(ValueError, match="of a Pipeline give the step"):
        device_report(make_pipeline(model), X=X)


def test_without_a_machine_it_is_the_emulator():
    problem = MaxCutProblem(nx.cycle_graph(5))
    report = device_report(problem)
    assert repr(report) == repr(device_report(problem, CIMEmulatorBackend()))
    assert "machine: 1 call, 100 reads" in repr(report)
    own = QBMVAETransformer(
        2,
        sampler=HardwareSampler(CIMEmulatorBackend(bits=3), num_reads=100),
        max_iter=1,
        random_state=0,
    )
    X, _ = load_iris(return_X_y=True)
    assert device_report(own, X=X).bits == 3
