# SPDX-License-Identifier: Apache-2.0
"""Relevance and redundancy of features: information, and the curvature of a loss."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.base import is_classifier
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression


def information(X, y, discrete, seed):
    """Return what features tell about y, and at most what pairs tell twice.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The data.
    y : ndarray of shape (n_samples,)
        Classes or targets.
    discrete : bool
        Whether y holds classes.
    seed : int
        Seed of the estimate of the mutual information.

    Returns
    -------
    relevance : ndarray of shape (n_features,), dtype float64
        Mutual information with y by nearest neighbours [1]_, in nats.
    shared : ndarray of shape (n_features, n_features), dtype float64
        Mutual information of the normal scores of two features, in nats. It is cut at
        the smaller of their relevances: no pair tells more about y twice.

    References
    ----------
    .. [1] Kraskov, Stögbauer and Grassberger, "Estimating mutual information",
       Physical Review E 69, 066138 (2004). doi:10.1103/PhysRevE.69.066138
    """
    measure = mutual_info_classif if discrete else mutual_info_regression
    relevance = np.maximum(measure(X, y, random_state=seed), 0)
    scores = ndtri(rankdata(X, axis=0) / (len(X) + 1))
    scores -= scores.mean(axis=0)
    norms = np.linalg.norm(scores, axis=0)
    scores /= np.where(norms > 0, norms, 1)
    square = np.clip((scores.T @ scores) ** 2, 0, 1 - 1e-12)
    limit = np.minimum(relevance[:, None], relevance[None])
    return relevance, np.minimum(-0.5 * np.log1p(-square), limit)


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
