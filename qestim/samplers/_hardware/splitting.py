# SPDX-License-Identifier: Apache-2.0
"""Large coefficients on a machine of few bits: copies of spins share them."""

import numpy as np


def split(K, largest, max_spins):
    r"""Divide whole-number couplings over copies of spins.

    A spin whose couplings are too large becomes c copies, which are coupled to each
    other by ``largest``; a coupling between spins of c and d copies is divided evenly
    over the c d pairs. Copies that disagree never lower the minimum: turning the
    smaller part a <= c / 2 of them round costs at least :math:`2a\,(c/2)` times
    ``largest`` inside, and gains at most 2a times the couplings of one copy to the
    outside, so c is raised until those are at most c / 2 times ``largest``.

    Parameters
    ----------
    K : ndarray of shape (N, N), dtype float64
        Symmetric whole numbers, zero diagonal.
    largest : int
        Largest entry of the result.
    max_spins : int
        Once more spins than this are needed, the answer is given up.

    Returns
    -------
    matrix : ndarray of shape (N', N'), dtype float64
        Entries within ``largest``; N' > ``max_spins`` where it was given up.
    owner : ndarray of shape (N',), dtype int64
        The spin that each is a copy of; the copies of a spin are neighbours.
    """
    size = np.abs(K).max(axis=1)
    copies = np.maximum(1, np.ceil(np.sqrt(size / largest))).astype(np.int64)
    while True:
        owner = np.repeat(np.arange(len(K)), copies)
        matrix = np.zeros((len(owner), len(owner)))
        if len(owner) > max_spins:
            return matrix, owner
        starts = np.cumsum(copies) - copies
        for i, j in zip(*np.nonzero(np.triu(K)), strict=True):
            part = _shares(abs(int(K[i, j])), copies[i], copies[j]) * np.sign(K[i, j])
            a, b = starts[i], starts[j]
            matrix[a : a + copies[i], b : b + copies[j]] = part
            matrix[b : b + copies[j], a : a + copies[i]] = part.T
        outside = np.maximum.reduceat(np.abs(matrix).sum(axis=1), starts)
        loose = (copies > 1) & (outside > copies / 2 * largest)
        loose |= np.maximum.reduceat(np.abs(matrix).max(axis=1), starts) > largest
        if not loose.any():
            same = (owner[:, None] == owner) & ~np.eye(len(owner), dtype=bool)
            return np.where(same, float(largest), matrix), owner
        copies = copies + loose


def _shares(total, c, d):
    """Divide a whole number over a c x d table whose row sums differ by one at most."""
    base, rest = divmod(total, c * d)
    table = np.full((c, d), float(base))
    order = np.arange(rest)
    # Down the diagonals, so that rows and columns fill evenly.
    rows = order % c
    cols = (order + order // np.lcm(c, d)) % d
    table[rows, cols] += 1
    return table
