# SPDX-License-Identifier: Apache-2.0
"""One pass over the rows before a fit: scales, labels and sizes."""

import numpy as np
import scipy.sparse
import torch

from qestim.estimators._batches import Batches
from qestim.estimators._rows import Scaling


class Survey:
    """What a fit must know of the rows before it begins, from one pass over them.

    Parameters
    ----------
    likelihood : str
        As of the estimator.

    Attributes
    ----------
    scaling : Scaling
        How rows become inputs and targets, after `finish`.
    batches : Batches or None
        Labels of the covariates.
    lengths : list of int
        Rows of each table.
    sizes : ndarray of shape (n,) or None
        Sizes of all rows of counts, after `finish`.
    """

    def __init__(self, likelihood):
        self.scaling = Scaling(likelihood)
        self.lengths: list[int] = []
        self.batches = None
        self.sizes = None
        self._sums, self._factors = [], []
        self._n, self._middle, self._square = 0, 0.0, 0.0
        self._logs, self._total = np.zeros(1), np.zeros(1)

    def add(self, table):
        """Take notice of the rows of a table of `Rows`."""
        for name, before in (("batch", self.batches), ("size_factor", self._factors)):
            if self.lengths and bool(before) == (getattr(table, name) is None):
                raise ValueError(
                    f"Every chunk or none has a {name}. Chunk {len(self.lengths)}, "
                    "counted from 0, differs from those before."
                )
        self.lengths.append(len(table))
        counts = self.scaling.counts
        whole = not counts and not scipy.sparse.issparse(table.X)
        n_rows = len(table) if whole else 4096
        # In one piece: small arrays that stay would split the memory of the blocks, so
        # that each takes new memory.
        sums = np.empty(len(table))
        for start in range(0, len(table), n_rows):
            rows = np.arange(start, min(start + n_rows, len(table)))
            X = table.dense(rows).cpu()
            totals = X.sum(1, keepdim=True)
            self._add_block(self.scaling.logarithms(X, totals).numpy())
            if counts:
                self._total = self._total + X.sum(0, dtype=torch.float64).numpy()
                sums[rows] = totals.ravel()
        self._sums.append(sums)
        if table.batch is not None:
            self.batches = self.batches or Batches()
            self.batches.learn(table.batch)
        if table.size_factor is not None:
            self._factors.append(table.size_factor)

    def _add_block(self, X):
        """Merge means and spread with those of the rows before.

        Each real feature has a zero of its own; bits, and logarithms of counts, share
        theirs.
        """
        axis = 0 if self.scaling.likelihood == "gaussian" else None
        middle = X.mean(axis, dtype=np.float64)
        n = X.size // middle.size
        shift, both = middle - self._middle, self._n + n
        square = np.var(X, axis, dtype=np.float64) * n + shift**2 * self._n * n / both
        self._square = self._square + square
        self._middle = self._middle + shift * n / both
        self._n = both
        self._logs = self._logs + X.sum(axis=0, dtype=np.float64)

    def finish(self):
        """Set the attributes and return the scaling."""
        scaling = self.scaling
        scaling.mean = self._logs / sum(self.lengths)
        spread = float(np.sqrt(np.mean(self._square) / self._n))
        # Rows that are all the same differ from their mean by rounding alone.
        varies = spread > 1e-12 * np.abs(self._middle).max()
        scaling.scale = spread if varies else 1.0
        if scaling.counts:
            scaling.shares = (self._total + 0.5) / (self._total + 0.5).sum()
            self.sizes = np.maximum(np.concatenate(self._sums), 1.0)
            if self._factors:
                factors = np.concatenate(self._factors)
                scaling.size = self.sizes.mean() / factors.mean()
                self.sizes = factors * scaling.size
        return scaling
