# SPDX-License-Identifier: Apache-2.0
"""Kernels between rows, and what a set of rows covers of the others."""

import numpy as np
import scipy.sparse
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

from qestim import _native

N_NEIGHBORS = 20


def median_gamma(X, rng, n_rows=500):
    """Return 4 over the median squared distance of pairs of distinct rows.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        The rows; a draw of them is enough.
    rng : RandomState
        Source of the draw.
    n_rows : int, default=500
        Rows of the draw.

    Returns
    -------
    gamma : float
        In inverse squared units of X; 1 where all rows are equal.
    """
    draw = X[rng.permutation(len(X))[:n_rows]]
    squares = euclidean_distances(draw, squared=True)[np.triu_indices(len(draw), 1)]
    squares = squares[squares > 1e-12 * squares.max(initial=0)]
    return 4.0 / float(np.median(squares)) if len(squares) else 1.0


def similarity(kind, A, B, gamma):
    """Return the similarity of the rows of A and B.

    Parameters
    ----------
    kind : {"rbf", "cosine"} or callable
        The kernel; a callable takes A and B.
    A, B : ndarray of shape (n, d) and (m, d)
        Rows.
    gamma : float
        Inverse squared width of "rbf".

    Returns
    -------
    S : ndarray of shape (n, m), dtype float64
        1 for equal rows; negative cosines count as 0.
    """
    if callable(kind):
        values = np.asarray(kind(A, B), dtype=np.float64)
        if values.shape != (len(A), len(B)) or not np.isfinite(values).all():
            raise ValueError(
                "The 'similarity' parameter must return finite numbers of shape "
                f"{(len(A), len(B))}. Got shape {values.shape}"
                f"{'' if np.isfinite(values).all() else ' with NaN or infinity'}."
            )
        return values
    if kind == "cosine":
        return np.maximum(cosine_similarity(A, B), 0)
    return np.exp(-gamma * euclidean_distances(A, B, squared=True))


def near_similarity(kernel, rows):
    """Return the similarity of each row to itself and to its nearest others.

    Parameters
    ----------
    kernel : Kernel
        With the kind "rbf" or "cosine".
    rows : Rows
        Points, and beliefs or None.

    Returns
    -------
    index : ndarray of shape (n, m), dtype int64
        The rows themselves and their 20 nearest, the most similar first.
    values : ndarray of shape (n, m), dtype float64
        Their similarities.
    """
    X = rows.points
    if callable(kernel.kind):
        raise ValueError(
            f"A callable 'similarity' works up to n_dense rows. Got {len(X)}; raise "
            "n_dense, or take 'rbf' or 'cosine'."
        )
    if kernel.kind == "cosine":
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        X = X / np.where(norms > 0, norms, 1)
    finder = NearestNeighbors(n_neighbors=min(N_NEIGHBORS, len(X) - 1)).fit(X)
    distances, index = finder.kneighbors()
    itself = np.arange(len(X))[:, None]
    index = np.hstack([itself, index])
    squares = np.hstack([np.zeros_like(itself), distances]) ** 2
    if kernel.kind == "cosine":
        values = np.maximum(1 - squares / 2, 0)
    else:
        values = np.exp(-kernel.gamma * squares)
    if kernel.power and rows.beliefs is not None:
        common = np.einsum("ic,ijc->ij", rows.beliefs, rows.beliefs[index])
        values *= np.clip(common, 0, 1) ** kernel.power
    order = np.argsort(-values, axis=1, kind="stable")
    return (np.take_along_axis(a, order, axis=1) for a in (index, values))


def symmetric(index, values):
    """Return near similarities as a symmetric matrix.

    Parameters
    ----------
    index, values : ndarray of shape (n, m)
        As `near_similarity` returns them.

    Returns
    -------
    S : scipy.sparse.csr_array of shape (n, n), dtype float64
        The larger of two directions.
    """
    n, m = index.shape
    row = np.repeat(np.arange(n), m)
    S = scipy.sparse.coo_array((values.ravel(), (row, index.ravel())), (n, n)).tocsr()
    return S.maximum(S.T).tocsr()


def largest_similarity(kernel, rows, known, chunk_size=1000):
    """Return the largest similarity of each row to a known one, at most 1.

    Parameters
    ----------
    kernel : callable
        ``kernel(a, b)`` gives the similarity of two `Rows`.
    rows, known : Rows
        The rows and the known ones.
    chunk_size : int, default=1000
        Known rows compared at a time.

    Returns
    -------
    largest : ndarray of shape (n,), dtype float64
        In [0, 1].
    """
    largest = np.zeros(len(rows.points))
    for part in gen_batches(len(known.points), chunk_size):
        np.maximum(largest, kernel(rows, known[part]).max(axis=1), out=largest)
    return np.minimum(largest, 1)


def shared(S, weights, share, known=None):
    r"""Return what each row covers, and what each pair covers together.

    Row j covers row i by its similarity beyond what the known rows cover,
    :math:`r_{ij} = \max(0, S_{ij} - \kappa_i)`, times the weight of i, and of several
    rows the largest counts: the weighted facility location function. Its multilinear
    extension, expanded around every row being chosen with the probability p, has the
    same form with :math:`r_{ij}` discounted by what better rows cover anyway,

    .. math:: g_{ij} = \int_0^{r_{ij}} (1 - p)^{n_i(t) - 1} dt,

    where :math:`n_i(t)` rows cover row i by more than t. Two rows share the smaller of
    their parts.

    Parameters
    ----------
    S : ndarray of shape (n, n)
        Similarity.
    weights : ndarray of shape (n,)
        Weights, at least 0.
    share : float
        The probability p, the share of the rows that are to be chosen.
    known : ndarray of shape (n,), default=None
        Largest similarity :math:`\kappa` to a known row.

    Returns
    -------
    single : ndarray of shape (n,), dtype float64
        First order of the expansion, in units of the weights.
    both : ndarray of shape (n, n), dtype float64
        Its second order, with the sign turned; zero diagonal.
    """
    n = len(S)
    parts = S if known is None else np.maximum(S - known[:, None], 0)
    order = np.argsort(-parts, axis=1)
    sums = discount(np.take_along_axis(parts, order, axis=1), share)
    discounted = np.empty((n, n), dtype=np.float32)
    np.put_along_axis(
        discounted, order, (sums * weights[:, None]).astype(np.float32), axis=1
    )
    both = _native.overlaps(
        np.ascontiguousarray(discounted.T), _native.available_threads()
    )
    single = np.diagonal(both).copy()
    np.fill_diagonal(both, 0)
    return single + share * both.sum(axis=1), both


def shared_near(index, values, weights, share):
    """Return the same as `shared` where each row is covered by near ones only.

    Parameters
    ----------
    index : ndarray of shape (n, m)
        The rows that cover each row, the best first.
    values : ndarray of shape (n, m)
        How well.
    weights : ndarray of shape (n,)
        Weights, at least 0.
    share : float
        As for `shared`.

    Returns
    -------
    single : ndarray of shape (n,), dtype float64
        First order.
    both : scipy.sparse.csr_array of shape (n, n), dtype float64
        Second order, symmetric with a zero diagonal.
    """
    n, m = index.shape
    parts = discount(values, share) * weights[:, None]
    both = scipy.sparse.csr_array((n, n))
    for worse in range(1, m):  # the smaller of two parts is the later one
        row = index[:, :worse].ravel()
        col = np.repeat(index[:, worse], worse)
        entries = np.repeat(parts[:, worse], worse)
        both = (
            both + scipy.sparse.coo_array((entries, (row, col)), shape=(n, n)).tocsr()
        )
    both = (both + both.T).tocsr()
    single = np.bincount(index.ravel(), parts.ravel(), minlength=n)
    return single + share * both.sum(axis=1), both


def discount(falling, share):
    """Return the integrals of `shared` for similarities that fall along each row."""
    n = falling.shape[1]
    steps = falling - np.hstack([falling[:, 1:], np.zeros((len(falling), 1))])
    steps = steps * (1 - share) ** np.arange(n)
    return np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
