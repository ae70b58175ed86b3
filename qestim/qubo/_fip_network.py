# SPDX-License-Identifier: Apache-2.0
"""The network that FIP encodes: integer weights, integer layers, their intervals."""

from dataclasses import dataclass

import numpy as np

from qestim.qubo._spline import ACTIVATIONS, Spline, interpolate

# The step of the results is halved at most this often.
_HALVINGS = 10


@dataclass(frozen=True)
class WeightCode:
    """Integers as an affine form of bits: W = constant + sum of factors times bits.

    ``greatest`` is the largest weight, ``step`` the distance between neighbours.
    """

    constant: int
    factors: tuple[int, ...]
    greatest: int
    step: int

    @classmethod
    def of(cls, weight_bits):
        """Return the code of b bits (odd integers) or "ternary" (-1, 0, 1)."""
        if weight_bits == "ternary":
            return cls(0, (1, -1), 1, 1)
        greatest = 2**weight_bits - 1
        return cls(
            -greatest, tuple(2 ** (k + 1) for k in range(weight_bits)), greatest, 2
        )

    @property
    def levels(self):
        """All weights, in order."""
        return np.arange(-self.greatest, self.greatest + 1, self.step)

    def bits(self, weights):
        """Return bits of shape (*weights.shape, n_bits); a ternary zero gets none."""
        if self.constant == 0:
            return np.stack([weights > 0, weights < 0], axis=-1).astype(np.int8)
        order = (weights - self.constant) // 2
        return (order[..., None] >> np.arange(len(self.factors)) & 1).astype(np.int8)

    def weights(self, bits):
        """Return the integers of bits of shape (..., n_bits)."""
        return self.constant + np.asarray(bits, dtype=np.int64) @ np.array(self.factors)


@dataclass(frozen=True, eq=False)
class Table:
    """A spline on integers: ``values[m] + slopes[m] (Z - starts[m])`` in piece m.

    ``starts[0]`` lies at or below every argument; ``unit`` is the real value of one in
    the argument, ``step`` that of one in the result; ``error`` bounds the distance of
    the real result to the function meant, for arguments that are exact.
    """

    starts: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    unit: float
    step: float
    spline: Spline
    error: float

    def __call__(self, z):
        """Return the results, in steps, for integer arguments."""
        m = np.searchsorted(self.starts[1:], z, side="right")
        return self.values[m] + self.slopes[m] * (z - self.starts[m])

    def ends(self, reach):
        """Return the pieces that a reach meets and their results at both ends."""
        m = np.searchsorted(self.starts[1:], [reach.low, reach.high], side="right")
        used = np.arange(m[0], m[1] + 1)
        first = np.maximum(self.starts[used], reach.low)
        first = reach.low + -(-(first - reach.low) // reach.gap) * reach.gap
        next_first = np.append(first[1:], reach.high + reach.gap)
        last = next_first - reach.gap
        kept = last >= first  # The lattice may step over a short piece.
        used, first, last = used[kept], first[kept], last[kept]
        at = self.values[used] + self.slopes[used] * (first - self.starts[used])
        return used, first, at, at + self.slopes[used] * (last - first)


def tabulate(spline, unit, low, high, step, base=None):
    """Return a spline as a table on the integers low .. high.

    ``step`` 0 keeps real results. None halves ``base``, by default the unit of the
    argument (for slopes) or the least level (for stairs), until rounding costs no more
    than the spline itself.
    """
    if step is None:
        levels = np.abs(spline.values[spline.values != 0])
        sloped = spline.slopes.any() or not len(levels)
        step = base or (unit if sloped else float(levels.min()))
        for _ in range(_HALVINGS):
            table = tabulate(spline, unit, low, high, step)
            if table.error <= 2 * spline.error + 1e-9:
                return table
            step /= 2
    starts = np.ceil(spline.breaks / unit - 1e-9).astype(np.int64)
    starts = np.concatenate([[low], np.clip(starts, low, high + 1)])
    ends = np.append(starts[1:], high + 1) - 1
    kept = ends >= starts
    starts, ends = starts[kept], ends[kept]
    slopes = spline.slopes[kept] * unit
    left = spline.values[kept] + slopes * (starts - spline.anchors[kept] / unit)
    right = left + slopes * (ends - starts)
    error = spline.error
    if step:
        slopes = np.round(slopes / step)
        # The rounded slope turns about the middle of the piece.
        values = np.round((left + right) / (2 * step) - slopes * (ends - starts) / 2)
        off = np.abs(values * step - left)
        off = np.maximum(
            off, np.abs((values + slopes * (ends - starts)) * step - right)
        )
        error += float(off.max()) if off.max() > 1e-12 else 0.0
    else:
        step, values = 1.0, left
    return _merged(Table(starts, values, slopes, unit, step, spline, error))


def _merged(table):
    """Leave out the starts at which nothing changes."""
    before = table.values[:-1] + table.slopes[:-1] * np.diff(table.starts)
    jump = np.abs(table.values[1:] - before) > 1e-9 * np.abs(table.values).max()
    bend = np.abs(np.diff(table.slopes)) > 1e-9 * np.abs(table.slopes).max()
    kept = np.concatenate([[True], jump | bend])
    return Table(
        table.starts[kept],
        table.values[kept],
        table.slopes[kept],
        table.unit,
        table.step,
        table.spline,
        table.error,
    )


@dataclass(frozen=True)
class Reach:
    """Integers that a quantity can take: low, low + gap, ..., high."""

    low: int
    high: int
    gap: int

    @property
    def top(self):
        """Index of the last lattice point; the first is 0."""
        return (self.high - self.low) // self.gap

    def through(self, table):
        """Return the reach of the results of a table."""
        used, _, start, end = table.ends(self)
        results = np.concatenate([start, end]).astype(np.int64)
        rises = np.where(end != start, table.slopes[used] * self.gap, 0)
        gap = np.gcd.reduce([*np.abs(results - results[0]), *np.abs(rises).astype(int)])
        return Reach(int(results.min()), int(results.max()), int(gap) or 1)

    def summed(self, fan_in, bias, code):
        """Return the reach of ``fan_in`` weighted values of this reach and a bias."""
        highest = max(abs(self.low), abs(self.high)) * fan_in + bias
        spread = self.gap if self.high > self.low else 0
        gap = np.gcd.reduce([code.step * self.low, spread, code.step * bias])
        high = code.greatest * highest
        return Reach(-high, high, int(gap) or 1)


def input_reaches(X, code):
    """Return the reaches of the first layer, and which of them each row of X has."""
    high = code.greatest * np.abs(X).sum(axis=1)
    gap = np.maximum(1, code.step * np.gcd.reduce(X, axis=1))
    kinds, group = np.unique(np.stack([high, gap], axis=1), axis=0, return_inverse=True)
    return [Reach(-int(h), int(h), int(g)) for h, g in kinds], group.ravel()


def make_spline(activation, low, high, pieces, degree, spacing=None):
    """Return the spline of an activation: a name, a callable or a Spline."""
    if isinstance(activation, Spline):
        return activation
    if isinstance(activation, str) and degree is None and activation in ACTIVATIONS:
        degree = ACTIVATIONS[activation][3]
    degree = 1 if degree is None else degree
    return interpolate(activation, low, high, pieces, degree=degree, spacing=spacing)
