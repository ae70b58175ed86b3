# SPDX-License-Identifier: Apache-2.0
"""The variables and slacks of a constrained model as bits."""

import math
from dataclasses import dataclass
from fractions import Fraction

import dimod
import numpy as np

# An integer of more values is no longer a matter of a few bits.
_MAX_RANGE = 2**20
_MAX_DENOMINATOR = 10**4


@dataclass(frozen=True)
class BitExpansion:
    """A variable as ``offset + sum(weight * bit)``.

    Parameters
    ----------
    offset : float
        Value at all bits 0, in the units of the variable.
    bits : tuple of int
        Indices of its bits.
    weights : tuple of float
        What each bit adds, in the units of the variable.
    """

    offset: float
    bits: tuple
    weights: tuple


def integer_weights(top):
    """Return the weights of the bits that reach every integer of 0 .. top.

    Parameters
    ----------
    top : int
        Largest value, at least 1.

    Returns
    -------
    weights : list of int
        Powers of two, the last one cut so that they sum to ``top``.

    Examples
    --------
    >>> from qestim.samplers._constraint_bits import integer_weights
    >>> integer_weights(6)
    [1, 2, 3]
    """
    weights: list[int] = []
    while top > 0:
        weights.append(min(2 ** len(weights), top))
        top -= weights[-1]
    return weights


def expand_variable(cqm, label, first):
    """Return the bits of one variable of a model.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
        The model.
    label : hashable
        The variable.
    first : int
        Index of its first bit.

    Returns
    -------
    expansion : BitExpansion
        A binary variable is its own bit, a spin ``2 * bit - 1``, an integer its lower
        bound and as many bits as its range takes.

    Raises
    ------
    ValueError
        If the variable is real, has no integer in its bounds or has too many.
    """
    vartype = cqm.vartype(label)
    if vartype is dimod.BINARY:
        return BitExpansion(0.0, (first,), (1.0,))
    if vartype is dimod.SPIN:
        return BitExpansion(-1.0, (first,), (2.0,))
    if vartype is not dimod.INTEGER:
        raise ValueError(
            f"The variable {label!r} is {vartype.name}; binary, spin and integer ones "
            "can be sampled. Replace it by an integer in units of the precision "
            "that you need."
        )
    low, high = math.ceil(cqm.lower_bound(label)), math.floor(cqm.upper_bound(label))
    if not 0 <= high - low < _MAX_RANGE:
        raise ValueError(
            f"The integer variable {label!r} must have 1 to {_MAX_RANGE} values. Its "
            f"bounds are {low} and {high}; tighten them with cqm.set_lower_bound and "
            "cqm.set_upper_bound."
        )
    weights = integer_weights(high - low)
    bits = tuple(range(first, first + len(weights)))
    return BitExpansion(float(low), bits, tuple(float(weight) for weight in weights))


def common_unit(coefficients):
    """Return the largest number of which all coefficients are integer multiples.

    Parameters
    ----------
    coefficients : ndarray of shape (k,), dtype float64
        Finite and not all zero.

    Returns
    -------
    unit : float or None
        In the units of the coefficients; None where no denominator up to 10000
        makes them integers.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers._constraint_bits import common_unit
    >>> common_unit(np.array([0.5, 1.25])), common_unit(np.array([1.0, 2**0.5]))
    (0.25, None)
    """
    denominator = 1
    for value in coefficients:
        near = Fraction(float(value)).limit_denominator(_MAX_DENOMINATOR)
        if abs(float(near) - value) > 1e-12 * max(1.0, abs(value)):
            return None
        denominator = math.lcm(denominator, near.denominator)
        if denominator > _MAX_DENOMINATOR:
            return None
    numerators = [round(float(value) * denominator) for value in coefficients]
    return math.gcd(*numerators) / denominator


def slack_top(label, unit, room):
    """Return the largest slack, in units, of an inequality.

    Parameters
    ----------
    label : hashable
        Name of the constraint, for the messages.
    unit : float or None
        Unit of the left-hand side; see `common_unit`.
    room : float
        The right-hand side minus the least value of the left-hand side.

    Returns
    -------
    top : int
        The slack takes the values ``0 .. top``.

    Raises
    ------
    ValueError
        If the left-hand side has no unit or the slack too many values.
    """
    if unit is None:
        raise ValueError(
            f"The inequality {label!r} has coefficients that are no multiples of one "
            f"unit of at least {1 / _MAX_DENOMINATOR:g}, so its slack has no bits. "
            "Round them, to two decimals for example; scale up both sides if they "
            "are small."
        )
    top = math.floor(room / unit + 1e-6)
    if top >= _MAX_RANGE:
        raise ValueError(
            f"The slack of the inequality {label!r} takes {top + 1} values, and at "
            f"most {_MAX_RANGE} are allowed. Divide the coefficients by a common "
            "number and round them."
        )
    return top


def values_of(expansions, bits):
    """Return the values of the variables.

    Parameters
    ----------
    expansions : list of BitExpansion
        One a variable.
    bits : ndarray of shape (num_reads, n), dtype int8
        Values in {0, 1}.

    Returns
    -------
    values : ndarray of shape (num_reads, len(expansions)), dtype float64
        In the units of the variables.
    """
    values = np.empty((len(bits), len(expansions)))
    for k, expansion in enumerate(expansions):
        weights = np.asarray(expansion.weights)
        values[:, k] = expansion.offset + bits[:, list(expansion.bits)] @ weights
    return values
