# SPDX-License-Identifier: Apache-2.0
"""The parameters of an experiment, and the unit cube that surrogates see."""

from numbers import Integral, Real

import numpy as np

_KINDS = {"log", "int"}
_FEW = 4096  # settings of whole numbers that are looked at one by one
_SLACK = 1e-9  # of the range: rounding that a file or a unit conversion may add


class Space:
    """Named parameters with bounds; logarithmic and integer ones too.

    Parameters
    ----------
    space : dict of str to tuple, or array-like of shape (d, 2)
        ``(low, high)``, then ``"log"``, ``"int"`` or both.

    Attributes
    ----------
    names : list of str
        Names of the parameters; ``x0``, ``x1`` and so on for an array.
    """

    def __init__(self, space):
        if not isinstance(space, dict):
            rows = np.asarray(space, dtype=object)
            if rows.ndim != 2 or rows.shape[1] != 2:
                raise ValueError(
                    "The 'space' parameter must be a dict of name: (low, high) or have "
                    f"shape (d, 2). Got {space!r}."
                )
            space = {f"x{i}": tuple(row) for i, row in enumerate(rows.tolist())}
        if not space:
            raise ValueError("The 'space' parameter must name at least one parameter.")
        self.names = list(space)
        read = [_read_bounds(name, spec) for name, spec in space.items()]
        self.specs = dict(zip(self.names, read, strict=True))
        self._log = np.array(["log" in kinds for _, _, *kinds in read])
        self._int = np.array(["int" in kinds for _, _, *kinds in read])
        self._low, self._high = np.array([spec[:2] for spec in read], dtype=float).T
        # An integer owns the half unit on both sides, so that all are alike likely.
        half = 0.5 * self._int
        self._from = self._stretch(self._low - half)
        self._to = self._stretch(self._high + half)

    def __len__(self):
        return len(self.names)

    def _stretch(self, values):
        return np.where(self._log, np.log(np.where(self._log, values, 1.0)), values)

    def read(self, x):
        """Return settings as numbers, and whether there was only one.

        Parameters
        ----------
        x : dict, array-like of shape (d,), or a list of these
            Settings in the units of the experiment.

        Returns
        -------
        values : ndarray of shape (n, d)
            Within the bounds, integers rounded.
        single : bool
            Whether ``x`` was one setting.

        Raises
        ------
        ValueError
            If a name, a shape or a value is not as the space says.
        """
        if not isinstance(x, dict) and np.ndim(x) == 0:
            raise ValueError(f"A setting is a dict or a list of numbers. Got {x!r}.")
        several = not isinstance(x, dict) and (
            len(x) == 0 or isinstance(x[0], dict) or np.ndim(x[0]) > 0
        )
        single = not several
        rows = [x] if single else list(x)
        values = np.array([self._row(row) for row in rows]).reshape(-1, len(self))
        width = self._high - self._low
        low = self._low - _SLACK * np.where(self._log, self._low, width)
        high = self._high + _SLACK * np.where(self._log, self._high, width)
        # Not (inside) rather than outside, so that NaN is caught.
        wrong = ~((values >= low) & (values <= high))
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise ValueError(
                f"{self.names[j]!r} must lie in [{self._low[j]:g}, {self._high[j]:g}]. "
                f"Got {values[i, j]:g}; leave that run out or widen the space."
            )
        values = np.clip(values, self._low, self._high)
        return np.where(self._int, np.round(values), values), single

    def _row(self, row):
        if isinstance(row, dict):
            if set(row) != set(self.names):
                raise ValueError(
                    f"A setting names the parameters {self.names}. Got {list(row)}."
                )
            row = [row[name] for name in self.names]
        values = np.asarray(row, dtype=np.float64)
        if values.shape != (len(self),):
            raise ValueError(
                f"A setting has {len(self)} parameters, {self.names}. Got {row!r}."
            )
        return values

    def find(self, row, rows):
        """Return where rows hold a setting, but for rounding; None where they do not.

        Parameters
        ----------
        row : list of float
            A setting as `read` returns it.
        rows : list of list of float
            Settings.

        Returns
        -------
        i : int or None
            The nearest of those within 1e-9 of the range.
        """
        if not rows:
            return None
        away = np.abs(self.to_unit(np.array(rows)) - self.to_unit(np.array(row)))
        i = int(np.argmin(away.max(1)))
        return i if away[i].max() <= _SLACK else None

    def every(self):
        """Return all settings, shape (m, d), where they are few; else None."""
        counts = self._high - self._low + 1
        if not self._int.all() or counts.prod() > _FEW:
            return None
        ranges = [
            np.arange(a, b + 1) for a, b in zip(self._low, self._high, strict=True)
        ]
        return np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(
            -1, len(self)
        )

    def to_unit(self, values):
        """Map settings of shape (n, d) to the unit cube."""
        unit = (self._stretch(values) - self._from) / (self._to - self._from)
        # Ten digits: the same queries whatever the units of the parameters.
        return np.round(np.clip(unit, 0.0, 1.0), 10)

    def from_unit(self, unit):
        """Map points of the unit cube, shape (n, d), to settings."""
        values = self._from + unit * (self._to - self._from)
        values = np.where(self._log, np.exp(np.where(self._log, values, 0.0)), values)
        values = np.where(self._int, np.round(values), values)
        return np.clip(values, self._low, self._high)

    def to_dicts(self, values):
        """Name the settings of an array of shape (n, d)."""
        return [
            {
                name: int(value) if whole else float(value)
                for name, value, whole in zip(self.names, row, self._int, strict=True)
            }
            for row in values
        ]


def _read_bounds(name, spec):
    """Return (low, high, *kinds), checked."""
    if not isinstance(name, str):
        raise ValueError(f"Names of parameters must be str. Got {name!r}.")
    if isinstance(spec, str) or np.ndim(spec) == 0 or len(spec) < 2:
        raise ValueError(f"{name!r} needs (low, high). Got {spec!r}.")
    low, high, *kinds = spec
    if not set(kinds) <= _KINDS:
        raise ValueError(
            f"The kind of {name!r} must be 'log', 'int' or both. Got {kinds}."
        )
    numbers = isinstance(low, Real) and isinstance(high, Real)
    if not numbers or not (low < high and np.isfinite(float(high) - float(low))):
        raise ValueError(
            f"The bounds of {name!r} must be finite numbers with low < high. Got "
            f"({low!r}, {high!r})."
        )
    if "log" in kinds and low <= 0:
        raise ValueError(
            f"{name!r} is logarithmic: its low must be above 0. Got {low!r}."
        )
    whole = isinstance(low, Integral) and isinstance(high, Integral)
    if "int" in kinds and not whole:
        raise ValueError(
            f"{name!r} is an integer: its bounds must be int. Got ({low!r}, {high!r})."
        )
    cast = int if "int" in kinds else float
    return cast(low), cast(high), *sorted(kinds)
