# SPDX-License-Identifier: Apache-2.0
"""Time to solution against the size of a problem or a parameter of a sampler."""

from typing import Self

import numpy as np

from qestim._success import FEW_HITS, time_to_solution
from qestim.plotting._axes import COLOURS, Display, axes_for, parameter_axis
from qestim.plotting._sweep import sweep

NOTES = (f"under {FEW_HITS} hits", "no hit: longer than this")


class TimeToSolutionDisplay(Display):
    """Time to solution with its interval, against a size or a swept parameter.

    Points from fewer than ten hits are drawn open. Where no read succeeded, an arrow
    stands at the time that the reads exclude.

    Parameters
    ----------
    values : list
        Sizes, or values of the parameter.
    time, low, high : ndarray of shape (len(values),)
        Time to solution and its interval, in seconds; infinite without a hit.
    hits : ndarray of shape (len(values),)
        Successes behind each point.
    param_name : str
        Label of the x axis.
    target : float, default=0.99
        Probability of at least one success, for the label.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the curve.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.
    errorbar_ : matplotlib.container.ErrorbarContainer
        The curve.

    References
    ----------
    .. [1] Rønnow et al., "Defining and detecting quantum speedup", Science 345, 420
       (2014). doi:10.1126/science.1252319

    Examples
    --------
    >>> from qestim.plotting import TimeToSolutionDisplay
    >>> display = TimeToSolutionDisplay.from_counts(
    ...     [50, 100], hits=[80, 20], reads=[100, 100], seconds=[1.0, 5.0],
    ...     param_name="spins")
    >>> display.time.round(3)
    array([0.029, 1.032])
    """

    def __init__(
        self, values, time, low, high, hits, *, param_name, target=0.99
    ) -> None:
        self.values = values
        self.time = time
        self.low = low
        self.high = high
        self.hits = hits
        self.param_name = param_name
        self.target = target

    @classmethod
    def from_counts(
        cls, values, hits, reads, seconds, *, param_name, target=0.99, confidence=0.95
    ) -> Self:
        """Make the display from counted successes and measured times.

        Parameters
        ----------
        values : sequence
            Sizes, or values of a parameter.
        hits, reads : array-like of shape (len(values),)
            Reads that succeeded and all reads, at each value.
        seconds : array-like of shape (len(values),)
            Time that all the reads took together, in seconds.
        param_name : str
            Label of the x axis, with the unit where there is one.
        target : float, default=0.99
            Wanted probability of at least one success, dimensionless.
        confidence : float, default=0.95
            Of the intervals.

        Returns
        -------
        display : TimeToSolutionDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If the lengths differ or a number is out of its range.
        """
        values = list(values)
        columns = [np.asarray(column) for column in (hits, reads, seconds)]
        if not values or any(c.shape != (len(values),) for c in columns):
            raise ValueError(
                "values, hits, reads and seconds must be of one length, at least 1. "
                f"Got {len(values)} values and {[c.shape for c in columns]}."
            )
        times = [
            time_to_solution(*row, target=target, confidence=confidence)
            for row in zip(*columns, strict=True)
        ]
        value, low, high = np.array(times).T
        return cls(
            values, value, low, high, columns[0], param_name=param_name, target=target
        )

    @classmethod
    def from_sampler(
        cls,
        sampler,
        bqm,
        ground_energy,
        param_name,
        param_range,
        *,
        target=0.99,
        confidence=0.95,
        **parameters,
    ) -> Self:
        """Sample once for each value of a parameter, count and take the cpu time.

        Parameters
        ----------
        sampler : dimod.Sampler
            The sampler; its own ``num_reads`` and ``seed`` hold unless overridden.
            Time spent outside of this process, on a device, is not seen.
        bqm : dimod.BinaryQuadraticModel
            The model.
        ground_energy : float
            Energy whose reaching is a success, in the units of ``bqm``.
        param_name : str
            The keyword that is swept, such as ``"num_sweeps"``.
        param_range : sequence
            Its values.
        target : float, default=0.99
            Wanted probability of at least one success, dimensionless.
        confidence : float, default=0.95
            Of the intervals.
        **parameters
            Further keywords of ``sampler.sample``.

        Returns
        -------
        display : TimeToSolutionDisplay
            The display, not drawn yet; its seconds are cpu-seconds of all threads.

        Raises
        ------
        ValueError
            If the sampler does not take the parameter or the range is empty.
        """
        values = list(param_range)
        hits, reads, seconds = sweep(
            sampler, bqm, ground_energy, param_name, values, parameters
        )
        return cls.from_counts(
            values,
            hits,
            reads,
            seconds,
            param_name=param_name,
            target=target,
            confidence=confidence,
        )

    def plot(self, ax=None, *, name=None, **kwargs) -> Self:
        """Draw the curve on a logarithmic axis of time.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on, those of another display for a comparison. None makes new
            ones.
        name : str, default=None
            Label of the curve in the legend.
        **kwargs
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        display : TimeToSolutionDisplay
            This object.
        """
        ax = axes_for(self, ax)
        places, joined = parameter_axis(ax, self.values, self.param_name)
        ax.set_yscale("log")
        known = np.isfinite(self.time)
        sure = self.hits >= FEW_HITS
        colour = COLOURS[len(ax.containers) % len(COLOURS)]
        style = {"color": colour, "capsize": 3, "linestyle": joined, **kwargs}
        # Without a hit there is no value: NaN leaves the gap in the curve.
        low, time, high = (
            np.where(known, row, np.nan) for row in (self.low, self.time, self.high)
        )
        arms = [time - low, high - time]
        self.errorbar_ = ax.errorbar(places, time, arms, label=name, **style)
        colour = self.errorbar_.lines[0].get_color()
        mark = {"linestyle": "none", "color": colour, "zorder": 3}
        circle = {"marker": "o", "markersize": 6, **mark}
        rough = known & ~sure
        ax.plot(places[sure], time[sure], **circle)
        if rough.any():
            circle |= {"markerfacecolor": "white", "label": NOTES[0]}
            ax.plot(places[rough], time[rough], **circle)
        if not known.all():
            arrow = {"marker": r"$\uparrow$", "markersize": 12, **mark}
            arrow["label"] = NOTES[1]
            ax.plot(places[~known], self.low[~known], **arrow)
        ax.set_ylabel(f"time to solution at {100 * self.target:g} % (s)")
        ax.grid(alpha=0.3)
        # Several curves share one entry for each kind of mark, below the names.
        marks = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        if marks:
            labels = sorted(marks, key=NOTES.__contains__)
            ax.legend([marks[label] for label in labels], labels, frameon=False)
        return self
