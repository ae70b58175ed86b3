# SPDX-License-Identifier: Apache-2.0
"""Categorical covariates of rows, such as the batch a cell was measured in."""

import numpy as np


class Batches:
    """The labels of covariates seen in a fit, and their shares.

    Parameters
    ----------
    batch : array-like of shape (n_rows,) or (n_rows, n_covariates)
        Labels.

    Attributes
    ----------
    categories : list of ndarray
        Labels of each covariate, sorted.
    combinations : ndarray of shape (k, n_covariates), dtype int64
        Labels that occur together, as positions in `categories`.
    shares : ndarray of shape (k,)
        Shares of the rows that have them.
    """

    def __init__(self, batch):
        table = as_table(batch)
        self.categories = [np.unique(column) for column in table.T]
        rows, counts = np.unique(self.codes(table), axis=0, return_counts=True)
        self.combinations, self.shares = rows, counts / counts.sum()

    @property
    def width(self):
        """Number of columns of the one-hot form."""
        return sum(len(labels) for labels in self.categories)

    def codes(self, batch):
        """Return labels as positions, int64 ndarray of shape (n_rows, n_covariates).

        Raises
        ------
        ValueError
            If a label did not occur in the fit, or the number of covariates differs.
        """
        table = as_table(batch)
        if table.shape[1] != len(self.categories):
            raise ValueError(
                f"batch has {table.shape[1]} covariates; the model was fitted with "
                f"{len(self.categories)}."
            )
        codes = np.empty(table.shape, dtype=np.int64)
        for k, labels in enumerate(self.categories):
            place = np.searchsorted(labels, table[:, k]).clip(max=len(labels) - 1)
            unseen = labels[place] != table[:, k]
            if unseen.any():
                label = str(table[unseen, k][0])
                raise ValueError(
                    f"batch has the label {label!r}, which did not occur in the fit; "
                    f"known are {', '.join(labels[:20])}. Rows "
                    "of a new batch can be encoded by transform; to decode them name a "
                    "known batch, or fit with theirs."
                )
            codes[:, k] = place
        return codes

    def one_hot(self, codes):
        """Return positions in one-hot form, float32 ndarray of shape (n, width)."""
        hot = np.zeros((len(codes), self.width), dtype=np.float32)
        start = 0
        for k, labels in enumerate(self.categories):
            hot[np.arange(len(codes)), start + codes[:, k]] = 1
            start += len(labels)
        return hot

    def draw(self, n, rng):
        """Return positions drawn as they occurred, int64 ndarray of shape (n, k)."""
        return self.combinations[rng.choice(len(self.shares), n, p=self.shares)]


def as_table(batch):
    """Return labels as a table of strings, shape (n_rows, n_covariates).

    Strings, so that 1, 1.0 and "1" from an array, a table or a file are one label.
    """
    table = np.asarray(batch)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(
            "batch must have the shape (n_rows,) or (n_rows, n_covariates). Got "
            f"{np.shape(batch)}."
        )
    missing = table != table  # NaN alone differs from itself
    if missing.any():
        raise ValueError("batch contains NaN; give the rows without one a label.")
    if table.dtype.kind == "f" and (table % 1 == 0).all():
        table = table.astype(np.int64)
    return table.astype(str)
