# SPDX-License-Identifier: Apache-2.0
"""A choice of k of n elements: the answer of a solver, and the check of a given one."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Choice:
    """The answer of a problem of choice.

    Parameters
    ----------
    indices : ndarray of shape (k,), dtype int64
        The chosen elements, ascending.
    energy : float
        Their energy, in the units of the problem.
    report : dict
        ``answer`` ("native" or "sampler"), ``energy_greedy``, ``energy_native``,
        ``energy_sampler`` (after repair; None without a sampler), ``calls`` of the
        sampler, its ``reads`` and the ``feasible_fraction`` of them that needed no
        repair, ``seconds_native`` and ``seconds_sampler``.
    """

    indices: np.ndarray
    energy: float
    report: dict = field(repr=False)


def checked_indices(solution, n):
    """Return a choice as ascending indices.

    Parameters
    ----------
    solution : iterable of int
        The chosen elements.
    n : int
        Number of elements.

    Returns
    -------
    indices : ndarray of shape (k,), dtype int64
        The same, ascending.

    Raises
    ------
    ValueError
        If they are no whole numbers, out of range or repeated.
    """
    chosen = np.array(list(solution))
    if not chosen.size:
        return np.array([], dtype=np.int64)
    if chosen.ndim > 1 or chosen.dtype.kind not in "iu":
        raise ValueError(
            "A choice must be one list of whole numbers. Got shape "
            f"{chosen.shape} of {chosen.dtype}; a mask goes through np.flatnonzero."
        )
    chosen.sort()
    twice = chosen[1:][chosen[1:] == chosen[:-1]]
    if len(twice):
        raise ValueError(
            f"A choice must hold each index once. Got {twice[0]} again; np.unique "
            "drops repeats."
        )
    if not (0 <= chosen[0] and chosen[-1] < n):
        wrong = chosen[0] if chosen[0] < 0 else chosen[-1]
        raise ValueError(f"A choice must hold indices below {n}, from 0. Got {wrong}.")
    return chosen.astype(np.int64)
