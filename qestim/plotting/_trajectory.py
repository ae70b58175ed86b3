# SPDX-License-Identifier: Apache-2.0
"""Amplitudes of a coherent Ising machine on their way to spins."""

from typing import Self

import numpy as np

from qestim.plotting._axes import COLOURS, INK, Display, axes_for

MOST_LINES = 200


class TrajectoryDisplay(Display):
    """Amplitudes of one read over the steps, coloured by the spin that each becomes.

    Parameters
    ----------
    amplitudes : ndarray of shape (n_steps, n_spins)
        Amplitude of each spin after each step, dimensionless.
    energies : ndarray of shape (n_steps,), default=None
        Energy of the amplitudes' signs, in the units of the model.
    pump : ndarray of shape (n_steps,), default=None
        Pump rate, dimensionless: 1 is the threshold of a single oscillator where the
        model says so.
    times : ndarray of shape (n_steps,), default=None
        Time of each step, dimensionless. None counts steps from 1.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the amplitudes.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.
    lines_ : matplotlib.collections.LineCollection
        The amplitudes; at most 200 spins, evenly chosen.
    energy_ax_, pump_ax_ : matplotlib.axes.Axes or None
        The axes at the right with the energies and the pump.

    References
    ----------
    .. [1] Wang et al., "Coherent Ising machine based on degenerate optical parametric
       oscillators", Physical Review A 88, 063853 (2013).
       doi:10.1103/PhysRevA.88.063853

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.plotting import TrajectoryDisplay
    >>> growth = np.tanh(np.linspace(0, 2, 50))[:, None] * np.array([1.0, -0.9])
    >>> display = TrajectoryDisplay.from_arrays(growth, pump=np.linspace(0, 1.2, 50))
    >>> display.amplitudes.shape
    (50, 2)
    """

    def __init__(self, amplitudes, *, energies=None, pump=None, times=None) -> None:
        self.amplitudes = amplitudes
        self.energies = energies
        self.pump = pump
        self.times = times

    @classmethod
    def from_arrays(cls, amplitudes, *, energies=None, pump=None, times=None) -> Self:
        """Make the display from checked arrays.

        Parameters
        ----------
        amplitudes : array-like of shape (n_steps, n_spins)
            Amplitudes of one read, dimensionless.
        energies : array-like of shape (n_steps,), default=None
            Energies, in the units of the model.
        pump : array-like of shape (n_steps,), default=None
            Pump rate, dimensionless.
        times : array-like of shape (n_steps,), default=None
            Times, dimensionless, rising.

        Returns
        -------
        display : TrajectoryDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If a shape is wrong or a value is not finite.
        """
        amplitudes = np.asarray(amplitudes, dtype=np.float64)
        if amplitudes.ndim != 2 or 0 in amplitudes.shape:
            raise ValueError(
                "amplitudes must have shape (n_steps, n_spins), the steps of one read. "
                f"Got {amplitudes.shape}."
            )
        if not np.isfinite(amplitudes).all():
            step = int(np.argmin(np.isfinite(amplitudes).all(axis=1)))
            raise ValueError(
                f"amplitudes must be finite. They are not from step {step} on; "
                "a smaller dt keeps the integration stable."
            )
        rows = {"energies": energies, "pump": pump, "times": times}
        for name, row in rows.items():
            if row is None:
                continue
            rows[name] = row = np.asarray(row, dtype=np.float64)
            if row.shape != amplitudes.shape[:1] or not np.isfinite(row).all():
                raise ValueError(
                    f"{name} must be finite and of shape ({len(amplitudes)},), a value "
                    f"a step. Got shape {row.shape}."
                )
        if rows["times"] is not None and (np.diff(rows["times"]) <= 0).any():
            raise ValueError("times must rise from step to step.")
        return cls(amplitudes, **rows)

    def plot(self, ax=None, **kwargs) -> Self:
        """Draw the amplitudes and, on axes at the right, energies and pump.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. None makes new ones.
        **kwargs
            Passed to `matplotlib.collections.LineCollection`.

        Returns
        -------
        display : TrajectoryDisplay
            This object.
        """
        ax = axes_for(self, ax)
        from matplotlib.collections import LineCollection
        from matplotlib.lines import Line2D

        steps, n = self.amplitudes.shape
        x = np.arange(1, steps + 1) if self.times is None else self.times
        shown = np.unique(np.linspace(0, n - 1, min(n, MOST_LINES)).round().astype(int))
        y = self.amplitudes[:, shown].T
        up, down = COLOURS[:2]
        style = {
            "colors": [up if value >= 0 else down for value in y[:, -1]],
            "linewidths": 1.2 if len(shown) <= 20 else 0.7,
            "alpha": float(np.clip(12 / len(shown), 0.25, 0.9)),
            **kwargs,
        }
        points = np.stack([np.broadcast_to(x, y.shape), y], axis=-1)
        self.lines_ = ax.add_collection(LineCollection(list(points), **style))
        ax.axhline(0, color=INK, linewidth=0.6)
        ax.set_xlim(x[0], x[-1] if steps > 1 else x[0] + 1)
        reach = 1.08 * float(np.abs(y).max()) or 1.0
        ax.set_ylim(-reach, reach)
        ax.set_xlabel("step" if self.times is None else "time (dimensionless)")
        note = "" if len(shown) == n else f", {len(shown)} of {n} spins"
        ax.set_ylabel(f"amplitude (dimensionless{note})")
        handles = [Line2D([], [], color=up), Line2D([], [], color=down)]
        self.energy_ax_ = self.pump_ax_ = None
        if self.energies is not None:
            label = "energy (units of the model)"
            self.energy_ax_ = _right_axis(ax, x, self.energies, label, INK, "-")
        if self.pump is not None:
            label = "pump rate (dimensionless)"
            self.pump_ax_ = _right_axis(ax, x, self.pump, label, COLOURS[2], "--")
            if self.energy_ax_ is not None:
                self.pump_ax_.spines["right"].set_position(("outward", 62))
        ax.legend(
            handles,
            ["ends as spin +1", "ends as spin −1"],
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=2,
            frameon=False,
        )
        return self


def _right_axis(ax, x, y, label, colour, style):
    right = ax.twinx()
    right.plot(x, y, color=colour, linestyle=style, linewidth=1.6)
    right.set_ylabel(label, color=colour)
    right.tick_params(axis="y", colors=colour)
    right.spines["right"].set_color(colour)
    return right
