# SPDX-License-Identifier: Apache-2.0
"""ActiveSampleSelector: which rows to label next, or to keep for training."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, validate_data

from qestim._sklearn import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    _fit_context,
    safe_indexing,
)
from qestim.estimators._draw import clone_sampler
from qestim.estimators._informativeness import (
    MEASURES,
    fit_committee,
    fit_on_labels,
)
from qestim.estimators._labels import TO_LABEL, known_labels, one_hot
from qestim.estimators._pool_query import PoolQuery
from qestim.estimators._sampler_parameter import NestedParameters, SamplerInstance
from qestim.estimators._selection_form import Rows, count_of
from qestim.estimators._trust import held_out_losses, neighbor_losses, trust_in


class ActiveSampleSelector(NestedParameters, PoolQuery):
    r"""Choose the rows to label next, or the rows worth training on.

    The choice minimises

    .. math:: E(z) = -\sum_j c_j z_j + \lambda \sum_{i<j} o_{ij} z_i z_j, \qquad
              \textstyle\sum_j z_j = k

    where :math:`c_j` is how much uncertainty of the pool lies near candidate j and not
    near a labelled row, and :math:`o_{ij}` how much of it two candidates share. As the
    uncertainty of the pool falls, a candidate's own counts more and more.

    It has two faces. With unlabelled rows, `fit` learns ``estimator_`` from the
    labelled ones and `query` chooses from a pool; ``query(X, n, y=y)`` does both, with
    NaN (or -1 for integer classes) for the rows without a label. With labels for all
    rows or none, `fit_resample` keeps a small part of the data that stands for the
    rest: similar rows count once, outliers and rows whose label contradicts the others
    not at all.

    Parameters
    ----------
    estimator : estimator, default=None
        Tells how uncertain a row is. None takes all rows for equally uncertain.
    n_samples_to_select : int or float, default=0.1
        How many rows; a float is a fraction of the candidates, at least one row.
    informativeness : {"margin", "entropy", "least_confident", "committee", \
            "expected_gradient_length"} or callable, default="margin"
        Measure of uncertainty. ``"committee"`` is the disagreement of clones fitted on
        bootstrap draws and works for regression too; a callable takes the fitted
        estimator and rows and returns numbers of at least 0. Its square counts.
    coverage : float or "auto", default="auto"
        Share, 0 to 1, of the coverage in the gain of a candidate; the rest is a half
        its own uncertainty and a half that around it. ``"auto"`` is the mean
        uncertainty of the pool: while nearly everything is uncertain it is best
        covered. Without unlabelled rows it is 1.
    redundancy : float, default=1.0
        Weight :math:`\lambda` of what two chosen rows share, dimensionless. At 0 the
        best single rows are chosen.
    label_similarity : float, default=0.5
        How far rows with different predicted labels count as different: the power of
        the similarity of their probabilities, 0 to ignore them.
    difficulty : float, default=0.0
        How much more a training row counts the larger its loss is: by the factor
        :math:`e^{d z}` at z robust deviations above the median, below 2. At 0 the kept
        rows stand for all; at 1 they are the hard ones that can still be trusted,
        which helps where much is kept.
    similarity : {"rbf", "cosine"} or callable, default="rbf"
        Kernel; a callable takes two arrays of rows.
    gamma : float or "median", default="median"
        Inverse squared width of "rbf"; ``"median"`` is 4 over the median squared
        distance.
    n_candidates : int, default=2000
        Only so many of the most informative rows of a pool are compared.
    n_dense : int, default=4000
        Above so many rows `fit_resample` compares near neighbours only.
    embedding : transformer, default=None
        Maps rows to the space in which they are compared; None compares them as they
        are.
    n_committee : int, default=5
        Members of the committee.
    sampler : dimod.Sampler, default=None
        Tried beside the native solver; the lower of the two answers counts. Give an
        instance to tune its parameters as ``sampler__...``.
    penalty : float or "auto", default="auto"
        Weight of the soft cardinality penalty for the sampler; see
        `qestim.qubo.SelectionProblem`.
    n_sweeps : int, default=0
        Sweeps of annealing by swaps in the native solver.
    missing_label : "auto", int, float or str, default="auto"
        Mark of an unlabelled row in y. ``"auto"`` is NaN or None, and -1 in integers.
    chunk_size : int, default=16384
        Rows of the pool that are measured at a time.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.

    Attributes
    ----------
    estimator_ : estimator or None
        The estimator, fitted on the labelled rows.
    sample_indices_ : ndarray of shape (k,), dtype int64
        Rows of X that `fit` chose: of the unlabelled ones, if there are any.
    embedding_ : transformer or None
        The fitted embedding.
    energy_ : float
        Energy of the last choice, in units of the largest coverage.
    problem_ : qestim.qubo.SelectionProblem
        The last choice's problem, over its candidates.
    sampler_report_ : dict
        Energies of the greedy, the native and the sampler's answer, whose answer it
        was, calls, reads and seconds.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    FitOnSelected : A selector and an estimator as one estimator.
    qestim.qubo.SelectionProblem : The quadratic form.

    References
    ----------
    The criterion is derived in docs/guide/selection.md. It is the expansion to second
    order of the facility location function of

    .. [1] Wei, Iyer and Bilmes, "Submodularity in data subset selection and active
       learning", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from qestim import ActiveSampleSelector
    >>> X, y = load_iris(return_X_y=True)
    >>> labels = np.where(np.arange(150) % 15 == 0, y, -1)  # ten rows are labelled
    >>> selector = ActiveSampleSelector(LogisticRegression(), 5, random_state=0)
    >>> selector.fit(X, labels).sample_indices_.shape
    (5,)
    >>> selector.query(X[labels == -1], 3).shape
    (3,)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods("fit"), None],
        "n_samples_to_select": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
        ],
        "informativeness": [StrOptions(set(MEASURES)), callable],
        "coverage": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
        "redundancy": [Interval(Real, 0, None, closed="left")],
        "label_similarity": [Interval(Real, 0, None, closed="left")],
        "difficulty": [Interval(Real, 0, 2, closed="left")],
        "similarity": [StrOptions({"rbf", "cosine"}), callable],
        "gamma": [StrOptions({"median"}), Interval(Real, 0, None, closed="neither")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_dense": [Interval(Integral, 1, None, closed="left")],
        "embedding": [HasMethods(["fit", "transform"]), None],
        "n_committee": [Interval(Integral, 2, None, closed="left")],
        "sampler": [SamplerInstance(), None],
        "penalty": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "n_sweeps": [Interval(Integral, 0, None, closed="left")],
        "missing_label": "no_validation",
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        n_samples_to_select=0.1,
        *,
        informativeness="margin",
        coverage="auto",
        redundancy=1.0,
        label_similarity=0.5,
        difficulty=0.0,
        similarity="rbf",
        gamma="median",
        n_candidates=2000,
        n_dense=4000,
        embedding=None,
        n_committee=5,
        sampler=None,
        penalty="auto",
        n_sweeps=0,
        missing_label="auto",
        chunk_size=16384,
        random_state=None,
    ) -> None:
        self.estimator = estimator
        self.n_samples_to_select = n_samples_to_select
        self.informativeness = informativeness
        self.coverage = coverage
        self.redundancy = redundancy
        self.label_similarity = label_similarity
        self.difficulty = difficulty
        self.similarity = similarity
        self.gamma = gamma
        self.n_candidates = n_candidates
        self.n_dense = n_dense
        self.embedding = embedding
        self.n_committee = n_committee
        self.sampler = sampler
        self.penalty = penalty
        self.n_sweeps = n_sweeps
        self.missing_label = missing_label
        self.chunk_size = chunk_size
        self.random_state = random_state

    def fit(self, X, y=None, *, losses=None) -> Self:
        """Learn from the labelled rows and choose among the rest of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,), default=None
            Labels or targets, unlabelled rows marked by ``missing_label``. With some
            of them unlabelled these are the candidates; with all or none labelled
            every row is.
        losses : array-like of shape (n_samples,), default=None
            Loss of each row under a model that did not learn it, for a choice of
            training data; rows with unusually large ones are left out. None measures
            it where there are all labels: by cross-validation of the estimator, or
            for classes without one by the labels of near neighbours.

        Returns
        -------
        self : ActiveSampleSelector
            With ``sample_indices_``.

        Raises
        ------
        ValueError
            If there are fewer candidates than rows to select, if labels or losses are
            not as stated, or if the measure does not fit the estimator.
        """
        X, y, known, rng = self._learn(X, y)
        if known.all() or not known.any():
            points, beliefs = self._embed(X), self._labeled.beliefs
            if losses is None and self.estimator is not None and known.any():
                losses = held_out_losses(self.estimator, X, y, rng)
            elif losses is None and beliefs is not None and len(X) > 1:
                losses = neighbor_losses(points, y)
            trust, weights = trust_in(losses, len(X), self.difficulty)
            rows = Rows(points, weights, beliefs, trust)
            hint = f" {TO_LABEL}" if known.all() else ""
            count = count_of(self.n_samples_to_select, len(X), hint=hint)
            coverage = 1.0 if self.coverage == "auto" else self.coverage
            self.sample_indices_ = self._choose(
                rows, None, count, coverage, self.n_dense
            )
        else:
            if losses is not None:
                raise ValueError(
                    "losses belong to labelled training data. Got them with "
                    f"{np.sum(~known)} unlabelled rows; label or drop those rows."
                )
            pool = np.flatnonzero(~known)
            count = count_of(self.n_samples_to_select, len(pool))
            self.sample_indices_ = pool[self._query(X[pool], count)[0]]
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def _learn(self, X, y):
        """Learn from the labelled rows; return X, their labels, a mask of them, rng."""
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        known = np.zeros(len(X), dtype=bool)
        if y is not None:
            check_consistent_length(X, y)
            y, known = known_labels(y, self.missing_label)
        rng = check_random_state(self.random_state)
        self.sampler_ = clone_sampler(self.sampler)
        self._seed = rng.randint(2**31 - 1)
        self.embedding_ = None
        if self.embedding is not None:
            self.embedding_ = clone(self.embedding).fit(X)
        self.estimator_, self._committee = None, []
        if self.estimator is not None and known.any():
            self.estimator_ = fit_on_labels(self.estimator, X[known], y)
            if self.informativeness == "committee":
                self._committee = fit_committee(
                    self.estimator, X[known], y, self.n_committee, rng
                )
        self._labeled = Rows(self._embed(X[known]), np.ones(known.sum()))
        if known.any() and self.label_similarity:
            self._labeled.beliefs = one_hot(y, self.estimator)
        return X, y, known, rng

    def fit_resample(self, X, y=None, *, losses=None) -> tuple[np.ndarray, np.ndarray]:
        """Keep the rows worth training on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,), default=None
            Labels of all rows, or None.
        losses : array-like of shape (n_samples,), default=None
            As for `fit`.

        Returns
        -------
        X_kept : array-like of shape (k, n_features)
            The rows ``sample_indices_`` of X, in the type of X.
        y_kept : array-like of shape (k,)
            Their labels; only if ``y`` is given.
        """
        if y is not None:
            unknown = np.sum(~known_labels(y, self.missing_label)[1])
            if unknown:
                raise ValueError(
                    f"fit_resample needs all labels or none. Got {unknown} unlabelled "
                    "rows; use fit and sample_indices_ to choose which to label."
                )
        self.fit(X, y, losses=losses)
        kept = safe_indexing(X, self.sample_indices_)
        return kept if y is None else (kept, safe_indexing(y, self.sample_indices_))
