# SPDX-License-Identifier: Apache-2.0
"""Where to measure next: the gain of a point, its ascent, and batches of points."""

import math

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from qestim.qubo import SelectionProblem

_REDUNDANCY = 1.0


class ExpectedImprovement:
    r"""Logarithm of how much better than the best mean a point is expected to be.

    Times :math:`1 - \tau / \sqrt{\tau^2 + s^2}` with the noise :math:`\tau`, so that
    runs do not go on repeating what is known better than one run can tell.

    Parameters
    ----------
    best : float
        The highest mean among the measured points.
    noise : float
        Standard deviation of a measurement.

    References
    ----------
    .. [1] Huang et al., "Global optimization of stochastic black-box systems via
       sequential kriging meta-models", J. Global Optim. 34, 441 (2006).
    """

    # In many parameters most of a cube is corners, where little is known and nothing
    # gained: it is climbed around the best mean only.
    reach = 0.3

    def __init__(self, best, noise):
        self.best = best
        self.noise = noise

    def __call__(self, mean, std):
        """Return the gain at points, and its derivatives by mean and std."""
        z = (mean - self.best) / std
        phi = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        share = ndtr(z)
        # Far below the best the two terms cancel; their series takes over there.
        far = z < -6
        expected = np.where(far, 1.0, phi + z * share)
        series = -0.5 * (z * z + math.log(2 * math.pi))
        series -= 2 * np.log(np.where(far, -z, 1.0))
        log = np.where(far, series, np.log(np.maximum(expected, 1e-300)))
        ratio = np.where(far, np.abs(z), share / expected)
        density = np.where(far, z * z, phi / expected)
        total = np.hypot(self.noise, std)
        # 1 - noise / total, in a form that keeps its digits.
        told = std * std / (total * (total + self.noise))
        by_told = self.noise * std / total**3 / told
        return log + np.log(std * told), ratio / std, density / std + by_told


class Optimism:
    """Mean plus a multiple of the standard deviation.

    Parameters
    ----------
    kappa : float
        0 exploits where the members agree; a large one queries where they disagree.
    """

    reach = 1.0

    def __init__(self, kappa):
        self.kappa = kappa

    def __call__(self, mean, std):
        """Return the gain at points, and its derivatives by mean and std."""
        one = np.ones_like(mean)
        return mean + self.kappa * std, one, self.kappa * one


def climb(surrogate, gain, starts, box):
    """Follow the slopes of the gain from several points.

    Parameters
    ----------
    surrogate : GaussianProcess or Ensemble
        Gives mean and std with their slopes.
    gain : callable
        `ExpectedImprovement` or `Optimism`.
    starts : ndarray of shape (m, d)
        Points of the unit cube.
    box : ndarray of shape (2, d)
        Least and greatest coordinates.

    Returns
    -------
    ends : ndarray of shape (m, d)
        Where they arrive, within the box.
    """

    def descend(point):
        mean, std, rise, spread = (part[0] for part in surrogate.slopes(point[None]))
        value, by_mean, by_std = gain(mean, std)
        return -value, -(by_mean * rise + by_std * spread)

    bounds = list(zip(*box, strict=True))
    ends = [
        minimize(descend, start, jac=True, bounds=bounds, method="L-BFGS-B").x
        for start in starts
    ]
    return np.array(ends)


def scatter(best, box, rng, n=500):
    """Return points to look at: all over a box, and around the best at three scales.

    Parameters
    ----------
    best : ndarray of shape (m, d)
        Points of the unit cube.
    box : ndarray of shape (2, d)
        Least and greatest coordinates.
    rng : numpy.random.Generator
        Source of randomness.
    n : int, default=500
        Points of each of the two kinds, about.

    Returns
    -------
    points : ndarray of shape (about 2n, d)
        Within the box.
    """
    d = best.shape[1]
    per = max(n // (3 * len(best)), 1)
    near = []
    for point in best:
        for scale in (0.02, 0.1, 0.3):
            moved = rng.random((per, d)) < max(0.5, 1 / d)
            step = scale * rng.standard_normal((per, d)) * moved
            near.append(np.clip(point + step, *box))
    return np.vstack([rng.uniform(*box, (n, d)), *near])


def propose(surrogate, gain, measured, rng, n=1):
    """Return candidates with a high gain, best first, and their gains.

    Parameters
    ----------
    surrogate : GaussianProcess or Ensemble
        The surrogate.
    gain : callable
        `ExpectedImprovement` or `Optimism`.
    measured : ndarray of shape (n, d)
        Points measured so far; the gain says how far from the best to look.
    rng : numpy.random.Generator
        Source of randomness.
    n : int, default=1
        How many will be chosen.

    Returns
    -------
    points : ndarray of shape (m, d)
        Points of the unit cube, m > n.
    gains : ndarray of shape (m,)
        Their gains, falling; the least one for the points outside the box.
    """
    top = measured[np.argsort(-surrogate.predict(measured)[0], kind="stable")[:4]]
    box = np.clip([top[0] - gain.reach, top[0] + gain.reach], 0.0, 1.0)
    points = scatter(top, box, rng)
    gains = gain(*surrogate.predict(points))[0]
    order = np.argsort(-gains, kind="stable")
    starts = np.vstack([points[order[[0, 1, 5, len(order) // 100]]], top[:1]])
    ends = climb(surrogate, gain, starts, box)
    points = np.vstack([ends, points[order[:200]]])
    gains = gain(*surrogate.predict(points))[0]
    order = np.argsort(-gains, kind="stable")
    # Last, some from anywhere, where whole numbers leave few settings in the box.
    anywhere = rng.random((max(100, 4 * n), points.shape[1]))
    return (
        np.vstack([points[order], anywhere]),
        np.concatenate([gains[order], np.full(len(anywhere), gains.min())]),
    )


def choose_batch(points, gains, alike, n):
    """Choose n points of a high gain whose answers would not repeat each other.

    Parameters
    ----------
    points : ndarray of shape (m, d)
        Candidates.
    gains : ndarray of shape (m,)
        Their gains.
    alike : callable
        Gives the correlation, shape (m, m), of the answers at the points.
    n : int
        How many.

    Returns
    -------
    chosen : ndarray of shape (n,), dtype int64
        Rows of ``points``.
    """
    if n == 1:
        return np.array([int(np.argmax(gains))])
    spread = gains.max() - np.median(gains) or 1.0
    utility = (gains - gains.max()) / spread
    problem = SelectionProblem(utility, alike(points), n, redundancy=_REDUNDANCY)
    return problem.solve(num_threads=1).indices
