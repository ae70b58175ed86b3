# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pytest

from qestim.exceptions import HardwareSizeError
from qestim.qubo import IsingArrays
from qestim.samplers._hardware.encoding import encode
from qestim.testing import ExactLaw


def states(n):
    return 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)


def best_reads(matrix):
    """Every state that minimises -s @ matrix @ s."""
    every = states(len(matrix)).astype(np.int8)
    cost = -((every @ matrix) * every).sum(axis=1)
    return every[cost <= cost.min() + 1e-9]


def random_model(rng, spread=1.0):
    """Fields or none, an offset, labels of any kind, both vartypes."""
    n = int(rng.integers(2, 9))
    labels = [f"v{i}" for i in range(n)] if rng.random() < 0.5 else list(range(n))
    rng.shuffle(labels)
    bqm = dimod.BinaryQuadraticModel("SPIN")
    for i, label in enumerate(labels):
        field = rng.standard_normal() if rng.random() < 0.6 else 0.0
        bqm.add_linear(label, field)
        for j in range(i):
            if rng.random() < 0.7:
                size = np.exp(spread * rng.standard_normal())
                bqm.add_quadratic(label, labels[j], size * rng.standard_normal())
    bqm.offset = float(rng.standard_normal())
    if rng.random() < 0.5:
        bqm = bqm.change_vartype("BINARY", inplace=False)
    return bqm


def round_trip(bqm, bits, mutate=lambda matrix: matrix, **options):
    """Energies of the decoded optima, the exact optimum, and the rounding's bound."""
    model = IsingArrays.from_bqm(bqm)
    problem = encode(model, 12, bits, **options)
    spins, broken = problem.decode(best_reads(mutate(problem.matrix)))
    exact = ExactLaw(model).energies
    # Each coefficient is off by half a step at most, and so each energy by that sum.
    report = problem.report
    slack = (
        report["unit"]
        / 2
        * report["n_coefficients"]
        * max(1, report["auxiliary_spins"])
    )
    return model.energies(spins), np.sort(exact), slack, broken


def test_the_optimum_survives_wherever_bits_allow():
    rng = np.random.default_rng(0)
    kept = allowed = 0
    for _ in range(500):
        found, exact, slack, _ = round_trip(random_model(rng), 8)
        levels = exact[exact > exact[0] + 1e-9]
        gap = levels[0] - exact[0] if len(levels) else np.inf
        assert found.max() <= exact[0] + 2 * slack + 1e-9
        kept += found.max() <= exact[0] + 1e-9
        if gap > 2 * slack:
            allowed += 1
            assert found.max() <= exact[0] + 1e-9
    assert allowed > 250
    assert kept >= allowed


@pytest.mark.parametrize(
    "mutate",
    [
        lambda matrix: -matrix,
        lambda matrix: matrix * (1 - 2 * np.eye(len(matrix))[-1]),
    ],
    ids=["every sign", "the last spin's signs on one side"],
)
def test_a_wrong_sign_would_be_noticed(mutate):
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(50):
        found, exact, _, _ = round_trip(random_model(rng), 12, mutate)
        wrong += found.max() > exact[0] + 1e-6
    assert wrong > 20


def test_fields_cost_one_spin_and_their_absence_none():
    bare = IsingArrays.from_matrix([[0, 1], [1, 0]])
    assert encode(bare, 2, 8).matrix.tolist() == [[0, -127], [-127, 0]]
    fielded = IsingArrays.from_matrix([[0, 1], [1, 0]], [0.0, 2.0])
    problem = encode(fielded, 3, 8)
    assert problem.matrix[1, 2] == -127
    assert problem.auxiliary
    with pytest.raises(HardwareSizeError, match=r"2 variables.*needs at least 3"):
        encode(fielded, 2, 8)


def test_size_is_refused_before_anything_large_is_built():
    n = 10**6
    pair = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    huge = IsingArrays(np.zeros(n), *pair, np.ones(1))
    with pytest.raises(HardwareSizeError, match="1000000"):
        encode(huge, 550, 8)


def test_the_report_is_true():
    rng = np.random.default_rng(2)
    J = np.triu(rng.standard_normal((12, 12)), 1)
    J[0, 1] = 1e-4  # gets lost
    model = IsingArrays.from_matrix(J + J.T, rng.standard_normal(12))
    problem = encode(model, 20, 4, num_auxiliary=1)
    M, report = problem.matrix, problem.report
    assert np.array_equal(M, np.rint(M))
    assert np.abs(M).max() == 7
    assert np.array_equal(M, M.T)
    true = np.block([[model.dense, model.h[:, None]], [model.h[None, :], np.zeros(1)]])
    error = np.abs(-M * report["unit"] - true)
    assert report["max_rel_error"] == pytest.approx(error.max() / np.abs(true).max())
    parts = [(slice(12), slice(12)), (slice(12), slice(12, 13))]
    rms = [np.linalg.norm(error[p]) / np.linalg.norm(true[p]) for p in parts]
    assert report["rms_rel_error"] == pytest.approx(max(rms))
    assert report["n_zeroed"] == int(((M == 0) & (true != 0)).sum() // 2) > 0
    assert report["n_coefficients"] == 78
    assert report["dynamic_range"] == pytest.approx(np.abs(true).max() / 1e-4)


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1e6, 1e200])
def test_scale_does_not_matter(scale):
    J = np.array([[0, 1.0, -0.3], [1.0, 0, 0.2], [-0.3, 0.2, 0]])
    one = encode(IsingArrays.from_matrix(J), 5, 8).matrix
    assert np.array_equal(one, encode(IsingArrays.from_matrix(scale * J), 5, 8).matrix)


def test_clipping_helps_the_others():
    J = np.ones((6, 6)) * 0.01
    J[0, 1] = J[1, 0] = 10.0
    np.fill_diagonal(J, 0)
    model = IsingArrays.from_matrix(J)
    assert encode(model, 6, 8).report["n_zeroed"] == 14
    report = encode(model, 6, 8, clip_quantile=0.5).report
    assert (report["n_zeroed"], report["n_clipped"]) == (0, 1)


def test_copies_of_spins_buy_bits():
    rng = np.random.default_rng(3)
    better = 0
    for _ in range(12):
        n = 4
        J = np.triu(rng.integers(-60, 61, (n, n)), 1).astype(float)
        J[0, 1] = 63.0
        model = IsingArrays.from_matrix(J + J.T)
        wide = encode(model, 20, 6, split_bits=7)
        assert np.abs(wide.matrix).max() <= 31
        assert len(wide.matrix) > n
        spins, broken = wide.decode(best_reads(wide.matrix))
        assert broken == 0
        exact = ExactLaw(model).energies.min()
        assert model.energies(spins).max() == exact
        coarse = encode(model, 20, 3)
        spins, _ = coarse.decode(best_reads(coarse.matrix))
        better += model.energies(spins).max() > exact
    assert better > 0  # three bits lose it


def test_broken_copies_are_outvoted():
    J = np.array([[0.0, 63.0], [63.0, 0.0]])
    problem = encode(IsingArrays.from_matrix(J), 20, 4, split_bits=7)
    reads = best_reads(problem.matrix)[:1].copy()
    size = int((problem.owner == 0).sum())
    assert size > 2
    reads[0, 1] *= -1
    spins, broken = problem.decode(reads)
    assert spins[0].prod() == -1
    assert broken == 0.5
    with pytest.raises(HardwareSizeError, match="copies for split_bits"):
        encode(IsingArrays.from_matrix(J), 4, 4, split_bits=7)


def test_a_gauge_changes_the_matrix_and_nothing_else():
    rng = np.random.default_rng(4)
    bqm = random_model(rng)
    problem = encode(IsingArrays.from_bqm(bqm), 20, 8)
    gauge = rng.choice(np.array([-1, 1], np.int8), len(problem.matrix))
    other = problem.reversed(gauge)
    assert not np.array_equal(other.matrix, problem.matrix)
    one = problem.decode(best_reads(problem.matrix))[0]
    two = other.decode(best_reads(other.matrix))[0]
    assert {r.tobytes() for r in one} == {r.tobytes() for r in two}


def test_real_numbers_where_the_machine_takes_them():
    model = IsingArrays.from_matrix([[0, 0.3], [0.3, 0]], [1.7, 0])
    problem = encode(model, 5, None, num_auxiliary=1)
    assert problem.matrix[0, 1] == pytest.approx(-0.3 / 1.7)
    assert problem.report["max_rel_error"] < 1e-15


def test_several_spins_share_large_fields():
    rng = np.random.default_rng(5)
    for _ in range(30):
        n = 8
        J = np.triu(rng.standard_normal((n, n)), 1)
        model = IsingArrays.from_matrix(J + J.T, 4 * rng.standard_normal(n))
        one = encode(model, 12, 8, num_auxiliary=1)
        two = encode(model, 12, 8)
        assert (len(one.matrix), len(two.matrix)) == (9, 10)
        assert two.report["unit"] < 0.7 * one.report["unit"]
        assert (two.matrix[-1, :n] == two.matrix[-2, :n]).all()
        spins, broken = two.decode(best_reads(two.matrix))
        assert broken == 0
        exact = np.sort(ExactLaw(model).energies)
        assert model.energies(spins).max() <= exact[0] + 17 * two.report["unit"]
    assert len(encode(model, 9, 8).matrix) == 9  # no spin is left
    assert len(encode(model, 99, 8).matrix) == 10  # a quarter of eight
    with pytest.raises(HardwareSizeError, match="5 for its fields"):
        encode(model, 12, 8, num_auxiliary=5)


def test_real_numbers_are_not_split():
    model = IsingArrays.from_matrix([[0.0, 1.3], [1.3, 0.0]])
    with pytest.raises(ValueError, match=r"'split_bits' .*bits=None.*Got 4"):
        encode(model, 10, None, split_bits=4)
