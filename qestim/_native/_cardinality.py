# SPDX-License-Identifier: Apache-2.0
"""The fixed-cardinality solver: choose exactly k of N at the lowest energy."""

import numpy as np
import scipy.sparse

from qestim import _native


def select_k(
    linear,
    quadratic,
    k,
    *,
    groups=1,
    allowed=None,
    initial=None,
    num_reads=1,
    num_sweeps=0,
    seed=0,
    num_threads=None,
):
    r"""Minimise a quadratic energy over the subsets of exactly k elements.

    .. math:: E(x) = a \cdot x + \tfrac12 x^T Q x, \qquad x \in \{0, 1\}^N,
              \quad \textstyle\sum_i x_i = k,

    for one problem or for a batch. Each problem starts from the greedy choice, then
    takes the best swap of a chosen and a free element until no swap lowers the energy.
    With ``num_sweeps`` a swap annealing at fixed cardinality follows, with a descent of
    its own, and the lower of the two answers is returned: annealing can only help.

    Parameters
    ----------
    linear : array-like of shape (..., N), dtype float32 or float64
        Linear terms ``a``, a row a problem; other dtypes become float64.
    quadratic : array-like of shape (..., N, N) or scipy sparse array, or None
        Symmetric couplings ``Q`` with a zero diagonal (``x_i * x_i = x_i`` belongs into
        ``linear``, as half the diagonal). Its leading shape is a beginning of the
        leading shape of ``linear``: one matrix serves all problems below it. A sparse
        matrix serves all problems. None means no couplings.
    k : int
        Elements to choose (in each group), from 0 to the number allowed.
    groups : int, default=1
        The N elements are that many equal blocks in order, with exactly k chosen in
        each; ``Q`` may couple blocks.
    allowed : array-like of bool of shape (N,) or (..., N), default=None
        False forbids an element; None allows all.
    initial : array-like of int of shape (..., groups * k), default=None
        Choices from which to descend in place of the greedy one.
    num_reads : int, default=1
        Anneals of a problem, one after the other; the best answer counts.
    num_sweeps : int, default=0
        Sweeps of annealing, each of N proposed swaps; 0 anneals not at all.
    seed : int, default=0
        Seed of the annealing; problem ``p`` draws from (seed, p).
    num_threads : int, default=None
        Threads over the problems; None means all cores. Results do not depend on it.

    Returns
    -------
    indices : ndarray of shape (..., groups * k), dtype int64
        The chosen elements of each problem, ascending.
    energies : ndarray of shape (...), dtype float64
        Their energies, in the units of the input.

    Raises
    ------
    ValueError
        If a shape, k or a value is not as stated; NaN and infinity are refused.

    Notes
    -----
    Ties go to the lower index. With f = a + Qx, swapping i out and j in changes the
    energy by f_j - f_i - Q_ij; the best swap costs O(kN) on a dense matrix and
    O(N + k degree) on a sparse one.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim._native._cardinality import select_k
    >>> similarity = np.array([[0, 5, 0], [5, 0, 0], [0, 0, 0]])
    >>> select_k([-3.0, -2.9, -1.0], similarity, k=2)
    (array([0, 2]), array(-4.))
    """
    linear = np.asarray(linear)
    dtype = np.float32 if linear.dtype == np.float32 else np.float64
    if linear.ndim == 0:
        raise ValueError("linear must have shape (..., N). Got a single number.")
    linear = np.ascontiguousarray(linear, dtype=dtype)
    batch, n = linear.shape[:-1], linear.shape[-1]
    problems = int(np.prod(batch))
    if groups < 1 or n % groups:
        raise ValueError(
            f"groups must divide the {n} elements into equal blocks. Got {groups}."
        )
    if num_sweeps < 0 or num_reads < 1:
        raise ValueError(
            "num_sweeps must be 0 or more and num_reads 1 or more. "
            f"Got {num_sweeps} and {num_reads}."
        )
    a = linear.reshape(problems, n)
    allowed = _read_allowed(allowed, batch, n)
    if not np.isfinite(np.where(allowed, a, 0)).all():
        raise ValueError(
            "linear must be finite. Got NaN or infinity; forbid elements by allowed."
        )
    a = np.ascontiguousarray(np.where(allowed, a, dtype(0)))
    _check_k(k, allowed, groups)
    couplings = _read_quadratic(quadratic, batch, n, dtype)
    start = _read_initial(initial, allowed, batch, groups, k)
    if problems == 0 or k == 0:
        return (
            np.empty((*batch, groups * k), dtype=np.int64),
            np.zeros(batch),
        )
    _check_range(a, couplings[-1], groups * k, dtype)
    threads = num_threads or _native.available_threads()
    solve = _native.select_dense if len(couplings) == 1 else _native.select_sparse
    indices, energies = solve(
        a,
        *couplings,
        allowed.astype(np.uint8),
        start,
        int(k),
        int(groups),
        int(num_reads),
        int(num_sweeps),
        int(seed),
        int(threads),
    )
    shape = (*batch, groups * k)
    return indices.astype(np.int64).reshape(shape), energies.reshape(batch)


def _read_allowed(allowed, batch, n):
    if allowed is None:
        return np.ones((1, n), dtype=bool)
    allowed = np.asarray(allowed, dtype=bool)
    if allowed.shape == (n,):
        return np.ascontiguousarray(allowed[None])
    if allowed.shape != (*batch, n):
        raise ValueError(
            f"allowed must have shape ({n},) or {(*batch, n)}. Got {allowed.shape}."
        )
    return np.ascontiguousarray(allowed.reshape(-1, n))


def _check_k(k, allowed, groups):
    block = allowed.shape[1] // groups
    counts = allowed.reshape(-1, groups, block).sum(-1)
    most = int(counts.min()) if counts.size else block
    if not 0 <= k <= most:
        raise ValueError(
            f"k must be in [0, {most}], the fewest elements allowed in a group. "
            f"Got {k}."
        )


def _read_quadratic(quadratic, batch, n, dtype):
    """Return (cube,) or the (start, column, value) of a CSR matrix."""
    if quadratic is None:
        quadratic = scipy.sparse.csr_array((n, n), dtype=dtype)
    if scipy.sparse.issparse(quadratic):
        if quadratic.shape != (n, n):
            raise ValueError(
                f"quadratic must have shape {(n, n)}. Got {quadratic.shape}."
            )
        csr = scipy.sparse.csr_array(quadratic, dtype=dtype)
        csr.sum_duplicates()
        _check_finite(csr.data)
        difference = abs(csr - csr.T)
        _check_matrix(csr.data, csr.diagonal(), difference.max() if n else 0.0)
        return (
            csr.indptr.astype(np.int64),
            csr.indices.astype(np.int32),
            np.ascontiguousarray(csr.data),
        )
    cube = np.ascontiguousarray(quadratic, dtype=dtype)
    leading = cube.shape[:-2]
    if cube.ndim < 2 or cube.shape[-2:] != (n, n) or leading != batch[: len(leading)]:
        raise ValueError(
            f"quadratic must have shape {(*batch, n, n)}, or a beginning of "
            f"{batch} before the last two. Got {cube.shape}."
        )
    cube = cube.reshape(-1, n, n)
    _check_finite(cube)
    diagonal = np.diagonal(cube, axis1=1, axis2=2)
    asymmetry = max((float(np.abs(q - q.T).max(initial=0)) for q in cube), default=0)
    _check_matrix(cube, diagonal, asymmetry)
    return (cube,)


def _check_finite(values):
    if not np.isfinite(values).all():
        raise ValueError("quadratic must be finite. Got NaN or infinity.")


def _check_matrix(values, diagonal, asymmetry):
    if np.any(diagonal != 0):
        raise ValueError(
            "quadratic must have a zero diagonal. Add half of it to linear: a bit "
            "equals its own square."
        )
    largest = float(np.abs(values).max(initial=0))
    # The product of a matrix with its own transpose is symmetric up to rounding.
    if asymmetry > 64 * np.finfo(values.dtype).eps * largest:
        raise ValueError(
            "quadratic must be symmetric, with each pair counted once in the energy. "
            "Use (Q + Q.T) / 2."
        )


def _read_initial(initial, allowed, batch, groups, k):
    if initial is None:
        return np.empty((0, groups * k), dtype=np.int32)
    n = allowed.shape[1]
    start = np.asarray(initial)
    if start.shape != (*batch, groups * k) or start.dtype.kind not in "iu":
        raise ValueError(
            f"initial must be integers of shape {(*batch, groups * k)}. "
            f"Got {start.dtype} of shape {start.shape}."
        )
    start = start.reshape(-1, groups * k)
    if start.size and not (0 <= start.min() and start.max() < n):
        raise ValueError(f"initial must hold indices in [0, {n - 1}].")
    chosen = np.zeros((len(start), n), dtype=np.int64)
    np.add.at(chosen, (np.arange(len(start))[:, None], start), 1)
    blocks = chosen.reshape(len(start), groups, -1).sum(-1)
    if (
        (chosen > 1).any()
        or (blocks != k).any()
        or (chosen.astype(bool) & ~allowed).any()
    ):
        raise ValueError(
            f"initial must hold {k} different allowed elements in each group."
        )
    return np.ascontiguousarray(start, dtype=np.int32)


def _check_range(a, couplings, ones, dtype):
    reach = float(np.abs(a).max()) + ones * float(np.abs(couplings).max(initial=0))
    if reach * 8 * max(ones, 1) > np.finfo(dtype).max:
        raise ValueError(
            f"linear and quadratic are too large for {np.dtype(dtype).name}: sums of "
            f"them reach {reach:.3g}. Divide both by a common factor."
        )
