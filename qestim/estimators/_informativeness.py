# SPDX-License-Identifier: Apache-2.0
"""How much the label of a row would tell: the measures and where they come from."""

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor

MEASURES = (
    "margin",
    "entropy",
    "least_confident",
    "committee",
    "expected_gradient_length",
)


def informativeness(measure, estimator, X, committee=()):
    """Measure the rows of X in one piece.

    Parameters
    ----------
    measure : str or callable
        One of `MEASURES`, or ``measure(estimator, X)``.
    estimator : estimator
        The fitted estimator.
    X : ndarray of shape (n, n_features)
        The rows.
    committee : sequence of estimators
        The fitted members, for "committee".

    Returns
    -------
    values : ndarray of shape (n,), dtype float64
        At least 0, larger where the label tells more. Margin, entropy and least
        confident lie in [0, 1]; the others have no upper end.
    """
    if callable(measure):
        values = np.asarray(measure(estimator, X), dtype=np.float64)
        if values.shape != (len(X),) or not np.isfinite(values).all():
            raise ValueError(
                "The 'informativeness' parameter must return one finite number a row, "
                f"shape ({len(X)},). Got shape {values.shape}"
                f"{'' if np.isfinite(values).all() else ' with NaN or infinity'}."
            )
        if len(values) and values.min() < 0:
            raise ValueError(
                "The 'informativeness' parameter must return numbers of at least 0. "
                f"Got {values.min()}; take np.exp of them or shift them."
            )
        return values
    if measure == "committee":
        return _disagreement(committee, X)
    probabilities = _probabilities(estimator, X)
    if measure == "entropy":
        return _entropy(probabilities) / np.log(probabilities.shape[1])
    if measure == "expected_gradient_length":
        return _expected_gradient_length(probabilities, X)
    classes = probabilities.shape[1]
    if measure == "least_confident":
        return (1 - probabilities.max(axis=1)) * classes / (classes - 1)
    top = np.partition(probabilities, classes - 2, axis=1)[:, -2:]
    return 1 - (top[:, 1] - top[:, 0])


def fit_on_labels(estimator, X, y):
    """Fit a clone on the labelled rows.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    X, y : ndarray
        The labelled rows.

    Returns
    -------
    fitted : estimator
        The fitted clone.
    """
    if is_classifier(estimator) and len(np.unique(y)) == 1:
        raise ValueError(
            "The estimator needs labels of at least 2 classes. Got only "
            f"{y[0]!r}; label more rows, or take estimator=None for a first batch. If "
            "-1 is a class, set missing_label=np.nan."
        )
    return clone(estimator).fit(X, y)


def fit_committee(estimator, X, y, n_members, rng):
    """Fit clones on bootstrap draws of the rows, each with every class in it.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    X, y : ndarray
        The labelled rows.
    n_members : int
        Size of the committee.
    rng : RandomState
        Source of the draws.

    Returns
    -------
    members : list of estimators
        The fitted members.
    """
    members = []
    for _ in range(n_members):
        rows = rng.randint(len(X), size=len(X))
        if is_classifier(estimator):  # one row of each class stays in
            keep = [rng.choice(np.flatnonzero(y == label)) for label in np.unique(y)]
            rows = np.concatenate([keep, rows])[: max(len(X), len(keep))]
        member = clone(estimator)
        if "random_state" in member.get_params(deep=False):
            member.set_params(random_state=rng.randint(2**31 - 1))
        members.append(member.fit(X[rows], y[rows]))
    return members


def _probabilities(estimator, X):
    if not hasattr(estimator, "predict_proba"):
        way_out = "set informativeness='committee', or a callable"
        if not is_regressor(estimator):
            way_out = f"wrap it in CalibratedClassifierCV, or {way_out}"
        raise ValueError(
            "This 'informativeness' needs an estimator with predict_proba. Got "
            f"{type(estimator).__name__}; {way_out}."
        )
    return np.asarray(estimator.predict_proba(X))


def _entropy(probabilities):
    logs = np.log(np.clip(probabilities, 1e-300, None))
    return -(probabilities * logs).sum(axis=1)


def _expected_gradient_length(probabilities, X):
    """Mean length of the gradient of a linear softmax model by its weights."""
    squares = (probabilities**2).sum(axis=1, keepdims=True)
    # ||p - e_c||^2 of each class c that the label may turn out to be.
    steps = np.sqrt(np.maximum(squares - 2 * probabilities + 1, 0))
    lengths = np.sqrt(1 + (np.asarray(X, dtype=np.float64) ** 2).sum(axis=1))
    return (probabilities * steps).sum(axis=1) * lengths


def _disagreement(committee, X):
    """Information of the label on the member, or the spread of the predictions."""
    if is_classifier(committee[0]):
        votes = np.stack([_probabilities(member, X) for member in committee])
        mutual = _entropy(votes.mean(axis=0)) - np.mean(
            [_entropy(vote) for vote in votes], axis=0
        )
        return np.maximum(mutual, 0)
    return np.std([member.predict(X) for member in committee], axis=0)
