# SPDX-License-Identifier: Apache-2.0
"""How far the label of a row is to be trusted, from its loss."""

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import clone, is_classifier
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from qestim.estimators._labels import TO_LABEL


def trust_in(losses, n, difficulty=0.0):
    r"""Return how far each row is to be trusted, and how much there is to learn at it.

    .. math:: t = \sigma(2 (2 - z)), \qquad u = t e^{d z}, \qquad
              z = (\ell - \mathrm{median}) / (1.48\, \mathrm{MAD})

    Parameters
    ----------
    losses : array-like of shape (n,) or None
        Loss of each row, in any unit.
    n : int
        Number of rows.
    difficulty : float, default=0.0
        The factor d, below 2, where the weights of large losses would not vanish.

    Returns
    -------
    trust : ndarray of shape (n,), dtype float64
        In [0, 1]; 1 where all losses are equal or there are none.
    weights : ndarray of shape (n,), dtype float64
        At least 0; the trust where the difficulty is 0.
    """
    if losses is None:
        return np.ones(n), np.ones(n)
    losses = np.asarray(losses, dtype=np.float64)
    if losses.shape != (n,) or not np.isfinite(losses).all():
        raise ValueError(
            f"losses must be {n} finite numbers, one a row. Got shape {losses.shape}"
            f"{'' if np.isfinite(losses).all() else ' with NaN or infinity'}."
        )
    deviations = losses - np.median(losses)
    scale = 1.4826 * np.median(np.abs(deviations)) or np.std(losses)
    if not scale:
        return np.ones(n), np.ones(n)
    z = deviations / scale
    # The product in one exponent: its factors overflow where the loss is large.
    return expit(2 * (2 - z)), np.exp(log_expit(2 * (2 - z)) + difficulty * z)


def held_out_losses(estimator, X, y, rng):
    """Return the loss of each row under models that did not see it.

    Parameters
    ----------
    estimator : estimator
        Unfitted. A classifier with predict_proba gives minus log probabilities, any
        other estimator squared errors or wrong predictions.
    X : ndarray of shape (n, n_features)
        The rows.
    y : ndarray of shape (n,)
        Their labels.
    rng : RandomState
        Source of the five folds.

    Returns
    -------
    losses : ndarray of shape (n,), dtype float64
        At least 0.
    """
    seed = rng.randint(2**31 - 1)
    if not is_classifier(estimator):
        folds = KFold(min(5, len(y)), shuffle=True, random_state=seed)
        return (y - cross_val_predict(clone(estimator), X, y, cv=folds)) ** 2
    classes, codes = np.unique(y, return_inverse=True)
    n_splits = min(5, int(np.bincount(codes).min()))
    if n_splits < 2:
        rare = classes[np.argmin(np.bincount(codes))]
        raise ValueError(
            "Losses of held-out rows need every class at least twice. Class "
            f"{rare!r} occurs once; drop it, give losses, or set estimator=None. "
            f"{TO_LABEL}"
        )
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    if not hasattr(estimator, "predict_proba"):
        return (cross_val_predict(clone(estimator), X, y, cv=folds) != y).astype(float)
    probabilities = cross_val_predict(
        clone(estimator), X, y, cv=folds, method="predict_proba"
    )
    return -np.log(np.clip(probabilities[np.arange(len(y)), codes], 1e-12, None))


def neighbor_losses(X, y, n_neighbors=15):
    """Return minus the log share of each row's near neighbours with its label.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows, n at least 2.
    y : ndarray of shape (n,)
        Their labels.
    n_neighbors : int, default=15
        How many neighbours vote, besides the row itself.

    Returns
    -------
    losses : ndarray of shape (n,), dtype float64
        At least 0.
    """
    finder = NearestNeighbors(n_neighbors=min(n_neighbors, len(X) - 1)).fit(X)
    near = finder.kneighbors(return_distance=False)
    agree = (y[near] == y[:, None]).sum(axis=1)
    return -np.log((1 + agree) / (1 + near.shape[1]))
