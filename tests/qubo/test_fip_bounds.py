# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from qestim.qubo import (
    IsingArrays,
    generalization_bound,
    sample_complexity,
    time_to_solution_bound,
)
from qestim.samplers import ExactSampler


def sign_networks():
    """Outputs of all perceptrons with weights +-1 on five signs, 2^5 points."""
    points = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1).T
    return np.sign(points @ points.T).astype(int)


@pytest.mark.parametrize("n_samples", [10, 100, 1000])
def test_generalisation_gap_is_bounded(n_samples):
    outputs = sign_networks()
    rng = np.random.default_rng(n_samples)
    label = rng.choice([-1, 1], len(outputs))
    losses = outputs != label[:, None]
    bound = generalization_bound(np.log(losses.shape[1]), n_samples)
    gaps = []
    for _ in range(400):
        drawn = losses[rng.integers(len(losses), size=n_samples)]
        gaps.append(np.abs(drawn.mean(axis=0) - losses.mean(axis=0)).max())
    assert np.mean(np.array(gaps) > bound) <= 0.05
    # Not idle either: the bound is within a factor of three of the worst gap.
    assert max(gaps) > bound / 3


def test_sample_complexity_inverts_the_bound():
    for gap in (0.3, 0.05):
        n = sample_complexity(20, gap, loss_range=4)
        assert generalization_bound(20, n, 4) <= gap
        assert generalization_bound(20, n - 1, 4) > gap


def heat_bath(model, beta, sweeps, reads, rng):
    """Sample by plain heat-bath sweeps from random states."""
    J, n = model.dense, len(model)
    s = rng.choice([-1, 1], (reads, n))
    for _ in range(sweeps):
        for i in range(n):
            field = model.h[i] + s @ J[i]
            s[:, i] = np.where(
                rng.random(reads) < 1 / (1 + np.exp(2 * beta * field)), 1, -1
            )
    return s


@pytest.mark.parametrize("n", [8, 12])
def test_time_to_solution_is_bounded(n):
    rng = np.random.default_rng(n)
    J = np.triu(rng.choice([-1, 0, 1], (n, n), p=[0.15, 0.7, 0.15]), 1)
    model = IsingArrays.from_matrix(J + J.T, rng.choice([-1, 1], n) * 0.5)
    bqm = model.to_bqm()
    states = np.array(np.meshgrid(*[[-1, 1]] * n)).reshape(n, -1).T.astype(np.int8)
    energies = np.round(model.energies(states), 9)
    ground = energies.min()
    gap = np.unique(energies)[1] - ground
    degeneracy = int((energies == ground).sum())
    assert ExactSampler().sample(bqm).first.energy == pytest.approx(ground)
    beta = 0.9 / np.abs(model.dense).sum(axis=1).max()
    bound = time_to_solution_bound(model, gap, beta, degeneracy=degeneracy)
    sweeps = 5
    reads = model.energies(heat_bath(model, beta, sweeps, 40_000, rng).astype(np.int8))
    hits = np.mean(np.round(reads, 9) == ground)
    assert hits > 0
    measured = sweeps * np.log(0.01) / np.log1p(-hits)
    assert measured <= bound


def test_cold_models_need_evidence():
    model = IsingArrays.from_matrix([[0, -1], [-1, 0]])
    with pytest.raises(ValueError, match="Lower beta or pass the 'sweeps'"):
        time_to_solution_bound(model, 2.0, 5.0 * 100)
    # Two of four states, and the others all but impossible: one read.
    assert time_to_solution_bound(model, 2.0, 50.0, degeneracy=2, sweeps=7) == 7
    assert time_to_solution_bound(model, 2.0, 1.0, degeneracy=4, sweeps=7) == 7


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: generalization_bound(-1, 10), "log_networks"),
        (lambda: generalization_bound(1, 0), "n_samples"),
        (lambda: generalization_bound(1, 10, delta=1), "delta"),
        (lambda: sample_complexity(1, 0), "gap"),
        (lambda: sample_complexity(np.nan, 1), "log_networks"),
        (
            lambda: time_to_solution_bound(
                IsingArrays.from_matrix(np.zeros((2, 2))), 1.0, 1.0, target=1
            ),
            "target",
        ),
    ],
)
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()
