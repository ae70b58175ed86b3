# SPDX-License-Identifier: Apache-2.0
import time

import dimod
import pytest

from qestim.samplers import QCGDSampler, SimulatedAnnealingSampler, _waiting


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(_waiting, "_QUIET_SECONDS", 0.05)


def test_a_long_call_says_how_long_it_has_run(impatient, capsys):
    with _waiting.elapsed("annealing", 1):
        time.sleep(0.3)
    assert "annealing: 00:0" in capsys.readouterr().err


def test_quiet_by_default_and_for_short_calls(impatient, capsys, monkeypatch):
    with _waiting.elapsed("annealing", 0):
        time.sleep(0.3)
    monkeypatch.setattr(_waiting, "_QUIET_SECONDS", 60)
    with _waiting.elapsed("annealing", 1):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_the_clock_ends_with_the_block(impatient, capsys):
    with pytest.raises(KeyError), _waiting.elapsed("annealing", 1):
        raise KeyError
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


class SlowSampler(SimulatedAnnealingSampler):
    def _sample_ising(self, *given):
        time.sleep(0.3)
        return super()._sample_ising(*given)


def test_samplers_tell(impatient, capsys):
    SlowSampler(seed=0).sample_ising({0: 1.0}, {})
    assert capsys.readouterr().err == ""
    SlowSampler(seed=0, verbose=1).sample_ising({0: 1.0}, {})
    assert "SlowSampler: 00:0" in capsys.readouterr().err


def test_samplers_of_constrained_models_tell(impatient, capsys):
    x, y, z = dimod.Binaries(["x", "y", "z"])
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-3 * x - 2 * y - z)
    cqm.add_constraint(x + y + z == 1)
    QCGDSampler(SlowSampler(), max_iter=2, seed=0).sample_cqm(cqm, verbose=1)
    assert "QCGDSampler: 00:0" in capsys.readouterr().err
