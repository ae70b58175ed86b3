# SPDX-License-Identifier: Apache-2.0
import networkx as nx
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from qestim import BoltzmannPrior, QBMVAETransformer, device_report
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
