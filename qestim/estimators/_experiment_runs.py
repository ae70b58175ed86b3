# SPDX-License-Identifier: Apache-2.0
"""The outcomes of runs: checked, and on the scale that surrogates see."""

from dataclasses import dataclass

import numpy as np

_DEPTH = 1.5  # widths below the median at which a goal is as bad as it gets


@dataclass(frozen=True)
class BestRun:
    """The finished run with the best mean of the surrogate.

    Attributes
    ----------
    x : dict of str to float
        Its setting.
    y : float
        What was measured.
    mean, std : float
        The surrogate's belief about the goal without noise.
    """

    x: dict
    y: float
    mean: float
    std: float


@dataclass(frozen=True)
class Scale:
    """The unit of standardised goals.

    Attributes
    ----------
    centre, width : float
        A goal is ``centre + width * standardised``, in its own unit.
    """

    centre: float
    width: float


def standardise(y, bad):
    """Clip and standardise goals that are to be maximised.

    Goals far below the median are clipped: how bad a bad setting is teaches nothing
    about good ones. Failed runs count as the worst. Nothing depends on the unit or the
    zero of the goals.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Goals, NaN where a run failed.
    bad : ndarray of shape (n,), dtype bool
        Whether it failed.

    Returns
    -------
    goals : ndarray of shape (n,)
        With mean 0 and standard deviation 1.
    scale : Scale
        Their unit.

    Raises
    ------
    ValueError
        If all runs failed.
    """
    good = y[~bad]
    if len(good) == 0:
        raise ValueError("No run has succeeded yet: tell at least one goal.")
    middle, high = np.quantile(good, [0.5, 0.9])
    # More than half of the goals may be alike: successes, or a plateau.
    above = (high - middle) or (middle - good.min()) or abs(middle) or 1.0
    floor = middle - _DEPTH * np.sqrt(len(good) / 10) * above
    clipped = np.maximum(np.where(bad, floor, y), floor)
    centre, width = float(clipped.mean()), float(clipped.std())
    if width <= 1e-12 * max(abs(centre), np.abs(good).max()):
        width = 1.0  # all alike so far
    # Ten digits: the same queries whatever the unit of the goals.
    return np.round((clipped - centre) / width, 10), Scale(centre, width)


def read_runs(space, x, y, sigma, bad):
    """Check what was told and return a list of (x, y, sigma, bad), JSON-able.

    Parameters
    ----------
    space : Space
        The parameters.
    x, y, sigma, bad
        As of `ExperimentOptimizer.tell`.

    Returns
    -------
    runs : list of tuple of (list of float, float or None, float or None, bool)
        In the order told; no goal where the run failed.
    """
    values, _ = space.read(x)
    n = len(values)
    failed = _column(bad, n, "bad", bool)
    goals = _column(np.nan if y is None else y, n, "y", float)
    spreads = _column(np.nan if sigma is None else sigma, n, "sigma", float)
    for i in range(n):
        if not failed[i] and not np.isfinite(goals[i]):
            raise ValueError(
                f"The goal of {space.to_dicts(values[[i]])[0]} must be finite. Got "
                f"{goals[i]}; tell a run that failed with bad=True."
            )
        if sigma is not None and not 0 <= spreads[i] < np.inf and not failed[i]:
            raise ValueError(
                "The 'sigma' parameter must be finite and at least 0. Got "
                f"{spreads[i]}; leave it out where it is unknown."
            )
    return [
        (
            values[i].tolist(),
            None if failed[i] else float(goals[i]),
            None if failed[i] or np.isnan(spreads[i]) else float(spreads[i]),
            bool(failed[i]),
        )
        for i in range(n)
    ]


def _column(values, n, name, dtype):
    column = np.asarray(values, dtype=dtype)
    if column.ndim == 0:
        return np.full(n, column)
    if column.shape != (n,):
        raise ValueError(
            f"The '{name}' parameter must have shape ({n},), a value a run. Got "
            f"{column.shape}."
        )
    return column
