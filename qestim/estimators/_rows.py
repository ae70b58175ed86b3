# SPDX-License-Identifier: Apache-2.0
"""Rows of a table as minibatches of tensors: dense, sparse or memory-mapped."""

import dataclasses
import math

import numpy as np
import scipy.sparse
import torch

_PER_ROW = 1e4  # counts of a row are scaled to this sum for the encoder


@dataclasses.dataclass
class Minibatch:
    """Some rows, as the networks take them.

    Attributes
    ----------
    inputs, targets : tensor of shape (b, d)
        What the encoder sees and what the likelihood is of.
    covariates : tensor of shape (b, c) or None
        Covariates of the decoder.
    size : tensor of shape (b, 1) or None
        Sizes of rows of counts.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    covariates: torch.Tensor | None
    size: torch.Tensor | None

    @property
    def given(self):
        """What the decoder is given beside the code."""
        return self.covariates, self.size

    def __len__(self):
        return len(self.inputs)


class Scaling:
    """How rows become inputs and targets.

    Parameters
    ----------
    likelihood : str
        As of the estimator.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        Means of the features; of counts, of their logarithms at a common row sum.
    scale : float
        One scale for all features.
    shares : ndarray of shape (d,) or None
        Shares of the features in all counts, none of them zero.
    size : float
        Factor that turns a given size factor into a sum of counts.
    """

    def __init__(self, likelihood):
        self.likelihood = likelihood
        self.mean, self.scale, self.size, self.shares = np.zeros(1), 1.0, 1.0, None

    @property
    def counts(self):
        """Whether the likelihood is one of counts."""
        return self.likelihood in ("poisson", "nb", "zinb")

    def learn(self, table):
        """Learn the scales from a table of `Rows`."""
        X = table.X
        if not (self.counts or scipy.sparse.issparse(X)):
            self.mean = X.mean(axis=0, dtype=np.float64)
            self.scale = float(np.std(X, dtype=np.float64)) or 1.0
            return
        self.mean, self.scale, self.shares = np.zeros(X.shape[1]), 1.0, None
        n, d = X.shape
        total, logs, square = np.zeros(d), np.zeros(d), 0.0
        for rows in table.in_order(4096):
            inputs = rows.inputs.cpu().numpy()
            logs += inputs.sum(0, dtype=np.float64)
            square += float(np.vdot(inputs, inputs))
            total += rows.targets.cpu().numpy().sum(0, dtype=np.float64)
        self.mean = logs / n
        variance = square / (n * d) - (logs.sum() / (n * d)) ** 2
        self.scale = float(np.sqrt(max(variance, 0.0))) or 1.0
        if self.counts:
            self.shares = (total + 0.5) / (total + 0.5).sum()

    def inputs(self, X, totals):
        """Return what the encoder sees of dense rows, tensor like X."""
        if self.counts:
            X = torch.log1p(X * (_PER_ROW / totals.clamp(min=1.0)))
        return (X - torch.as_tensor(self.mean).to(X)) / self.scale

    def targets(self, X, inputs):
        """Return what the likelihood is of."""
        return inputs if self.likelihood == "gaussian" else X


class Rows:
    """A table of rows, from which minibatches are taken.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Data; the arrays of a CSR matrix may be memory maps. A minibatch of it is made
        dense, never the whole.
    scaling : Scaling
        How rows become inputs and targets.
    batches : Batches or None
        Labels of the covariates.
    codes : ndarray of shape (n, k) or None
        Positions of the rows' labels.
    size_factor : ndarray of shape (n,) or None
        Sizes of the rows; None is their sums.
    device : torch.device, default="cpu"
        Where the minibatches are.
    dtype : torch.dtype, default=torch.float32
        Their precision.
    """

    def __init__(
        self,
        X,
        scaling,
        batches=None,
        codes=None,
        size_factor=None,
        *,
        device="cpu",
        dtype=torch.float32,
    ):
        self.X, self.scaling = X, scaling
        self.batches, self.codes, self.size_factor = batches, codes, size_factor
        self.device, self.dtype = device, dtype

    def __len__(self):
        return self.X.shape[0]

    def take(self, rows):
        """Return the rows of the given positions as a `Minibatch`.

        Parameters
        ----------
        rows : ndarray of shape (b,) or slice
            Positions.
        """
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        X = self._dense(rows)
        totals = X.sum(1, keepdim=True) if self.scaling.counts else None
        inputs = self.scaling.inputs(X, totals).to(self.dtype)
        targets = self.scaling.targets(X, inputs).to(self.dtype)
        size = covariates = None
        if totals is not None:
            size = totals.clamp(min=1.0)
            if self.size_factor is not None:
                size = torch.as_tensor(self.size_factor[rows])[:, None]
                size = size * self.scaling.size
            size = size.to(self.device, self.dtype)
        if self.batches is not None:
            covariates = torch.from_numpy(self.batches.one_hot(self.codes[rows]))
            covariates = covariates.to(self.device, self.dtype)
        return Minibatch(inputs, targets, covariates, size)

    def sums(self):
        """Return the sums of rows of counts, at least 1, ndarray of shape (n,)."""
        return np.maximum(np.asarray(self.X.sum(axis=1)).ravel(), 1.0)

    def in_order(self, n_rows=512):
        """Yield all rows in minibatches, in order."""
        for start in range(0, len(self), n_rows):
            yield self.take(slice(start, start + n_rows))

    def _dense(self, rows):
        """Return rows as a dense tensor on the device."""
        if not scipy.sparse.issparse(self.X):
            return torch.as_tensor(self.X[rows]).to(self.device)
        start, end = self.X.indptr[rows], self.X.indptr[rows + 1]
        length = end - start
        # Positions of the entries of the rows, one row after the other.
        offset = np.repeat(start - np.concatenate([[0], length.cumsum()[:-1]]), length)
        place = offset + np.arange(len(offset))
        flat = np.repeat(np.arange(len(rows)) * self.X.shape[1], length)
        cells = torch.from_numpy(flat + self.X.indices[place])
        values = torch.as_tensor(self.X.data[place]).to(self.dtype)
        dense = torch.zeros(len(rows) * self.X.shape[1], dtype=self.dtype)
        dense.index_put_((cells,), values, accumulate=True)
        return dense.view(len(rows), -1).to(self.device)


class Epochs:
    """Minibatches of some of the rows of a table, in a new order every epoch.

    Parameters
    ----------
    table : Rows
        The table.
    rows : ndarray of shape (n,)
        Positions of the rows to take.
    batch_size : int
        Rows of a minibatch.
    generator : torch.Generator
        Source of the order.
    """

    def __init__(self, table, rows, batch_size, generator):
        self.table, self.rows, self.generator = table, rows, generator
        self.n_rows = len(rows)
        self.n_batches = math.ceil(len(rows) / batch_size)

    def __iter__(self):
        device = self.generator.device
        order = torch.randperm(self.n_rows, generator=self.generator, device=device)
        for part in order.cpu().tensor_split(self.n_batches):
            yield self.table.take(self.rows[part.numpy()])
