# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pytest

from qestim.exceptions import InfeasibleWarning
from qestim.samplers import ExactSampler, QCGDSampler, SimulatedAnnealingSampler
from qestim.samplers._constraints import ConstrainedArrays
from qestim.samplers._polish import Polisher


def random_model(seed, n=12):
    """One-hot pairs and threes, a knapsack, a cover and a dense objective."""
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(
        dimod.BQM.from_numpy_vectors(
            rng.normal(size=n), (row, col, rng.normal(size=len(row))), 0.0, "BINARY"
        )
    )
    for g in range(n // 3):
        members = [(3 * g + k, 1) for k in range(3)]
        cqm.add_constraint(members, "==", rhs=1, label=f"group{g}")
    weights = rng.integers(1, 5, n)
    terms = [(i, int(w)) for i, w in enumerate(weights)]
    cqm.add_constraint(terms, "<=", rhs=12, label="knapsack")
    cqm.add_constraint([(i, 1) for i in range(0, n, 2)], ">=", rhs=2, label="cover")
    return cqm


def merit(arrays, bits):
    lifted = arrays.lift(bits[None])
    return (
        float(arrays.violations(lifted).sum()),
        float((lifted @ arrays.q)[0] + arrays.q0),
    )


@pytest.mark.parametrize("seed", range(5))
def test_it_ends_where_no_move_helps(seed):
    arrays = ConstrainedArrays.from_cqm(random_model(seed))
    polish = Polisher(arrays)
    rng = np.random.default_rng(seed)
    groups = [range(3 * g, 3 * g + 3) for g in range(4)]
    for _ in range(20):
        start = rng.integers(0, 2, arrays.num_bits).astype(np.int8)
        end = polish(start)
        before, after = merit(arrays, start), merit(arrays, end)
        assert after[0] < before[0] or after <= before
        np.testing.assert_array_equal(end[12:], start[12:])
        moves = [(i,) for i in range(12)]
        moves += [(i, j) for g in groups for i in g for j in g if end[i] > end[j]]
        for move in moves:
            other = end.copy()
            other[list(move)] ^= 1
            violation, objective = merit(arrays, other)
            assert violation > after[0] - 1e-9
            if violation < after[0] + 1e-9:
                assert objective > after[1] - 1e-9


def test_it_mends_reads_that_no_single_flip_mends():
    cqm = dimod.ConstrainedQuadraticModel()
    x, y, z = dimod.Binaries("xyz")
    cqm.set_objective(x - y + 0.5 * z)
    cqm.add_constraint(x + y + z == 1)
    arrays = ConstrainedArrays.from_cqm(cqm)
    assert Polisher(arrays)(np.array([1, 0, 0], dtype=np.int8)).tolist() == [0, 1, 0]


def test_quadratic_constraints_and_long_equalities_are_left_alone():
    x, y, z = dimod.Binaries("xyz")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x)
    cqm.add_constraint(x * y + z == 1)
    assert not Polisher.applies(ConstrainedArrays.from_cqm(cqm))
    assert QCGDSampler(ExactSampler()).sample_cqm(cqm).info["proven_optimal"]
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", range(700))
    cqm.add_constraint([(i, 1) for i in range(700)], "==", rhs=3)
    assert not Polisher.applies(ConstrainedArrays.from_cqm(cqm))


def test_polished_reads_win_where_the_annealer_is_weak():
    cqm = random_model(0)
    weak = SimulatedAnnealingSampler(num_reads=1, num_sweeps=2)
    sampler = QCGDSampler(weak, seed=0, max_iter=5, patience=None)
    reads = sampler.sample_cqm(cqm)
    assert reads.record.is_feasible.all()
    with pytest.warns(InfeasibleWarning):
        plain = sampler.sample_cqm(cqm, polish=False)
    # The multipliers do not see it: what the annealer is asked is the same.
    assert reads.info["history"] == plain.info["history"]
