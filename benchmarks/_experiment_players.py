# SPDX-License-Identifier: Apache-2.0
"""The contestants of `experiments.py`: each plays a task from the same start."""

import numpy as np
from _experiment_tasks import start_points
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from qestim import ExperimentOptimizer


def ours(surrogate, acquisition="auto", batch=1):
    """Return a player: ExperimentOptimizer with its defaults."""

    def play(task, seed, n_runs):
        optimizer = ExperimentOptimizer(
            [(0.0, 1.0)] * task.d,
            surrogate=surrogate,
            acquisition=acquisition,
            random_state=seed,
        )
        points = list(start_points(task, seed))
        measure = task.measurer(seed)
        optimizer.tell(points, [measure(u) for u in points])
        while len(points) < n_runs:
            asked = optimizer.ask(min(batch, n_runs - len(points)))
            new = [np.array(list(x.values())) for x in asked]
            optimizer.tell(asked, [measure(u) for u in new])
            points += new
        return points

    return play


def at_random(task, seed, n_runs):
    """Uniform points after the start."""
    rng = np.random.default_rng(20_000 + seed)
    start = start_points(task, seed)
    return [*start, *rng.random((n_runs - len(start), task.d))]


def gp_ei(task, seed, n_runs):
    """Expected improvement as textbooks have it, on scikit-learn's Gaussian process."""
    rng = np.random.default_rng(20_000 + seed)
    measure = task.measurer(seed)
    points = list(start_points(task, seed))
    goals = [measure(u) for u in points]
    kernel = ConstantKernel() * Matern(np.ones(task.d), (0.05, 20.0), nu=2.5)
    kernel += WhiteKernel(1e-2, (1e-6, 1.0))
    fitted = None
    while len(points) < n_runs:
        X, y = np.array(points), np.array(goals)
        tune = (len(y) - task.d - 2) % 4 == 0
        model = GaussianProcessRegressor(
            kernel if fitted is None else fitted,
            optimizer="fmin_l_bfgs_b" if tune else None,
            normalize_y=True,
        ).fit(X, y)
        fitted = model.kernel_
        top = X[np.argsort(-y)[:3]]
        steps = 0.1 * rng.standard_normal((1500, task.d))
        near = np.clip(top[rng.integers(3, size=1500)] + steps, 0, 1)
        around = np.vstack([rng.random((1500, task.d)), near])
        mean, std = model.predict(around, return_std=True)
        std = np.maximum(std, 1e-9)
        z = (mean - y.max()) / std
        gain = std * (z * norm.cdf(z) + norm.pdf(z))
        points.append(around[np.argmax(gain)])
        goals.append(measure(points[-1]))
    return points


def cma_es(task, seed, n_runs):
    """CMA-ES from the best point of the start."""
    import cma

    measure = task.measurer(seed)
    points = list(start_points(task, seed))
    first = points[int(np.argmax([measure(u) for u in points]))]
    options = {"bounds": [0, 1], "seed": seed + 1, "verbose": -9}
    strategy = cma.CMAEvolutionStrategy(first, 0.25, options)
    while len(points) < n_runs:
        asked = strategy.ask()
        strategy.tell(asked, [-measure(u) for u in asked])
        points += asked
    return points[:n_runs]


PLAYERS = {
    "random": at_random,
    "GP-EI": gp_ei,
    "CMA-ES": cma_es,
    "ours, gp": ours("gp"),
    "ours, ensemble": ours("ensemble", batch=4),
}
