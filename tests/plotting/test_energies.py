# SPDX-License-Identifier: Apache-2.0
"""Histograms of energies: shares, bins on the levels, and the law beside them."""

import dimod
import numpy as np
import pytest

from qestim.plotting import EnergyHistogramDisplay
from qestim.qubo import IsingArrays
from qestim.testing import ExactLaw, sherrington_kirkpatrick


def reads(energies, **vectors):
    return dimod.SampleSet.from_samples(
        np.ones((len(energies), 1)), "SPIN", energy=energies, **vectors
    )


def drawn_from_the_law(bqm, beta, num_reads):
    law = ExactLaw(IsingArrays.from_bqm(bqm))
    spins = law.draw(num_reads, beta, np.random.default_rng(0))
    return dimod.SampleSet.from_samples_bqm((spins, list(bqm.variables)), bqm)


def outlines(ax):
    """The values of the steps that are outlines, not fillings."""
    return [p.get_data().values for p in ax.patches if not p.get_fill()]


def test_levels_stand_in_the_middle_of_their_bins_and_occurrences_count(ax):
    a = reads([-4.0, -2.0, 4.0], num_occurrences=[6, 3, 1])
    b = reads([0.0, 2.0])
    display = EnergyHistogramDisplay.from_sampleset({"a": a, "b": b}).plot(ax=ax)
    np.testing.assert_allclose(display.edges_, [-5, -3, -1, 1, 3, 5])
    first, second = outlines(ax)
    np.testing.assert_allclose(first, [0.6, 0.3, 0, 0, 0.1])
    np.testing.assert_allclose(second, [0, 0, 0.5, 0.5, 0])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["a (10 reads)", "b (2 reads)"]


def test_many_levels_share_bins_of_whole_levels(ax):
    display = EnergyHistogramDisplay.from_sampleset(reads(np.arange(0.0, 101.0)))
    edges = display.plot(ax=ax).edges_
    np.testing.assert_allclose(np.diff(edges), 3)
    assert edges[0] == -0.5
    assert edges[-1] >= 100
    assert outlines(ax)[0].sum() == pytest.approx(1)


def test_real_energies_and_a_single_one(ax):
    display = EnergyHistogramDisplay.from_sampleset(
        reads(np.random.default_rng(0).normal(size=500))
    )
    assert len(display.plot(ax=ax).edges_) == 41
    assert len(display.plot(ax=ax, bins=10).edges_) == 11
    alone = EnergyHistogramDisplay.from_sampleset(reads([3.0, 3.0])).plot(ax=ax)
    assert outlines(ax)[-1].tolist() == [1.0]
    assert len(alone.edges_) == 2


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_the_law_lies_on_its_own_draws_and_not_on_others(ax, beta):
    bqm = sherrington_kirkpatrick(10, 0)
    drawn = drawn_from_the_law(bqm, beta, 20_000)
    display = EnergyHistogramDisplay.from_sampleset(drawn, bqm=bqm, beta=beta)
    display.plot(ax=ax)
    (share,) = outlines(ax)
    law = ax.lines[0].get_ydata()
    assert len(law) == len(share)
    assert np.abs(share - law).sum() < 0.05
    hotter = drawn_from_the_law(bqm, beta / 2, 20_000)
    display = EnergyHistogramDisplay.from_sampleset(hotter, bqm=bqm, beta=beta)
    display.plot(ax=ax.figure.add_subplot())
    assert np.abs(outlines(display.ax_)[0] - display.ax_.lines[0].get_ydata()).sum() > (
        0.2
    )


def test_the_ground_energy_is_found_or_given(ax):
    bqm = dimod.BQM.from_ising({"a": 1.0}, {("a", "b"): 2.0}, offset=5.0)
    some = drawn_from_the_law(bqm, 0.1, 5)
    found = EnergyHistogramDisplay.from_sampleset(some, bqm=bqm)
    assert found.ground_energy == 2.0
    assert found.law is None
    found.plot(ax=ax)
    assert list(ax.lines[-1].get_xdata()) == [2.0, 2.0]
    assert EnergyHistogramDisplay.from_sampleset(some).ground_energy is None
    given = EnergyHistogramDisplay.from_sampleset(some, ground_energy=1.0)
    assert given.ground_energy == 1.0


@pytest.mark.parametrize(
    ("samplesets", "options", "message"),
    [
        ({}, {}, "at least one sample set"),
        ({"x": reads([])}, {}, "'x' must hold reads"),
        (reads([np.nan]), {}, "must be finite"),
        (reads([1.0]), {"beta": 1.0}, "Got no bqm"),
        (
            reads([1.0]),
            {"beta": 1.0, "bqm": sherrington_kirkpatrick(30, 0)},
            "at most 20 variables.*Got 30 variables",
        ),
        (
            reads([1.0]),
            {"beta": np.inf, "bqm": sherrington_kirkpatrick(3, 0)},
            "beta must be finite",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(samplesets, options, message):
    with pytest.raises(ValueError, match=message):
        EnergyHistogramDisplay.from_sampleset(samplesets, **options)


@pytest.mark.parametrize(("unit", "offset"), [(1e-12, 0.0), (1.0, 1e9)])
def test_bins_follow_the_levels_at_any_scale_and_offset(ax, unit, offset):
    display = EnergyHistogramDisplay.from_sampleset(
        reads(offset + unit * np.array([-1.0, 0.0, 2.0]))
    ).plot(ax=ax)
    assert len(display.edges_) == 5
    np.testing.assert_allclose(np.diff(display.edges_), unit, rtol=1e-6)


@pytest.mark.parametrize("what", [[reads([1.0])], dimod.BQM("SPIN")])
def test_other_things_than_sample_sets_are_named(what):
    message = f"a dict from names to them. Got {type(what).__name__}"
    with pytest.raises(TypeError, match=message):
        EnergyHistogramDisplay.from_sampleset(what)
