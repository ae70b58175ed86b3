# SPDX-License-Identifier: Apache-2.0
"""Validation of a table of rows, its covariates and its size factors."""

import warnings

import numpy as np
import scipy.sparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, validate_data

from qestim._sklearn import safe_indexing

_BLOCK = 2**24  # entries looked at together


def check_table(estimator, X, batch, *, reset, observed, missing):
    """Return X, valid for the estimator, and the batch, which may be in its columns.

    Parameters
    ----------
    estimator : SpinCodeTransformer
        Has ``likelihood`` and ``batch_columns``.
    X : array-like or sparse matrix of shape (n_samples, n_columns)
        Data.
    batch : array-like or None
        Labels, where they come apart from X.
    reset : bool
        Whether this is a fit, which says how many columns there are.
    observed : bool
        Whether the likelihood will be asked of X.
    missing : bool
        Whether NaN is allowed.

    Returns
    -------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Floating-point if dense; of any real type if sparse.
    batch : array-like or None
        Labels.
    """
    if estimator.batch_columns is None:
        X = validate_data(estimator, X, reset=reset, **_rules(X, missing))
    else:
        if batch is not None:
            raise ValueError(
                "Give the batch as batch= or in batch_columns, not in both."
            )
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        X, batch = _split_columns(X, estimator.batch_columns)
        X = check_array(X, **_rules(X, missing))
    if batch is not None and np.ndim(batch) > 0:
        check_consistent_length(X, batch)
    values = X.data if scipy.sparse.issparse(X) else X
    if scipy.sparse.issparse(X):
        _check_sparse(X)
    _check_range(estimator.likelihood, values, observed, reset)
    return X, batch


def check_size_factor(estimator, size_factor, n):
    """Return size factors as float64 of shape (n,), or None.

    Raises
    ------
    ValueError
        If they are not positive and finite, not one a row, or the likelihood is not
        one of counts.
    """
    if size_factor is None:
        return None
    if estimator.likelihood in ("gaussian", "bernoulli"):
        raise ValueError(
            "size_factor is for the likelihoods of counts, 'poisson', 'nb' and 'zinb'. "
            f"Got likelihood={estimator.likelihood!r}."
        )
    factor = np.asarray(size_factor, dtype=np.float64)
    if factor.shape != (n,):
        raise ValueError(
            f"size_factor must have one value a row, shape ({n},). Got {factor.shape}."
        )
    bad = ~(np.isfinite(factor) & (factor > 0))
    if bad.any():
        raise ValueError(
            f"size_factor must be positive and finite. Got {factor[bad][0]}."
        )
    return factor


def _rules(X, missing):
    # A sparse matrix keeps its type and its memory map; its entries are looked at
    # below, block by block.
    sparse = scipy.sparse.issparse(X)
    return {
        "accept_sparse": "csr",
        "accept_large_sparse": True,
        "dtype": None if sparse else [np.float64, np.float32],
        "ensure_all_finite": "allow-nan" if missing or sparse else True,
    }


def _split_columns(X, columns):
    """Return the features and the covariates of a table."""
    columns = list(columns) if not isinstance(columns, str) else [columns]
    if hasattr(X, "columns"):
        names = list(X.columns)
    else:
        names = list(range(np.shape(X)[1]))
        if not hasattr(X, "shape"):
            X = np.asarray(X)
    missing = [column for column in columns if column not in names]
    if missing:
        raise ValueError(
            f"batch_columns names {missing[0]!r}, which is not a column of X."
        )
    kept = [name for name in names if name not in columns]
    batch = safe_indexing(X, columns, axis=1)
    if scipy.sparse.issparse(batch):
        batch = batch.toarray()
    return safe_indexing(X, kept, axis=1), batch


def _check_sparse(X):
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must have real entries. Got the type {X.dtype}.")
    for start in range(0, len(X.data), _BLOCK):
        block = X.data[start : start + _BLOCK]
        if not np.isfinite(block).all():
            raise ValueError("Input X contains NaN or infinity.")


def _check_range(likelihood, values, observed, fitting):
    """Refuse what the likelihood cannot be of. Comparisons with NaN are false."""
    if likelihood == "gaussian" or values.size == 0:
        return
    least, most = np.nanmin(values), np.nanmax(values)
    if likelihood == "bernoulli":
        if observed and (least < 0 or most > 1):
            raise ValueError(
                f"likelihood='bernoulli' needs values in [0, 1]. Got values from "
                f"{least:.6g} to {most:.6g}; scale with MinMaxScaler(clip=True) or use "
                "likelihood='gaussian'."
            )
        return
    if least < 0:
        raise ValueError(
            f"likelihood={likelihood!r} needs counts, which are not negative. Got "
            f"{least:.6g}. Negative values in data passed to QBMVAETransformer suggest "
            "logarithms or scaled values: give the raw counts, or use "
            "likelihood='gaussian'."
        )
    if fitting and values.dtype.kind == "f":
        sample = np.ravel(values)[:_BLOCK]
        if (sample % 1 != 0).any():
            warnings.warn(
                f"likelihood={likelihood!r} is a law of counts, but X has values that "
                "are not whole. Give the raw counts, or use likelihood='gaussian'.",
                UserWarning,
                stacklevel=4,
            )
