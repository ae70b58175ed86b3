# SPDX-License-Identifier: Apache-2.0
"""Success probability and time to solution over a parameter."""

import numpy as np
import pytest

from qestim._success import success_interval, time_to_solution
from qestim.plotting import SuccessProbabilityDisplay, TimeToSolutionDisplay
from qestim.samplers import ExactSampler, SimulatedAnnealingSampler
from qestim.testing import sherrington_kirkpatrick

BQM = sherrington_kirkpatrick(14, 1)
GROUND = ExactSampler(num_reads=1).sample(BQM).info["ground_energy"]
SAMPLER = SimulatedAnnealingSampler(num_reads=300, seed=0)
both = pytest.mark.parametrize(
    "display", [SuccessProbabilityDisplay, TimeToSolutionDisplay]
)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_more_sweeps_succeed_more_often():
    display = SuccessProbabilityDisplay.from_sampler(
        SAMPLER, BQM, GROUND, "num_sweeps", [1, 10, 200]
    )
    assert (np.diff(display.probability) > 0).all()
    energies = SAMPLER.sample(BQM, num_sweeps=10).record.energy
    hits = int((energies <= GROUND + 1e-9).sum())
    assert display.probability[1] == hits / 300
    assert (display.low[1], display.high[1]) == success_interval(hits, 300)


def test_keywords_reach_the_sampler():
    display = SuccessProbabilityDisplay.from_sampler(
        SAMPLER, BQM, GROUND, "seed", [1, 2], num_reads=7, num_sweeps=500
    )
    assert set(display.probability * 7) <= set(range(8))


def test_the_time_is_that_of_the_call():
    display = TimeToSolutionDisplay.from_sampler(
        SAMPLER, BQM, GROUND, "num_sweeps", [5, 20_000], num_reads=400, num_threads=1
    )
    # Some 4000 times the work for at most some 50 times the success.
    assert display.time[1] > display.time[0]
    assert (display.low <= display.time).all()
    assert (display.time <= display.high).all()


@both
def test_wrong_sweeps_are_refused(display):
    with pytest.raises(ValueError, match=r"num_sweeps.*Got 'pump'"):
        display.from_sampler(SAMPLER, BQM, GROUND, "pump", [1])
    with pytest.raises(ValueError, match="at least one value"):
        display.from_sampler(SAMPLER, BQM, GROUND, "num_sweeps", [])
    with pytest.raises(ValueError, match="'num_sweeps' is swept"):
        display.from_sampler(SAMPLER, BQM, GROUND, "num_sweeps", [1], num_sweeps=3)
    columns = 2 if display is SuccessProbabilityDisplay else 3
    with pytest.raises(ValueError, match="one length"):
        display.from_counts([1, 2], *[[1]] * columns, param_name="x")
    with pytest.raises(ValueError, match="one length"):
        display.from_counts([], *[[]] * columns, param_name="x")


def test_curve_band_and_scale(ax):
    display = SuccessProbabilityDisplay.from_counts(
        [1, 10, 100], [1, 5, 9], [10, 10, 10], param_name="steps"
    ).plot(ax=ax, name="ours", linestyle="--")
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "steps"
    np.testing.assert_array_equal(display.line_.get_ydata(), [0.1, 0.5, 0.9])
    assert display.line_.get_linestyle() == "--"
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == display.low[0]
    assert heights.max() == display.high[2]
    second = SuccessProbabilityDisplay.from_counts(
        [1, 10], [1, 5], [10, 10], param_name="steps"
    ).plot(ax=ax, name="theirs")
    assert second.line_.get_color() != display.line_.get_color()
    assert legend(ax) == ["ours", "theirs"]


@both
def test_names_stand_side_by_side_and_are_not_joined(display, ax):
    columns = [[90, 50], [100, 100]]
    if display is TimeToSolutionDisplay:
        columns.append([1.0, 1.0])
    display.from_counts(["cac", "cfc"], *columns, param_name="model").plot(ax=ax)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["cac", "cfc"]
    assert all(line.get_linestyle() == "None" for line in ax.lines)


def test_small_numbers_of_hits_are_marked(ax):
    display = TimeToSolutionDisplay.from_counts(
        [10, 20, 30], [50, 5, 0], [100] * 3, [1.0, 2.0, 3.0], param_name="spins"
    )
    expected = time_to_solution(5, 100, 2.0)
    assert (display.time[1], display.low[1], display.high[1]) == expected
    assert np.isinf(display.time[2])
    display.plot(ax=ax, name="ours")
    assert ax.get_yscale() == "log"
    assert ax.get_xscale() == "linear"
    assert legend(ax) == ["ours", "under 10 hits", "no hit: longer than this"]
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.lines
    }
    assert drawn["under 10 hits"] == ([20], [display.time[1]])
    assert drawn["no hit: longer than this"] == ([30], [display.low[2]])
    TimeToSolutionDisplay.from_counts(
        [10], [50], [100], [1.0], param_name="spins"
    ).plot(ax=ax, name="theirs")
    assert legend(ax)[:2] == ["ours", "theirs"]
    assert len(legend(ax)) == 4
