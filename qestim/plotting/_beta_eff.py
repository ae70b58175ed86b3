# SPDX-License-Identifier: Apache-2.0
"""Whether one temperature fits the reads: odds of a flip against its cost."""

import math
from typing import Self

import numpy as np
import scipy.special

from qestim._diagnose import diagnose
from qestim._success import success_interval
from qestim.plotting._axes import COLOURS, INK, Display, axes_for


class BetaEffDisplay(Display):
    """Odds that a spin stands on its lower side, against the cost of flipping it.

    Under a Boltzmann law the log odds are beta times the cost: a straight line through
    the origin. Points off the line mean that no single temperature fits; a line of the
    wrong slope means that the temperature is not the wanted one.

    Parameters
    ----------
    cost : ndarray of shape (n_bins,)
        Cost of the flips in each bin, in the units of the energy: the one at which a
        flip has the odds that the fit expects of the bin.
    observed, low, high : ndarray of shape (n_bins,)
        Share of the spins on their lower side and its interval, dimensionless.
    beta_eff, beta_eff_error : float
        The fit and its standard error, in inverse units of the energy.
    calibration_p : float
        Chance of such a misfit, or a larger one, if one temperature fits all costs.
    misfit : float
        How far from one temperature the reads are, in nats a spin.
    beta : float, default=None
        The wanted inverse temperature.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the points and lines.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.

    References
    ----------
    .. [1] Besag, "Statistical analysis of non-lattice data", The Statistician 24, 179
       (1975). doi:10.2307/2987782

    Examples
    --------
    >>> from qestim.plotting import BetaEffDisplay
    >>> from qestim.samplers import BoltzmannSampler
    >>> from qestim.testing import sherrington_kirkpatrick
    >>> bqm = sherrington_kirkpatrick(30, 0)
    >>> reads = BoltzmannSampler(num_reads=500, beta=0.5, seed=0).sample(bqm)
    >>> display = BetaEffDisplay.from_sampleset(bqm, reads, beta=0.5)
    >>> abs(display.beta_eff - 0.5) < 5 * display.beta_eff_error
    True
    """

    def __init__(
        self,
        cost,
        observed,
        low,
        high,
        *,
        beta_eff,
        beta_eff_error,
        calibration_p,
        misfit,
        beta=None,
    ) -> None:
        self.cost = cost
        self.observed = observed
        self.low = low
        self.high = high
        self.beta_eff = beta_eff
        self.beta_eff_error = beta_eff_error
        self.calibration_p = calibration_p
        self.misfit = misfit
        self.beta = beta

    @classmethod
    def from_diagnosis(cls, diagnosis) -> Self:
        """Make the display from the findings of `qestim.diagnose`.

        Parameters
        ----------
        diagnosis : Diagnosis
            The findings.

        Returns
        -------
        display : BetaEffDisplay
            The display, not drawn yet. Its 95 % intervals take the spins of a read as
            independent and divide by the correlation time of the reads, so they are
            for the eye; the p-value knows better.

        Raises
        ------
        ValueError
            If no finite temperature fits the reads.
        """
        if not math.isfinite(diagnosis.beta_eff) or not diagnosis.calibration:
            raise ValueError(
                f"beta_eff is {diagnosis.beta_eff}: there is no finite temperature to "
                "draw. Take reads that are hotter, not all of them local minima."
            )
        cost, count, observed, expected = np.array(diagnosis.calibration).T
        if diagnosis.beta_eff != 0:
            # The mean odds of a wide bin are not the odds at its mean cost.
            curved = np.abs(expected - 0.5) > 1e-6
            odds = scipy.special.logit(np.clip(expected, 1e-15, 1 - 1e-15))
            cost = np.where(curved, odds / diagnosis.beta_eff, cost)
        time = diagnosis.correlation_time
        number = count if math.isnan(time) else count / time
        low, high = success_interval(observed * number, number)
        return cls(
            cost,
            observed,
            low,
            high,
            beta_eff=diagnosis.beta_eff,
            beta_eff_error=diagnosis.beta_eff_error,
            calibration_p=diagnosis.calibration_p,
            misfit=diagnosis.misfit,
            beta=diagnosis.beta,
        )

    @classmethod
    def from_sampleset(cls, bqm, reads, *, beta=None) -> Self:
        """Fit the temperature of reads.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model that was sampled.
        reads : dimod.SampleSet, array-like or path
            The reads, as `qestim.diagnose` takes them.
        beta : float, default=None
            The wanted inverse temperature, in inverse units of the energy.

        Returns
        -------
        display : BetaEffDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If the reads are not as stated or no finite temperature fits them.
        """
        return cls.from_diagnosis(diagnose(bqm, reads, beta))

    def plot(self, ax=None, **kwargs) -> Self:
        """Draw the observed log odds, the fitted line and the wanted one.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs
            Passed to `matplotlib.axes.Axes.errorbar` of the points.

        Returns
        -------
        display : BetaEffDisplay
            This object.
        """
        ax = axes_for(self, ax)
        low, odds, high = (
            scipy.special.logit(share) for share in (self.low, self.observed, self.high)
        )
        inner = np.isfinite(low) & np.isfinite(odds) & np.isfinite(high)
        arms = [odds[inner] - low[inner], high[inner] - odds[inner]]
        style = {"fmt": "o", "color": COLOURS[0], "capsize": 3, "zorder": 3, **kwargs}
        ax.errorbar(
            self.cost[inner],
            odds[inner],
            arms,
            label="reads, 95 % interval",
            **style,
        )
        if (alone := (self.observed == 1)).any():
            # No spin on the upper side: the odds are at least those of the interval.
            ax.plot(
                self.cost[alone],
                low[alone],
                linestyle="none",
                marker=r"$\uparrow$",
                markersize=12,
                color=COLOURS[0],
                label="none on the upper side",
            )
        x = np.array([0.0, 1.05 * self.cost.max()])
        ax.plot(
            x,
            self.beta_eff * x,
            color=COLOURS[1],
            label=r"fit: $β_\mathrm{eff}$ = "
            f"{self.beta_eff:.4g} ± {self.beta_eff_error:.2g}",
        )
        if self.beta is not None:
            ax.plot(
                x,
                self.beta * x,
                color=INK,
                linestyle=":",
                linewidth=1.6,
                label=f"wanted: β = {self.beta:.4g}",
            )
        ax.set_xlim(0, x[1])
        ax.set_xlabel("cost of a flip (units of the energy)")
        ax.set_ylabel("log odds of the lower side (nats)")
        p = self.calibration_p
        tested = "not testable" if math.isnan(p) else f"p = {p:.2g}"
        title = f"one temperature: {tested}, misfit {self.misfit:.1g} nats a spin"
        ax.legend(frameon=False, title=title, alignment="left")
        ax.grid(alpha=0.3)
        return self
