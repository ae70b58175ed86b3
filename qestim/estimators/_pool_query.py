# SPDX-License-Identifier: Apache-2.0
"""How rows are chosen: measured in chunks, filtered, compared, and solved for."""

import math
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from qestim.estimators._coverage import median_gamma
from qestim.estimators._informativeness import informativeness
from qestim.estimators._selection_form import (
    Kernel,
    Rows,
    count_of,
    selection_problem,
)


class PoolQuery(BaseEstimator):
    """The part of `ActiveSampleSelector` that chooses; its parameters are there."""

    def query(
        self,
        X,
        n=None,
        *,
        y=None,
        candidates=None,
        batch_size=None,
        return_scores=False,
        return_utilities=False,
    ) -> Any:
        """Choose rows of a pool to label next.

        With ``y`` it is a query strategy in the words of scikit-activeml: X holds
        labelled and unlabelled rows, and the estimator learns from the former first.

        Parameters
        ----------
        X : array-like of shape (n_pool, n_features)
            The pool: unlabelled rows, unless ``y`` says otherwise.
        n : int or float, default=None
            How many; None takes ``n_samples_to_select``.
        y : array-like of shape (n_pool,), default=None
            Labels of X, unlabelled rows marked by ``missing_label``.
        candidates : array-like of int, default=None
            Rows of X that may be chosen; None allows all that are not labelled.
        batch_size : int, default=None
            Another name of ``n``; with ``y``, 1 if neither is given.
        return_scores : bool, default=False
            Whether to return the gains, too.
        return_utilities : bool, default=False
            Whether to return the gains in the shape of scikit-activeml, too.

        Returns
        -------
        indices : ndarray of shape (n,), dtype int64
            Rows of X, the largest gain first.
        scores : ndarray of shape (n_pool,) or (n, n_pool)
            Gain of each row on its own, 1 at most; NaN for rows that were not
            compared. Only if asked for.

        Raises
        ------
        ValueError
            If the number of rows is no whole number or fraction of the candidates, or
            more than there are, or if the candidates are no rows of X.
        """
        if n is not None and batch_size is not None:
            raise ValueError("Give n or batch_size, not both: they mean the same.")
        name = "batch_size" if n is None else "n"
        n = batch_size if n is None else n
        if n is not None and not (isinstance(n, Real) and math.isfinite(n)):
            raise ValueError(
                f"{name} must be a number of rows. Got {n!r:.40}; labels go in as y=..."
            )
        if y is None:
            check_is_fitted(self)
            X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
            pool = np.arange(len(X))
        else:
            n = 1 if n is None else n
            X, _, known, _ = self._learn(X, y)
            pool = np.flatnonzero(~known)
        if candidates is not None:
            pool = np.unique(candidates)
            whole = len(pool) and pool.dtype.kind in "iu"
            if not (whole and 0 <= pool[0] and pool[-1] < len(X)):
                raise ValueError(
                    f"candidates must be one or more row numbers below {len(X)}. Got "
                    f"{pool[:1]} to {pool[-1:]}; a mask goes through np.flatnonzero."
                )
        if n is None:
            n, name = self.n_samples_to_select, "n_samples_to_select"
        n = count_of(n, len(pool), name)
        chosen, gains = self._query(X[pool] if len(pool) < len(X) else X, n)
        chosen = pool[chosen]
        if not (return_scores or return_utilities):
            return chosen
        scores = np.full(len(X), np.nan)
        scores[pool] = gains
        if return_utilities:
            scores = np.tile(scores, (len(chosen), 1))
        return chosen, scores

    def _query(self, X, n):
        """Return n chosen rows of a pool and the gains of all, NaN if unmeasured."""
        rng = check_random_state(self._seed)
        measured = np.ones(len(X))
        if self.estimator_ is not None:
            for part in gen_batches(len(X), self.chunk_size):
                measured[part] = informativeness(
                    self.informativeness, self.estimator_, X[part], self._committee
                )
        count = min(max(self.n_candidates, 3 * n), len(X))
        top = np.arange(len(X))
        if count < len(X):
            # Equal ones in an order of their own, lest the first rows be preferred.
            shuffled = rng.permutation(len(X))
            top = shuffled[np.argpartition(-measured[shuffled], count)[:count]]
            top.sort()
        # Squares: variances rather than deviations, and less of what is nearly sure.
        rows = Rows(self._embed(X[top]), measured[top] ** 2)
        predict = getattr(self.estimator_, "predict_proba", None)
        if self.label_similarity and predict is not None:
            rows.beliefs = np.sqrt(predict(X[top]))
        labeled = self._labeled if len(self._labeled) else None
        coverage = self.coverage
        if coverage == "auto":
            squares = measured**2
            coverage = float(squares.mean() / max(1.0, squares.max()))
        chosen = self._choose(rows, labeled, n, coverage, max(self.n_dense, count))
        gains = np.full(len(X), np.nan)
        gains[top] = self.problem_.utility
        order = np.argsort(-self.problem_.utility[chosen], kind="stable")
        return top[chosen[order]], gains

    def _embed(self, X):
        if self.embedding_ is None or len(X) == 0:
            return X.astype(np.float64, copy=False)
        points = np.asarray(self.embedding_.transform(X), dtype=np.float64)
        if points.ndim != 2 or len(points) != len(X) or not np.isfinite(points).all():
            raise ValueError(
                "The 'embedding' parameter must map rows to as many rows of finite "
                f"numbers. Got shape {points.shape} of {len(X)} rows"
                f"{'' if np.isfinite(points).all() else ' with NaN or infinity'}."
            )
        return points

    def _choose(self, rows, labeled, n, coverage, n_dense):
        gamma = self.gamma
        if gamma == "median":
            gamma = median_gamma(rows.points, check_random_state(self._seed))
        kernel = Kernel(self.similarity, gamma, self.label_similarity)
        self.problem_ = selection_problem(
            rows,
            labeled,
            kernel,
            n,
            coverage=coverage,
            redundancy=self.redundancy,
            n_dense=n_dense,
        )
        choice = self.problem_.solve(
            self.sampler_,
            penalty=self.penalty,
            num_sweeps=self.n_sweeps,
            seed=self._seed,
        )
        self.energy_, self.sampler_report_ = choice.energy, choice.report
        return choice.indices
