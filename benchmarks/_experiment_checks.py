# SPDX-License-Identifier: Apache-2.0
"""Tables of measured experiments, invariance of queries, and seconds of an ask."""

import csv
import json

import numpy as np
from _experiment_tasks import TASKS, start_points
from _measure import RESULTS, cpu_seconds, data_folder, spread
from _paired import plus_minus

from qestim import ExperimentOptimizer

TABLES = ("crossed_barrel", "hplc", "photo_wf3")


def read_table(name):
    """Return the settings on the unit cube and the goal to maximise, a row each."""
    folder = data_folder() / "experiments"
    about = json.loads((folder / f"{name}.json").read_text())
    with open(folder / f"{name}.csv") as file:
        rows = np.array(list(csv.reader(file))[1:], dtype=float)
    low, high = np.array([[p["low"], p["high"]] for p in about["parameters"]]).T
    goals = rows[:, -1] if about["goal"]["direction"] == "maximize" else -rows[:, -1]
    settings, which = np.unique(rows[:, :-1], axis=0, return_inverse=True)
    means = np.bincount(which, goals) / np.bincount(which)
    return (settings - low) / (high - low), means


def replay(choose, X, y, seed, n_runs):
    """Return ranks of the best row so far, as shares of all rows (0 is the best)."""
    rng = np.random.default_rng(seed)
    told = list(rng.choice(len(X), X.shape[1] + 2, replace=False))
    while len(told) < n_runs:
        told.append(choose(X, y, told, seed))
    ranks = np.argsort(np.argsort(-y)) / (len(y) - 1)
    return np.minimum.accumulate(ranks[told])


def by_ours(surrogate):
    def choose(X, y, told, seed):
        optimizer = ExperimentOptimizer(
            [(0.0, 1.0)] * X.shape[1],
            surrogate=surrogate,
            n_init=2,
            random_state=1000 * seed + len(told),
        )
        optimizer.tell(X[told], y[told])
        left = np.delete(np.arange(len(X)), told)
        asked = list(optimizer.ask(candidates=X[left]).values())
        return left[np.argmin(np.abs(X[left] - asked).sum(1))]

    return choose


def by_chance(X, y, told, seed):
    left = np.delete(np.arange(len(X)), told)
    return np.random.default_rng([seed, len(told)]).choice(left)


def by_gp_ei(X, y, told, seed):
    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel() * Matern(np.ones(X.shape[1]), (0.05, 20.0), nu=2.5)
    kernel += WhiteKernel(1e-2, (1e-6, 1.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True).fit(X[told], y[told])
    left = np.delete(np.arange(len(X)), told)
    mean, std = model.predict(X[left], return_std=True)
    std = np.maximum(std, 1e-9)
    z = (mean - y[told].max()) / std
    return left[np.argmax(std * (z * norm.cdf(z) + norm.pdf(z)))]


def tables(quick):
    """Replay the laboratories' tables: the next row, of those not measured yet."""
    if data_folder() is None:
        return {"rows": [], "note": "The data folder is absent."}
    seeds, length = (2, 12) if quick else (10, 50)
    contestants = {
        "random": by_chance,
        "GP-EI": by_gp_ei,
        "ours, gp": by_ours("gp"),
        "ours, ensemble": by_ours("ensemble"),
    }
    rows = []
    for name in TABLES[: 1 if quick else 3]:
        X, y = read_table(name)
        found = {
            who: np.array([replay(choose, X, y, s, length) for s in range(seeds)])
            for who, choose in contestants.items()
            if not (quick and who == "ours, ensemble")
        }
        reference = found["ours, gp"].mean(1)
        for who, ranks in found.items():
            difference = ranks.mean(1) - reference
            rows.append(
                {
                    "table": name,
                    "contestant": who,
                    "seeds": seeds,
                    "mean rank": float(ranks.mean()),
                    f"rank at {length}": float(ranks[:, -1].mean()),
                    "minus ours, gp": plus_minus(difference, 4),
                }
            )
    note = (
        "Ranks of the best row measured so far, as a share of all rows: 0 is the best, "
        "smaller is better; the mean is over all runs. Repeated settings are one row, "
        "with their mean."
    )
    return {"rows": rows, "note": note}


def invariance(quick):
    """Return how far queries move under affine changes of units."""
    task, rows = TASKS["cooling, 8 parameters"], []
    length = 6 if quick else 20
    for surrogate in ("gp", "ensemble"):
        measure = task.measurer(0)
        plain = ExperimentOptimizer(
            [(0.0, 1.0)] * task.d, surrogate=surrogate, random_state=0
        )
        bounds = [(10.0**i, 3 * 10.0**i) for i in range(-4, task.d - 4)]
        other = ExperimentOptimizer(bounds, surrogate=surrogate, random_state=0)
        low, high = np.array(bounds).T
        moved = []
        for _ in range(length):
            x, z = plain.ask(), other.ask()
            unit = (np.array(list(z.values())) - low) / (high - low)
            moved.append(np.abs(unit - list(x.values())).max())
            y = measure(np.array(list(x.values())))
            plain.tell(x, y)
            other.tell(z, 1e4 * y - 3e5)
        rows.append(
            {
                "surrogate": surrogate,
                "queries": length,
                "largest move, share of the range": float(np.max(moved)),
            }
        )
    return {"rows": rows, "note": "x and y in other units, defaults untouched."}


def seconds(quick):
    """Return CPU seconds of an ask at 200 observations of 8 parameters."""
    task = TASKS["cooling, 8 parameters"]
    n, asks, rounds = (40, 2, 1) if quick else (200, 8, 3)
    rng = np.random.default_rng(0)
    X = np.vstack([start_points(task, 0), rng.random((n, task.d))])[:n]
    measure = task.measurer(0)
    y = np.array([measure(u) for u in X])
    rows = []
    for surrogate in ("gp", "ensemble"):
        first, mean = [], []
        for seed in range(rounds):
            optimizer = ExperimentOptimizer(
                [(0.0, 1.0)] * task.d, surrogate=surrogate, random_state=seed
            ).tell(X, y)
            spent = []
            for _ in range(asks):
                x, used = cpu_seconds(optimizer.ask)
                spent.append(used)
                optimizer.tell(x, measure(np.array(list(x.values()))))
            first.append(spent[0])
            mean.append(np.mean(spent))
        rows.append(
            {
                "contestant": f"ours, {surrogate}",
                "CPU s an ask": spread(mean),
                "CPU s of the first": spread(first),
            }
        )
    path = RESULTS / "experiments_mloop_seconds.json"
    if not quick and path.exists():
        for kind, spent in json.loads(path.read_text()).items():
            rows.append(
                {
                    "contestant": f"M-LOOP, {kind}",
                    "CPU s an ask": spread(spent),
                    "CPU s of the first": "",
                }
            )
    note = (
        f"Mean over {asks} asks in turn from {n} observations of 8 parameters. The "
        "first fits the kernel from nothing, later ones rarely. M-LOOP: the same, "
        "twice, in its own environment."
    )
    return {"rows": rows, "note": note}
