# SPDX-License-Identifier: Apache-2.0
"""Success probability against a parameter of a sampler."""

from typing import Self

import numpy as np

from qestim._success import success_interval
from qestim.plotting._axes import COLOURS, Display, axes_for, parameter_axis
from qestim.plotting._sweep import sweep


class SuccessProbabilityDisplay(Display):
    """Success probability of one read against a swept parameter.

    Use `from_sampler` to run the sweep or `from_counts` where the counts are at hand.

    Parameters
    ----------
    values : list
        Values of the parameter.
    probability, low, high : ndarray of shape (len(values),)
        Share of the reads that succeeded, dimensionless, and its interval.
    param_name : str
        Name of the parameter, for the label of the axis.
    confidence : float, default=0.95
        Of the interval, for the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the curve.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.
    line_ : matplotlib.lines.Line2D
        The curve.

    References
    ----------
    .. [1] Clopper and Pearson, "The use of confidence or fiducial limits illustrated in
       the case of the binomial", Biometrika 26, 404 (1934). doi:10.1093/biomet/26.4.404

    Examples
    --------
    >>> from qestim.plotting import SuccessProbabilityDisplay
    >>> from qestim.samplers import ExactSampler, SimulatedAnnealingSampler
    >>> from qestim.testing import sherrington_kirkpatrick
    >>> bqm = sherrington_kirkpatrick(12, 0)
    >>> ground = ExactSampler(num_reads=1).sample(bqm).info["ground_energy"]
    >>> display = SuccessProbabilityDisplay.from_sampler(
    ...     SimulatedAnnealingSampler(num_reads=50, seed=0), bqm, ground,
    ...     param_name="num_sweeps", param_range=[1, 100])
    >>> bool(display.probability[0] < display.probability[1])
    True
    """

    def __init__(
        self, values, probability, low, high, *, param_name, confidence=0.95
    ) -> None:
        self.values = values
        self.probability = probability
        self.low = low
        self.high = high
        self.param_name = param_name
        self.confidence = confidence

    @classmethod
    def from_counts(cls, values, hits, reads, *, param_name, confidence=0.95) -> Self:
        """Make the display from counted successes.

        Parameters
        ----------
        values : sequence
            Values of the parameter.
        hits, reads : array-like of shape (len(values),)
            Reads that succeeded and all reads, at each value.
        param_name : str
            Name of the parameter, with its unit where it has one.
        confidence : float, default=0.95
            Of the Clopper-Pearson intervals.

        Returns
        -------
        display : SuccessProbabilityDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If the lengths differ or a count is out of its range.
        """
        values, hits, reads = list(values), np.asarray(hits), np.asarray(reads)
        if not values or hits.shape != (len(values),) or reads.shape != hits.shape:
            raise ValueError(
                "values, hits and reads must be of one length, at least 1. "
                f"Got {len(values)} values, hits {hits.shape}, reads {reads.shape}."
            )
        low, high = success_interval(hits, reads, confidence)
        return cls(
            values,
            hits / reads,
            low,
            high,
            param_name=param_name,
            confidence=confidence,
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
        confidence=0.95,
        **parameters,
    ) -> Self:
        """Sample once for each value of a parameter and count the successes.

        Parameters
        ----------
        sampler : dimod.Sampler
            The sampler; its own ``num_reads`` and ``seed`` hold unless overridden.
        bqm : dimod.BinaryQuadraticModel
            The model.
        ground_energy : float
            Energy whose reaching is a success, in the units of ``bqm``.
        param_name : str
            The keyword that is swept, such as ``"num_sweeps"``.
        param_range : sequence
            Its values.
        confidence : float, default=0.95
            Of the Clopper-Pearson intervals.
        **parameters
            Further keywords of ``sampler.sample``.

        Returns
        -------
        display : SuccessProbabilityDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If the sampler does not take the parameter or the range is empty.
        """
        values = list(param_range)
        hits, reads, _ = sweep(
            sampler, bqm, ground_energy, param_name, values, parameters
        )
        return cls.from_counts(
            values, hits, reads, param_name=param_name, confidence=confidence
        )

    def plot(self, ax=None, *, name=None, **kwargs) -> Self:
        """Draw the curve with its band.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on, those of another display for a comparison. None makes new
            ones.
        name : str, default=None
            Label of the curve in the legend. None leaves the legend away.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : SuccessProbabilityDisplay
            This object.
        """
        ax = axes_for(self, ax)
        places, joined = parameter_axis(ax, self.values, self.param_name)
        colour = COLOURS[len(ax.lines) % len(COLOURS)]
        style = {"color": colour, "marker": "o", "markersize": 5, "label": name}
        style = {**style, "linestyle": joined, **kwargs}
        (self.line_,) = ax.plot(places, self.probability, **style)
        band = {"color": self.line_.get_color(), "alpha": 0.2, "linewidth": 0}
        if joined == "none":
            band |= {"alpha": 0.5, "linewidth": 3}
            ax.vlines(places, self.low, self.high, **band)
        else:
            ax.fill_between(places, self.low, self.high, **band)
        ax.set_ylim(-0.02, 1.02)
        ax.set_ylabel(
            f"success probability of one read\n({100 * self.confidence:g} % interval)"
        )
        ax.grid(alpha=0.3)
        if name is not None:
            ax.legend(frameon=False)
        return self
