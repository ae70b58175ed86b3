# SPDX-License-Identifier: Apache-2.0
"""Rows of a table as minibatches of tensors: dense, sparse or memory-mapped."""

import dataclasses
import functools

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
    """How rows become inputs and targets, learned from the rows of a fit.

    Parameters
    ----------
    likelihood : str
        As of the estimator.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        Means of the features; of counts, of their logarithms at a common row sum.
    scale : float
        One scale for all features: the root of the mean variance of real ones, the
        standard deviation of all entries of bits and of the logarithms of counts.
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

    def inputs(self, X, totals):
        """Return what the encoder sees of dense rows, tensor like X."""
        return (self.logarithms(X, totals) - self._mean(X)) / self.scale

    def logarithms(self, X, totals):
        """Return log(1 + counts at a common row sum), or X if it has no counts."""
        if self.counts:
            return X.mul(_PER_ROW / totals.clamp(min=1.0)).log1p_()
        return X

    def targets(self, X, inputs):
        """Return what the likelihood is of."""
        return inputs if self.likelihood == "gaussian" else X

    def _mean(self, X):
        return torch.as_tensor(self.mean).to(X)


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
    batch : array-like of shape (n,) or (n, k), or None
        The rows' labels.
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
        batch=None,
        size_factor=None,
        *,
        device="cpu",
        dtype=torch.float32,
    ):
        self.X, self.scaling = X, scaling
        self.batches, self.batch, self.size_factor = batches, batch, size_factor
        self.device, self.dtype = device, dtype

    def __len__(self):
        return self.X.shape[0]

    @functools.cached_property
    def codes(self):
        """Positions of the rows' labels, ndarray of shape (n, k)."""
        return self.batches.codes(self.batch)

    def take(self, rows):
        """Return the rows of the given positions as a `Minibatch`.

        Parameters
        ----------
        rows : ndarray of shape (b,)
            Positions.
        """
        X = self.dense(rows)
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

    def in_order(self, n_rows=512):
        """Yield all rows in minibatches, in order."""
        for start in range(0, len(self), n_rows):
            yield self.take(np.arange(start, min(start + n_rows, len(self))))

    def dense(self, rows):
        """Return rows as they are, as a dense tensor on the device."""
        if not scipy.sparse.issparse(self.X):
            return torch.as_tensor(self.X[rows]).to(self.device)
        start, end = self.X.indptr[rows], self.X.indptr[rows + 1]
        length = end - start
        # Positions of the entries of the rows, one row after the other.
        offset = np.repeat(start - np.concatenate([[0], length.cumsum()[:-1]]), length)
        place = offset + np.arange(len(offset))
        d = self.X.shape[1]
        flat = np.repeat(np.arange(len(rows)) * d, length) + self.X.indices[place]
        values = torch.as_tensor(self.X.data[place]).to(self.dtype)
        dense = torch.zeros(len(rows) * d, dtype=self.dtype)
        dense.index_put_((torch.from_numpy(flat),), values, accumulate=True)
        return dense.view(len(rows), d).to(self.device)


class Epochs:
    """Minibatches of tables, in a new order every epoch.

    Parameters
    ----------
    tables : iterable of Rows
        The tables, one after the other every time it is iterated.
    lengths : list of int
        Rows of each table.
    batch_size : int
        Rows of a minibatch.
    generator : torch.Generator
        Source of the order of the rows of a table.
    rows : ndarray of shape (n,), default=None
        Positions of the rows to take of an only table; None is all.
    """

    def __init__(self, tables, lengths, batch_size, generator, rows=None):
        self.tables, self.generator, self.rows = tables, generator, rows
        self.batch_size = batch_size
        if rows is not None:
            lengths = [len(rows)]
        self.n_rows = sum(lengths)
        self.n_batches = sum(self._parts(n) for n in lengths)

    def _parts(self, n):
        return -(-n // self.batch_size)

    def __iter__(self):
        device = self.generator.device
        for table in self.tables:
            rows = np.arange(len(table)) if self.rows is None else self.rows
            order = torch.randperm(len(rows), generator=self.generator, device=device)
            for part in order.cpu().tensor_split(self._parts(len(rows))):
                yield table.take(rows[part.numpy()])
