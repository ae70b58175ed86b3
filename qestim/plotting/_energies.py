# SPDX-License-Identifier: Apache-2.0
"""Energies of the reads, beside the Boltzmann law where it can be listed."""

import math
from collections.abc import Mapping
from typing import Self

import dimod
import numpy as np

from qestim._diagnose import ENUMERABLE
from qestim.plotting._axes import COLOURS, INK, Display, axes_for
from qestim.qubo import IsingArrays
from qestim.testing import ExactLaw

MOST_BINS = 40


class EnergyHistogramDisplay(Display):
    """Histogram of the energies of one or several sample sets.

    Parameters
    ----------
    energies : dict
        From the name of each sample set to its energies, an ndarray of shape
        (num_reads,), in the units of the model.
    ground_energy : float, default=None
        Drawn as a line.
    beta : float, default=None
        Inverse temperature of the law, in inverse units of the energy.
    law : tuple of (levels, probabilities), default=None
        The Boltzmann law: its energy levels, rising, and their probabilities.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the histogram.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.
    edges_ : ndarray of shape (n_bins + 1,)
        The bins, the same for all sets and for the law.

    Examples
    --------
    >>> from qestim.plotting import EnergyHistogramDisplay
    >>> from qestim.samplers import BoltzmannSampler
    >>> from qestim.testing import sherrington_kirkpatrick
    >>> bqm = sherrington_kirkpatrick(10, 0)
    >>> reads = BoltzmannSampler(num_reads=200, beta=0.5, seed=0).sample(bqm)
    >>> display = EnergyHistogramDisplay.from_sampleset(reads, bqm=bqm, beta=0.5)
    >>> list(display.energies), round(float(display.law[1].sum()), 6)
    (['reads'], 1.0)
    """

    def __init__(self, energies, *, ground_energy=None, beta=None, law=None) -> None:
        self.energies = energies
        self.ground_energy = ground_energy
        self.beta = beta
        self.law = law

    @classmethod
    def from_sampleset(
        cls, samplesets, *, bqm=None, beta=None, ground_energy=None
    ) -> Self:
        """Make the display from sample sets of one model.

        Parameters
        ----------
        samplesets : dimod.SampleSet or dict of str to dimod.SampleSet
            The reads, with a name for each set where there are several.
        bqm : dimod.BinaryQuadraticModel, default=None
            The model, needed for the law.
        beta : float, default=None
            Draw the law exp(-beta E) too, by listing all states: up to 20 variables.
            In inverse units of the energy.
        ground_energy : float, default=None
            Lowest energy known. None with ``bqm`` of at most 20 variables: found by
            enumeration.

        Returns
        -------
        display : EnergyHistogramDisplay
            The display, not drawn yet.

        Raises
        ------
        TypeError
            If ``samplesets`` is something else.
        ValueError
            If a set is empty or ``beta`` is given without a model small enough.
        """
        if isinstance(samplesets, dimod.SampleSet):
            samplesets = {"reads": samplesets}
        if not isinstance(samplesets, Mapping):
            raise TypeError(
                "samplesets must be a dimod.SampleSet or a dict from names to them. "
                f"Got {type(samplesets).__name__}."
            )
        energies = {}
        for name, reads in samplesets.items():
            if len(reads) == 0:
                raise ValueError(f"The sample set {name!r} must hold reads. Got none.")
            record = reads.record
            energies[name] = np.repeat(record.energy, record.num_occurrences)
            if not np.isfinite(energies[name]).all():
                raise ValueError(f"The energies of {name!r} must be finite.")
        if not energies:
            raise ValueError("samplesets must hold at least one sample set. Got none.")
        law = None
        small = bqm is not None and bqm.num_variables <= ENUMERABLE
        if beta is not None:
            if not math.isfinite(beta):
                raise ValueError(f"beta must be finite. Got {beta}.")
            if not small:
                size = "no bqm" if bqm is None else f"{bqm.num_variables} variables"
                raise ValueError(
                    f"beta needs a bqm of at most {ENUMERABLE} variables, whose states "
                    f"are listed. Got {size}. Leave beta out."
                )
        if small:
            exact = ExactLaw(IsingArrays.from_bqm(bqm))
            if beta is not None:
                law = _levels(exact.energies, exact.probabilities(beta))
            if ground_energy is None:
                ground_energy = float(exact.energies.min())
        return cls(energies, ground_energy=ground_energy, beta=beta, law=law)

    def plot(self, ax=None, *, bins=None, **kwargs) -> Self:
        """Draw the shares of the reads in common bins.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. None makes new ones.
        bins : int, default=None
            Number of bins. None chooses at most 40, centred on the energy levels where
            these are equally spaced.
        **kwargs
            Passed to `matplotlib.axes.Axes.stairs` of each set.

        Returns
        -------
        display : EnergyHistogramDisplay
            This object.
        """
        ax = axes_for(self, ax)
        everything = np.concatenate(list(self.energies.values()))
        low, high = everything.min(), everything.max()
        levels = everything
        if self.law is not None:
            # As far as the law has weight that can be seen.
            tail = np.cumsum(self.law[1])
            seen = self.law[0][(tail > 5e-4) & (tail - self.law[1] < 1 - 5e-4)]
            low, high = min(low, seen[0]), max(high, seen[-1])
            levels = np.concatenate([everything, seen])
        edges = self.edges_ = _bins(np.unique(levels), low, high, bins)
        single = len(self.energies) == 1
        for k, (name, values) in enumerate(self.energies.items()):
            share = np.histogram(values, edges)[0] / len(values)
            colour = COLOURS[k % len(COLOURS)]
            label = f"{name} ({len(values)} reads)"
            style = {"color": colour, "linewidth": 1.6, "label": label, **kwargs}
            ax.stairs(share, edges, **style)
            ax.stairs(
                share, edges, fill=True, color=colour, alpha=0.35 if single else 0.15
            )
        if self.law is not None:
            share = np.histogram(self.law[0], edges, weights=self.law[1])[0]
            ax.plot(
                (edges[1:] + edges[:-1]) / 2,
                share,
                color=INK,
                marker="o",
                markersize=3.5,
                linewidth=1,
                label=f"Boltzmann law, β = {self.beta:.4g}",
            )
        if self.ground_energy is not None:
            ax.axvline(
                self.ground_energy,
                color=INK,
                linestyle="--",
                linewidth=1.2,
                label=f"ground energy {self.ground_energy:.6g}",
            )
        ax.set_ylim(0, ax.get_ylim()[1])
        ax.set_xlabel("energy (units of the model)")
        ax.set_ylabel("share of the reads")
        ax.legend(frameon=False)
        return self


def _resolution(values):
    """Return the distance below which two energies are one, up to rounding."""
    return 1e-9 * np.ptp(values) + 1e-14 * np.abs(values).max()


def _levels(energies, probabilities):
    """Merge equal energies, up to rounding, and add up their probabilities."""
    order = np.argsort(energies)
    energies, probabilities = energies[order], probabilities[order]
    apart = np.diff(energies) > _resolution(energies)
    starts = np.flatnonzero(np.concatenate([[True], apart]))
    return energies[starts], np.add.reduceat(probabilities, starts)


def _bins(levels, low, high, bins):
    ends = np.array([low, high])
    if high - low <= _resolution(ends):
        return np.array([low - 0.5, low + 0.5])
    if bins is None:
        gaps = np.diff(levels)
        gaps = gaps[gaps > _resolution(ends)]
        spacing = gaps.min()
        slots = (levels - low) / spacing
        if np.abs(slots - slots.round()).max() < 1e-3:
            number = round((high - low) / spacing) + 1
            width = -(-number // MOST_BINS)
            edges = np.arange(0, number + width, width) - 0.5
            return low + spacing * edges
        bins = MOST_BINS
    return np.linspace(low, high, bins + 1)
