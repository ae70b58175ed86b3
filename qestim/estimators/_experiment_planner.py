# SPDX-License-Identifier: Apache-2.0
"""How an experiment's next settings follow from its record."""

import numpy as np
from scipy.stats import qmc

from qestim.estimators._experiment_acquire import (
    ExpectedImprovement,
    Optimism,
    choose_batch,
    propose,
)
from qestim.estimators._experiment_ensemble import Ensemble
from qestim.estimators._experiment_gp import GaussianProcess
from qestim.estimators._experiment_runs import standardise

_SURROGATES: dict[str, type[GaussianProcess] | type[Ensemble]] = {
    "gp": GaussianProcess,
    "ensemble": Ensemble,
}
_TUNE = 1.06  # the kernel is fitted again when so many times the runs are known
_KAPPAS = (0.0, 0.5, 1.0, 2.0)
_EXPLORE = 1e3  # standard deviations that outweigh any mean
_COMPARED = 300  # candidates of a batch


class Planner:
    """Plans from nothing but the record, so that a restart changes no query.

    Parameters
    ----------
    space : Space
        The parameters.
    surrogate, acquisition, n_init, maximize
        As of `ExperimentOptimizer`.
    seed : int
        Seed of everything random.
    """

    def __init__(self, space, surrogate, acquisition, n_init, maximize, seed):
        self._space = space
        self._kind = surrogate
        self._acquisition = acquisition
        self._n_init = len(space) + 2 if n_init == "auto" else n_init
        self._sign = 1.0 if maximize else -1.0
        self._every = space.every()
        self._seed = seed
        self._known = None  # what the cached surrogate was fitted to
        self._fitted = None

    def plan(self, record, n, table):
        """Return the next settings.

        Parameters
        ----------
        record : Record
            What is known; its surrogate's state is brought up to date.
        n : int
            How many.
        table : ndarray of shape (m, d) or None
            The settings to choose from; None means the whole space.

        Returns
        -------
        settings : ndarray of shape (n, d)
            Different ones, none of them pending.
        """
        chosen = self._design(record, n, table)
        if len(chosen) < n:
            rng = np.random.default_rng([self._seed, record.n_asked])
            rest = self._query(record, n - len(chosen), chosen, table, rng)
            chosen = np.vstack([chosen, rest])
        return chosen

    def believe(self, record):
        """Return the surrogate of the finished runs and the scale of its goals.

        Parameters
        ----------
        record : Record
            What is known; it is not changed.

        Returns
        -------
        surrogate : GaussianProcess or Ensemble
            On the unit cube and standardised goals that are to be maximised.
        scale : Scale
            Their unit.
        """
        known = (len(record), record.tuned_at)
        _, _, _, scale = data = self._data(record)
        if self._known != known:
            self._fitted = self._fit(record, data[:3], record.state, tune=False)
            self._known = known
        return self._fitted, scale

    def _data(self, record):
        unit = self._space.to_unit(np.array(record.x))
        goals = self._sign * np.array(record.y, dtype=float)
        goals, scale = standardise(goals, np.array(record.bad))
        sigma = np.array(record.sigma, dtype=float)
        return unit, goals, np.nan_to_num(sigma / scale.width) ** 2, scale

    def _fit(self, record, data, state, *, tune):
        seed = self._seed + len(record)
        return _SURROGATES[self._kind](state).fit(*data, tune=tune, seed=seed)

    def _design(self, record, n, table):
        """Return the settings of the initial design that are due, at most n.

        The design comes first and in full; runs that were told without being asked
        for count towards it.
        """
        d = len(self._space)
        begun = len(record) + len(record.pending)
        due = min(n, self._n_init - begun)
        if due <= 0:
            return np.empty((0, d))
        rng = np.random.default_rng(self._seed)
        points = qmc.LatinHypercube(d, rng=rng).random(self._n_init)[begun:][:due]
        if table is None:
            # Whole numbers may make two of them one: more stand by.
            points, spare = map(self._space.from_unit, (points, rng.random((256, d))))
            spare = spare if self._every is None else rng.permutation(self._every)
            points = np.vstack([points, spare])
            return enough(points[self._free(record, points)], due)[:due]
        left = enough(table[self._free(record, table)], due)
        nearest = np.empty((0, d))
        for point in points:
            away = ((self._space.to_unit(left) - point) ** 2).sum(1)
            i = int(np.argmin(away))
            nearest = np.vstack([nearest, left[i]])
            left = np.delete(left, i, axis=0)
        return nearest

    def _query(self, record, n, chosen, table, rng):
        """Return the settings from which the surrogate gains most."""
        d = len(self._space)
        table = self._every if table is None else table
        if self._acquisition == "random" or record.bad.count(False) < 2:
            points = self._space.from_unit(rng.random((4 * n + 64, d)))
            points = points if table is None else table
            left = enough(points[self._free(record, points, chosen)], n)
            return left[rng.permutation(len(left))[:n]]
        surrogate = self._look_ahead(record, chosen)
        measured = self._space.to_unit(np.array(record.x))
        pool, gains = [], []
        for gain in self._gains(record, surrogate, measured, n):
            if table is None:
                points, value = propose(surrogate, gain, measured, rng, n)
                points = self._space.from_unit(points)
            else:
                points = table
                value = gain(*surrogate.predict(self._space.to_unit(points)))[0]
            pool.append(points)
            gains.append((value - value.max()) / (np.ptp(value) or 1.0))
        points, value = np.vstack(pool), np.concatenate(gains)
        order = np.argsort(-value, kind="stable")
        order = order[self._free(record, points[order], chosen)]
        order = order[: max(_COMPARED, n)]
        points = enough(points[order], n)
        unit = self._space.to_unit(points)
        return points[choose_batch(unit, value[order], surrogate.correlation, n)]

    def _gains(self, record, surrogate, measured, n):
        if self._acquisition != "auto":
            return [Optimism(0.0 if self._acquisition == "exploit" else _EXPLORE)]
        if self._kind == "gp":
            best = surrogate.predict(measured)[0].max()
            return [ExpectedImprovement(best, surrogate.noise)]
        turns = {_KAPPAS[(record.n_asked + i) % len(_KAPPAS)] for i in range(n)}
        return [Optimism(kappa) for kappa in sorted(turns)]

    def _look_ahead(self, record, chosen):
        """Return the surrogate as if what runs had been measured at its mean.

        The kernel is fitted again here, and only here, so that predictions between
        two queries do not change the second.
        """
        if len(record) >= _TUNE * record.tuned_at:
            data = self._data(record)[:3]
            self._fitted = self._fit(record, data, record.state, tune=True)
            record.state, record.tuned_at = self._fitted.state, len(record)
            self._known = (len(record), record.tuned_at)
        surrogate, _ = self.believe(record)
        running = [*record.pending, *chosen.tolist()]
        if not running:
            return surrogate
        unit, goals, noise, _ = self._data(record)
        ahead = self._space.to_unit(np.array(running))
        data = (
            np.vstack([unit, ahead]),
            np.concatenate([goals, surrogate.predict(ahead)[0]]),
            np.concatenate([noise, np.zeros(len(ahead))]),
        )
        return self._fit(record, data, surrogate.state, tune=False)

    def _free(self, record, points, chosen=()):
        """Return the rows of points that differ and are neither pending nor chosen."""
        taken = {tuple(row) for row in [*record.pending, *np.array(chosen).tolist()]}
        free = []
        for i, point in enumerate(map(tuple, points.tolist())):
            if point not in taken:
                taken.add(point)
                free.append(i)
        return free


def enough(points, n):
    """Return the points, or raise if there are fewer than n."""
    if len(points) < n:
        raise ValueError(
            f"Only {len(points)} settings are left that are not running, of {n} asked "
            "for. Ask for fewer, widen the space, or tell or forget what is pending."
        )
    return points
