# SPDX-License-Identifier: Apache-2.0
"""The losses that FIP knows: squares, functions of the margin, softmax entropy."""

import numpy as np
import scipy.special

from qestim.qubo._fip_encoding import Form
from qestim.qubo._fip_network import Reach, tabulate
from qestim.qubo._fip_size import BlockSize, block_size
from qestim.qubo._spline import Spline, interpolate

# Functions of minus the margin, all increasing.
MARGIN_LOSSES = ("zero_one", "hinge", "logistic")
# How far the joint values of two quantities are listed to bound their sum.
_JOINT = 4_000_000


def make_loss(loss, y, n_samples):
    """Return the loss object of a name, a callable or a Spline."""
    y = np.asarray(y)
    if y.ndim not in (1, 2) or len(y) != n_samples or not y.size:
        raise ValueError(
            f"y must have one target for each of the {n_samples} rows of X. "
            f"Got shape {y.shape}."
        )
    if loss == "squared":
        return SquaredLoss(y)
    if loss == "cross_entropy":
        return CrossEntropyLoss(y)
    if loss in MARGIN_LOSSES or callable(loss):
        return MarginLoss(loss, y)
    raise ValueError(
        "The 'loss' parameter of FIPProblem must be 'squared', 'cross_entropy', one of "
        f"{MARGIN_LOSSES}, or a function of minus the margin. Got {loss!r}."
    )


def highest_losses(loss, reaches, group):
    """Return bounds of the loss of each sample, of shape (n_samples, n_parts)."""
    highest = np.empty((len(group), loss.n_parts))
    for number, walk in enumerate(reaches):
        rows = np.flatnonzero(group == number)
        highest[rows] = loss.highest(walk[-1], rows)
    return highest


class SquaredLoss:
    """Sum over the outputs of (o - y)^2; quadratic as it stands."""

    quadratic = True

    def __init__(self, y):
        self.y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if not np.isfinite(self.y).all():
            raise ValueError("The targets y must be finite. Got NaN or infinity.")
        self.n_outputs = self.n_parts = self.y.shape[1]

    def prepare(self, unit, reach, pieces, degree):
        """Take the real value of one in the outputs, and their reach in all samples."""
        self.unit = unit

    def highest(self, reach, rows):
        """Return bounds of the loss, of shape (n_rows, n_parts)."""
        ends = self.unit * np.array([reach.low, reach.high])
        return ((ends - self.y[rows][..., None]) ** 2).max(axis=-1)

    def blocks(self, reach, encoding):
        """Return the blocks: (size, how many, outputs in the argument of each)."""
        return [(BlockSize(0, 0, ()), self.n_outputs, 1)]

    def encode(self, bits, layer, outputs, reach, rows, encoding):
        """Return the forms that are squared."""
        return outputs.scaled(self.unit).shifted(-self.y[rows])

    def value(self, outputs):
        """Return the losses that are encoded, for integer outputs of every sample."""
        return ((self.unit * outputs - self.y) ** 2).sum(axis=1)

    def true(self, outputs):
        """Return the losses of real outputs of every sample."""
        return ((outputs - self.y) ** 2).sum(axis=1)

    def error(self, off, highest):
        """Bound the distance of `value` to `true` for outputs that are ``off``."""
        return (off * (2 * np.sqrt(highest) + off)).sum(axis=1)


class MarginLoss:
    """Sum over the outputs of a function of minus the margin, q = -y o."""

    quadratic = False

    def __init__(self, loss, y):
        self.loss = loss
        self.y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if not np.isin(self.y, (-1, 1)).all():
            raise ValueError(
                f"With loss={loss!r} the targets y must be -1 or 1, one column an "
                f"output. Got {np.setdiff1d(self.y, (-1, 1))[:3].tolist()} among them."
            )
        self.n_outputs = self.n_parts = self.y.shape[1]

    def prepare(self, unit, reach, pieces, degree):
        """Lay the spline of the loss over the reach of the outputs."""
        low, high = unit * reach.low, unit * reach.high
        if self.loss == "zero_one":
            spline = Spline.staircase([0.0], [0.0, 1.0])
        elif self.loss == "hinge":
            spline = Spline([-1.0], [-1, -1], [0, 0], [0, 1], lipschitz=1.0)
        elif isinstance(self.loss, Spline):
            spline = self.loss
        else:
            function = "softplus" if self.loss == "logistic" else self.loss
            spline = interpolate(function, low, high, pieces, degree=degree)
        self.unit, self.ends = unit, (low, high)
        self.table = tabulate(spline, unit, reach.low, reach.high, 0)

    def highest(self, reach, rows):
        """Return bounds of the loss, of shape (n_rows, n_parts)."""
        _, _, start, end = self.table.ends(reach)
        return np.full((len(rows), self.n_parts), max(start.max(), end.max()))

    def blocks(self, reach, encoding):
        """Return the blocks: (size, how many, outputs in the argument of each)."""
        return [(block_size(self.table, reach, encoding), self.n_outputs, 1)]

    def encode(self, bits, layer, outputs, reach, rows, encoding):
        """Return the forms that are added up."""
        q = outputs.scaled(-self.y[rows])
        return bits.apply(layer, q, reach, self.table, encoding, "final")

    def value(self, outputs):
        """Return the losses that are encoded, for integer outputs of every sample."""
        return self.table(-self.y * outputs).sum(axis=1)

    def true(self, outputs):
        """Return the losses of real outputs of every sample."""
        return self.table.spline.true(-self.y * outputs).sum(axis=1)

    def error(self, off, highest):
        """Bound the distance of `value` to `true` for outputs that are ``off``."""
        most = off.max()
        if most > 0:
            low, high = self.ends[0] - most, self.ends[1] + most
            steepest = self.table.spline.steepest(low, high)
            spread = np.ptp(np.append(self.table.values, highest))
            off = steepest * off if np.isfinite(steepest) else np.full_like(off, spread)
        return (self.table.error + off).sum(axis=1)


class CrossEntropyLoss:
    r"""Softmax cross-entropy, log sum_c exp(o_c - o_y), as a chain of softplus splines.

    With L = 0 to begin with, each wrong class adds softplus(o_c - o_y - L) to L.
    """

    quadratic = False
    n_parts = 1

    def __init__(self, y):
        y = np.asarray(y)
        labels = y.astype(np.int64) if y.ndim == 1 and np.isfinite(y).all() else None
        if labels is None or (labels != y).any() or labels.min() < 0:
            raise ValueError(
                "With loss='cross_entropy' the targets y must be the classes 0, 1, ... "
                f"in shape (n_samples,). Got shape {y.shape}, {y.ravel()[:3].tolist()} "
                "first."
            )
        self.y = labels
        self.n_outputs = max(2, int(labels.max()) + 1)
        classes = np.arange(self.n_outputs)
        self.others = np.array([np.delete(classes, label) for label in labels])

    def prepare(self, unit, reach, pieces, degree):
        """Lay softplus over all arguments, on a finer lattice in each step."""
        self.unit = unit
        most = unit * (reach.high - reach.low)
        cap = most + np.log(self.n_outputs) + 1
        while True:
            low, high = -most - cap, most
            spline = interpolate("softplus", low, high, pieces, degree=degree)
            self.tables = []
            for k in range(1, self.n_outputs):
                step = 0 if k == self.n_outputs - 1 else None
                ends = int(np.floor(low / unit)), int(np.ceil(high / unit))
                self.tables.append(tabulate(spline, unit, *ends, step, unit))
                unit = self.tables[-1].step
            unit = self.unit
            if self._chain(reach)[1] <= cap:
                return
            cap *= 1.5

    def _chain(self, reach):
        """Return the reach of the argument of each step, and the highest loss."""
        total, arguments, highest = Reach(0, 0, 1), [], 0.0
        for table in self.tables:
            fine = round(self.unit / table.unit)
            spread = (reach.high - reach.low) * fine
            d = np.arange(-spread, spread + 1, reach.gap * fine)
            gap = int(np.gcd(reach.gap * fine, total.gap if total.top else total.low))
            argument = Reach(-spread - total.high, spread - total.low, gap)
            arguments.append(argument)
            _, _, start, end = table.ends(argument)
            ratio = table.unit / table.step
            low = total.low * ratio + min(start.min(), end.min())
            high = total.high * ratio + max(start.max(), end.max())
            if (total.top + 1) * len(d) <= _JOINT:
                # The sum at equal L, which bounds it better than the parts do.
                L = np.arange(total.low, total.high + 1, total.gap)
                joint = L[:, None] * ratio + table(d - L[:, None])
                low, high = joint.min(), joint.max()
            if table is self.tables[-1]:
                highest = float(high)
            else:
                gap = argument.through(table).gap
                gap = int(np.gcd(gap, total.gap * round(ratio))) if total.top else gap
                total = Reach(int(low), int(high), gap)
        return arguments, highest

    def highest(self, reach, rows):
        """Return bounds of the loss, of shape (n_rows, 1)."""
        return np.full((len(rows), 1), self._chain(reach)[1])

    def blocks(self, reach, encoding):
        """Return the blocks: (size, how many, outputs in the argument of each)."""
        arguments = self._chain(reach)[0]
        sizes = [
            block_size(table, argument, encoding)
            for table, argument in zip(self.tables, arguments, strict=True)
        ]
        # The argument of a step holds two outputs and the results of all before it.
        rows = [
            tuple(row + sum(done.terms for done in sizes[:k]) for row in size.rows)
            for k, size in enumerate(sizes)
        ]
        return [
            (BlockSize(size.bits, size.terms, row), 1, 2)
            for size, row in zip(sizes, rows, strict=True)
        ]

    def encode(self, bits, layer, outputs, reach, rows, encoding):
        """Return the forms that are added up."""
        own = outputs.unit(self.y[rows][:, None])
        total = Form.of(np.zeros((len(rows), 1)))
        steps = zip(
            self.tables, self._chain(reach)[0], self.others[rows].T, strict=True
        )
        for k, (table, argument, other) in enumerate(steps):
            difference = outputs.unit(other[:, None]).minus(own)
            fine = round(self.unit / table.unit)
            z = difference.scaled(fine).minus(total)
            scope = "final" if table is self.tables[-1] else "all"
            added = bits.apply(layer + k, z, argument, table, encoding, scope)
            total = added.minus(total.scaled(-table.unit / table.step))
        return total

    def value(self, outputs):
        """Return the losses that are encoded, for integer outputs of every sample."""
        total = np.zeros(len(self.y))
        differences = self._differences(outputs).T
        for table, difference in zip(self.tables, differences, strict=True):
            z = np.rint(round(self.unit / table.unit) * difference - total)
            total = total * (table.unit / table.step) + table(z.astype(np.int64))
        return total

    def true(self, outputs):
        """Return the losses of real outputs of every sample."""
        differences = self._differences(outputs)
        zero = np.zeros((len(outputs), 1))
        return scipy.special.logsumexp(np.hstack([zero, differences]), axis=1)

    def error(self, off, highest):
        """Bound the distance of `value` to `true` for outputs that are ``off``."""
        # The slope of L + softplus(d - L) in L lies between 0 and 1: errors add up.
        return sum(table.error for table in self.tables) + 2 * off.max(axis=1)

    def _differences(self, outputs):
        own = np.take_along_axis(outputs, self.y[:, None], axis=1)
        return np.take_along_axis(outputs, self.others, axis=1) - own
