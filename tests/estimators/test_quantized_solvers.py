# SPDX-License-Identifier: Apache-2.0
"""Steps of the solvers that train a quantized network, one at a time."""

from unittest import mock

import numpy as np
import pytest
from sklearn.datasets import load_iris

from qestim.estimators._quantized_bit_scale import BitScaleDescent
from qestim.estimators._quantized_block import BlockDescent
from qestim.estimators._quantized_fip import ExactDescent
from qestim.estimators._quantized_network import QuantizedNetwork, softmax
from qestim.estimators._quantized_rows import Rows, distinct_rows, hold_out


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def descent(kind, sizes, X, y, draw=None, *, activation="relu"):
    """Return a solver, ready for rounds on some rows, and the rows."""
    rng = np.random.RandomState(0)
    rows = distinct_rows(X, y, np.ones(len(y)), sizes[-1])
    size = float(np.sqrt(np.mean(np.square(X))))
    network = QuantizedNetwork(sizes, 1, activation, size, rng)
    settings = {"penalty": 1.0, "inertia": 1.0, "block_size": None}
    trainer = kind(network, draw, rng, **settings, input_noise=0.0, spread=1.0)
    trainer.start(rows)
    return trainer, rows


def test_a_state_is_apart_from_later_changes():
    net = QuantizedNetwork([3, 2], 1, "relu", 1.0, np.random.RandomState(0))
    state, before = net.state(), net.weights[0].copy()
    net.set_column(0, 1, -net.spins[0][:, 1], 5.0)
    net.restore(state)
    np.testing.assert_array_equal(net.weights[0], before)
    assert net.biases[0][1] == 0


def test_rows_held_out_are_of_every_class():
    codes = np.repeat([0, 1], [96, 4])
    share = np.full(100, 0.01, np.float32)
    rows = Rows(np.arange(100.0)[None], np.eye(2, dtype=np.float32)[:, codes], share)
    for seed in range(5):
        for part in hold_out(rows, 0.25, np.random.RandomState(seed)):
            assert part.targets[1].mean() == 0.04
            assert part.share.sum() == pytest.approx(1)


def test_a_switch_is_pulled_to_the_output_that_gains(iris):
    trainer, rows = descent(BlockDescent, [4, 3, 3], *iris, activation="sign")
    trainer.draw = lambda h, J: np.ones((1, len(h)))
    trainer.epoch(rows)
    net = trainer.network
    losses = []
    for end in (-1, 1):
        hidden = net.value(trainer.layers[0])
        hidden[1] = end
        P = softmax(net.affine(1, hidden))
        losses.append(-np.log(np.sum(P * rows.targets, axis=0)))
    slope, _ = trainer._switch(0, 1)
    clear = np.abs(losses[1] - losses[0]) > 0.1
    assert clear.sum() > 50
    np.testing.assert_array_equal(
        np.sign(slope[clear]), np.sign(losses[1] - losses[0])[clear]
    )


def test_moves_grow_shorter_where_few_help_and_longer_where_most_do(iris):
    trainer, rows = descent(BlockDescent, [4, 3], *iris)
    for helped, way in (((0, 0, 0), 1), ((1, 1, 0), -1), ((1, 0, 0), 0)):
        before, trainer._step = trainer.penalty, mock.Mock(side_effect=helped)
        trainer.epoch(rows)
        assert np.sign(trainer.penalty - before) == way


def test_the_memory_moves_against_the_slope_that_a_step_leaves():
    x, y = np.array([[1.0, -2.0, 0.5]]), np.array([0])
    trainer, rows = descent(BitScaleDescent, [3, 2], x, y)
    net = trainer.network
    old = net.spins[0][:, 1, 0].astype(float)
    memory = trainer.memory[0][:, 1, 0].copy()
    trainer.draw = lambda h, J: -old[None]
    layers, P = trainer._forward(rows.X[:, 0])
    trainer._step(layers, rows.X[:, 0], P, rows.targets[:, 0], 0, 1)
    inputs = net.scales[0] * x[0]
    # The loss to second order in the sum of output 1, whose target is 0.
    remainder = P[1] + P[1] * (1 - P[1]) * (inputs @ (-2 * old))
    want = np.clip(memory - 1.5 * remainder * inputs, -1, 1)
    np.testing.assert_allclose(trainer.memory[0][:, 1, 0], want, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_the_network_is_the_one_that_the_exact_problem_judged(scale):
    rng = np.random.RandomState(1)
    X = scale * rng.normal(size=(6, 3))
    trainer, _ = descent(ExactDescent, [3, 2, 2], X, np.arange(6) % 2)
    problem, net = trainer.problem, trainer.network
    steps = problem.layers.steps[0] * problem.X[:, :-1].T
    for _ in range(5):
        weights = [rng.choice([-1, 1], problem.layers.shape(k)) for k in (0, 1)]
        trainer._take(weights)
        want = problem.layers.true_forward(problem.X, weights)
        np.testing.assert_allclose(net.forward(steps)[-1].T, want, atol=1e-5)
