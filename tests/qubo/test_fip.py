# SPDX-License-Identifier: Apache-2.0
from itertools import product

import numpy as np
import pytest

from qestim.qubo import ACTIVATIONS, FIPProblem, Spline, quantize_inputs
from qestim.samplers import ExactSampler

XOR = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
PARITY = np.array([-1, 1, 1, -1])
ODD = np.array([[2, -1], [1, 3], [-2, 2]])
LABELS = np.array([1, -1, 1])
BOTH = np.array([[1, -1], [-1, 1], [1, 1]])
THREE = Spline.staircase([-1, 1], [-1, 0, 1])

# Thresholds and intervals; 1 bit, 2 bits and ternary; sign and three levels; one and
# two hidden layers; one and two outputs; squares, errors and hinges.
FIRST = {
    "sign": (XOR, PARITY, (2,), {}),
    "sign, one-hot": (XOR, PARITY, (2,), {"encoding": "onehot"}),
    "no constant": (ODD, LABELS, (2,), {"bias": False}),
    "2 bit": (XOR, PARITY, (1,), {"weight_bits": 2}),
    "ternary": (ODD, LABELS, (1,), {"weight_bits": "ternary"}),
    "three levels": (ODD, LABELS, (2,), {"activation": THREE, "bias": False}),
    "three levels, one-hot": (
        ODD,
        LABELS,
        (1,),
        {"activation": THREE, "encoding": "onehot"},
    ),
    "two hidden layers": (XOR, PARITY, (2, 1), {"bias": False}),
    "two outputs": (ODD, BOTH, (1,), {}),
    "errors": (XOR, PARITY, (2,), {"loss": "zero_one", "bias": False}),
    "hinge": (ODD, BOTH, (1,), {"loss": "hinge"}),
}
# Splines, deeper networks, softmax.
SECOND = {
    "relu": (XOR, PARITY, (2,), {"activation": "relu", "bias": False}),
    "relu, one-hot": (
        ODD,
        LABELS,
        (1,),
        {"activation": "relu", "encoding": "onehot"},
    ),
    "hardtanh": (ODD, LABELS, (1,), {"activation": "hardtanh"}),
    "tanh": (
        ODD[:2],
        LABELS[:2],
        (1,),
        {"activation": "tanh", "pieces": 3, "activation_step": 0.25},
    ),
    "sigmoid stairs": (
        ODD,
        LABELS,
        (1,),
        {"activation": "sigmoid", "pieces": 4, "degree": 0, "activation_step": 0.125},
    ),
    "three hidden layers": (XOR, PARITY, (1, 1, 1), {"bias": False}),
    "two hidden layers, three levels": (
        XOR,
        PARITY,
        (1, 1),
        {"activation": THREE, "bias": False},
    ),
    "logistic": (XOR, PARITY, (), {"loss": "logistic", "loss_pieces": 3}),
    "softmax of two": (
        XOR,
        PARITY > 0,
        (1,),
        {"loss": "cross_entropy", "loss_pieces": 3},
    ),
    "softmax of three": (
        np.eye(3, dtype=int)[:, :2],
        np.array([0, 1, 2]),
        (),
        {"loss": "cross_entropy", "loss_pieces": 2, "bias": False},
    ),
    "softmax of three, stairs": (
        ODD,
        np.array([2, 1, 0]),
        (),
        {"loss": "cross_entropy", "loss_pieces": 3, "loss_degree": 0, "bias": False},
    ),
    "any functions": (
        ODD,
        LABELS,
        (1,),
        {
            "activation": np.arctan,
            "pieces": 4,
            "degree": 0,
            "activation_step": 0.5,
            "loss": lambda q: (1 + q) ** 2 / 4,
            "loss_pieces": 2,
            "bias": False,
        },
    ),
}
CASES = {**FIRST, **SECOND}


def make(name, **changes):
    X, y, hidden, options = CASES[name]
    return FIPProblem(X, y, hidden, **{**options, **changes})


def all_bits(n):
    return np.array(list(product((0, 1), repeat=n)), dtype=np.float64).reshape(2**n, n)


def networks(problem):
    """Return all settings of the weight bits, and the weights of each."""
    form = problem._form
    settings = all_bits(sum(index.size for index in form.weight_index))
    decoded = [problem.layers.code.weights(settings[:, i]) for i in form.weight_index]
    return settings, [list(layers) for layers in zip(*decoded, strict=True)]


def landscape(problem, penalty="auto"):
    """Return the least energy over the auxiliary bits for every setting of weights."""
    bqm = problem.to_bqm(penalty)
    n = bqm.num_variables
    vectors = bqm.to_numpy_vectors(problem.variables)
    row, col, value = vectors.quadratic
    Q = np.diag(vectors.linear_biases)
    np.add.at(Q, (np.minimum(row, col), np.maximum(row, col)), value)
    settings, _ = networks(problem)
    end = settings.shape[1]
    energy = ((settings @ Q[:end, :end]) * settings).sum(axis=1) + vectors.offset
    for size in problem.size_report().auxiliary_bits:
        own = slice(end, end + size)
        # Bits of different samples must not meet: they are minimised apart.
        assert not Q[own, end + size :].any()
        half = size // 2
        left, right = all_bits(half), all_bits(size - half)
        q, field = Q[own, own], settings @ Q[: settings.shape[1], own]
        inner = ((left @ q[:half, :half]) * left).sum(axis=1)[:, None]
        inner = inner + ((right @ q[half:, half:]) * right).sum(axis=1)
        inner += left @ q[:half, half:] @ right.T
        least = np.empty(len(settings))
        for k, f in enumerate(field):
            outer = (left @ f[:half])[:, None] + right @ f[half:]
            least[k] = (inner + outer).min()
        energy += least
        end += size
    assert end == n
    return energy


@pytest.mark.parametrize("name", CASES)
class TestExact:
    def test_least_energy_is_the_loss_of_every_network(self, name):
        problem = make(name)
        losses = [problem.objective(weights) for weights in networks(problem)[1]]
        np.testing.assert_allclose(landscape(problem), losses, atol=1e-9)

    def test_half_the_penalty_is_not_enough(self, name):
        problem = make(name)
        losses = [problem.objective(weights) for weights in networks(problem)[1]]
        energy = landscape(problem, 0.5 * problem.penalty_bound())
        assert (energy < np.array(losses) - 1e-6).any()

    def test_encoded_networks_are_consistent(self, name):
        problem = make(name)
        bqm, cqm = problem.to_bqm(), problem.to_cqm()
        assert bqm.num_variables == problem.size_report().variables
        for weights in networks(problem)[1][::7]:
            sample = problem.encode(weights)
            loss = problem.objective(weights)
            assert bqm.energy(sample) == pytest.approx(loss, abs=1e-9)
            assert cqm.objective.energy(sample) == pytest.approx(loss, abs=1e-9)
            assert cqm.check_feasible(sample, atol=1e-9)
            decoded = problem.decode(sample)
            assert all(map(np.array_equal, decoded, weights))

    def test_distance_to_the_function_meant_is_bounded(self, name):
        problem = make(name)
        bound = problem.error_bound()
        for weights in networks(problem)[1]:
            off = abs(problem.objective(weights) - problem.true_objective(weights))
            assert off <= bound + 1e-9


def test_the_sampler_of_all_states_agrees():
    problem = make("two outputs")
    best = min(problem.objective(weights) for weights in networks(problem)[1])
    first = ExactSampler().lowest(problem.to_bqm(), 1).first
    assert first.energy == pytest.approx(best)
    assert problem.objective(problem.decode(first.sample)) == pytest.approx(best)
    assert problem.to_cqm().check_feasible(first.sample)


def test_spins_decode_like_bits():
    problem = make("sign")
    weights = networks(problem)[1][77]
    spins = {label: 2 * bit - 1 for label, bit in problem.encode(weights).items()}
    assert all(map(np.array_equal, problem.decode(spins), weights))


def test_a_number_weighs_every_constraint():
    problem = make("hinge")
    weights = networks(problem)[1][5]
    sample = problem.encode(weights)
    broken = next(label for label in problem.variables if label[0] == "s")
    sample[broken] ^= 1
    energies = [problem.to_bqm(penalty).energy(sample) for penalty in (0.0, 1.0, 2.0)]
    assert np.diff(energies) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ["squared", "zero_one", "hinge", "logistic"])
def test_networks_are_within_the_bound_of_the_functions_meant(activation, loss):
    rng = np.random.default_rng(0)
    X, step = quantize_inputs(rng.normal(size=(6, 3)), bits=5)
    y = rng.choice([-1, 1], 6)
    for pieces in (2, 4, 8, 16, 32, 64):
        problem = FIPProblem(
            X,
            y,
            (3,),
            activation=activation,
            loss=loss,
            pieces=pieces,
            loss_pieces=pieces,
            input_step=step,
            weight_scale=0.5,
        )
        bound = problem.error_bound()
        for _ in range(20):
            weights = [
                rng.choice([-1, 1], problem.layers.shape(layer)) for layer in (0, 1)
            ]
            off = problem.objective(weights) - problem.true_objective(weights)
            assert abs(off) <= bound + 1e-9


def test_the_bound_covers_the_inputs_too():
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(8, 3))
    y = rng.normal(size=8)
    X, step = quantize_inputs(numbers, bits=4)
    problem = FIPProblem(X, y, (4,), activation="tanh", bias=False, input_step=step)
    bound = problem.error_bound(input_error=step / 2)
    for _ in range(100):
        V, W = (rng.choice([-1, 1], problem.layers.shape(layer)) for layer in (0, 1))
        true = ((np.tanh(numbers @ V.T) @ W.T - y[:, None]) ** 2).sum()
        assert abs(problem.objective([V, W]) - true) <= bound


@pytest.mark.parametrize(
    ("X", "y", "options", "match"),
    [
        ([[0.5]], [1], {}, "X must hold finite integers"),
        ([[np.nan]], [1], {}, "X must hold finite integers"),
        ([], [], {}, "X must hold finite integers"),
        ([1, 2], [1, 1], {}, "X must hold finite integers"),
        ([["a"]], [1], {}, "X must hold finite integers"),
        ([[1]], [1, 2], {}, "one target for each of the 1 rows"),
        ([[1]], [np.inf], {}, "finite"),
        ([[1]], [2], {"loss": "hinge"}, "must be -1 or 1"),
        ([[1]], [0.5], {"loss": "cross_entropy"}, "classes 0, 1"),
        ([[1]], [-1], {"loss": "cross_entropy"}, "classes 0, 1"),
        ([[1]], [1], {"loss": "huber"}, "'loss' parameter"),
        ([[1]], [1], {"weight_bits": 1.5}, "'weight_bits' parameter"),
        ([[1]], [1], {"weight_bits": 0}, "'weight_bits' parameter"),
        ([[1]], [1], {"activation": "swish"}, "'activation' parameter"),
        ([[1]], [1], {"encoding": "unary"}, "'encoding' parameter"),
        ([[1]], [1], {"pieces": 0}, "'pieces' parameter"),
        ([[1]], [1], {"weight_scale": [1, 2, 3]}, "'weight_scale' parameter"),
        ([[1]], [1], {"weight_scale": -1.0}, "'weight_scale' parameter"),
        ([[1]], [1], {"hidden_layer_sizes": (0,)}, "'hidden_layer_sizes'"),
        ([[1]], [1], {"hidden_layer_sizes": (1.5,)}, "'hidden_layer_sizes'"),
        ([[10**9]], [1], {}, "lattice points"),
    ],
)
def test_bad_input(X, y, options, match):
    with pytest.raises(ValueError, match=match):
        FIPProblem(X, y, **options)


def test_bad_solutions_samples_and_penalties():
    problem = make("sign")
    with pytest.raises(ValueError, match="shapes"):
        problem.objective([np.ones((2, 2)), np.ones((1, 3))])
    with pytest.raises(ValueError, match="one of \\[-1, 1\\]"):
        problem.encode([np.zeros((2, 3)), np.ones((1, 3))])
    with pytest.raises(ValueError, match="every weight bit"):
        problem.decode({})
    for penalty in ("high", -1.0, np.nan, np.ones(3)):
        with pytest.raises(ValueError, match="'penalty' parameter"):
            problem.to_bqm(penalty)


def test_inputs_on_a_grid():
    X = np.random.default_rng(0).normal(size=(50, 3))
    integers, step = quantize_inputs(X, bits=6)
    assert np.abs(integers).max() == 31
    assert np.abs(X - step * integers).max() <= step / 2 + 1e-12
    assert quantize_inputs(np.zeros((2, 2)))[0].tolist() == [[0, 0], [0, 0]]
    for bad in (([1.0],), ([[np.inf]],), ([[1.0]], 1), ([[1.0]], 2.5)):
        with pytest.raises(ValueError, match="must"):
            quantize_inputs(*bad)
