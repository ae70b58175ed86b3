# SPDX-License-Identifier: Apache-2.0
"""Staircases and piecewise-linear splines of any function, with their error bounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.special

# Cells of each piece on which the error is measured.
_CELLS = 256


@dataclass(frozen=True, eq=False)
class Spline:
    r"""A function that is constant or linear between its breaks.

    Piece ``m`` reaches from break ``m - 1``, included, to break ``m``; there

    .. math:: S(z) = v_m + \alpha_m (z - a_m).

    The first and last piece go on for ever.

    Parameters
    ----------
    breaks : array-like of shape (n_pieces - 1,)
        Strictly increasing, in the units of the argument.
    anchors : array-like of shape (n_pieces,)
        Where the pieces take their values, in the units of the argument.
    values : array-like of shape (n_pieces,)
        Values at the anchors, in the units of the function.
    slopes : array-like of shape (n_pieces,)
        Units of the function per unit of the argument.
    error : float, default=0.0
        Bound of the distance to the function that the spline stands for, in the units
        of the function. Zero: the spline is the function.
    function : callable, default=None
        What the spline stands for; None means itself.
    lipschitz : float, default=inf
        Bound of the slope of ``function``.

    Raises
    ------
    ValueError
        If the lengths do not match, a number is not finite or breaks do not increase.

    References
    ----------
    Derived in docs/guide/quantized.md.

    Examples
    --------
    >>> from qestim.qubo import Spline
    >>> relu = Spline.from_knots([-1, 0, 1], [0, 0, 1])
    >>> relu([-0.5, 0.25]).tolist()
    [0.0, 0.25]
    """

    breaks: Any
    anchors: Any
    values: Any
    slopes: Any
    error: float = 0.0
    function: Callable | None = None
    lipschitz: float = np.inf

    def __post_init__(self):
        for name in ("breaks", "anchors", "values", "slopes"):
            array = np.asarray(getattr(self, name), dtype=np.float64)
            size = len(self.values) - (name == "breaks")
            if array.shape != (size,) or not np.isfinite(array).all():
                raise ValueError(
                    f"The {name!r} of a spline with {len(self.values)} pieces must be "
                    f"{size} finite numbers. Got {getattr(self, name)!r}."
                )
            object.__setattr__(self, name, array)
        if (np.diff(self.breaks) <= 0).any():
            raise ValueError(f"'breaks' must increase. Got {self.breaks.tolist()}.")

    def __call__(self, z):
        """Return the values of the spline, an ndarray of the shape of ``z``."""
        z = np.asarray(z, dtype=np.float64)
        m = np.searchsorted(self.breaks, z, side="right")
        return self.values[m] + self.slopes[m] * (z - self.anchors[m])

    def true(self, z) -> np.ndarray:
        """Return the values of the function that the spline stands for.

        Parameters
        ----------
        z : array-like of any shape
            Arguments, dimensionless.

        Returns
        -------
        values : ndarray of the shape of ``z``, dtype float64
            Of `function`, or of the spline itself where that is None.
        """
        z = np.asarray(z, dtype=np.float64)
        return self(z) if self.function is None else self.function(z)

    def steepest(self, low, high) -> float:
        """Return a bound of the slope of the function between two arguments.

        Where `lipschitz` is not known it is measured on 4096 cells, with the largest
        second difference for what happens inside them; jumps of a spline are infinite.

        Parameters
        ----------
        low, high : float
            Ends of the interval of arguments, dimensionless.

        Returns
        -------
        bound : float
            At least the modulus of every slope between them; inf at a jump.
        """
        if np.isfinite(self.lipschitz) or self.function is None:
            return self.lipschitz
        if self.function is _step:
            return np.inf
        grid = np.linspace(low, high, 4097)
        value = np.asarray(self.function(grid), dtype=np.float64)
        rise = np.abs(np.diff(value)).max() + np.abs(np.diff(value, 2)).max()
        return float(rise / (grid[1] - grid[0])) if high > low else 0.0

    @classmethod
    def staircase(cls, thresholds, levels) -> Self:
        """Return the function that steps to the next level at each threshold.

        Parameters
        ----------
        thresholds : array-like of shape (n_levels - 1,)
            Strictly increasing; at a threshold the upper level holds.
        levels : array-like of shape (n_levels,)
            Values between the thresholds.

        Returns
        -------
        spline : Spline
            With slopes zero and error zero.

        Examples
        --------
        >>> from qestim.qubo import Spline
        >>> Spline.staircase([0], [-1, 1])([-2, 0]).tolist()
        [-1.0, 1.0]
        """
        thresholds = np.asarray(thresholds, dtype=np.float64)
        levels = np.asarray(levels, dtype=np.float64)
        anchors = np.concatenate([thresholds[:1], thresholds])
        if not len(thresholds):
            anchors = np.zeros(1)
        return cls(thresholds, anchors, levels, np.zeros(len(levels)))

    @classmethod
    def from_knots(cls, knots, values) -> Self:
        """Return the function that runs straight from knot to knot.

        Parameters
        ----------
        knots : array-like of shape (n_pieces + 1,)
            Strictly increasing; the outer pieces go on beyond the outer knots.
        values : array-like of shape (n_pieces + 1,)
            Values at the knots.

        Returns
        -------
        spline : Spline
            With error zero: the spline is the function.
        """
        knots = np.asarray(knots, dtype=np.float64)
        values = np.asarray(values, dtype=np.float64)
        if knots.ndim != 1 or knots.shape != values.shape or len(knots) < 2:
            raise ValueError(
                "'knots' and 'values' must be two lists of the same length, at least "
                f"2. Got shapes {knots.shape} and {values.shape}."
            )
        if (np.diff(knots) <= 0).any():
            raise ValueError(f"'knots' must increase. Got {knots.tolist()}.")
        slopes = np.diff(values) / np.diff(knots)
        steepest = float(np.abs(slopes).max())
        return cls(knots[1:-1], knots[:-1], values[:-1], slopes, lipschitz=steepest)


def interpolate(
    function, low, high, pieces=8, *, degree=1, kinks=(), spacing=None
) -> Spline:
    r"""Return a spline of a function on an interval, and how far it can be off.

    The knots divide the interval evenly, but for kinks, to which the nearest knot
    moves. A linear piece interpolates its ends, a constant one takes the middle between
    the least and the greatest value. On a piece of length h the error is at most
    :math:`h^2 \sup|f''| / 8`, respectively :math:`h \sup|f'| / 2`.

    Parameters
    ----------
    function : callable or str
        From an ndarray to an ndarray of the same shape, or a name in `ACTIVATIONS`.
    low, high : float
        Ends of the interval, in the units of the argument.
    pieces : int, default=8
        Number of pieces, at least 1.
    degree : {0, 1}, default=1
        Constant or linear pieces.
    kinks : sequence of float, default=()
        Places where the slope jumps.
    spacing : float, default=None
        Distance between knots, which are its multiples; None means the one that
        ``pieces`` gives.

    Returns
    -------
    spline : Spline
        Its ``error`` bounds the distance to ``function`` on the whole interval: the
        largest on 256 cells a piece, and for what happens inside a cell the largest
        second difference. This covers smooth functions, kinks and jumps; not a
        feature that begins and ends inside one cell.

    Raises
    ------
    ValueError
        If the interval is empty or the function gives values that are not finite.

    References
    ----------
    Derived in docs/guide/quantized.md.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.qubo import interpolate
    >>> spline = interpolate(np.tanh, -3, 3, pieces=16)
    >>> float(abs(spline(0.7) - np.tanh(0.7))) <= spline.error < 0.02
    True
    """
    lipschitz = np.inf
    if isinstance(function, str):
        function, kinks, lipschitz = _named(function)
    if not (np.isfinite([low, high]).all() and low <= high):
        raise ValueError(f"'low' <= 'high' must be finite. Got {low} and {high}.")
    if pieces < 1 or degree not in (0, 1):
        raise ValueError(
            f"'pieces' must be at least 1 and 'degree' 0 or 1. Got {pieces}, {degree}."
        )
    high = high if high > low else low + 1.0
    knots = _knots(low, high, int(pieces), kinks, spacing)
    left, right = knots[:-1], knots[1:]
    share = np.linspace(0, 1, _CELLS + 1)
    share[-1] -= 1e-12  # A jump at a knot belongs to the next piece.
    grid = left[:, None] + (right - left)[:, None] * share
    value = np.asarray(function(grid), dtype=np.float64)
    if value.shape != grid.shape or not np.isfinite(value).all():
        raise ValueError(
            "The function must give finite values of the shape of its argument. Got "
            f"shape {value.shape} for {grid.shape} on [{low:g}, {high:g}], finite: "
            f"{bool(np.isfinite(value).all())}."
        )
    if degree:
        slopes = (value[:, -1] - value[:, 0]) / (grid[:, -1] - left)
        values = value[:, 0]
    else:
        slopes = np.zeros(len(left))
        values = (value.min(axis=1) + value.max(axis=1)) / 2
    off = np.abs(value - values[:, None] - slopes[:, None] * (grid - left[:, None]))
    inside = np.abs(np.diff(value, 2, axis=1)).max(axis=1)
    error = float((off.max(axis=1) + inside).max())
    return Spline(knots[1:-1], left, values, slopes, error, function, lipschitz)


def _knots(low, high, pieces, kinks, spacing):
    if spacing is None:
        inner = np.linspace(low, high, pieces + 1)[1:-1]
    else:
        inner = spacing * np.arange(
            np.floor(low / spacing) + 1, np.ceil(high / spacing)
        )
    inside = [kink for kink in kinks if low < kink < high]
    for kink in inside:
        free = inner[~np.isin(inner, inside)]
        if len(free) and spacing is None:
            inner = inner[inner != free[np.abs(free - kink).argmin()]]
        inner = np.append(inner, kink)
    return np.unique(np.concatenate([[low], inner, [high]]))


def _step(z):
    return np.where(z >= 0, 1.0, -1.0)


def _gelu(z):
    return z * scipy.special.ndtr(z)


def _softplus(z):
    return np.logaddexp(0, z)


def _silu(z):
    return z * scipy.special.expit(z)


# name: (function, kinks, bound of the slope, degree that suits it)
ACTIVATIONS: dict[str, tuple[Callable, tuple[float, ...], float, int]] = {
    "relu": (lambda z: np.maximum(z, 0.0), (0.0,), 1.0, 1),
    "tanh": (np.tanh, (), 1.0, 1),
    "sigmoid": (scipy.special.expit, (), 0.25, 1),
    "sign": (_step, (0.0,), np.inf, 0),
    "hardtanh": (lambda z: np.clip(z, -1.0, 1.0), (-1.0, 1.0), 1.0, 1),
    # The slope of GELU is greatest at sqrt(2), that of SiLU near 2.3994.
    "gelu": (_gelu, (), 1.12905, 1),
    "softplus": (_softplus, (), 1.0, 1),
    "silu": (_silu, (), 1.09984, 1),
}


def _named(name):
    if name not in ACTIVATIONS:
        raise ValueError(
            f"An activation must be one of {sorted(ACTIVATIONS)}, a callable or a "
            f"Spline. Got {name!r}."
        )
    return ACTIVATIONS[name][:3]
