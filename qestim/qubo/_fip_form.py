# SPDX-License-Identifier: Apache-2.0
"""The bits of an exact form: numbers, labels, what ties them and what sets them."""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain, repeat

import dimod
import numpy as np

from qestim import _native
from qestim.qubo._arrays import IsingArrays
from qestim.qubo._fip_assembly import Rows, assemble
from qestim.qubo._fip_encoding import Encoding, Form


class ExactForm:
    """The weight bits, then the auxiliary bits sample by sample.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_inputs), dtype int64
        Inputs, with their constant column.
    layers : Layers
        The network.
    loss : SquaredLoss, MarginLoss or CrossEntropyLoss
        With its targets.
    encoding : {"threshold", "onehot"}
        How an interval is marked.
    reaches : list of list of Reach
        For each group of samples the reach of every layer.
    group : ndarray of shape (n_samples,), dtype int
        Group of each sample.
    report : SizeReport
        Where the bits of each sample begin follows from it.
    """

    def __init__(self, X, layers, loss, encoding, reaches, group, report):
        self.X, self.layers, self.loss = X, layers, loss
        self.weight_index, first = [], 0
        for layer in range(len(layers.units)):
            shape = (*layers.shape(layer), len(layers.code.factors))
            size = int(np.prod(shape))
            self.weight_index.append(np.arange(first, first + size).reshape(shape))
            first += size
        begin = first + np.cumsum(report.auxiliary_bits) - report.auxiliary_bits
        self.encodings = []
        for number, walk in enumerate(reaches):
            samples = np.flatnonzero(group == number)
            bits = Encoding(begin[samples], samples)
            self.encodings.append((bits, self._encode(bits, walk, encoding)))
        self.num_variables = first + sum(
            bits.count * len(bits.samples) for bits, _ in self.encodings
        )

    def _encode(self, bits, reaches, encoding):
        """Tie the bits of the samples of a group; return the form of their loss."""
        a = Form.of(self.X[bits.samples].astype(np.float64))
        last = len(reaches) - 1
        for layer, reach in enumerate(reaches):
            apart = layer == last and self.loss.n_parts == self.loss.n_outputs
            scope = "part" if apart else "all"
            bias, index = self.layers.biases[layer], self.weight_index[layer]
            z = bits.weighted(layer, a, bias, index, self.layers.code, scope)
            if layer < last:
                table = self.layers.tables[layer]
                a = bits.apply(layer, z, reach, table, encoding, "all")
        return self.loss.encode(bits, last, z, reaches[-1], bits.samples, encoding)

    @cached_property
    def variables(self):
        """Labels of all bits, in order."""
        labels = [
            ("w", layer, *place)
            for layer, index in enumerate(self.weight_index)
            for place in np.ndindex(index.shape)
        ]
        by_sample: list[list] = [[] for _ in range(len(self.X))]
        for bits, _ in self.encodings:
            kinds = [
                (kind, layer, piece, list(zip(*np.ndindex(shape), strict=True)))
                for kind, layer, piece, shape in bits.kinds
                if np.prod(shape)
            ]
            for n in bits.samples.tolist():
                for kind, *place, columns in kinds:
                    by_sample[n] += zip(
                        repeat(kind), repeat(n), *map(repeat, place), *columns
                    )
        return labels + list(chain.from_iterable(by_sample))

    @cached_property
    def lowest(self):
        """Least value of each part of the loss over all bits, consistent or not."""
        lowest = np.zeros((len(self.X), self.loss.n_parts))
        if not self.loss.quadratic:
            for bits, form in self.encodings:
                floor = form.constant + np.minimum(form.factor, 0).sum(axis=2)
                lowest[bits.samples] = floor
        return lowest

    def qubo(self, weight, bound=None):
        """Return the quadratic form for weights of shape (n_samples, n_parts + 1)."""
        quadratic = self.loss.quadratic
        return assemble(self.encodings, weight, bound, quadratic, self.num_variables)

    def cqm(self):
        """Return the loss as objective, and every tie as a linear constraint."""
        free = np.zeros((len(self.X), self.loss.n_parts + 1))
        cqm = dimod.ConstrainedQuadraticModel()
        cqm.set_objective(to_bqm(self.qubo(free), self.variables))
        rows = Rows()
        for bits, _ in self.encodings:
            for form, _, _ in bits.residuals:
                rows.add(form, 1.0)
        A, b, _ = rows.matrix(self.num_variables)
        A.sum_duplicates()
        ends = A.indptr.tolist()
        labels = [self.variables[i] for i in A.indices.tolist()]
        terms = list(zip(labels, A.data.tolist(), strict=True))
        for r, constant in enumerate(b.tolist()):
            cqm.add_constraint_from_iterable(
                terms[ends[r] : ends[r + 1]], "==", -constant, label=f"equality_{r}"
            )
        for bits, _ in self.encodings:
            for x, y, p, _, _ in bits.products:
                triples = np.stack(np.broadcast_arrays(x, y, p), axis=-1).reshape(-1, 3)
                for triple in triples.tolist():
                    u, v, w = (self.variables[i] for i in triple)
                    name = "_".join(map(str, w))
                    for side, end in (("first", u), ("second", v)):
                        cqm.add_constraint_from_iterable(
                            [(w, 1), (end, -1)], "<=", 0, label=f"{name}_{side}"
                        )
                    cqm.add_constraint_from_iterable(
                        [(w, 1), (u, -1), (v, -1)], ">=", -1, label=f"{name}_both"
                    )
        return cqm

    def consistent(self, weights):
        """Return all bits, int8 of shape (num_variables,), of a network's weights."""
        x = np.zeros(self.num_variables, dtype=np.int8)
        for index, W in zip(self.weight_index, weights, strict=True):
            x[index] = self.layers.code.bits(W)
        for bits, _ in self.encodings:
            for step in bits.steps:
                step(x)
        return x

    def weights(self, sample):
        """Return the integer weights that the weight bits of a sample stand for."""
        weights = []
        for layer, index in enumerate(self.weight_index):
            places = np.ndindex(index.shape)
            try:
                bits = [sample["w", layer, *place] > 0 for place in places]
            except (KeyError, TypeError, IndexError) as error:
                raise ValueError(
                    "A sample must map every weight bit to its value, as sampleset."
                    f"first.sample does. Got {type(sample).__name__}: {error}."
                ) from error
            weights.append(self.layers.code.weights(np.reshape(bits, index.shape)))
        return weights


class Labels(Sequence):
    """The labels of a form, made when one is asked for."""

    def __init__(self, form):
        self._form = form

    def __len__(self):
        return self._form.num_variables

    def __getitem__(self, i):
        return self._form.variables[i]


def to_ising(qubo, variables):
    """Return a quadratic form as arrays for spins."""
    h, J, shift = _native.binary_to_spin(qubo.linear, qubo.row, qubo.col, qubo.value)
    return IsingArrays(h, qubo.row, qubo.col, J, qubo.offset + shift, variables)


def to_bqm(qubo, variables):
    """Return a quadratic form as a dimod model with labels."""
    qubo = qubo.ordered()
    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
        qubo.linear, (qubo.row, qubo.col, qubo.value), qubo.offset, dimod.BINARY
    )
    bqm.relabel_variables(dict(enumerate(variables)))
    return bqm
