# SPDX-License-Identifier: Apache-2.0
"""What the displays share: their axes, their colours and the axis of a parameter."""

import numbers

import numpy as np

# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#333333"


class Display:
    """Base of the displays; at a prompt it says how to see the picture."""

    def __repr__(self):
        return f"{type(self).__name__}, drawn by its plot()"


def axes_for(display, ax):
    """Return ``ax``, or new axes, and store them and their figure in the display.

    Parameters
    ----------
    display : object
        Gets the attributes ``ax_`` and ``figure_``.
    ax : matplotlib.axes.Axes or None
        The axes to draw on.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Where to draw.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib, which is not installed. "
            "Install it with: pip install 'qestim[plot]'"
        ) from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def parameter_axis(ax, values, name):
    """Set up the x axis of a swept parameter and return the places of its values.

    Numbers stand where they are, on a logarithmic axis where they are positive and
    span a factor of 20 or more; other values stand side by side, not joined.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    values : list
        Values of the parameter.
    name : str
        Its name, for the label.

    Returns
    -------
    places : ndarray of shape (len(values),)
        Coordinates on the axis.
    line : str
        Line style that suits them.
    """
    ax.set_xlabel(name)
    if not all(
        isinstance(value, numbers.Real) and not isinstance(value, bool)
        for value in values
    ):
        places = np.arange(len(values), dtype=np.float64)
        ax.set_xticks(places, [str(value) for value in values])
        ax.set_xlim(-0.5, len(values) - 0.5)
        return places, "none"
    places = np.asarray(values, dtype=np.float64)
    if places.min() > 0 and places.max() >= 20 * places.min():
        ax.set_xscale("log")
    return places, "-"
