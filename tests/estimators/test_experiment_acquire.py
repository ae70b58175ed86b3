# SPDX-License-Identifier: Apache-2.0
"""Gains, slopes and batches of ExperimentOptimizer against slow ways of saying it."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from qestim.estimators._experiment_acquire import (
    ExpectedImprovement,
    Optimism,
    choose_batch,
    climb,
)
from qestim.estimators._experiment_ensemble import Ensemble
from qestim.estimators._experiment_gp import GaussianProcess, _PriorRegressor


@pytest.fixture(params=[GaussianProcess, Ensemble])
def surrogate(request):
    rng = np.random.default_rng(0)
    unit = rng.random((15, 3))
    y = np.sin(3 * unit).sum(1)
    y = (y - y.mean()) / y.std()
    return request.param().fit(unit, y, np.zeros(15), seed=1)


def test_expected_improvement_is_its_formula():
    mean, std = np.array([0.5, -0.5, 2.0]), np.array([0.3, 0.4, 0.1])
    value, _, _ = ExpectedImprovement(1.0, 0.2)(mean, std)
    z = (mean - 1.0) / std
    expected = std * (z * norm.cdf(z) + norm.pdf(z))
    expected *= 1 - 0.2 / np.sqrt(0.04 + std**2)
    np.testing.assert_allclose(value, np.log(expected))


@pytest.mark.parametrize("z", [-30.0, -6.01, -5.99, -1.0, 0.0, 3.0])
@pytest.mark.parametrize("gain", [ExpectedImprovement(0.3, 0.1), Optimism(0.7)])
def test_derivatives_of_gains(z, gain):
    std = np.array([0.2])
    mean, step = 0.3 + z * std, 1e-7
    value, by_mean, by_std = gain(mean, std)
    # The series is a limit: good to some per cent where it takes over.
    close = {"rel": 0.1 if z == -6.01 else 5e-3, "abs": 1e-5}
    moved = (gain(mean + step, std)[0] - value) / step
    assert by_mean[0] == pytest.approx(moved[0], **close)
    moved = (gain(mean, std + step)[0] - value) / step
    assert by_std[0] == pytest.approx(moved[0], **close)


def test_slopes_of_surrogates(surrogate):
    points = np.random.default_rng(1).uniform(0.1, 0.9, (4, 3))
    mean, std, rise, spread = surrogate.slopes(points)
    np.testing.assert_allclose(surrogate.predict(points), (mean, std), atol=1e-6)
    exact = isinstance(surrogate, GaussianProcess)
    step = 1e-6 if exact else 1e-3  # networks are in single precision
    for j in range(3):
        up, down = points.copy(), points.copy()
        up[:, j] += step
        down[:, j] -= step
        moved = np.subtract(surrogate.predict(up), surrogate.predict(down)) / step / 2
        tolerance = 1e-5 if exact else 5e-3
        np.testing.assert_allclose(rise[:, j], moved[0], atol=tolerance)
        np.testing.assert_allclose(spread[:, j], moved[1], atol=tolerance)


def test_correlations_are_of_one_point_with_itself(surrogate):
    points = np.array([[0.2, 0.3, 0.4], [0.2, 0.3, 0.41], [0.9, 0.1, 0.0]])
    alike = surrogate.correlation(points)
    np.testing.assert_allclose(np.diag(alike), 1.0, atol=0.01)
    np.testing.assert_array_equal(alike, alike.T)
    assert alike[0, 1] > 0.9 > alike[0, 2]


def test_a_climb_ends_in_its_box_and_higher(surrogate):
    gain, box = Optimism(0.5), np.array([[0.2, 0.1, 0.0], [0.8, 0.9, 1.0]])
    starts = np.array([[0.5, 0.5, 0.5], [0.3, 0.2, 0.9]])
    ends = climb(surrogate, gain, starts, box)
    assert (ends >= box[0]).all()
    assert (ends <= box[1]).all()
    before, after = (gain(*surrogate.predict(p))[0] for p in (starts, ends))
    assert (after > before).all()


def test_a_batch_takes_the_best_of_two_that_are_alike():
    gains = np.array([0.0, -0.01, -0.5, -1.0])
    alike = np.eye(4)
    alike[0, 1] = alike[1, 0] = 1.0
    points = np.zeros((4, 1))
    assert choose_batch(points, gains, lambda _: alike, 2).tolist() == [0, 2]
    assert choose_batch(points, gains, lambda _: alike, 1).tolist() == [0]


def test_a_kernel_that_is_kept_repeats_the_fit():
    rng = np.random.default_rng(0)
    unit, noise = rng.random((12, 2)), np.full(12, 0.01)
    y = unit.sum(1) - unit.sum(1).mean()
    first = GaussianProcess().fit(unit, y, noise)
    again = GaussianProcess(first.state).fit(unit, y, noise, tune=False)
    np.testing.assert_array_equal(first.predict(unit), again.predict(unit))
    moved = {**first.state, "theta": [value + 0.5 for value in first.state["theta"]]}
    other = GaussianProcess(moved).fit(unit, y, noise, tune=False)
    assert other.state == moved
    assert np.abs(other.predict(unit)[0] - first.predict(unit)[0]).max() > 1e-4


def test_a_sum_of_parameters_is_found():
    rng = np.random.default_rng(0)
    unit = rng.random((40, 5))
    y = -((unit.sum(1) - 2.2) ** 2)
    y = (y - y.mean()) / y.std()
    found = GaussianProcess().fit(unit, y, np.zeros(40))
    frame = np.array(found.state["frame"])
    lengths = np.exp(found.state["theta"][1:-1])
    along = frame[:, np.argmin(lengths)]
    assert abs(along.sum()) > 0.99 * np.sqrt(5)
    assert np.sort(lengths)[1] > 4 * lengths.min()


def test_the_likelihood_and_its_slopes_are_scikit_learns():
    rng = np.random.default_rng(0)
    X, noise = rng.random((30, 3)), 0.1 * rng.random(30)
    kernel = ConstantKernel() * Matern(np.ones(3), nu=2.5) + WhiteKernel()
    ours = _PriorRegressor(kernel, alpha=noise, optimizer=None).fit(X, X.sum(1))
    for theta in rng.normal(size=(5, 5)):
        value, slopes = ours._with_slopes(theta)
        theirs = GaussianProcessRegressor.log_marginal_likelihood(ours, theta, True)
        assert value == pytest.approx(theirs[0], rel=1e-9)
        np.testing.assert_allclose(slopes, theirs[1], rtol=1e-7, atol=1e-9)
    # A matrix that is not positive is as unlikely as can be.
    ours.alpha = np.full(30, -2.0)
    assert ours._with_slopes(np.r_[0.0, 5.0, 5.0, 5.0, -20.0])[0] == -np.inf
