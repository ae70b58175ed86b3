# SPDX-License-Identifier: Apache-2.0
"""FitOnSelected: an estimator that learns from the rows that a selector keeps."""

from typing import Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import assert_all_finite, column_or_1d, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from qestim._sklearn import HasMethods, _fit_context, routing_enabled, safe_indexing
from qestim.estimators._active_selector import ActiveSampleSelector
from qestim.estimators._sampler_parameter import NestedParameters


def _estimator_has(method):
    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class FitOnSelected(MetaEstimatorMixin, NestedParameters):
    """Fit an estimator on the rows that a selector keeps.

    It is the last step of a plain Pipeline, which cannot drop rows itself, and its
    parameters can be searched: ``selector__redundancy``,
    ``selector__sampler__num_sweeps``, ``estimator__C``. Prediction sees every row.

    Parameters
    ----------
    estimator : estimator
        Learns from the kept rows.
    selector : selector, default=None
        Has ``fit(X, y)`` and ``sample_indices_``. None is `ActiveSampleSelector()`,
        which keeps a tenth; give an instance to tune its parameters.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on the kept rows.
    selector_ : selector
        The fitted selector.
    sample_indices_ : ndarray of shape (k,)
        The kept rows.
    sampler_report_ : dict
        The selector's.
    classes_ : ndarray of shape (n_classes,)
        Labels, for classifiers.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from qestim import ActiveSampleSelector, FitOnSelected
    >>> X, y = load_iris(return_X_y=True)
    >>> model = FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 30))
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods("fit")],
        "selector": [HasMethods("fit"), None],
    }

    def __init__(self, estimator, selector=None) -> None:
        self.estimator = estimator
        self.selector = selector

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params) -> Self:
        """Select, and fit on what was selected.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,), default=None
            Their labels or targets.
        **params : dict
            Metadata. With scikit-learn's routing on, it goes where it was requested;
            else ``losses`` to the selector and the rest to the estimator. An array
            with an entry a row is cut to the kept rows for the estimator.

        Returns
        -------
        self : FitOnSelected
            The fitted estimator.

        Raises
        ------
        ValueError
            If y is missing where the estimator needs it, or holds the selector's
            ``missing_label``, or if the selector selects nothing.
        """
        if routing_enabled():
            routed = process_routing(self, "fit", **params)
            to_selector, to_estimator = routed.selector.fit, routed.estimator.fit
        else:
            to_estimator = dict(params)
            to_selector = {
                name: to_estimator.pop(name) for name in ("losses",) if name in params
            }
        if y is None and get_tags(self).target_tags.required:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but "
                "the target y is None."
            )
        X, y = indexable(X, y)
        selector = ActiveSampleSelector() if self.selector is None else self.selector
        targets = self._targets(y, getattr(selector, "missing_label", "auto"))
        self.selector_ = clone(selector).fit(X, targets, **to_selector)
        if not hasattr(self.selector_, "sample_indices_"):
            raise ValueError(
                "The 'selector' parameter must have sample_indices_ after fit. Got "
                f"{type(selector).__name__}; the order is FitOnSelected(estimator, "
                "selector)."
            )
        kept = self.sample_indices_ = self.selector_.sample_indices_
        n_samples = np.shape(X)[0]
        to_estimator = {
            name: safe_indexing(value, kept)
            if np.ndim(value) and len(value) == n_samples
            else value
            for name, value in to_estimator.items()
        }
        labels = () if y is None else (safe_indexing(y, kept),)
        self.estimator_ = clone(self.estimator).fit(
            safe_indexing(X, kept), *labels, **to_estimator
        )
        for name in ("sampler_report_", "n_features_in_", "feature_names_in_"):
            if hasattr(self.selector_, name):
                setattr(self, name, getattr(self.selector_, name))
        return self

    def _targets(self, y, mark):
        """Return y so that no label can be taken for the mark of an unlabelled row."""
        if y is None:
            return None
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        unlabeled = 0 if mark == "auto" else y.tolist().count(mark)
        if unlabeled:
            raise ValueError(
                f"FitOnSelected learns from labelled rows only. Got {unlabeled} rows "
                f"with the selector's missing_label={mark!r}; drop those rows, or set "
                "selector__missing_label='auto' if it is a label."
            )
        if not is_classifier(self.estimator):
            return np.asarray(y, dtype=np.float64)
        check_classification_targets(y)
        codes = np.unique(y, return_inverse=True)[1]
        return codes + codes.max() + 1 if mark in codes.tolist() else codes

    @property
    def classes_(self):
        """Labels that the estimator knows."""
        return self.estimator_.classes_

    @available_if(_estimator_has("predict"))
    def predict(self, X):
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; every one is seen.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels or values.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Return the class probabilities of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; every one is seen.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X):
        """Return the logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; every one is seen.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In nats, columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X):
        """Return the decision function of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; every one is seen.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the estimator gives them.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    @available_if(_estimator_has("transform"))
    def transform(self, X):
        """Transform every row with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; every one is seen.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features_out)
            As the estimator gives it.
        """
        check_is_fitted(self)
        return self.estimator_.transform(X)

    @available_if(_estimator_has("score"))
    def score(self, X, y=None, **params):
        """Return the score of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; every one is seen.
        y : array-like of shape (n_samples,), default=None
            Their labels or targets.
        **params : dict
            Metadata for the estimator's ``score``.

        Returns
        -------
        score : float
            As the estimator gives it.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, **params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata goes to the selector and which to the estimator.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
            ``fit`` to both, ``score`` of the estimator to it alone.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        scores = MethodMapping().add(caller="fit", callee="fit")
        scores.add(caller="score", callee="score")
        selector = ActiveSampleSelector() if self.selector is None else self.selector
        return (
            MetadataRouter(owner=self)
            .add(selector=selector, method_mapping=mapping)
            .add(estimator=self.estimator, method_mapping=scores)
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        tags.target_tags.multi_output = False
        return tags
