# SPDX-License-Identifier: Apache-2.0
"""A constrained quadratic model as arrays: everything is linear on products of bits."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import dimod
import numpy as np
import scipy.sparse

from qestim.samplers._constraint_bits import (
    common_unit,
    expand_variable,
    integer_weights,
    slack_top,
    values_of,
)


@dataclass(frozen=True, eq=False)
class ConstrainedArrays:
    r"""Objective and constraints as linear functions of the lift of the bits.

    The lift of bits :math:`x` is :math:`v(x) = (x_1 .. x_n, x_i x_j, ..)` with the
    pairs of `row` and `col`. The objective is :math:`q \cdot v + q_0`; the functionals
    :math:`g = G v + g_0` vanish on the feasible points. A row of a linear constraint
    gives two of them, its residual and the square of it; the others are never negative.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
        Where the arrays come from.
    expansions : list of BitExpansion
        The bits of the model's variables; slacks and products follow.
    num_bits : int
        ``n``, with slacks and products.
    row, col : ndarray of shape (m,), dtype int32
        The pairs of the lift, ``row < col``.
    q, q0 : ndarray of shape (n + m,), and float
        The objective, in its own units.
    G, g0 : csr_array of shape (k, n + m), and ndarray of shape (k,)
        The functionals, in the unit of their constraint (dimensionless).
    signed : ndarray of shape (k,), dtype bool
        Which functionals can be negative: the residuals.
    owner : ndarray of shape (k,), dtype int
        Index of the constraint of each functional.
    C, c0 : csr_array of shape (l, n + m), and ndarray of shape (l,)
        Left minus right side of each constraint, in its own units, "<=" or "==".
    equality : ndarray of shape (l,), dtype bool
        Which constraints are equalities.
    tolerance : ndarray of shape (l,)
        Violation that counts as none, dimod's, in the units of the constraint.
    """

    cqm: Any
    expansions: list
    num_bits: int
    row: np.ndarray
    col: np.ndarray
    q: np.ndarray
    q0: float
    G: Any
    g0: np.ndarray
    signed: np.ndarray
    owner: np.ndarray
    C: Any
    c0: np.ndarray
    equality: np.ndarray
    tolerance: np.ndarray

    @classmethod
    def from_cqm(cls, cqm):
        """Read a dimod model.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
            Binary, spin and bounded integer variables; linear or quadratic constraints.

        Returns
        -------
        arrays : ConstrainedArrays
            Integers in bits, a slack in bits for each inequality of three or more
            bits, a bit for each product in a quadratic constraint.

        Raises
        ------
        TypeError
            If ``cqm`` is something else.
        ValueError
            If the model has no variables, a real one, a soft constraint, or a
            constraint that no assignment satisfies; if a bias is NaN or infinite.
        """
        if not isinstance(cqm, dimod.ConstrainedQuadraticModel):
            raise TypeError(
                "cqm must be a dimod.ConstrainedQuadraticModel. Got "
                f"{type(cqm).__name__}; for a model without constraints use sample."
            )
        if cqm.num_variables() == 0:
            raise ValueError("The model has no variables. Add some.")
        return _Builder(cqm).build()

    def lift(self, bits):
        """Return the lift of some reads, float64 of shape (num_reads, n + m)."""
        bits = bits.astype(np.float64)
        return np.concatenate([bits, bits[:, self.row] * bits[:, self.col]], axis=1)

    @property
    def objective_scale(self):
        """Greatest coefficient of the objective, in its units; 1 where all are 0."""
        return float(np.abs(self.q).max(initial=0.0)) or 1.0

    @property
    def mean_square(self):
        """Mean over random bits of the squares of residuals, and of the other g."""
        n, m = self.num_bits, len(self.row)
        mean = self.G @ np.concatenate([np.full(n, 0.5), np.full(m, 0.25)]) + self.g0
        # The square of a residual is the functional that comes after it.
        return np.where(self.signed, np.append(mean[1:], 0.0), mean)

    def violations(self, lifted):
        """Return by how much each constraint is violated, (num_reads, l)."""
        difference = (self.C @ lifted.T).T + self.c0
        excess = np.where(self.equality, np.abs(difference), difference)
        return np.where(excess <= self.tolerance, 0.0, excess)

    def values(self, bits):
        """Return the values of the model's variables, (num_reads, num_variables)."""
        return values_of(self.expansions, bits)


class _Builder:
    """Collect terms in dicts, then turn them into arrays once."""

    def __init__(self, cqm):
        self.cqm = cqm
        self.num_bits = 0
        self.expansion = {}
        self.functionals = []  # (owner, signed, constant, linear, pairs)
        self.products = {}

    def build(self):
        for label in self.cqm.variables:
            self.expansion[label] = expand_variable(self.cqm, label, self.num_bits)
            self.num_bits += len(self.expansion[label].bits)
        objective = self.expand(self.cqm.objective, "objective")
        rows, equality, tolerance = [], [], []
        for owner, (label, comparison) in enumerate(self.cqm.constraints.items()):
            if comparison.lhs.is_soft():
                raise ValueError(
                    f"The constraint {label!r} is soft. Add its penalty to the "
                    "objective, or leave out its weight to make it hard."
                )
            rhs = float(comparison.rhs)
            name = f"constraint {label!r}"
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
            self.add_constraint(owner, label, term, equality[-1])
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
                        pairs[min(i, j), max(i, j)] += bias * a * b
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

    def product(self, owner, pair):
        """Return the bit that stands for a product, held to it by Rosenberg's term."""
        if pair not in self.products:
            x, y = pair
            z = self.products[pair] = self.num_bits
            self.num_bits += 1
            pairs = {(x, y): 1.0, (x, z): -2.0, (y, z): -2.0}
            self.functionals.append((owner, False, 0.0, {z: 3.0}, pairs))
        return self.products[pair]

    def arrays(self, objective, rows, equality, tolerance):
        n = self.num_bits
        terms = [objective, *rows, *(entry[2:] for entry in self.functionals)]
        keys = np.array([p for term in terms for p in term[2]], dtype=np.int64)
        keys = np.unique(keys.reshape(-1, 2), axis=0)
        place = {tuple(pair): n + k for k, pair in enumerate(keys.tolist())}
        constant, matrix = _stack(terms, place, n + len(keys))
        last = 1 + len(rows)
        return ConstrainedArrays(
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


def _check_finite(value, where):
    if not np.isfinite(value):
        raise ValueError(
            f"Every bias of the model must be finite. The {where} has {value}."
        )
