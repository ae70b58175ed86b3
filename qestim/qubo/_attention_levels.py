# SPDX-License-Identifier: Apache-2.0
"""The quadratic form of attention weights that are written in bits."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class LevelForm:
    r"""Weights in steps of 1/D, D = 2^bits - 1, in P blocks of n keys.

    .. math:: E = \sum_b \left(\tfrac12 p_b^T M_b p_b + c_b \cdot p_b\right)
              + \mathrm{cross} \sum_{b<b'} \sum_{jr} x_{bjr} x_{b'jr} + \mathrm{offset},
              \qquad p_{bj} = \frac1D \sum_r 2^r x_{bjr}

    Parameters
    ----------
    matrix : ndarray of shape (P, n, n), dtype float64
        Symmetric, the M.
    linear : ndarray of shape (P, n), dtype float64
        The c.
    allowed : ndarray of bool of shape (P, n)
        Keys whose weight may differ from 0.
    bits : int
        Bits of a weight.
    cross : float, default=0.0
        Coupling of a bit with the same bit in another block.
    offset : float, default=0.0
        Constant part.
    """

    matrix: np.ndarray
    linear: np.ndarray
    allowed: np.ndarray
    bits: int
    cross: float = 0.0
    offset: float = 0.0

    def arrays(self):
        """Return linear, row, col, value and offset of the QUBO.

        A bit for each allowed key and power of two, in that order; no pair twice.
        """
        blocks, size = self.linear.shape
        power = 2.0 ** np.arange(self.bits) / (2**self.bits - 1)
        own = np.diagonal(self.matrix, axis1=1, axis2=2)
        linear = self.linear[..., None] * power + own[..., None] * power**2 / 2
        allowed = np.repeat(self.allowed, self.bits, axis=1)
        place = np.cumsum(allowed).reshape(allowed.shape) - 1
        first, second = np.triu_indices(size * self.bits, 1)
        key, weight = np.divmod(np.arange(size * self.bits), self.bits)
        weight = power[weight]
        within = self.matrix[:, key[first], key[second]]
        within = within * (weight[first] * weight[second])
        both = allowed[:, first] & allowed[:, second]
        ends = [(place[:, first][both], place[:, second][both])]
        values = [within[both]]
        if self.cross:
            one, two = np.triu_indices(blocks, 1)
            both = allowed[one] & allowed[two]
            ends.append((place[one][both], place[two][both]))
            values.append(np.full(both.sum(), self.cross))
        row, col = (np.concatenate(e).astype(np.int32) for e in zip(*ends, strict=True))
        linear = linear.reshape(blocks, -1)[allowed]
        return linear, row, col, np.concatenate(values), self.offset


def bits_of(weights, bits):
    """Return the bits, 0 or 1 of shape (..., bits), of weights in steps of 1/D."""
    steps = 2**bits - 1
    levels = np.rint(weights * steps).astype(np.int64)
    if not np.allclose(levels, weights * steps, atol=1e-9):
        raise ValueError(f"Weights must be in steps of 1 / {steps}.")
    return (levels[..., None] >> np.arange(bits)) % 2


def sparsemax(scores):
    """Return the projection of scores onto the simplex, along the last axis.

    Parameters
    ----------
    scores : ndarray of shape (..., n), dtype float64
        -inf has weight 0; each row has another number.

    Returns
    -------
    weights : ndarray of shape (..., n)
        They sum to 1.
    threshold : ndarray of shape (..., 1)
        What is subtracted before cutting at 0.
    """
    # No weight is on a score more than 1 below the largest.
    top = scores.max(-1, keepdims=True)
    ordered = -np.sort(-np.maximum(scores, top - 1), axis=-1)
    size = np.arange(1, scores.shape[-1] + 1)
    excess = np.cumsum(ordered, -1) - 1
    support = (size * ordered > excess).sum(-1, keepdims=True)
    threshold = np.take_along_axis(excess, support - 1, -1) / support
    return np.maximum(scores - threshold, 0.0), threshold


def sparsemax_form(scores, bits, penalty):
    r"""Return the form of the QUBO whose minimum is sparsemax up to 1/D.

    :math:`\frac12 |p|^2 - (z - \tau) \cdot p - \tau + A (\sum_j p_j - 1)^2`. With the
    threshold :math:`\tau` of sparsemax, the minimum without the last term is sparsemax
    itself; the best weights in steps of 1/D that sum to 1 are at most
    :math:`n / 8D^2` above it (random rounding that keeps the sum has half the sum of
    :math:`f(1 - f)` as its mean). A sum that is off by a step costs :math:`A / D^2`, so
    that ``"auto"``, A = n / 4, is enough.

    Parameters
    ----------
    scores : ndarray of shape (P, n), dtype float64
        The z; -inf forbids a key.
    bits : int
        Bits of a weight.
    penalty : float or "auto"
        The A, dimensionless.

    Returns
    -------
    form : LevelForm
        A block a row.
    """
    allowed = scores > -np.inf
    _, threshold = sparsemax(scores)
    number = allowed.sum(1)
    weight = number / 4 if penalty == "auto" else np.full(len(scores), penalty)
    size = scores.shape[1]
    matrix = np.eye(size) + 2 * weight[:, None, None] * np.ones((size, size))
    linear = np.where(allowed, threshold - scores, 0.0) - 2 * weight[:, None]
    offset = float((weight - threshold[:, 0]).sum())
    return LevelForm(matrix, linear, allowed, bits, 0.0, offset)


def repair_sum(levels, scores, total):
    """Return levels that sum to ``total`` a row, by the steps that cost least.

    Parameters
    ----------
    levels : ndarray of int64 of shape (P, n)
        Whole numbers of 1/D.
    scores : ndarray of shape (P, n), dtype float64
        The scores of sparsemax.
    total : int
        The D.

    Returns
    -------
    levels : ndarray of int64 of shape (P, n)
        In [0, total].
    """
    levels = levels.copy()
    for row, score in zip(levels, scores, strict=True):
        while row.sum() < total:
            row[np.argmax(score - row / total)] += 1
        while row.sum() > total:
            row[np.argmin(np.where(row > 0, score - row / total, np.inf))] -= 1
    return levels


def published_energy(weights, couplings, linear, bits, cross):
    """Return the energy of the released operator.

    Parameters
    ----------
    weights : ndarray of shape (H, S), dtype float64
        In steps of 1/D.
    couplings : ndarray of shape (H, S, S), dtype float64
        The J.
    linear : ndarray of shape (H, S), dtype float64
        The h.
    bits : int
        Bits of a weight.
    cross : float
        Cost of a bit that is set in two heads.

    Returns
    -------
    energy : float
        In the units of the couplings.
    """
    interaction = np.einsum("hi,hij,hj->", weights, couplings, weights)
    heads = bits_of(weights, bits).sum(0)
    pairs = (heads * (heads - 1) / 2).sum()
    return float(cross * pairs - interaction - (linear * weights).sum())
