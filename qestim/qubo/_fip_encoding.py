# SPDX-License-Identifier: Apache-2.0
"""Constraints that carry a network's intervals: linear residuals and products."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np


@dataclass
class Form:
    """Affine forms of bits, one for each sample and unit.

    ``index`` and ``factor`` have shape (n_samples, n_units, n_terms), ``constant``
    (n_samples, n_units), each up to broadcasting over the samples.
    """

    index: np.ndarray
    factor: np.ndarray
    constant: np.ndarray

    @classmethod
    def of(cls, constant):
        """Return constants as forms without terms."""
        empty = np.empty((*constant.shape, 0))
        return cls(empty.astype(np.int64), empty, constant)

    def plus(self, index, factor):
        """Return the forms with more terms, broadcast to all samples and units."""
        shape = np.broadcast_shapes(self.index.shape[:2], index.shape[:2])
        parts = [(self.index, self.factor), (index, factor)]
        return Form(
            np.concatenate(
                [np.broadcast_to(i, (*shape, i.shape[2])) for i, _ in parts], 2
            ),
            np.concatenate(
                [np.broadcast_to(f, (*shape, i.shape[2])) for i, f in parts], 2
            ),
            self.constant,
        )

    def scaled(self, scale):
        """Return the forms times a number or an array of shape (n_samples, n_units)."""
        scale = np.asarray(scale, dtype=np.float64)
        return Form(self.index, self.factor * scale[..., None], self.constant * scale)

    def shifted(self, shift):
        """Return the forms plus a number or an array of shape (n_samples, n_units)."""
        return Form(self.index, self.factor, self.constant + shift)

    def minus(self, other):
        """Return the difference of two forms."""
        difference = self.plus(other.index, -other.factor)
        return Form(difference.index, difference.factor, self.constant - other.constant)

    def unit(self, units):
        """Return one unit a sample, given by its number in shape (n_samples, 1)."""
        return Form(
            np.take_along_axis(self.index, units[..., None], axis=1),
            np.take_along_axis(self.factor, units[..., None], axis=1),
            np.take_along_axis(self.constant, units, axis=1),
        )

    def of_bits(self, x):
        """Return the values for bits, of shape (n_samples, n_units)."""
        return (x[self.index] * self.factor).sum(axis=2) + self.constant

    def lattice(self, x):
        """Return the values as integers, which they are on consistent bits."""
        return np.rint(self.of_bits(x)).astype(np.int64)


@dataclass
class Encoding:
    """The auxiliary bits of samples that share their intervals, and what ties them.

    A residual is a form that vanishes on consistent bits. A product is ``p = x y``.
    The scope of a constraint says what breaking it can gain: "all" of a sample's loss,
    the "part" of its unit's output, or, in the "final" block of a loss, no more than a
    known ``rule`` for each unit of violation.
    Bits are numbered sample by sample, from ``first[n]`` on; ``steps`` set them, in
    order, to what the weight bits make of them.
    """

    first: np.ndarray
    samples: np.ndarray
    count: int = 0
    residuals: list = field(default_factory=list)
    products: list = field(default_factory=list)
    kinds: list = field(default_factory=list)
    steps: list = field(default_factory=list)

    def bits(self, kind, layer, *shape, piece=0):
        """Return the indices of new bits, of shape (n_samples, *shape)."""
        size = int(np.prod(shape))
        local = np.arange(self.count, self.count + size).reshape(shape)
        self.count += size
        self.kinds.append((kind, layer, piece, shape))
        return self.first.reshape(-1, *[1] * len(shape)) + local

    def product(self, kind, layer, x, y, scope, piece=0, rule=None):
        """Return the indices of p = x y for indices of one shape."""
        x, y = np.broadcast_arrays(x, y)
        p = self.bits(kind, layer, *x.shape[1:], piece=piece)
        self.products.append((x, y, p, scope, rule))
        self.steps.append(lambda bits: bits.__setitem__(p, bits[x] & bits[y]))
        return p

    def weighted(self, layer, inputs, bias, weights, code, scope):
        """Return the pre-activations, products of weights and bits included.

        ``weights`` are the indices of the weight bits, of shape (n_out, n_in, n_bits),
        the last column that of the constant input ``bias``, if it is not zero.
        """
        n_out = len(weights)
        n_in = inputs.constant.shape[1]
        factors = np.array(code.factors, dtype=np.float64)
        constant = inputs.constant
        if bias:
            column = np.full((len(constant), 1), float(bias))
            constant = np.concatenate([constant, column], axis=1)
        zero = code.constant * constant.sum(axis=1, keepdims=True)
        form = Form.of(np.repeat(zero, n_out, axis=1))
        used = constant.any(axis=0)
        form = form.plus(
            weights[None, :, used].reshape(1, n_out, -1),
            (constant[:, used, None] * factors).reshape(len(constant), 1, -1),
        )
        if not inputs.index.shape[2]:
            return form
        if code.constant:
            form = form.plus(
                inputs.index.reshape(len(constant), 1, -1),
                code.constant * inputs.factor.reshape(len(inputs.factor), 1, -1),
            )
        p = self.product(
            "p",
            layer,
            weights[None, :, :n_in, None],
            inputs.index[:, None, :, :, None],
            scope,
        )
        factor = np.broadcast_to(
            inputs.factor[:, None, :, :, None] * factors,
            (len(inputs.factor), 1, *p.shape[2:]),
        )
        return form.plus(
            p.reshape(len(p), n_out, -1), factor.reshape(len(factor), 1, -1)
        )

    def apply(self, layer, form, reach, table, encoding, scope):
        """Return the results of a table for forms of a reach, bits included."""
        used, first, start, _ = table.ends(reach)
        at = (first - reach.low) // reach.gap
        rise = table.slopes[used] * reach.gap
        u = form.shifted(-float(reach.low)).scaled(1.0 / reach.gap)
        shape = np.broadcast_shapes(u.index.shape[:2], u.constant.shape)
        if len(at) == 1 and not rise[0]:
            return Form.of(np.full(shape, start[0]))
        one_hot = encoding == "onehot" and len(at) > 1
        encode = self._one_hot if one_hot else self._thresholds
        return encode(layer, u, int(reach.top), at, start, rise, scope)

    def _thresholds(self, layer, u, top, at, start, rise, scope):
        n_units = u.index.shape[1]
        result = Form.of(np.full((len(self.first), n_units), float(start[0])))
        if rise[0]:
            s = self.bits("s", layer, n_units, top.bit_length())
            self._residual(u, [(s, -powers(s))], 0.0, scope, abs(rise[0]))
            self.steps.append(partial(set_slack, u, s))
            result = result.plus(s, rise[0] * powers(s))
        for m in range(1, len(at)):
            width = slack_width(at[m], top)
            n_bits = width.bit_length() - 1
            beta = self.bits("beta", layer, n_units, 1, piece=m)
            s = self.bits("s", layer, n_units, n_bits, piece=m)
            jump = start[m] - start[m - 1] - rise[m - 1] * (at[m] - at[m - 1])
            bend = rise[m] - rise[m - 1]
            self._residual(
                u,
                [(beta, np.full(1, -float(width))), (s, -powers(s))],
                float(width - at[m]),
                scope,
                max(abs(jump), abs(bend)),
            )
            self.steps.append(partial(set_threshold, u, beta, s, int(at[m]), width))
            if jump:
                result = result.plus(beta, np.full((1, 1, 1), jump))
            if bend and n_bits:
                rule = abs(bend) * powers(s)
                q = self.product("q", layer, beta, s, scope, m, rule)
                result = result.plus(q, bend * powers(s))
        return result

    def _one_hot(self, layer, u, top, at, start, rise, scope):
        n_units = u.index.shape[1]
        scope = "part" if scope == "final" else scope
        width, pad, piece = cells(at, top)
        n_bits = width.bit_length() - 1
        h = self.bits("h", layer, n_units, len(piece))
        s = self.bits("s", layer, n_units, n_bits)
        ones = np.ones(len(piece))
        unit = Form.of(np.full(u.constant.shape, -1.0))
        self._residual(unit, [(h, ones)], 0.0, scope, None)
        left = width * np.arange(len(piece)) - pad
        self._residual(u, [(h, -1.0 * left), (s, -powers(s))], 0.0, scope, None)
        self.steps.append(partial(set_cells, u, h, s, pad, width))
        value = start[piece] + rise[piece] * (left - at[piece])
        result = Form.of(np.zeros((len(self.first), n_units))).plus(
            h, value[None, None]
        )
        sloped = np.flatnonzero(rise[piece])
        if len(sloped) and n_bits:
            q = self.product("q", layer, h[..., sloped, None], s[..., None, :], scope)
            factor = rise[piece][sloped, None] * powers(s)
            result = result.plus(
                q.reshape(len(q), n_units, -1), factor.reshape(1, 1, -1)
            )
        return result

    def _residual(self, form, terms, constant, scope, rule):
        residual = form.shifted(constant)
        for index, factor in terms:
            residual = residual.plus(index, np.reshape(factor, (1, 1, -1)))
        self.residuals.append((residual, scope, rule))


def set_binary(x, s, number):
    """Set the bits s to the binary digits of a number."""
    x[s] = number[..., None] >> np.arange(s.shape[2]) & 1


def set_slack(u, s, x):
    """Set the bits s to u itself, in the bits x."""
    set_binary(x, s, u.lattice(x))


def set_threshold(u, beta, s, at, width, x):
    """Set beta to [u >= at] and s to the slack, in the bits x."""
    index = u.lattice(x)
    above = index >= at
    x[beta[..., 0]] = above
    set_binary(x, s, index - at + width * ~above)


def set_cells(u, h, s, pad, width, x):
    """Set h to the cell in which u lies and s to the place in it, in the bits x."""
    cell, place = np.divmod(u.lattice(x) + pad, width)
    x[h] = cell[..., None] == np.arange(h.shape[2])
    set_binary(x, s, place)


def powers(s):
    """Return 1, 2, 4, ..., one for each bit of the last axis."""
    return 2.0 ** np.arange(s.shape[-1])


def slack_width(at, top):
    """Return the least power of two that holds both 0..at-1 and at..top."""
    return 1 << (int(max(at, top - at + 1)) - 1).bit_length()


def cells(at, top):
    """Return width, padding and the piece of each cell of the one-hot encoding.

    The cells have one width, a power of two, and each lies within one piece; the
    first begins ``pad`` below zero.
    """
    if len(at) == 2:
        width = slack_width(at[1], top)
    else:
        distance = int(np.gcd.reduce(np.diff(at[1:])))
        width = distance & -distance
    pad = int(-at[1] % width)
    count = (int(top) + pad) // width + 1
    piece = np.searchsorted(at[1:], width * np.arange(count) - pad, side="right")
    return width, pad, piece
