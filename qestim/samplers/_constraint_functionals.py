# SPDX-License-Identifier: Apache-2.0
"""Constraints as functionals of bits that vanish where they hold."""

from collections import defaultdict

import dimod
import numpy as np
import scipy.sparse

from qestim.samplers._constraint_bits import (
    common_unit,
    expand_variable,
    integer_weights,
    slack_top,
)


class Builder:
    """Collect terms in dicts, then turn them into the fields of `ConstrainedArrays`.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
        The model.
    """

    def __init__(self, cqm):
        self.cqm = cqm
        self.num_bits = 0
        self.expansion = {}
        self.functionals = []  # (owner, signed, constant, linear, pairs)
        self.products = {}
        self.below = set()  # pairs (p, x) that a constraint p <= x holds

    def build(self):
        """Return the fields, as a dict."""
        for label in self.cqm.variables:
            self.expansion[label] = expand_variable(self.cqm, label, self.num_bits)
            self.num_bits += len(self.expansion[label].bits)
        objective = self.expand(self.cqm.objective, "objective")
        rows, equality, tolerance = [], [], []
        for label, comparison in self.cqm.constraints.items():
            if comparison.lhs.is_soft():
                raise ValueError(
                    f"The constraint {label!r} is soft. Add its penalty to the "
                    "objective, or leave out its weight to make it hard."
                )
            rhs = float(comparison.rhs)
            name = f"constraint {label!r}"
            _check_finite(rhs, name)
            constant, linear, pairs = self.expand(comparison.lhs, name)
            sign = -1.0 if comparison.sense is dimod.sym.Sense.Ge else 1.0
            term = (
                sign * (constant - rhs),
                {i: sign * a for i, a in linear.items() if a},
                {pair: sign * a for pair, a in pairs.items() if a},
            )
            rows.append(term)
            equality.append(comparison.sense is dimod.sym.Sense.Eq)
            tolerance.append(1e-8 + 1e-6 * abs(rhs))
            if not equality[-1] and (term[0], pairs) == (0, {}):
                by_bias = {bias: i for i, bias in term[1].items()}
                if set(by_bias) == {-1, 1} and len(term[1]) == 2:
                    self.below.add((by_bias[1], by_bias[-1]))
        for owner, label in enumerate(self.cqm.constraints):
            self.add_constraint(owner, label, rows[owner], equality[owner])
        return self.arrays(objective, rows, equality, tolerance)

    def expand(self, model, where):
        """Return the constant, linear and pair terms of a quadratic model in bits."""
        linear: dict = defaultdict(float)
        pairs: dict = defaultdict(float)
        constant = float(model.offset)
        for label, bias in model.iter_linear():
            _check_finite(bias, where)
            part = self.expansion[label]
            constant += bias * part.offset
            for i, weight in zip(part.bits, part.weights, strict=True):
                linear[i] += bias * weight
        for u, v, bias in model.iter_quadratic():
            _check_finite(bias, where)
            left, right = self.expansion[u], self.expansion[v]
            constant += bias * left.offset * right.offset
            for part, other in ((left, right), (right, left)):
                for i, weight in zip(part.bits, part.weights, strict=True):
                    linear[i] += bias * weight * other.offset
            for i, a in zip(left.bits, left.weights, strict=True):
                for j, b in zip(right.bits, right.weights, strict=True):
                    if i == j:
                        linear[i] += bias * a * b
                    else:
                        pairs[_ordered(i, j)] += bias * a * b
        _check_finite(constant, where)
        return constant, linear, pairs

    def add_constraint(self, owner, label, term, equality):
        """Add the functionals of ``constant + linear + pairs == 0`` (or <= 0)."""
        constant, linear, pairs = term
        linear = dict(linear)
        for pair, bias in pairs.items():
            z = self.product(owner, pair)
            linear[z] = linear.get(z, 0.0) + bias
        index = np.array(list(linear), dtype=np.int64)
        a = np.array(list(linear.values()), dtype=np.float64)
        least, most = constant + a[a < 0].sum(), constant + a[a > 0].sum()
        slack = 1e-8 + 1e-6 * abs(constant)
        if least > slack or (equality and most < -slack):
            raise ValueError(
                f"No assignment satisfies the constraint {label!r}: its left side "
                f"minus its right side is {least:g} to {most:g}."
            )
        if len(a) == 0 or (not equality and most <= slack):
            return
        if not equality and len(a) <= 2:
            self.add_forbidden(owner, constant, index, a)
            return
        if not equality and self.add_and(owner, constant, linear):
            return
        unit = common_unit(a)
        if not equality:
            top = slack_top(label, unit, -least)
            weights = integer_weights(top)
            # The right side comes down to the next value that the left side takes.
            constant -= least + unit * top
            index = np.concatenate([index, self.num_bits + np.arange(len(weights))])
            a = np.concatenate([a, unit * np.array(weights, dtype=np.float64)])
            self.num_bits += len(weights)
        scale = unit or np.abs(a).max()
        self.add_row(owner, constant / scale, index, a / scale)

    def add_row(self, owner, constant, index, a):
        """Add the residual of ``constant + a . x`` and the square of it."""
        self.functionals.append(
            (owner, True, constant, dict(zip(index.tolist(), a, strict=True)), {})
        )
        linear = dict(zip(index.tolist(), a**2 + 2 * constant * a, strict=True))
        i, j = np.triu_indices(len(a), 1)
        low, high = np.minimum(index[i], index[j]), np.maximum(index[i], index[j])
        pairs = dict(
            zip(
                zip(low.tolist(), high.tolist(), strict=True),
                2 * a[i] * a[j],
                strict=True,
            )
        )
        self.functionals.append((owner, False, constant**2, linear, pairs))

    def add_forbidden(self, owner, constant, index, a):
        """Add the number of forbidden states, of an inequality of one or two bits."""
        total = 0.0
        linear: dict = defaultdict(float)
        pairs: dict = defaultdict(float)
        for state in np.ndindex(*(2,) * len(a)):
            if constant + np.dot(a, state) <= 1e-8 + 1e-6 * abs(constant):
                continue
            # The product of x or 1 - x over the bits: one in this state alone.
            total += float(not any(state))
            for k, i in enumerate(index.tolist()):
                others = [bit for place, bit in enumerate(state) if place != k]
                linear[i] += (2 * state[k] - 1) * float(not any(others))
            if len(a) == 2:
                low, high = sorted(index.tolist())
                pairs[low, high] += (2 * state[0] - 1) * (2 * state[1] - 1)
        self.functionals.append((owner, False, total, linear, pairs))

    def add_and(self, owner, constant, linear):
        """Add p >= x + y - 1 by Rosenberg's term, where p <= x and p <= y hold."""
        ones = sorted(i for i, bias in linear.items() if bias == 1)
        product = [i for i, bias in linear.items() if bias == -1]
        if (constant, len(ones), len(product), len(linear)) != (-1, 2, 1, 3):
            return False
        if not all((product[0], i) in self.below for i in ones):
            return False
        self.add_rosenberg(owner, ones, product[0])
        return True

    def add_rosenberg(self, owner, ones, z):
        x, y = ones
        pairs = {(x, y): 1.0, _ordered(x, z): -2.0, _ordered(y, z): -2.0}
        self.functionals.append((owner, False, 0.0, {z: 3.0}, pairs))

    def product(self, owner, pair):
        """Return the bit that stands for a product, held to it by Rosenberg's term."""
        if pair not in self.products:
            self.products[pair] = self.num_bits
            self.add_rosenberg(owner, pair, self.num_bits)
            self.num_bits += 1
        return self.products[pair]

    def arrays(self, objective, rows, equality, tolerance):
        n = self.num_bits
        terms = [objective, *rows, *(entry[2:] for entry in self.functionals)]
        keys = np.array([p for term in terms for p in term[2]], dtype=np.int64)
        keys = np.unique(keys.reshape(-1, 2), axis=0)
        place = {tuple(pair): n + k for k, pair in enumerate(keys.tolist())}
        constant, matrix = _stack(terms, place, n + len(keys))
        last = 1 + len(rows)
        return dict(
            cqm=self.cqm,
            expansions=list(self.expansion.values()),
            num_bits=n,
            row=keys[:, 0].astype(np.int32),
            col=keys[:, 1].astype(np.int32),
            q=matrix[[0]].toarray()[0],
            q0=float(constant[0]),
            G=matrix[last:],
            g0=constant[last:],
            signed=np.array([entry[1] for entry in self.functionals], dtype=bool),
            owner=np.array([entry[0] for entry in self.functionals], dtype=np.int64),
            C=matrix[1:last],
            c0=constant[1:last],
            equality=np.array(equality, dtype=bool),
            tolerance=np.array(tolerance, dtype=np.float64),
        )


def _stack(terms, place, width):
    """Return the constants and the sparse rows of terms in dicts."""
    indptr, indices, data = [0], [], []
    for _, linear, pairs in terms:
        indices += [*linear, *(place[pair] for pair in pairs)]
        data += [*linear.values(), *pairs.values()]
        indptr.append(len(indices))
    matrix = scipy.sparse.csr_array(
        (np.array(data, dtype=np.float64), np.array(indices, dtype=np.int64), indptr),
        shape=(len(terms), width),
    )
    return np.array([term[0] for term in terms], dtype=np.float64), matrix


def _ordered(i, j):
    return (i, j) if i < j else (j, i)


def _check_finite(value, where):
    if not np.isfinite(value):
        raise ValueError(
            f"Every bias of the model must be finite. The {where} has {value}."
        )
