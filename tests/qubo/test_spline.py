# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from qestim.qubo import ACTIVATIONS, Spline, interpolate

PIECES = (2, 4, 8, 16, 32, 64)
SMOOTH = ("tanh", "sigmoid", "gelu", "softplus", "silu")
LOSSES = {
    "squared": lambda q: (1 + q) ** 2,
    "zero_one": lambda q: (q >= 0) * 1.0,
    "hinge": lambda q: np.maximum(0.0, 1 + q),
    "logistic": lambda q: np.logaddexp(0, q),
}
FUNCTIONS = {**{name: name for name in ACTIVATIONS}, **LOSSES}


def measured(spline, low, high):
    grid = np.linspace(low, high, 20_011)
    return np.abs(spline(grid) - spline.true(grid)).max()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("degree", [0, 1])
def test_error_is_bounded(name, degree):
    for pieces in PIECES:
        for low, high in ((-5, 5), (-3.3, 1.7), (0, 2), (1, 1)):
            spline = interpolate(FUNCTIONS[name], low, high, pieces, degree=degree)
            assert measured(spline, low, high) <= spline.error + 1e-12


@pytest.mark.parametrize("name", SMOOTH)
def test_error_falls_as_the_square_of_the_pieces(name):
    bounds = [interpolate(name, -5, 5, pieces).error for pieces in PIECES[2:]]
    slope = np.polyfit(np.log(PIECES[2:]), np.log(bounds), 1)[0]
    assert -2.3 < slope < -1.7
    loosest = max(
        interpolate(name, -5, 5, p).error / measured(interpolate(name, -5, 5, p), -5, 5)
        for p in PIECES
    )
    assert loosest < 1.1


@pytest.mark.parametrize(
    ("name", "degree"), [("relu", 1), ("hardtanh", 1), ("sign", 0)]
)
def test_kinked_functions_are_exact(name, degree):
    for pieces in (3, 8):
        spline = interpolate(name, -3.3, 4.1, pieces, degree=degree)
        assert measured(spline, -3.3, 4.1) < 1e-7


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_bounded(name):
    function, _, lipschitz, _ = ACTIVATIONS[name]
    grid = np.linspace(-12, 12, 100_001)
    slope = np.abs(np.diff(function(grid))).max() / (grid[1] - grid[0])
    assert slope <= lipschitz * (1 + 1e-6)
    if np.isfinite(lipschitz):
        assert slope > 0.99 * lipschitz


def test_slope_of_a_callable_is_measured():
    spline = interpolate(np.sin, -1, 1)
    assert 1.0 <= spline.steepest(-4, 4) < 1.01
    assert Spline.staircase([0], [0, 1]).steepest(-1, 1) == np.inf
    assert Spline.from_knots([0, 1, 3], [0, 2, 3]).steepest(0, 3) == 2


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Spline([0, 0], [0] * 3, [0] * 3, [0] * 3), "must increase"),
        (lambda: Spline([0], [0], [0, 1], [0, 0]), "'anchors' .* 2 finite"),
        (lambda: Spline([np.nan], [0, 0], [0, 1], [0, 0]), "'breaks'"),
        (lambda: Spline.from_knots([0, 1], [0]), "same length"),
        (lambda: Spline.from_knots([1, 0], [0, 1]), "increase"),
        (lambda: interpolate("swish", 0, 1), "must be one of"),
        (lambda: interpolate(np.tanh, 1, 0), "'low' <= 'high'"),
        (lambda: interpolate(np.tanh, 0, 1, 0), "at least 1"),
        (lambda: interpolate(np.tanh, 0, 1, degree=2), "0 or 1"),
        (lambda: interpolate(lambda z: z * np.nan, 0, 1), "finite values"),
        (lambda: interpolate(lambda z: 1.0, 0, 1), "finite values"),
    ],
)
def test_bad_input(make, match):
    with pytest.raises(ValueError, match=match):
        make()
