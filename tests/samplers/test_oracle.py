# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pytest

from qestim.qubo import IsingArrays
from qestim.samplers import ExactSampler, SimulatedAnnealingSampler
from qestim.samplers._constraints import ConstrainedArrays
from qestim.samplers._oracle import Oracle


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    row, col = np.triu_indices(6, 1)
    bqm = dimod.BQM.from_numpy_vectors(
        rng.normal(size=6), (row, col, rng.normal(size=15)), 0.7, "BINARY"
    )
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(bqm)
    cqm.add_constraint([(i, i + 1) for i in range(6)], "==", rhs=9, label="sum")
    return ConstrainedArrays.from_cqm(cqm)


class Spy(SimulatedAnnealingSampler):
    """Keep the model of the last call."""

    def sample(self, bqm, **parameters):
        self.model_ = IsingArrays.from_bqm(bqm)
        return super().sample(bqm, **parameters)


def test_it_minimises_the_weighted_sum(arrays):
    multipliers = np.array([0.4, 0.2])
    bits, energies, exact = Oracle(ExactSampler(), arrays, None, 0.0, {})(
        multipliers, seed=0
    )
    every = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(np.int8)
    lifted = arrays.lift(every)
    total = lifted @ arrays.q + arrays.q0
    total += ((arrays.G @ lifted.T).T + arrays.g0) @ multipliers
    assert exact
    np.testing.assert_array_equal(bits[0], every[np.argmin(total)])
    assert energies[0] == pytest.approx(total.min())


def test_reads_come_in_ascending_order(arrays):
    annealer = SimulatedAnnealingSampler(num_reads=20, num_sweeps=1)
    _, energies, exact = Oracle(annealer, arrays, None, 0.0, {})(np.ones(2), seed=1)
    assert not exact
    assert (np.diff(energies) >= 0).all()
    assert energies[0] < energies[-1]


@pytest.mark.parametrize("precision", [3, 4, 8])
def test_precision_rounds_to_signed_integers(arrays, precision):
    spy = Spy(num_sweeps=1)
    Oracle(spy, arrays, precision, 0.0, {})(np.ones(2), seed=0)
    values = np.concatenate([spy.model_.h, spy.model_.value])
    step = np.abs(values).max() / (2 ** (precision - 1) - 1)
    np.testing.assert_allclose(values / step, np.rint(values / step), atol=1e-9)
    assert len(np.unique(np.rint(values / step))) > 2


def test_noise_has_the_stated_size_and_no_bias(arrays):
    spy = Spy(num_sweeps=1)
    Oracle(spy, arrays, None, 0.0, {})(np.ones(2), seed=0)
    plain = np.concatenate([spy.model_.h, spy.model_.value])
    deviations = []
    for seed in range(200):
        Oracle(spy, arrays, None, 0.1, {})(np.ones(2), seed=seed)
        deviations.append(np.concatenate([spy.model_.h, spy.model_.value]) - plain)
    size = np.abs(plain).max()
    assert np.std(deviations) == pytest.approx(0.1 * size, rel=0.05)
    assert np.abs(np.mean(deviations, axis=0)).max() < 0.03 * size


def test_rounding_that_changes_nothing_leaves_the_proof():
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(
        dimod.BQM.from_ising({0: 3.0, 1: -1.0}, {(0, 1): 2.0})
    )
    arrays = ConstrainedArrays.from_cqm(cqm)
    oracle = Oracle(ExactSampler(), arrays, 3, 0.0, {})
    assert oracle(np.empty(0), seed=0)[2]
    assert not Oracle(ExactSampler(), arrays, 2, 0.0, {})(np.empty(0), seed=0)[2]


def test_many_reads_of_an_exact_sampler_are_the_lowest_states(arrays):
    bits, energies, exact = Oracle(ExactSampler(num_reads=3), arrays, None, 0.0, {})(
        np.zeros(2), seed=0
    )
    assert exact
    assert len(bits) == 3
    assert energies[0] < energies[1] < energies[2]
