# SPDX-License-Identifier: Apache-2.0
"""Odds of flips against their cost: on the line for a law, off it for a mixture."""

import numpy as np
import pytest

import qestim
from qestim.plotting import BetaEffDisplay
from qestim.qubo import IsingArrays
from qestim.testing import ExactLaw, sherrington_kirkpatrick

BQM = sherrington_kirkpatrick(12, 0)
LAW = ExactLaw(IsingArrays.from_bqm(BQM))


def draws(*betas):
    rng = np.random.default_rng(0)
    # Mixed, as their order tells how independent reads are.
    return rng.permutation(np.concatenate([LAW.draw(3000, b, rng) for b in betas]))


def off_the_line(display):
    """Points whose interval does not hold the fitted probability."""
    fitted = 1 / (1 + np.exp(-display.beta_eff * display.cost))
    return ((fitted < display.low) | (fitted > display.high)).sum()


@pytest.mark.parametrize("beta", [-0.5, 0.2, 1.0])
def test_the_points_of_a_law_lie_on_its_line(beta):
    display = BetaEffDisplay.from_sampleset(BQM, draws(beta))
    assert abs(display.beta_eff - beta) < 5 * display.beta_eff_error
    assert (display.cost > 0).all()
    assert off_the_line(display) <= 1


def test_the_points_of_a_mixture_do_not():
    display = BetaEffDisplay.from_sampleset(BQM, draws(0.1, 3.0))
    assert off_the_line(display) >= 3
    assert display.calibration_p < 1e-6


def test_lines_have_the_slopes_in_the_legend(ax):
    display = BetaEffDisplay.from_sampleset(BQM, draws(1.0), beta=0.5).plot(ax=ax)
    points, fit, wanted = ax.lines[0], ax.lines[-2], ax.lines[-1]
    np.testing.assert_allclose(
        points.get_ydata(), np.log(display.observed / (1 - display.observed))
    )
    x = fit.get_xdata()
    np.testing.assert_allclose(fit.get_ydata(), display.beta_eff * x)
    np.testing.assert_allclose(wanted.get_ydata(), 0.5 * x)
    labels = " ".join(text.get_text() for text in ax.get_legend().get_texts())
    assert f"{display.beta_eff:.4g}" in labels
    assert "wanted: β = 0.5" in labels
    assert "misfit" in ax.get_legend().get_title().get_text()


def test_a_bin_without_upper_spins_is_an_arrow_at_its_bound(ax):
    display = BetaEffDisplay(
        np.array([1.0, 5.0]),
        np.array([0.7, 1.0]),
        np.array([0.6, 0.95]),
        np.array([0.8, 1.0]),
        beta_eff=1.0,
        beta_eff_error=0.1,
        calibration_p=float("nan"),
        misfit=0.0,
    ).plot(ax=ax)
    drawn = {line.get_label(): line for line in ax.lines}
    arrow = drawn["none on the upper side"]
    assert list(arrow.get_xdata()) == [5.0]
    np.testing.assert_allclose(arrow.get_ydata(), np.log(19))
    assert "not testable" in ax.get_legend().get_title().get_text()
    display.figure_.canvas.draw()


def test_frozen_reads_are_refused():
    ground = LAW.states([int(np.argmin(LAW.energies))] * 5)
    with pytest.raises(ValueError, match=r"beta_eff is inf.*hotter"):
        BetaEffDisplay.from_diagnosis(qestim.diagnose(BQM, ground))
