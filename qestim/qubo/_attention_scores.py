# SPDX-License-Identifier: Apache-2.0
"""What attention problems are made of, from queries, keys and values in numpy."""

import numpy as np


def standardised(values):
    """Return values of mean 0 and variance 1 along the last axis; constants give 0."""
    deviation = values - values.mean(-1, keepdims=True)
    scale = np.sqrt(np.square(deviation).mean(-1, keepdims=True))
    # Rounding must not pass for a difference between equal values.
    least = 1e-12 * np.abs(values).max(-1, keepdims=True, initial=0.0)
    return np.where(scale > least, deviation / np.where(scale > 0, scale, 1.0), 0.0)


def mean_query_relevance(query, key, value, value_importance):
    r"""Return how well keys serve the mean query, linear in their number.

    Parameters
    ----------
    query : ndarray of shape (H, L, d), dtype float64
        Queries.
    key : ndarray of shape (H, S, d), dtype float64
        Keys.
    value : ndarray of shape (H, S, e), dtype float64, or None
        Values.
    value_importance : float
        Weight of the standardised :math:`\log |v_j|`.

    Returns
    -------
    relevance : ndarray of shape (H, S), dtype float64
        Standardised in each head.
    """
    mean = query.mean(1)
    relevance = standardised(np.einsum("hd,hjd->hj", mean, key))
    if value_importance:
        size = np.linalg.norm(value, axis=-1)
        size = np.maximum(size, np.finfo(float).tiny)
        relevance = relevance + value_importance * standardised(np.log(size))
    return relevance


def unit_rows(key, centre):
    """Return the directions of keys.

    Parameters
    ----------
    key : ndarray of shape (H, S, d), dtype float64
        Keys.
    centre : ndarray of bool of shape (H, S), or None
        Keys around whose mean to take directions; None means around 0.

    Returns
    -------
    unit : ndarray of shape (H, S, d), dtype float64
        Of length 1, or 0 for a key of length 0 or outside ``centre``.
    """
    if centre is not None:
        number = np.maximum(centre.sum(1), 1)[:, None, None]
        mean = (key * centre[..., None]).sum(1, keepdims=True) / number
        key = (key - mean) * centre[..., None]
    length = np.linalg.norm(key, axis=-1, keepdims=True)
    return key / np.where(length > 0, length, 1.0)


def published_terms(query, key, value):
    """Return couplings and linear terms of the operator released with arXiv:2504.11083.

    Jensen-Shannon divergences, in bits, of softmaxed queries and keys, standardised off
    the diagonal; entropies, in bits, of values divided by their sum, standardised.

    Parameters
    ----------
    query, key : ndarray of shape (H, S, d), dtype float64
        Queries and keys of the same tokens.
    value : ndarray of shape (H, S, e), dtype float64
        Values.

    Returns
    -------
    couplings : ndarray of shape (H, S, S), dtype float64
        Not symmetric; a quadratic form sees the symmetric part only.
    linear : ndarray of shape (H, S), dtype float64
        Dimensionless.
    """
    if query.shape != key.shape:
        raise ValueError(
            "mode='published' is self-attention: query and key must have the same "
            f"shape. Got {query.shape} and {key.shape}."
        )
    p, q = (_softmax(rows) for rows in (query, key))
    mean = (p[:, :, None] + q[:, None]) / 2
    couplings = _entropy(mean) - (_entropy(p)[:, :, None] + _entropy(q)[:, None]) / 2
    size = couplings.shape[-1]
    off = ~np.eye(size, dtype=bool)
    couplings[:, off] = standardised(couplings[:, off])
    share = np.clip(value / value.sum(-1, keepdims=True), 1e-6, 1.0)
    return couplings, standardised(_entropy(share))


def _softmax(rows):
    exponential = np.exp(rows - rows.max(-1, keepdims=True))
    return exponential / exponential.sum(-1, keepdims=True)


def _entropy(shares):
    return -(shares * np.log2(np.maximum(shares, np.finfo(float).tiny))).sum(-1)
