# SPDX-License-Identifier: Apache-2.0
"""QUBOFeatureSelector: relevant features that do not repeat each other."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import clone
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from qestim._sklearn import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    _fit_context,
)
from qestim.estimators._draw import clone_sampler
from qestim.estimators._feature_measures import curvature, information
from qestim.estimators._labels import are_classes
from qestim.estimators._sampler_parameter import NestedParameters, SamplerInstance
from qestim.qubo import FeatureSelectionProblem


class QUBOFeatureSelector(SelectorMixin, NestedParameters):
    r"""Select features by relevance and redundancy, all pairs at once.

    With ``relevance="mutual_info"`` the chosen k features have the largest

    .. math:: \sum_j I(x_j; y) - \frac{2\lambda}{k} \sum_{i<j} \max\{0,\;
              I(x_i; y) + I(x_j; y) - I(x_i, x_j; y)\}

    which for two features is what they tell together: minimum redundancy and maximum
    relevance [1]_ for the set as a whole instead of one feature after the other, the
    redundancy being what is told *about y* twice. With ``relevance="hessian"`` they
    are those whose complement a fitted linear model misses least, by the second order
    of its loss [2]_.

    Parameters
    ----------
    n_features_to_select : int, float or None, default=0.5
        How many features; a float is a fraction of them, at least one. None leaves the
        number to ``cost``.
    relevance : {"mutual_info", "hessian"}, default="mutual_info"
        Where relevance and redundancy come from.
    redundancy : float, default=1.0
        Weight :math:`\lambda` of the pairs, dimensionless. Where the number is free,
        each pair has the weight :math:`\lambda`. At 0 the single best are chosen.
    cost : float, default=0.0
        What each feature costs: nats of information, or units of the mean loss.
    estimator : estimator, default=None
        Linear model for "hessian"; scale the features before. It tells, too, whether y
        holds classes. None takes strings for classes, and whole numbers with at least
        five rows each in the mean, and is LogisticRegression or Ridge accordingly.
    sampler : dimod.Sampler, default=None
        Tried beside the native solver; the lower of the two answers counts.
    penalty : float or "auto", default="auto"
        Weight of the soft cardinality penalty for the sampler.
    n_sweeps : int, default=0
        Sweeps of annealing by swaps in the native solver.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.

    Attributes
    ----------
    relevance_ : ndarray of shape (n_features,)
        Relevance of each feature on its own.
    problem_ : qestim.qubo.FeatureSelectionProblem
        The problem that was solved.
    energy_ : float
        Energy of the choice.
    estimator_ : estimator or None
        The fitted linear model of "hessian".
    sampler_report_ : dict
        Energies of the greedy, the native and the sampler's answer, whose answer it
        was, calls, reads and seconds.
    n_features_in_ : int
        Number of features.

    References
    ----------
    .. [1] Peng, Long and Ding, "Feature selection based on mutual information", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 27, 1226 (2005), eq. 6.
       doi:10.1109/TPAMI.2005.159
    .. [2] LeCun, Denker and Solla, "Optimal brain damage", NIPS 1989, eq. 2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qestim import QUBOFeatureSelector
    >>> X, y = load_iris(return_X_y=True)
    >>> QUBOFeatureSelector(2, random_state=0).fit_transform(X, y).shape
    (150, 2)
    """

    _parameter_constraints: dict = {
        "n_features_to_select": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
            None,
        ],
        "relevance": [StrOptions({"mutual_info", "hessian"})],
        "redundancy": [Interval(Real, 0, None, closed="left")],
        "cost": [Interval(Real, 0, None, closed="left")],
        "estimator": [HasMethods("fit"), None],
        "sampler": [SamplerInstance(), None],
        "penalty": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "n_sweeps": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_features_to_select=0.5,
        *,
        relevance="mutual_info",
        redundancy=1.0,
        cost=0.0,
        estimator=None,
        sampler=None,
        penalty="auto",
        n_sweeps=0,
        random_state=None,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.relevance = relevance
        self.redundancy = redundancy
        self.cost = cost
        self.estimator = estimator
        self.sampler = sampler
        self.penalty = penalty
        self.n_sweeps = n_sweeps
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y) -> Self:
        """Measure the features and choose among them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,)
            Classes or targets.

        Returns
        -------
        self : QUBOFeatureSelector
            The fitted selector.

        Raises
        ------
        ValueError
            If more features are wanted than there are, or the estimator does not fit.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        discrete = are_classes(y, self.estimator)
        if discrete:
            check_classification_targets(y)
        k = self._count(X.shape[1])
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        sampler = clone_sampler(self.sampler)
        if self.relevance == "hessian":
            self.problem_ = self._from_hessian(X, y, discrete, k)
        else:
            self.estimator_ = None
            relevance, shared = information(X, y, discrete)
            weight = self.redundancy * (2 / k if k else 1.0)
            self.problem_ = FeatureSelectionProblem(
                relevance, weight * shared, k, cost=self.cost
            )
        self.relevance_ = self.problem_.relevance
        choice = self.problem_.solve(
            sampler, penalty=self.penalty, num_sweeps=self.n_sweeps, seed=seed
        )
        self.energy_, self.sampler_report_ = choice.energy, choice.report
        self._support = np.isin(np.arange(X.shape[1]), choice.indices)
        return self

    def _from_hessian(self, X, y, discrete, k):
        estimator = self.estimator
        if estimator is None:
            # Imported here: both are only the default.
            from sklearn.linear_model import LogisticRegression, Ridge

            estimator = LogisticRegression(max_iter=1000) if discrete else Ridge()
        self.estimator_ = clone(estimator).fit(X, y)
        M = curvature(self.estimator_, X)
        exact = FeatureSelectionProblem.from_hessian(
            np.ones(len(M)), M, k, cost=self.cost
        )
        if self.redundancy == 1:
            return exact
        return FeatureSelectionProblem(
            exact.relevance,
            self.redundancy * exact.redundancy,
            k,
            cost=self.cost,
            offset=exact.offset,
        )

    def _count(self, available):
        n = self.n_features_to_select
        if n is None:
            return None
        count = int(n) if isinstance(n, Integral) else max(1, round(n * available))
        if count > available:
            raise ValueError(
                f"n_features_to_select={n} is more than the {available} features of X. "
                "Choose fewer."
            )
        return count

    def _get_support_mask(self):
        check_is_fitted(self)
        return self._support

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
