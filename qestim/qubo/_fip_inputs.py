# SPDX-License-Identifier: Apache-2.0
"""What FIPProblem accepts, and integers for numbers."""

import numpy as np


def quantize_inputs(X, bits=4) -> tuple[np.ndarray, float]:
    """Return integers for numbers, on one even grid.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Finite numbers, scaled alike (a StandardScaler's output, say).
    bits : int, default=4
        The integers lie between :math:`1 - 2^{bits-1}` and :math:`2^{bits-1} - 1`.

    Returns
    -------
    integers : ndarray of shape (n_samples, n_features), dtype int64
        The nearest grid points.
    step : float
        Distance of the grid points, for ``input_step``. The error is at most half.

    References
    ----------
    Derived in docs/guide/quantized.md.

    Examples
    --------
    >>> from qestim.qubo import quantize_inputs
    >>> integers, step = quantize_inputs([[0.5, -1.0], [0.2, 0.9]], bits=3)
    >>> integers.tolist(), round(step, 3)
    ([[2, -3], [1, 3]], 0.333)
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or not X.size or not np.isfinite(X).all():
        raise ValueError(
            "X must hold finite numbers in shape (n_samples, n_features). "
            f"Got shape {X.shape}, finite: {bool(np.isfinite(X).all())}."
        )
    if not isinstance(bits, int | np.integer) or not 2 <= bits <= 16:
        raise ValueError(f"'bits' must be an int from 2 to 16. Got {bits!r}.")
    step = float(np.abs(X).max()) / (2 ** (bits - 1) - 1) or 1.0
    return np.rint(X / step).astype(np.int64), step


def check_widths(hidden_layer_sizes):
    """Return the widths of the hidden layers as a tuple of ints."""
    widths = tuple(np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist())
    if not all(isinstance(width, int) and width > 0 for width in widths):
        raise ValueError(
            "The 'hidden_layer_sizes' parameter must hold ints of at least 1. "
            f"Got {hidden_layer_sizes!r}."
        )
    return widths


def check_scales(weight_scale, n_layers):
    """Return the real value of an integer weight, one a layer."""
    scales = np.asarray(weight_scale, dtype=np.float64)
    if scales.shape not in ((), (n_layers,)) or not (scales > 0).all():
        raise ValueError(
            "The 'weight_scale' parameter must be positive: a number or one for each "
            f"of the {n_layers} layers. Got {weight_scale!r}."
        )
    return np.broadcast_to(scales, n_layers).tolist()


def check_integers(X):
    """Return X as int64, if that is what it holds."""
    X = np.asarray(X)
    numeric = X.ndim == 2 and X.size and np.issubdtype(X.dtype, np.number)
    if not numeric or not np.isfinite(X).all() or (X != np.rint(X)).any():
        raise ValueError(
            "X must hold finite integers in shape (n_samples, n_features). Got shape "
            f"{X.shape}, {X.dtype}; quantize_inputs(X, bits) makes integers of numbers."
        )
    return X.astype(np.int64)


def check_weights(weights, layers):
    """Return weights as int64 arrays, if they suit the layers."""
    shapes = [layers.shape(layer) for layer in range(len(layers.units))]
    levels = layers.code.levels
    arrays = [np.asarray(W) for W in weights]
    if [W.shape for W in arrays] != shapes:
        raise ValueError(
            f"The weights must have the shapes {shapes}. "
            f"Got {[W.shape for W in arrays]}."
        )
    for W in arrays:
        if not np.isin(W, levels).all():
            raise ValueError(
                f"Every weight must be one of {levels.tolist()}. Got "
                f"{np.setdiff1d(W, levels)[:3].tolist()} among them."
            )
    return [W.astype(np.int64) for W in arrays]


def check_penalty(penalty, shape):
    """Return penalties (n_samples, n_parts + 1); the last column is for all parts."""
    try:
        given = np.asarray(penalty, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.zeros(0)
    suits = given.shape in ((), shape) and np.isfinite(given).all()
    if not suits or (given < 0).any():
        raise ValueError(
            "The 'penalty' parameter must be 'auto' or finite and at least 0: a "
            f"number or an array of shape {shape}. Got {penalty!r}."
        )
    if given.ndim == 0:
        return np.full((shape[0], shape[1] + 1), given)
    return np.hstack([given, given.sum(axis=1, keepdims=True)])
