# SPDX-License-Identifier: Apache-2.0
"""Success intervals and times to solution: coverage, limits, refusals."""

import math

import dimod
import numpy as np
import pytest
import scipy.stats

from qestim._success import (
    count_hits,
    energy_tolerance,
    success_interval,
    time_to_solution,
)
from qestim.qubo import IsingArrays


@pytest.mark.parametrize("p", [0.02, 0.3, 0.95])
def test_the_interval_covers_at_least_as_often_as_it_says(p):
    reads = 60
    hits = np.arange(reads + 1)
    low, high = success_interval(hits, reads, 0.9)
    covered = (low <= p) & (p <= high)
    share = scipy.stats.binom.pmf(hits, reads, p) @ covered
    assert 0.9 <= share < 0.985


def test_the_interval_inverts_the_binomial_tails():
    low, high = success_interval(7, 50)
    assert scipy.stats.binom.sf(6, 50, low) == pytest.approx(0.025)
    assert scipy.stats.binom.cdf(7, 50, high) == pytest.approx(0.025)


def test_the_ends_of_the_interval_are_exact():
    low, high = success_interval([0, 50], 50)
    # P(no hit in 50) = (1 - high)^50 = 0.025, and the mirror image.
    np.testing.assert_allclose(high, [1 - 0.025 ** (1 / 50), 1], rtol=1e-9)
    np.testing.assert_allclose(low, [0, 0.025 ** (1 / 50)], rtol=1e-9)


@pytest.mark.parametrize(
    ("hits", "reads", "confidence", "message"),
    [
        (-1, 10, 0.95, "hits must lie between 0 and reads"),
        (11, 10, 0.95, "hits must lie between 0 and reads"),
        (math.nan, 10, 0.95, "hits must lie between 0 and reads"),
        (0, 0, 0.95, "reads must be positive"),
        (0, math.inf, 0.95, "reads must be positive"),
        (1, 10, 1.0, "confidence must lie between 0 and 1"),
    ],
)
def test_impossible_counts_are_refused(hits, reads, confidence, message):
    with pytest.raises(ValueError, match=message):
        success_interval(hits, reads, confidence)


def test_time_to_solution_is_the_repeats_of_one_read():
    time = time_to_solution(30, 100, seconds=50.0)
    # After that many reads the chance that all fail is one percent.
    assert 0.7 ** (time.value / 0.5) == pytest.approx(0.01)
    low, high = success_interval(30, 100)
    assert (1 - high) ** (time.low / 0.5) == pytest.approx(0.01)
    assert (1 - low) ** (time.high / 0.5) == pytest.approx(0.01)
    assert time_to_solution(30, 100, 50.0, target=0.5).value < time.value


def test_a_read_cannot_be_shortened():
    assert time_to_solution(100, 100, seconds=5.0).value == 0.05
    assert time_to_solution(999, 1000, seconds=5.0).value == 0.005


def test_without_hits_only_a_lower_end_is_known():
    time = time_to_solution(0, 100, seconds=5.0)
    assert time.value == time.high == math.inf
    assert 0 < time.low < math.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": math.nan}, "seconds must be finite"),
        ({"seconds": -1.0}, "seconds must be finite"),
        ({"seconds": 1.0, "target": 1.0}, "target must lie between 0 and 1"),
    ],
)
def test_impossible_times_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        time_to_solution(1, 10, **options)


def test_hits_count_occurrences_up_to_a_tolerance():
    reads = dimod.SampleSet.from_samples(
        [[1], [-1], [1]],
        "SPIN",
        energy=[-1e6 + 1e-5, -1e6 - 1.0, -1e6 + 1.0],
        num_occurrences=[3, 2, 4],
    )
    assert count_hits(reads, -1e6) == (2, 9)
    assert count_hits(reads, -1e6, tolerance=1e-4) == (5, 9)
    with pytest.raises(ValueError, match="ground_energy must be finite"):
        count_hits(reads, math.nan)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 6.0, 1e9])
def test_levels_apart_are_told_apart_at_any_scale_and_offset(unit, offset):
    bqm = dimod.BQM.from_ising({0: 0.1, 1: 0.3}, {(0, 1): 0.2}, offset)
    bqm.scale(unit)
    reads = dimod.ExactSolver().sample(bqm)
    ground = reads.first.energy
    tolerance = energy_tolerance(IsingArrays.from_bqm(bqm), ground)
    assert count_hits(reads, ground, tolerance) == (1, 4)
    # The energy as another order of sums may give it.
    assert count_hits(reads, np.nextafter(ground, -np.inf), tolerance) == (1, 4)
