# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import numpy as np
import pytest

from qestim.qubo import ACTIVATIONS, FIPProblem, Spline

LOSSES = ("squared", "zero_one", "hinge", "logistic", "cross_entropy")


def random_problem(rng):
    """Return a problem of random size and options, and random weights for it."""
    n_samples, n_inputs = rng.integers(1, 5), rng.integers(1, 5)
    activation = rng.choice([*ACTIVATIONS, "levels"])
    loss = rng.choice(LOSSES)
    n_outputs = int(rng.integers(1, 4))
    targets = {
        "squared": rng.normal(size=(n_samples, n_outputs)),
        "cross_entropy": rng.integers(0, n_outputs + 1, n_samples),
    }
    signs = rng.choice([-1, 1], (n_samples, n_outputs))
    options = {
        "weight_bits": rng.choice(np.array([1, 2, 3, "ternary"], dtype=object)),
        "activation": Spline.staircase([-2, 0, 2], [-1, 0, 1, 3])
        if activation == "levels"
        else str(activation),
        "loss": str(loss),
        "encoding": str(rng.choice(["threshold", "onehot"])),
        "pieces": int(rng.integers(2, 6)),
        "degree": rng.choice(np.array([None, 0, 1], dtype=object)),
        "loss_pieces": int(rng.integers(2, 5)),
        "bias": bool(rng.integers(2)),
        "activation_step": rng.choice(np.array([1.0, 0.5])),
    }
    hidden = tuple(rng.integers(1, 4, rng.integers(0, 3)))
    X = rng.integers(-3, 4, (n_samples, n_inputs))
    problem = FIPProblem(X, targets.get(str(loss), signs), hidden, **options)
    levels = problem.layers.code.levels
    shapes = [problem.layers.shape(k) for k in range(len(hidden) + 1)]
    return problem, [rng.choice(levels, shape) for shape in shapes]


@pytest.mark.parametrize("seed", range(200))
def test_size_and_energy_of_random_configurations(seed):
    rng = np.random.default_rng(seed)
    problem, weights = random_problem(rng)
    while problem.size_report().variables > 3000:
        problem, weights = random_problem(rng)
    report = problem.size_report()
    arrays = problem.to_arrays()
    assert len(arrays) == len(set(arrays.variables)) == report.variables
    assert report.weight_bits + report.auxiliary_bits.sum() == report.variables
    assert report.layer_bits.sum() == report.auxiliary_bits.sum()
    assert len(arrays.row) <= report.max_couplings
    # No pair twice, none with itself.
    assert (arrays.row < arrays.col).all()
    pairs = arrays.row.astype(np.int64) * len(arrays) + arrays.col
    assert len(np.unique(pairs)) == len(pairs)
    sample = problem.encode(weights)
    spins = np.array([[2 * sample[label] - 1 for label in arrays.variables]])
    energy = arrays.energies(spins.astype(np.int8))[0]
    scale = np.abs(arrays.value).sum() + np.abs(arrays.h).sum() + abs(arrays.offset)
    assert abs(energy - problem.objective(weights)) <= 1e-9 + 1e-13 * scale
    bound = problem.error_bound()
    off = abs(problem.objective(weights) - problem.true_objective(weights))
    assert off <= bound + 1e-9


@pytest.mark.parametrize(
    ("widths", "options", "weight_bits", "auxiliary"),
    [
        ((3, 2, 1), {}, 8, 6),
        ((5, 4, 3), {}, 32, 24),
        ((5, 4, 3), {"weight_bits": 2}, 64, 40),
        ((14, 8, 3), {}, 136, 56),
        ((31, 8, 2), {}, 264, 56),
        ((65, 32, 10), {}, 2400, 544),
        ((65, 32, 16, 10), {}, 2752, 992),
        ((785, 32, 10), {}, 25440, 640),
    ],
)
def test_sizes_of_known_networks(widths, options, weight_bits, auxiliary):
    X = np.ones((1, widths[0]), dtype=int)
    y = np.ones((1, widths[-1]))
    report = FIPProblem(X, y, widths[1:-1], bias=False, **options).size_report()
    assert report.weight_bits == weight_bits
    # Sums that leave the last power of two nearly empty depend on the inputs.
    assert report.auxiliary_bits[0] == auxiliary


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (600, {"loss": "hinge"}),
        (600, {"activation": "relu", "activation_step": 1.0}),
        (600, {"encoding": "onehot", "loss": "zero_one"}),
        (600, {"weight_bits": "ternary", "loss": "logistic", "loss_pieces": 3}),
        (1700, {"loss": "hinge"}),
    ],
)
def test_large_networks(samples, options):
    rng = np.random.default_rng(7)
    X = rng.integers(-2, 3, (samples, 8))
    y = rng.choice([-1, 1], (samples, 2))
    problem = FIPProblem(X, y, (8,), **options)
    report = problem.size_report()
    assert report.variables > 50 * samples
    bqm = problem.to_bqm()
    assert bqm.num_variables == report.variables
    levels = problem.layers.code.levels
    weights = [rng.choice(levels, problem.layers.shape(k)) for k in range(2)]
    energy = bqm.energy(problem.encode(weights))
    assert energy == pytest.approx(problem.objective(weights), rel=1e-8)


def test_building_takes_no_more_memory_than_reported():
    rng = np.random.default_rng(0)
    X, y = rng.integers(-2, 3, (300, 8)), rng.choice([-1, 1], (300, 2))
    problem = FIPProblem(X, y, (8,), loss="hinge")
    tracemalloc.start()
    problem.to_bqm()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= problem.size_report().bytes <= 8 * peak


def test_a_problem_too_large_is_refused_before_it_is_built():
    X, y = np.ones((5000, 784), dtype=int), np.zeros((5000, 10))
    problem = FIPProblem(X, y, (64,))
    assert problem.size_report().variables > 5 * 10**6
    for build in (problem.to_bqm, problem.to_cqm, problem.to_arrays):
        with pytest.raises(ValueError, match=r"has \d+ variables .* GiB, memory_limit"):
            build()
