# SPDX-License-Identifier: Apache-2.0
"""Fit an emulator to the reads of somebody's machine by matching statistics."""

import numpy as np
import scipy.optimize
import scipy.special
from scipy.stats import qmc
from sklearn.base import clone

from qestim.qubo import IsingArrays
from qestim.qubo import _pseudolikelihood as pseudo
from qestim.samplers._hardware.backend import MachineTask

# Least and greatest value of what is fitted; all but the pump on a log scale.
RANGES = {
    "noise": (0.02, 6.0),
    "pump": (0.2, 3.0),
    "read_noise": (1e-4, 0.3),
    "coupling_error": (1e-3, 1.0),
    "drift": (1e-3, 1.0),
}


def statistics(matrix, reads):
    """Summarise reads of one call by numbers of order one.

    Parameters
    ----------
    matrix : ndarray of shape (N, N)
        The machine's matrix, cost ``-s @ matrix @ s``.
    reads : ndarray of shape (k, N)
        Values in {-1, 1}.

    Returns
    -------
    facts : dict of str to float
        In units of the rms row norm: mean and standard deviation of the cost a spin,
        share of spins that stand against their local field, what those pay on
        average, the share among the spins whose field is above average, and the mean
        squared overlap of two reads.
    """
    n = len(matrix)
    model = IsingArrays.from_matrix(-np.asarray(matrix, dtype=np.float64))
    norm = float(np.linalg.norm(matrix) / np.sqrt(n)) or 1.0
    spins = np.asarray(reads, dtype=np.int8)
    change = pseudo.flip_energies(model, spins) / norm
    cost = -change.sum(axis=1) / 4 / n
    against = change < 0
    strong = np.abs(change) > np.abs(change).mean()
    overlap = spins.astype(np.float64) @ spins.T / n
    pairs = len(spins) * (len(spins) - 1)
    return {
        "energy": float(cost.mean()),
        "spread": float(cost.std() * np.sqrt(n)),
        "against": float(against.mean()),
        "pays": float(-change[against].mean()) if against.any() else 0.0,
        "against_strong": float(against[strong].mean()) if strong.any() else 0.0,
        "overlap": float(((overlap**2).sum() - len(spins)) / pairs) if pairs else 0.0,
    }


def wandering(problems, reads):
    """Return how far the means of a matrix' reads move between its calls.

    Parameters
    ----------
    problems, reads : list of ndarray
        In the order of the calls.

    Returns
    -------
    moved : float or None
        Mean squared difference of first and later means, less what chance makes of
        it; None if no matrix comes up twice.
    """
    first: dict = {}
    moved = []
    for matrix, spins in zip(problems, reads, strict=True):
        # A call without fields knows no overall sign: the first spin gives it one.
        spins = spins * spins[:, :1]
        mean = spins.mean(axis=0)
        chance = (1 - mean**2) / max(len(spins) - 1, 1)
        key = matrix.tobytes()
        if key in first:
            other, other_chance = first[key]
            moved.append(float(np.mean((mean - other) ** 2 - chance - other_chance)))
        else:
            first[key] = mean, chance
    return float(np.mean(moved)) if moved else None


def fit(backend, problems, reads, evaluations=120):
    """Return a copy of an emulator whose reads have the statistics of others.

    Parameters
    ----------
    backend : CIMEmulatorBackend
        Where to start; its model, steps and limits stay.
    problems, reads : list of ndarray
        See `CIMEmulatorBackend.calibrate`.
    evaluations : int, default=120
        Runs of the emulator over all problems, about.

    Returns
    -------
    fitted : CIMEmulatorBackend
        The emulator; its machine starts anew.
    """
    problems = [np.ascontiguousarray(m, dtype=np.float64) for m in problems]
    reads = [np.asarray(r) for r in reads]
    fits = [
        r.ndim == 2 and m.shape == (r.shape[1],) * 2 and np.isin(r, (-1, 1)).all()
        for m, r in zip(problems, reads, strict=False)
    ]
    if len(problems) != len(reads) or not problems or not all(fits):
        raise ValueError(
            "problems and reads must be lists of equal length, of matrices of shape "
            "(N, N) and of reads of shape (k, N) in {-1, 1}. Got "
            f"{len(problems)} problems and {len(reads)} lists of reads."
        )
    if min(len(r) for r in reads) < 5:
        raise ValueError(
            "calibrate needs at least 5 reads of every problem. Got "
            f"{min(len(r) for r in reads)}."
        )
    wanted = [statistics(m, r) for m, r in zip(problems, reads, strict=True)]
    moved = wandering(problems, reads)
    names = [name for name in RANGES if name != "drift" or moved is not None]
    bounds = np.array([RANGES[name] for name in names])
    logs = np.array([name != "pump" for name in names])
    low, high = np.where(logs[:, None], np.log(bounds), bounds).T

    def emulator(place):
        values = low + (high - low) * np.clip(place, 0, 1)
        values = np.where(logs, np.exp(values), values)
        return clone(backend).set_params(
            **dict(zip(names, map(float, values), strict=True)),
            restart_after=None,  # no call of the fit is to be lost
        )

    def loss(place):
        machine = fresh(emulator(place))
        found = answers(machine, problems, [len(r) for r in reads])
        outside = float((place - np.clip(place, 0, 1)) @ (place - np.clip(place, 0, 1)))
        total = 10 * outside
        for m, r, target in zip(problems, found, wanted, strict=True):
            got = statistics(m, r)
            total += sum(
                ((got[k] - target[k]) / (0.02 + 0.1 * abs(target[k]))) ** 2 for k in got
            ) / len(problems)
        if moved is not None:
            here = wandering(problems, found)
            total += ((here - moved) / (0.01 + 0.1 * abs(moved))) ** 2
        return total

    starts = qmc.Sobol(len(names), seed=0).random(32)
    ranked = sorted(starts, key=loss)
    best = min(
        (
            scipy.optimize.minimize(
                loss,
                start,
                method="Nelder-Mead",
                options={
                    "maxfev": (evaluations - 32) // 2,
                    "initial_simplex": np.vstack(
                        [start, *(start + 0.15 * np.eye(len(names)))]
                    ),
                },
            )
            for start in ranked[:2]
        ),
        key=lambda found: found.fun,
    )
    found = fresh(emulator(best.x))
    return found.set_params(restart_after=backend.restart_after)


def fresh(backend):
    """Return the same emulator as a machine that has just started."""
    return type(backend)(**backend.get_params(deep=False))


def answers(backend, problems, counts, first_seed=0):
    """Return an emulator's reads of problems, called in order.

    Parameters
    ----------
    backend : CIMEmulatorBackend
        The emulator.
    problems : list of ndarray of shape (N, N)
        Matrices.
    counts : list of int
        Reads of each.
    first_seed : int, default=0
        Seed of the first call; the next ones count up.

    Returns
    -------
    reads : list of ndarray of shape (k, N), dtype int8
        One a problem.
    """
    found = []
    for i, (matrix, count) in enumerate(zip(problems, counts, strict=True)):
        task = MachineTask(f"calibration-{i}", matrix, count, first_seed + i)
        found.append(backend.collect(task, {"ready": 0.0}))
    return found
