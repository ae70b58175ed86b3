# SPDX-License-Identifier: Apache-2.0
"""Amplitudes over the steps: colours by the final spin, axes at the right."""

import numpy as np
import pytest

from qestim.plotting import TrajectoryDisplay
from qestim.plotting._axes import COLOURS


def fan(n, steps=30):
    return np.linspace(0, 1, steps)[:, None] * np.where(np.arange(n) % 3, 1.0, -1.0)


def test_lines_are_the_amplitudes_in_the_colour_of_their_spin(ax):
    from matplotlib.colors import to_hex

    amplitudes = fan(5)
    lines = TrajectoryDisplay.from_arrays(amplitudes).plot(ax=ax).lines_
    np.testing.assert_array_equal(
        [path.vertices[:, 1] for path in lines.get_paths()], amplitudes.T
    )
    np.testing.assert_array_equal(lines.get_paths()[0].vertices[:, 0], np.arange(1, 31))
    up, down = (colour.lower() for colour in COLOURS[:2])
    colours = [to_hex(colour) for colour in lines.get_colors()]
    assert colours == [down, up, up, down, up]
    low, high = ax.get_ylim()
    assert low < -1
    assert high > 1


def test_energies_and_pump_get_axes_of_their_own(ax):
    energies, pump = np.linspace(5, -5, 30), np.linspace(0, 1.1, 30)
    times = 0.1 * np.arange(30)
    display = TrajectoryDisplay.from_arrays(
        fan(4), energies=energies, pump=pump, times=times
    ).plot(ax=ax)
    assert len({display.ax_, display.energy_ax_, display.pump_ax_}) == 3
    np.testing.assert_array_equal(display.energy_ax_.lines[0].get_ydata(), energies)
    np.testing.assert_array_equal(display.pump_ax_.lines[0].get_ydata(), pump)
    assert ax.get_xlim() == (times[0], times[-1])
    assert ax.get_xlabel().startswith("time")
    plain = TrajectoryDisplay.from_arrays(fan(4)).plot(ax=ax.figure.add_subplot())
    assert plain.energy_ax_ is plain.pump_ax_ is None


def test_many_spins_are_thinned_and_the_label_says_so(ax):
    display = TrajectoryDisplay.from_arrays(fan(1000, 3)).plot(ax=ax)
    assert len(display.lines_.get_paths()) == 200
    assert "200 of 1000 spins" in ax.get_ylabel()


def test_one_step_and_zero_amplitudes_can_be_drawn(ax):
    TrajectoryDisplay.from_arrays(np.zeros((1, 3))).plot(ax=ax)
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    assert low < 0 < high


@pytest.mark.parametrize(
    ("amplitudes", "options", "message"),
    [
        (np.zeros(3), {}, r"shape \(n_steps, n_spins\)"),
        (np.zeros((0, 3)), {}, r"shape \(n_steps, n_spins\)"),
        ([[0.0], [np.nan]], {}, "not from step 1 on"),
        (np.zeros((2, 1)), {"energies": [1.0]}, r"energies must .* shape \(2,\)"),
        (np.zeros((2, 1)), {"pump": [1.0, np.inf]}, "pump must be finite"),
        (np.zeros((2, 1)), {"times": [1.0, 1.0]}, "times must rise"),
    ],
)
def test_wrong_arrays_are_refused(amplitudes, options, message):
    with pytest.raises(ValueError, match=message):
        TrajectoryDisplay.from_arrays(amplitudes, **options)
