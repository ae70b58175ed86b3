# SPDX-License-Identifier: Apache-2.0
"""Relevance and redundancy of features: information, and the curvature of a loss."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.base import is_classifier

# Share of the variance that every feature keeps, dimensionless.
FLOOR = 1e-6


def information(X, y, discrete):
    r"""Return what features tell about y, and what pairs of them tell twice.

    Features and targets are replaced by the normal scores of their ranks. With total
    covariance T and covariance W within the classes (for targets: left by a linear
    regression on y), a set S of features tells

    .. math:: I(x_S; y) = \tfrac12 \log (\det T_{SS} / \det W_{SS}),

    which is exact for normal features, and a pair tells twice
    :math:`I(x_i; y) + I(x_j; y) - I(x_i, x_j; y)`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The data.
    y : ndarray of shape (n_samples,)
        Classes or targets.
    discrete : bool
        Whether y holds classes.

    Returns
    -------
    relevance : ndarray of shape (n_features,), dtype float64
        Information of each feature on its own, in nats.
    shared : ndarray of shape (n_features, n_features), dtype float64
        What each pair tells twice, in nats; 0 where it tells more together.
    """
    scores = normal_scores(X)
    if discrete:
        answer = (y[:, None] == np.unique(y)[1:]).astype(np.float64)
        answer -= answer.mean(axis=0)
    else:
        answer = normal_scores(y[:, None])
    left = scores - answer @ np.linalg.lstsq(answer, scores, rcond=None)[0]
    # The floor keeps copies and constants finite.
    total, within = (
        z.T @ z / len(z) + FLOOR * np.eye(z.shape[1]) for z in (scores, left)
    )
    relevance = 0.5 * np.log(np.diagonal(total) / np.diagonal(within))
    pairs = 0.5 * (log_minors(total) - log_minors(within))
    shared = np.maximum(relevance[:, None] + relevance[None] - pairs, 0)
    np.fill_diagonal(shared, 0)
    return np.maximum(relevance, 0), shared


def normal_scores(values):
    """Return the normal quantiles of the ranks of each column, scaled to variance 1."""
    scores = ndtri(rankdata(values, axis=0) / (len(values) + 1))
    scores -= scores.mean(axis=0)
    deviations = scores.std(axis=0)
    return scores / np.where(deviations > 0, deviations, 1)


def log_minors(matrix):
    """Return the logarithms of all principal minors of size 2; 0 on the diagonal."""
    diagonal = np.diagonal(matrix)
    minors = np.outer(diagonal, diagonal) - matrix**2
    np.fill_diagonal(minors, 1)
    return np.log(np.maximum(minors, FLOOR**2))


def curvature(estimator, X, chunk_size=1024):
    r"""Return the second derivative of a linear model's loss by its features' masks.

    With masks :math:`z` on the features of the model :math:`W x + b` this is
    :math:`M_{ij} = \sum_{cd} w_{ci} H_{ci,dj} w_{dj}` at :math:`z = 1`, the features
    centred, since an intercept can make up for their means: the mean product for a
    regression (half the mean squared error), and the covariance of the parts
    :math:`w_{ci} x_i` under the predicted classes for a classifier (mean log loss).

    Parameters
    ----------
    estimator : estimator
        Fitted, with ``coef_``; a classifier with ``predict_proba``, too.
    X : ndarray of shape (n_samples, n_features)
        The data.
    chunk_size : int, default=1024
        Rows at a time.

    Returns
    -------
    M : ndarray of shape (n_features, n_features), dtype float64
        Symmetric and positive semidefinite, in units of the loss.
    """
    if not hasattr(estimator, "coef_"):
        raise ValueError(
            "relevance='hessian' needs a linear estimator with coef_. Got "
            f"{type(estimator).__name__}; take LogisticRegression, Ridge or the like, "
            "or relevance='mutual_info'."
        )
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    centred = X - X.mean(axis=0)
    if not is_classifier(estimator):
        return (weights.T @ weights) * (centred.T @ centred) / len(X)
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            "relevance='hessian' needs a classifier with predict_proba. Got "
            f"{type(estimator).__name__}; take LogisticRegression."
        )
    if len(weights) == 1:  # two classes: logits of the second against the first
        weights = np.vstack([np.zeros_like(weights), weights])
    M = np.zeros((X.shape[1], X.shape[1]))
    for first in range(0, len(X), chunk_size):
        rows = slice(first, first + chunk_size)
        probabilities = estimator.predict_proba(X[rows])
        mean = (probabilities @ weights) * centred[rows]
        M -= mean.T @ mean
        for share, weight in zip(probabilities.T, weights, strict=True):
            part = np.sqrt(share)[:, None] * centred[rows] * weight
            M += part.T @ part
    return M / len(X)
