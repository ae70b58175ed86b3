# SPDX-License-Identifier: Apache-2.0
"""ExperimentOptimizer: which settings a laboratory should try next."""

import pathlib
import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np

from qestim._sklearn import Interval, StrOptions, validate_parameter_constraints
from qestim.estimators._experiment_archive import read_mloop_archive
from qestim.estimators._experiment_planner import Planner
from qestim.estimators._experiment_record import Record, read_record, write_record
from qestim.estimators._experiment_runs import BestRun, read_runs
from qestim.estimators._experiment_space import Space


class ExperimentOptimizer:
    """Proposes settings of a noisy, costly experiment, and learns from its answers.

    Ask for settings, run them, tell what came out: in any order, late, several at
    once, with failed runs in between. A surrogate of the goal decides where to
    measure next; batches are chosen by `qestim.qubo.SelectionProblem`, so that runs
    side by side do not answer the same question. There are no threads and no waiting:
    what is wrong raises at once.

    Parameters
    ----------
    space : dict of str to tuple, or array-like of shape (d, 2)
        Bounds ``(low, high)`` of each parameter, in its own unit. ``(low, high,
        "log")`` is searched on a logarithmic scale, ``(low, high, "int")`` in whole
        numbers; both words may be given.
    surrogate : {"gp", "ensemble"}, default="gp"
        A Gaussian process (scikit-learn's), or eight networks with different
        initialisation.
    acquisition : {"auto", "exploit", "explore", "random"}, default="auto"
        What makes a setting worth a run. ``"auto"`` is the augmented expected
        improvement near the best run for "gp"; for "ensemble" mean + kappa times
        disagreement, with kappa 0, 0.5, 1, 2 in turn. ``"exploit"`` takes the highest
        mean, ``"explore"`` the highest uncertainty, ``"random"`` any setting: controls.
    n_init : int or "auto", default="auto"
        Runs of a Latin hypercube at the start; ``"auto"`` is d + 2.
    maximize : bool, default=True
        Whether high goals are good; False for a cost.
    path : str or path-like, default=None
        File to write after every ask and tell; an existing one is refused. See `load`.
    random_state : int or None, default=None
        Seed; None draws one, which `save` keeps. The same seed and the same answers
        give the same queries, across restarts too.

    Attributes
    ----------
    names_ : list of str
        Names of the parameters.
    X_, y_, sigma_, bad_ : ndarray of shape (n, d) or (n,)
        Finished runs in the order told. ``y_`` and ``sigma_`` are NaN where unknown.
    pending_ : list of dict
        Settings that were asked for and not told.
    best_ : BestRun
        The finished run with the best mean.

    See Also
    --------
    ActiveSampleSelector : Choosing rows of a data set by the same quadratic form.
    qestim.datasets.EvaporativeCooling : A simulated experiment to try it on.

    References
    ----------
    Queries, batches and what is done about failed runs are derived in
    docs/guide/experiments.md. The ensemble's scheme follows

    .. [1] Wu, Meng, Wen, Wen, Yao and Wei, "Active learning approach to optimization
       of experimental control", arXiv:2003.11804 (2020).

    Examples
    --------
    >>> from qestim import ExperimentOptimizer
    >>> optimizer = ExperimentOptimizer(
    ...     {"power": (0.1, 10.0, "log"), "delay": (0.0, 2.0)}, random_state=0
    ... )
    >>> for _ in range(15):
    ...     x = optimizer.ask()
    ...     _ = optimizer.tell(x, -(x["power"] - 1) ** 2 - (x["delay"] - 1.5) ** 2)
    >>> abs(optimizer.best_.x["delay"] - 1.5) < 0.2
    True
    """

    _parameter_constraints = {
        "surrogate": [StrOptions({"gp", "ensemble"})],
        "acquisition": [StrOptions({"auto", "exploit", "explore", "random"})],
        "n_init": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "maximize": ["boolean"],
        "random_state": [Interval(Integral, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        space,
        *,
        surrogate="gp",
        acquisition="auto",
        n_init="auto",
        maximize=True,
        path=None,
        random_state=None,
    ) -> None:
        self.surrogate = surrogate
        self.acquisition = acquisition
        self.n_init = n_init
        self.maximize = maximize
        self.random_state = random_state
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name="ExperimentOptimizer",
        )
        if random_state is None:
            self.random_state = int(np.random.SeedSequence().generate_state(1)[0])
        self._space = Space(space)
        self.space = self._space.specs
        self._record = Record()
        self._planner = Planner(
            self._space, surrogate, acquisition, n_init, maximize, self.random_state
        )
        self._begin(path)

    def __repr__(self):
        runs = f"{len(self.y_)} runs told, {len(self.pending_)} pending"
        return f"ExperimentOptimizer({self.space}): {runs}"

    @property
    def names_(self):
        """Names of the parameters."""
        return self._space.names

    @property
    def X_(self):
        """Settings of the finished runs."""
        return np.array(self._record.x, dtype=float).reshape(-1, len(self._space))

    @property
    def y_(self):
        """Their goals."""
        return np.array(self._record.y, dtype=float)

    @property
    def sigma_(self):
        """Their known standard deviations."""
        return np.array(self._record.sigma, dtype=float)

    @property
    def bad_(self):
        """Whether they failed."""
        return np.array(self._record.bad, dtype=bool)

    @property
    def pending_(self):
        """Settings that were asked for and not told."""
        return self._space.to_dicts(self._record.pending)

    @property
    def best_(self):
        """The finished run with the best mean."""
        good = np.flatnonzero(~self.bad_)
        if len(good) == 0:
            raise ValueError("No run has succeeded yet: tell at least one goal.")
        mean, std = self.predict(self.X_[good])
        i = int(np.argmax(mean if self.maximize else -mean))
        return BestRun(
            self._space.to_dicts(self.X_[good[[i]]])[0],
            float(self.y_[good[i]]),
            float(mean[i]),
            float(std[i]),
        )

    def ask(self, n=None, *, candidates=None) -> Any:
        """Return settings to run next; they are pending until told.

        Parameters
        ----------
        n : int, default=None
            How many to run side by side; None means one.
        candidates : array-like of shape (m, d) or list of dict, default=None
            Choose among these settings only, such as samples in stock or mixtures
            that add up to one. None means anywhere within the bounds.

        Returns
        -------
        x : dict, or list of dict
            One setting for ``n=None``, else a list of n different ones, none of which
            is pending.

        Raises
        ------
        ValueError
            If ``n`` is not an int of at least 1, or fewer settings are left.
        """
        if n is not None and (not isinstance(n, Integral) or n < 1):
            raise ValueError(
                f"The 'n' parameter of ask must be an int of at least 1. Got {n!r}."
            )
        count = 1 if n is None else int(n)
        table = None
        if candidates is not None:
            table = np.unique(self._space.read(list(candidates))[0], axis=0)
        chosen = self._planner.plan(self._record, count, table)
        self._record.pending += chosen.tolist()
        self._record.n_asked += count
        self._keep()
        settings = self._space.to_dicts(chosen)
        return settings[0] if n is None else settings

    def tell(self, x, y=None, *, sigma=None, bad=False) -> Self:
        """Take the outcome of one or several runs, asked for or not.

        Parameters
        ----------
        x : dict, array-like of shape (d,), or a list of these
            Settings as they were run.
        y : float or array-like of shape (n,), default=None
            Goals. May be left out, or be NaN, for bad runs only.
        sigma : float or array-like of shape (n,), default=None
            Standard deviations of the goals, in their unit. None: learned from the
            data.
        bad : bool or array-like of shape (n,), default=False
            Runs that failed: no goal, but a place to avoid.

        Returns
        -------
        optimizer : ExperimentOptimizer
            This object.

        Raises
        ------
        ValueError
            If a setting is not in the space, a goal is not finite, or shapes differ;
            then nothing was taken.

        Warns
        -----
        UserWarning
            If the same run with the same outcome is told twice and is not pending;
            the second is ignored.
        """
        runs = read_runs(self._space, x, y, sigma, bad)
        repeated = [run for run in runs if not self._record.take(run, self._space)]
        self._keep()
        for run in repeated:
            warnings.warn(
                f"The run {run[0]} was told before, with the same outcome; it is "
                "ignored. A repetition is told after it was asked for, or with its "
                "own goal.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def forget(self, x) -> Self:
        """Take back pending settings that will not be run.

        Parameters
        ----------
        x : dict, array-like of shape (d,), or a list of these
            Settings in `pending_`.

        Returns
        -------
        optimizer : ExperimentOptimizer
            This object.
        """
        left = list(self._record.pending)
        for row in self._space.read(x)[0].tolist():
            i = self._space.find(row, left)
            if i is None:
                raise ValueError(f"{row} is not pending; see pending_.")
            del left[i]
        self._record.pending = left
        self._keep()
        return self

    def predict(self, x) -> Any:
        """Return the goal without noise as the surrogate sees it.

        Parameters
        ----------
        x : dict, array-like of shape (d,), or a list of these
            Settings.

        Returns
        -------
        mean, std : ndarray of shape (n,), or float
            In the unit of the goal. Very bad outcomes are clipped before the fit, so
            that the mean is at fault far from the best settings.

        Raises
        ------
        ValueError
            If no run has succeeded yet.
        """
        values, single = self._space.read(x)
        surrogate, scale = self._planner.believe(self._record)
        mean, std = surrogate.predict(self._space.to_unit(values))
        mean, std = scale.centre + scale.width * mean, scale.width * std
        mean = mean if self.maximize else -mean
        return (float(mean[0]), float(std[0])) if single else (mean, std)

    def save(self, path) -> None:
        """Write everything to a file, in one step.

        Parameters
        ----------
        path : str or path-like
            A JSON file; it is replaced.
        """
        write_record(path, self._settings(), self._record)

    @classmethod
    def load(cls, path) -> Self:
        """Continue an experiment from its file, and keep writing to it.

        Parameters
        ----------
        path : str or path-like
            A file of `save` or of the ``path`` parameter.

        Returns
        -------
        optimizer : ExperimentOptimizer
            It proposes what the saved one would have proposed.

        Raises
        ------
        ValueError
            If the file is not a whole record.
        """
        settings, record = read_record(path)
        try:
            optimizer = cls(**settings)
            optimizer._space.read([*record.x, *record.pending])
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged: {error} Take an earlier copy."
            ) from error
        optimizer._record = record
        optimizer.path = path
        return optimizer

    @classmethod
    def from_mloop(cls, archive, **options) -> Self:
        """Continue an experiment that M-LOOP began.

        Parameters
        ----------
        archive : str or path-like
            An archive in text form, of M-LOOP's controller or of one of its learners.
        **options
            Parameters of the optimizer; ``space`` replaces the archive's bounds. A
            ``path`` is written once, with all runs.

        Returns
        -------
        optimizer : ExperimentOptimizer
            It knows the runs of the archive and minimises the cost.
        """
        space, runs = read_mloop_archive(archive)
        path = options.pop("path", None)
        optimizer = cls(**{"space": space, "maximize": False, **options})
        for x, y, sigma, bad in runs:
            optimizer.tell(x, y, sigma=sigma, bad=bad)
        optimizer._begin(path)
        return optimizer

    def _settings(self):
        names = ("surrogate", "acquisition", "n_init", "maximize", "random_state")
        return {"space": self.space, **{name: getattr(self, name) for name in names}}

    def _begin(self, path):
        """Write to a file from now on, which must not be there yet."""
        if path is not None and pathlib.Path(path).exists():
            raise FileExistsError(
                f"{path} exists. Continue it with ExperimentOptimizer.load, or give "
                "another path."
            )
        self.path = path
        self._keep()

    def _keep(self):
        if self.path is not None:
            self.save(self.path)
