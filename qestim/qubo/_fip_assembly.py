# SPDX-License-Identifier: Apache-2.0
r"""From residuals and products to one quadratic form, by one sparse product.

Every row r of a sparse matrix A adds weight_r (A_r x + b_r)^2. The penalty of a product
is such a row too: x y - 2 x p - 2 y p + 3 p = (x + y - 2 p)^2 / 2 - (x + y) / 2 + p.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse


@dataclass(frozen=True, eq=False)
class Qubo:
    """E(x) = linear x + sum of value x[row] x[col] + offset; each pair once."""

    linear: np.ndarray
    row: np.ndarray
    col: np.ndarray
    value: np.ndarray
    offset: float

    def ordered(self):
        """Return the form with its pairs in order, which dimod takes in much faster."""
        n = len(self.linear)
        ends = np.concatenate([[0], np.cumsum(np.bincount(self.row, minlength=n))])
        by_col = scipy.sparse.csr_array((self.value, self.col, ends), (n, n)).tocsc()
        col = np.repeat(np.arange(n, dtype=np.int32), np.diff(by_col.indptr))
        return Qubo(self.linear, by_col.indices, col, by_col.data, self.offset)


class Rows:
    """Rows of A with their constants and weights, collected from forms."""

    def __init__(self):
        self.index, self.factor, self.length = [], [], []
        self.constant, self.weight = [], []

    def add(self, form, weight):
        """Add the rows of forms; ``weight`` broadcasts to (n_samples, n_units)."""
        shape = form.index.shape[:2]
        self.index.append(form.index.ravel())
        self.factor.append(form.factor.ravel())
        self.length.append(np.full(shape[0] * shape[1], form.index.shape[2]))
        self.constant.append(np.broadcast_to(form.constant, shape).ravel())
        self.weight.append(np.broadcast_to(weight, shape).ravel())

    def add_products(self, x, y, p, weight):
        """Add the rows x + y - 2 p of products; ``weight`` broadcasts to p."""
        self.index.append(np.stack(np.broadcast_arrays(x, y, p), axis=-1).ravel())
        self.factor.append(np.tile([1.0, 1.0, -2.0], p.size))
        self.length.append(np.full(p.size, 3))
        self.constant.append(np.zeros(p.size))
        self.weight.append(np.broadcast_to(weight / 2, p.shape).ravel())

    def matrix(self, n):
        """Return (A, constants, weights) with A a sparse array of n columns."""
        if not self.index:
            return scipy.sparse.csr_array((0, n)), np.zeros(0), np.zeros(0)
        ends = np.concatenate([[0], np.cumsum(np.concatenate(self.length))])
        index = np.concatenate(self.index).astype(np.int32)
        A = scipy.sparse.csr_array(
            (np.concatenate(self.factor), index, ends.astype(np.int32)),
            shape=(len(ends) - 1, n),
        )
        return A, np.concatenate(self.constant), np.concatenate(self.weight)


def squares(rows, linear, offset):
    """Return the quadratic form of the rows, plus a linear form and a constant."""
    n = len(linear)
    A, b, weight = rows.matrix(n)
    weighted = scipy.sparse.csr_array(
        (A.data * np.repeat(weight, np.diff(A.indptr)), A.indices, A.indptr), A.shape
    )
    gram = A.T.tocsr() @ weighted
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(gram.indptr))
    col = gram.indices
    upper = (row < col) & (gram.data != 0)
    return Qubo(
        linear + 2 * (weighted.T @ b) + gram.diagonal(),
        row[upper],
        col[upper],
        2 * gram.data[upper],
        offset + float(weight @ b**2),
    )


def assemble(encodings, weight, bound, quadratic, n):
    """Return the quadratic form of encoded samples.

    Parameters
    ----------
    encodings : list of (Encoding, Form)
        The constraints of some samples, and the form that is their loss.
    weight : ndarray of shape (n_samples, n_parts + 1)
        Penalty weights of the parts of the loss, and last of all of them.
    bound : ndarray of shape (n_samples, n_parts) or None
        What weights of final blocks are relative to; None gives them the full weight.
    quadratic : bool
        Whether the loss is the square of its form.
    n : int
        Number of bits.

    Returns
    -------
    qubo : Qubo
        Loss plus weighted violations.
    """
    rows, linear, offset = Rows(), np.zeros(n), 0.0
    for bits, loss in encodings:
        parts = weight[bits.samples, :-1], weight[bits.samples, -1:]
        limit = None if bound is None else bound[bits.samples]
        for form, scope, rule in bits.residuals:
            rows.add(form, scoped(parts, limit, scope, rule))
        for x, y, p, scope, rule in bits.products:
            part = scoped(parts, limit, scope, rule)
            part = part.reshape(part.shape + (1,) * (p.ndim - part.ndim))
            rows.add_products(x, y, p, part)
            part = np.broadcast_to(part, p.shape).ravel()
            half = part / 2
            linear += np.bincount(p.ravel(), part, minlength=n)
            linear -= np.bincount(x.ravel(), half, minlength=n)
            linear -= np.bincount(y.ravel(), half, minlength=n)
        if quadratic:
            rows.add(loss, 1.0)
        else:
            linear += np.bincount(loss.index.ravel(), loss.factor.ravel(), minlength=n)
            offset += float(loss.constant.sum())
    return squares(rows, linear, offset)


def scoped(parts, limit, scope, rule):
    """Return the weights of a constraint, by what breaking it can gain."""
    if scope == "all":
        return parts[1]
    if scope == "part" or limit is None:
        return parts[0]
    rule = np.asarray(rule)
    limit = limit.reshape(limit.shape + (1,) * rule.ndim)
    part = parts[0].reshape(limit.shape)
    return part * np.minimum(1.0, rule / np.where(limit > 0, limit, rule))
