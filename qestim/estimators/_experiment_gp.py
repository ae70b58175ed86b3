# SPDX-License-Identifier: Apache-2.0
"""The Gaussian process behind ExperimentOptimizer: scikit-learn's, with slopes."""

import math
import warnings

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

_LENGTHS = (0.05, 20.0)
_NOISES = (1e-6, 1.0)
_TURNS = 2
_LEAST = 1e-10  # variance that keeps the matrix positive where points repeat


class GaussianProcess:
    """Matern 5/2 kernel with a length a direction, and noise that is learned.

    Directions are the parameters, or the principal ones of the slopes of the mean,
    whichever is likelier: goals often depend on sums of parameters.

    Parameters
    ----------
    state : dict, default=None
        From an earlier fit.

    Attributes
    ----------
    state : dict
        ``theta``, the logarithms of amplitude, lengths and noise, and ``frame``, the
        directions in columns; with it and ``tune=False`` the fit repeats.
    noise : float
        Standard deviation of a measurement, typically.
    """

    def __init__(self, state=None):
        self.state = state

    def fit(self, unit, y, noise, *, tune=True, seed=0):
        """Condition on measurements.

        Parameters
        ----------
        unit : ndarray of shape (n, d)
            Points of the unit cube.
        y : ndarray of shape (n,)
            Standardised goals.
        noise : ndarray of shape (n,)
            Known variance of each, in units of ``y`` squared; 0 where unknown.
        tune : bool, default=True
            Whether to fit the kernel; False takes it from ``state``.
        seed : int, default=0
            Not used: the fit is deterministic.

        Returns
        -------
        surrogate : GaussianProcess
            This object.
        """
        d = unit.shape[1]
        if self.state is not None and not tune:
            state = self.state
            self._condition(unit, y, noise, np.array(state["frame"]), tune=False)
            self.state = state  # to the last digit
            return self
        likelihood = self._condition(unit, y, noise, np.eye(d), tune=True)
        for _ in range(_TURNS):
            known, slopes = dict(self.__dict__), self.slopes(unit)[2]
            frame = np.linalg.eigh(slopes.T @ slopes)[1]
            turned = self._condition(unit, y, noise, frame, tune=True)
            if turned <= likelihood:
                self.__dict__.update(known)
                break
            likelihood = turned
        return self

    def _condition(self, unit, y, noise, frame, *, tune):
        """Fit along the columns of a frame; return the log likelihood."""
        d = unit.shape[1]
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
            np.full(d, _typical_length(d)), _LENGTHS, nu=2.5
        ) + WhiteKernel(1e-2, _NOISES)
        if not tune:
            kernel = kernel.clone_with_theta(np.array(self.state["theta"]))
        model = _PriorRegressor(
            kernel, alpha=noise + _LEAST, optimizer=_climb if tune else None
        )
        with warnings.catch_warnings():
            # Directions that do not matter have lengths at their bound: as intended.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(unit @ frame, y)
        theta = model.kernel_.theta
        self.state = {"theta": theta.tolist(), "frame": frame.tolist()}
        self.noise = math.sqrt(math.exp(theta[-1]) + float(np.median(noise)))
        self._scale = math.exp(theta[0])
        self._map = frame / np.exp(theta[1:-1])  # from the cube to scaled directions
        self._points = unit @ self._map
        self._weights = model.alpha_
        self._inverse = cho_solve((model.L_, True), np.eye(len(unit)))
        return model.log_marginal_likelihood_value_

    def predict(self, unit):
        """Return mean and standard deviation, without noise, at points (m, d)."""
        k = self._covariance(unit @ self._map, self._points)
        variance = self._scale - np.einsum("ij,ij->i", k @ self._inverse, k)
        return k @ self._weights, np.sqrt(np.maximum(variance, _LEAST))

    def correlation(self, unit):
        """Return how alike the answers at m points are, given what is known: (m, m)."""
        scaled = unit @ self._map
        k = self._covariance(scaled, self._points)
        joint = self._covariance(scaled, scaled) - k @ self._inverse @ k.T
        std = np.sqrt(np.maximum(np.diag(joint), _LEAST))
        correlation = np.clip(joint / np.outer(std, std), 0.0, 1.0)
        return (correlation + correlation.T) / 2

    def slopes(self, unit):
        """Return mean and std at points (m, d), and their gradients of shape (m, d)."""
        steps = (unit @ self._map)[:, None] - self._points
        r = np.sqrt(5 * np.einsum("ijk,ijk->ij", steps, steps))
        decay = self._scale * np.exp(-r)
        k = decay * (1 + r + r * r / 3)
        v = k @ self._inverse
        variance = self._scale - np.einsum("ij,ij->i", v, k)
        std = np.sqrt(np.maximum(variance, _LEAST))
        flat = -5 / 3 * decay * (1 + r)
        rise = np.einsum("ij,ijk->ik", flat * self._weights, steps) @ self._map.T
        spread = np.einsum("ij,ijk->ik", flat * v, steps) @ self._map.T
        return k @ self._weights, std, rise, -spread / std[:, None]

    def _covariance(self, a, b):
        return self._scale * _matern(_squares(a, b))[0]


class _PriorRegressor(GaussianProcessRegressor):
    """scikit-learn's regressor with a prior over the kernel's parameters.

    The slopes of its likelihood by the lengths are summed by matrix products: a table
    of shape (n, n, d) takes ten times as long.
    """

    def log_marginal_likelihood(
        self, theta=None, eval_gradient=False, clone_kernel=True
    ):
        if theta is None or not eval_gradient:
            found = super().log_marginal_likelihood(theta, False, clone_kernel)
        else:
            found = self._with_slopes(theta)
        if theta is None:
            return found
        d = len(theta) - 2
        centre = np.r_[0.0, np.full(d, math.log(_typical_length(d))), math.log(1e-2)]
        width = np.r_[1.0, np.full(d, 0.8), 2.0]
        off = (theta - centre) / width
        if eval_gradient:
            return found[0] - 0.5 * off @ off, found[1] - off / width
        return found - 0.5 * off @ off

    def _with_slopes(self, theta):
        """Return the likelihood, and its slopes by amplitude, lengths and noise."""
        n, y = len(self.X_train_), self.y_train_
        amplitude, noise = np.exp(theta[[0, -1]])
        scaled = self.X_train_ / np.exp(theta[1:-1])
        shape, steep = _matern(_squares(scaled, scaled))
        K = amplitude * shape
        K[np.diag_indices(n)] += noise + self.alpha
        try:
            factor = cholesky(K, lower=True, check_finite=False)
        except LinAlgError:
            return -np.inf, np.zeros_like(theta)
        inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
        weights = inverse @ y
        value = -0.5 * (y @ weights + n * math.log(2 * math.pi))
        value -= np.log(np.diag(factor)).sum()
        # Twice the slope by an entry of K, then by what the entry depends on.
        by_entry = np.outer(weights, weights) - inverse
        pull = amplitude * by_entry * steep
        by_length = (scaled**2).T @ pull.sum(1) - (scaled * (pull @ scaled)).sum(0)
        slopes = np.r_[
            0.5 * amplitude * (by_entry * shape).sum(),
            by_length,
            0.5 * noise * np.trace(by_entry),
        ]
        return value, slopes


def _squares(a, b):
    """Return the squared distances of the rows of two arrays."""
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)


def _matern(square):
    """Return the Matern 5/2 correlation at squared distances, and -2 its slope."""
    r = np.sqrt(5 * square)
    decay = np.exp(-r)
    steep = 5 / 3 * decay * (1 + r)
    return decay * (1 + r + r * r / 3), steep


def _typical_length(d):
    """Return a length at which functions are as rough in any number of parameters."""
    return 0.8 * math.sqrt(d)


def _climb(objective, start, bounds):
    found = minimize(
        objective,
        start,
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": 30},
    )
    return found.x, found.fun
