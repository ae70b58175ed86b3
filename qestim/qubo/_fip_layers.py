# SPDX-License-Identifier: Apache-2.0
"""The layers of the network that FIP encodes: tables, units, and a forward pass."""

import math

import numpy as np

from qestim.qubo._fip_network import Reach, make_spline, tabulate

# Penalties times squares of lattice indices must leave a double room for the loss: at
# this limit energies lose some thousandth of the penalty to rounding.
_MOST_POINTS = 2**20


class Layers:
    """Tables of the activations, on the intervals that the samples can reach.

    Layer l computes ``Z = W a`` in integers, worth ``units[l]`` each; its table gives
    the next integers, worth ``steps[l + 1]`` each. ``biases[l]`` is the constant input
    of layer l, 0 without one; that of the first is a column of X.
    """

    def __init__(self, widths, code, widest, options):
        self.widths, self.code = widths, code
        self.tables, self.units, self.steps = [], [], [options["input_step"]]
        self.biases, self.reaches = [0], [widest]
        scales = options["weight_scale"]
        for layer in range(len(widths) - 2):
            reach = self.reaches[layer]
            self.units.append(scales[layer] * self.steps[layer])
            self.tables.append(self._table(reach, self.units[layer], options))
            self.steps.append(self.tables[layer].step)
            constant = max(1, round(1 / self.steps[-1])) if options["bias"] else 0
            self.biases.append(constant)
            self.reaches.append(self._next(layer, reach))
        self.units.append(scales[-1] * self.steps[-1])
        for layer, reach in enumerate(self.reaches):
            if reach.top >= _MOST_POINTS:
                raise ValueError(
                    f"Layer {layer} has {reach.top + 1} lattice points between its "
                    "least and greatest pre-activation; more than "
                    f"{_MOST_POINTS} "
                    "would drown the loss in rounding. Quantise X to fewer bits, "
                    "take fewer weight_bits or a coarser activation_step."
                )

    def _table(self, reach, unit, options):
        spacing = None
        pieces = options["pieces"]
        if options["encoding"] == "onehot" and reach.top:
            # Equal cells need knots a power of two of lattice steps apart.
            cell = 2 ** math.ceil(math.log2(max(1.0, reach.top / pieces)))
            spacing = unit * reach.gap * cell
        spline = make_spline(
            options["activation"],
            unit * reach.low,
            unit * reach.high,
            pieces,
            options["degree"],
            spacing,
        )
        return tabulate(spline, unit, reach.low, reach.high, options["activation_step"])

    def _next(self, layer, reach):
        return reach.through(self.tables[layer]).summed(
            self.widths[layer + 1], self.biases[layer + 1], self.code
        )

    def walk(self, first):
        """Return the reach of every layer for the reach of the first."""
        reaches = [first]
        for layer in range(len(self.tables)):
            reaches.append(self._next(layer, reaches[-1]))
        return reaches

    def shape(self, layer):
        """Return the shape of a layer's weights, its constant input included."""
        extra = 1 if self.biases[layer] else 0
        return self.widths[layer + 1], self.widths[layer] + extra

    @property
    def log_networks(self):
        """Natural logarithm of the number of settings of the weights."""
        sizes = [math.prod(self.shape(layer)) for layer in range(len(self.units))]
        return sum(sizes) * math.log(len(self.code.levels))

    def forward(self, X, weights):
        """Return the integers of the last layer, of shape (n_samples, n_out)."""
        a = X
        for layer, W in enumerate(weights):
            Z = a @ W.T
            if layer < len(self.tables):
                a = np.rint(self.tables[layer](Z)).astype(np.int64)
                a = self._with_constant(a, self.biases[layer + 1])
        return Z

    def true_forward(self, X, weights):
        """Return the outputs with the functions that the splines stand for."""
        a = X * self.steps[0]
        for layer, W in enumerate(weights):
            z = a @ W.T * (self.units[layer] / self.steps[layer])
            if layer < len(self.tables):
                a = self.tables[layer].spline.true(z)
                constant = self.biases[layer + 1] * self.steps[layer + 1]
                a = self._with_constant(a, constant)
        return z

    @staticmethod
    def _with_constant(a, constant):
        return np.hstack([a, np.full((len(a), 1), constant)]) if constant else a

    def output_error(self, input_error):
        """Bound the distance of an output to that of `true_forward`."""
        off, fan_in = input_error, self.widths[0]
        for layer, table in enumerate(self.tables):
            off = self._moved(layer, off, fan_in)
            if off > 0:
                results = table.ends(self.reaches[layer])[2:]
                spread = table.step * np.ptp(np.concatenate(results))
                reach = self.reaches[layer]
                ends = [self.units[layer] * end for end in (reach.low, reach.high)]
                steepest = table.spline.steepest(ends[0] - off, ends[1] + off)
                jump = spread + 2 * table.error
                off = steepest * off if np.isfinite(steepest) else jump
            off += table.error
            fan_in = self.widths[layer + 1]
        return self._moved(len(self.tables), off, fan_in)

    def _moved(self, layer, off, fan_in):
        return self.units[layer] / self.steps[layer] * self.code.greatest * fan_in * off


def widest_reach(reaches):
    """Return the least reach that holds all of some reaches that are symmetric."""
    high = max(reach.high for reach in reaches)
    gap = int(np.gcd.reduce([reach.gap for reach in reaches]))
    return Reach(-high, high, gap)
