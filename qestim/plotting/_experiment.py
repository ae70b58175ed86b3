# SPDX-License-Identifier: Apache-2.0
"""How far an experiment has come, and what it has learned of its landscape."""

from typing import Any, Self

import numpy as np

from qestim.plotting._axes import COLOURS, INK, Display, axes_for


class ExperimentDisplay(Display):
    """Progress of an experiment, or a slice through the learned landscape.

    Parameters
    ----------
    optimizer : ExperimentOptimizer
        The experiment. It is looked at anew at every `plot` and `update`, so that one
        display follows it while it runs.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the picture.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.

    Examples
    --------
    >>> from qestim import ExperimentOptimizer
    >>> from qestim.plotting import ExperimentDisplay
    >>> optimizer = ExperimentOptimizer({"a": (0.0, 1.0)}, random_state=0)
    >>> for _ in range(4):
    ...     x = optimizer.ask()
    ...     _ = optimizer.tell(x, -(x["a"] - 0.3) ** 2)
    >>> runs, goals, best = ExperimentDisplay.from_optimizer(optimizer).progress()
    >>> runs
    array([1, 2, 3, 4])
    """

    def __init__(self, optimizer) -> None:
        self.optimizer = optimizer

    @classmethod
    def from_optimizer(cls, optimizer) -> Self:
        """Look at an experiment.

        Parameters
        ----------
        optimizer : ExperimentOptimizer
            The experiment, finished or not.

        Returns
        -------
        display : ExperimentDisplay
            It keeps the optimizer, not a copy.
        """
        return cls(optimizer)

    def progress(self) -> Any:
        """Return the goals of the successful runs and the best so far.

        Returns
        -------
        runs : ndarray of shape (n,), dtype int64
            Numbers of the runs, from 1 in the order told, without the failed ones.
        goals : ndarray of shape (n,)
            What was measured.
        best : ndarray of shape (n,)
            The best measured goal up to each run.
        """
        good = ~self.optimizer.bad_
        goals = self.optimizer.y_[good]
        better = np.maximum if self.optimizer.maximize else np.minimum
        return np.flatnonzero(good) + 1, goals, better.accumulate(goals)

    def landscape(self, parameters=None, *, n_points=40) -> Any:
        """Return the surrogate's mean on a slice through the best run.

        Parameters
        ----------
        parameters : list of one or two str, default=None
            Parameters that vary; the others stay at the best run. None takes the two
            along which the mean varies most (one if there is only one).
        n_points : int, default=40
            Points along each, at most.

        Returns
        -------
        axes : dict of str to ndarray of shape (n_points,)
            Values of the parameters that vary; fewer for whole numbers.
        mean, std : ndarray of shape (n_points,) or (n_points, n_points)
            In the unit of the goal; the first parameter is the first axis.

        Raises
        ------
        ValueError
            If a parameter is not in the space, or no run has succeeded.
        """
        optimizer = self.optimizer
        best = optimizer.best_.x
        if parameters is None:
            parameters = self._liveliest(best)
        unknown = set(parameters) - set(optimizer.names_)
        if unknown or not 1 <= len(parameters) <= 2:
            raise ValueError(
                "The 'parameters' parameter must be one or two of "
                f"{optimizer.names_}. Got {parameters}."
            )
        axes = {name: self._values(name, n_points) for name in parameters}
        grid = np.meshgrid(*axes.values(), indexing="ij")
        settings = [
            {**best, **dict(zip(parameters, values, strict=True))}
            for values in zip(*(axis.ravel() for axis in grid), strict=True)
        ]
        mean, std = optimizer.predict(settings)
        return axes, mean.reshape(grid[0].shape), std.reshape(grid[0].shape)

    def plot(self, ax=None, *, kind="progress", parameters=None) -> Self:
        """Draw the progress or the landscape.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. None makes new ones.
        kind : {"progress", "landscape"}, default="progress"
            What to draw.
        parameters : list of one or two str, default=None
            As in `landscape`.

        Returns
        -------
        display : ExperimentDisplay
            This object.

        Raises
        ------
        ValueError
            If ``kind`` is neither of the two.
        """
        draw = {"progress": self._draw_progress, "landscape": self._draw_landscape}
        if kind not in draw:
            raise ValueError(
                "The 'kind' parameter of ExperimentDisplay.plot must be 'progress' or "
                f"'landscape'. Got {kind!r}."
            )
        self._drawn = {"kind": kind, "parameters": parameters}
        self._ax = axes_for(self, ax)
        self._bars: list = []
        draw[kind](self._ax, parameters)
        return self

    def update(self) -> Self:
        """Draw again, in the same axes, what the experiment has learned since.

        Returns
        -------
        display : ExperimentDisplay
            This object.
        """
        for bar in self._bars:
            bar.remove()
        self._ax.clear()
        self.plot(self._ax, **self._drawn)
        self._ax.figure.canvas.draw_idle()
        return self

    def _draw_progress(self, ax, parameters):
        runs, goals, best = self.progress()
        ax.plot(runs, goals, ".", color=COLOURS[0], label="measured")
        ax.step(runs, best, where="post", color=COLOURS[1], label="best so far")
        failed = np.flatnonzero(self.optimizer.bad_) + 1
        if len(failed):
            ax.plot(
                failed,
                np.full(len(failed), goals.min()),
                "x",
                color=INK,
                label="failed",
            )
        ax.set_xlabel("run")
        ax.set_ylabel("goal")
        ax.legend()

    def _draw_landscape(self, ax, parameters):
        axes, mean, std = self.landscape(parameters)
        names, values = list(axes), list(axes.values())
        good = ~self.optimizer.bad_
        columns = [self.optimizer.names_.index(name) for name in names]
        told = self.optimizer.X_[good][:, columns]
        if len(names) == 1:
            ax.plot(values[0], mean, color=COLOURS[0])
            ax.fill_between(
                values[0], mean - std, mean + std, color=COLOURS[0], alpha=0.2
            )
            ax.plot(told[:, 0], self.optimizer.y_[good], ".", color=INK)
            ax.set_ylabel("goal")
        else:
            image = ax.pcolormesh(*values, mean.T, cmap="viridis", shading="nearest")
            self._bars = [ax.figure.colorbar(image, ax=ax, label="goal (mean)")]
            ax.plot(*told.T, ".", color="white", markersize=4)
            best = self.optimizer.best_.x
            star = [best[name] for name in names]
            ax.plot(*star, "*", color=COLOURS[1], markersize=12)
            ax.set_ylabel(names[1])
        ax.set_xlabel(names[0])
        for name, scale in zip(names, (ax.set_xscale, ax.set_yscale), strict=False):
            scale("log" if "log" in self.optimizer.space[name] else "linear")

    def _values(self, name, n_points):
        low, high, *kinds = self.optimizer.space[name]
        spaced = np.geomspace if "log" in kinds else np.linspace
        # Rounding of the ends must not leave the bounds.
        values = np.clip(spaced(low, high, n_points), low, high)
        return np.unique(np.round(values)) if "int" in kinds else values

    def _liveliest(self, best):
        spreads = {}
        for name in self.optimizer.names_:
            settings = [{**best, name: value} for value in self._values(name, 15)]
            spreads[name] = np.ptp(self.optimizer.predict(settings)[0])
        return sorted(spreads, key=spreads.__getitem__, reverse=True)[:2]
