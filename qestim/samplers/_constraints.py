# SPDX-License-Identifier: Apache-2.0
"""A constrained quadratic model as arrays: everything is linear on products of bits."""

from dataclasses import dataclass
from typing import Any

import dimod
import numpy as np

from qestim.samplers._constraint_bits import values_of
from qestim.samplers._constraint_functionals import Builder


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
        return cls(**Builder(cqm).build())

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
