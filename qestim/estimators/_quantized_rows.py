# SPDX-License-Identifier: Apache-2.0
"""The rows that a quantized network learns from."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split


class Rows(NamedTuple):
    """Distinct rows.

    Attributes
    ----------
    X : ndarray of shape (n_features, n), dtype float32
        Inputs, a column each.
    targets : ndarray of shape (n_classes, n), dtype float32
        Wanted probabilities.
    share : ndarray of shape (n,), dtype float32
        Shares of the total weight; they sum to 1.
    """

    X: np.ndarray
    targets: np.ndarray
    share: np.ndarray

    def spread(self):
        """Return the root mean square of the features' standard deviations."""
        return float(np.sqrt(np.mean(np.var(self.X, axis=1, dtype=np.float64))))


def distinct_rows(X, codes, weight, n_classes):
    """Merge equal rows, so that one of weight 2 is the same as two.

    The answer does not depend on the order of the rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    codes : ndarray of shape (n_samples,), dtype int
        Numbers of the classes.
    weight : ndarray of shape (n_samples,)
        Weights; rows of weight 0 are left out.
    n_classes : int
        Number of classes.

    Returns
    -------
    rows : Rows
        Sorted.

    """
    keep = weight > 0
    table, where = np.unique(
        np.column_stack([X[keep], codes[keep]]), axis=0, return_inverse=True
    )
    total = np.bincount(where.reshape(-1), weight[keep])
    X, codes = table[:, :-1].T.astype(np.float32, order="C"), table[:, -1].astype(int)
    targets = np.eye(n_classes, dtype=np.float32)[:, codes]
    return Rows(X, targets, (total / total.sum()).astype(np.float32))


def hold_out(rows, fraction, rng):
    """Divide rows into those to learn from and those that tell when to stop.

    Parameters
    ----------
    rows : Rows
        All of them.
    fraction : float
        Fraction to hold out, of every class where each has two rows.
    rng : numpy.random.RandomState
        Chooses them.

    Returns
    -------
    kept, held_out : Rows
        Shares sum to 1 in each.
    """
    codes = rows.targets.argmax(axis=0)
    counts = np.bincount(codes)
    n_out = int(np.ceil(fraction * len(codes)))
    dense = counts[counts > 0].min() >= 2 and (counts > 0).sum() <= min(
        n_out, len(codes) - n_out
    )
    parts = train_test_split(
        np.arange(len(codes)),
        test_size=fraction,
        stratify=codes if dense else None,
        random_state=rng,
    )
    return tuple(
        Rows(rows.X[:, p], rows.targets[:, p], rows.share[p] / rows.share[p].sum())
        for p in map(np.sort, parts)
    )
