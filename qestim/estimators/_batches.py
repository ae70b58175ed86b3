# SPDX-License-Identifier: Apache-2.0
"""Categorical covariates of rows, such as the batch a cell was measured in."""

import numpy as np


class Batches:
    """The labels of covariates seen in a fit, and how often they occurred.

    Attributes
    ----------
    categories : list of ndarray
        Labels of each covariate as strings, sorted.
    combinations : ndarray of shape (k, n_covariates)
        Labels that occurred together.
    counts : ndarray of shape (k,), dtype int64
        Rows that had them.
    """

    def __init__(self):
        self.categories: list[np.ndarray] = []
        self.combinations = np.empty((0, 0), dtype=str)
        self.counts = np.empty(0, dtype=np.int64)

    def learn(self, batch):
        """Count the labels of more rows.

        Parameters
        ----------
        batch : array-like of shape (n_rows,) or (n_rows, n_covariates)
            Labels.
        """
        table, counts = np.unique(as_table(batch), axis=0, return_counts=True)
        if len(self.combinations):
            self._check_width(table)
            table = np.concatenate([self.combinations, table])
            counts = np.concatenate([self.counts, counts])
        self.combinations, place = np.unique(table, axis=0, return_inverse=True)
        self.counts = np.bincount(place.ravel(), counts).astype(np.int64)
        self.categories = [np.unique(column) for column in self.combinations.T]

    @property
    def width(self):
        """Number of columns of the one-hot form."""
        return sum(len(labels) for labels in self.categories)

    @property
    def shares(self):
        """Shares of the rows with each combination, ndarray of shape (k,)."""
        return self.counts / self.counts.sum()

    def codes(self, batch):
        """Return labels as positions, int64 ndarray of shape (n_rows, n_covariates).

        Raises
        ------
        ValueError
            If a label did not occur in the fit, or the number of covariates differs.
        """
        table = as_table(batch)
        self._check_width(table)
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
        """Return positions of labels drawn as they occurred, shape (n, k)."""
        rows = rng.choice(len(self.counts), n, p=self.shares)
        return self.codes(self.combinations[rows])

    def _check_width(self, table):
        if table.shape[1] != self.combinations.shape[1]:
            raise ValueError(
                f"batch has {table.shape[1]} covariates; the model was fitted with "
                f"{self.combinations.shape[1]}."
            )


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
    labels = table.astype(str)
    if table.dtype.kind == "f":
        whole = table % 1 == 0
        labels[whole] = table[whole].astype(np.int64).astype(str)
    return labels
