# SPDX-License-Identifier: Apache-2.0
"""Which rows of y are labelled."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

TO_LABEL = (
    "To choose rows to label, mark those of X that have no label: query(X, n, y=y)."
)


def known_labels(y, missing_label):
    """Tell labelled from unlabelled rows.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels or targets, with a mark where there is none.
    missing_label : object
        The mark; "auto" is NaN or None, and -1 in integers.

    Returns
    -------
    labels : ndarray of shape (n_known,)
        Those of the labelled rows; objects that are all numbers become numbers.
    known : ndarray of shape (n,), dtype bool
        True for labelled rows.
    """
    y = column_or_1d(y, warn=True)
    empty = np.array([value is None or value != value for value in y.tolist()])
    if missing_label == "auto":
        missing = empty | (y == -1) if y.dtype.kind == "i" else empty
    elif missing_label is None or missing_label != missing_label:
        missing = empty
    else:
        missing = np.array([value == missing_label for value in y.tolist()])
        if (empty & ~missing).any():
            row = np.flatnonzero(empty & ~missing)[0]
            raise ValueError(
                f"y must not hold NaN or None where missing_label={missing_label!r} "
                f"marks unlabelled rows. Row {row} does; use missing_label='auto'."
            )
    known = ~missing
    if y.dtype.kind == "f" and np.isinf(y[known]).any():
        raise ValueError("y must not hold infinity. Drop those rows, or mark them NaN.")
    labels = np.array(y[known].tolist()) if y.dtype.kind == "O" else y[known]
    return labels, known


def are_classes(y, estimator):
    """Tell classes from targets.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    estimator : estimator or None
        What predicts them. Without one, whole numbers are classes where each of them
        has five rows in the mean, and anything that is no number always is.

    Returns
    -------
    discrete : bool
        True for classes.
    """
    if estimator is not None:
        return is_classifier(estimator)
    if y.dtype.kind in "iuf" and 5 * len(np.unique(y)) > len(y):
        return False
    return type_of_target(y) in ("binary", "multiclass")


def one_hot(y, estimator):
    """Return the classes of labelled rows as probabilities, None for targets.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    estimator : estimator or None
        What predicts them; see `are_classes`.

    Returns
    -------
    probabilities : ndarray of shape (n, n_classes) or None
        0 and 1, classes in ascending order.
    """
    if not are_classes(y, estimator):
        return None
    _, codes = np.unique(y, return_inverse=True)
    return np.eye(codes.max() + 1)[codes]
