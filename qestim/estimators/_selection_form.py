# SPDX-License-Identifier: Apache-2.0
"""From rows to the selection problem: gains and what two rows share of them."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from qestim.estimators._coverage import (
    largest_similarity,
    neighbor_similarity,
    shared,
    similarity,
)
from qestim.qubo import SelectionProblem


@dataclass
class Rows:
    """Rows to compare.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Where they lie.
    weights : ndarray of shape (n,)
        How much there is to cover at each, at least 0.
    beliefs : ndarray of shape (n, n_classes) or None
        Square roots of their class probabilities.
    trust : ndarray of shape (n,) or None
        Factor, 0 to 1, of what a row gains when it is chosen.
    """

    points: np.ndarray
    weights: np.ndarray
    beliefs: np.ndarray | None = None
    trust: np.ndarray | None = None

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        def part(values):
            return None if values is None else values[index]

        return Rows(
            self.points[index],
            self.weights[index],
            part(self.beliefs),
            part(self.trust),
        )


@dataclass
class Kernel:
    """How alike two rows are: in space, times in what is believed of their labels.

    Parameters
    ----------
    kind : {"rbf", "cosine"} or callable
        Kernel of the points.
    gamma : float
        Inverse squared width of "rbf".
    power : float
        Power of the similarity of the beliefs; 0 leaves them out.
    """

    kind: Any
    gamma: float
    power: float

    def __call__(self, a, b):
        """Return the similarity of two `Rows`, shape (n_a, n_b)."""
        S = similarity(self.kind, a.points, b.points, self.gamma)
        if self.power and a.beliefs is not None and b.beliefs is not None:
            S *= np.clip(a.beliefs @ b.beliefs.T, 0, 1) ** self.power
        return S


def selection_problem(rows, labeled, kernel, k, *, coverage, redundancy, n_dense):
    r"""Return the problem of choosing k of some rows.

    With the mix :math:`w` of coverage, the gain of row j is
    :math:`(1-w) u_j + w c_j / \max c` and two rows share
    :math:`(1-w) S_{ij} \min(u_i, u_j) + w\, o_{ij} / \max c`, so that a row chosen
    twice would gain once.

    Parameters
    ----------
    rows : Rows
        The candidates, which are what is to be covered, too.
    labeled : Rows or None
        What is covered already.
    kernel : Kernel
        Similarity.
    k : int
        How many to choose.
    coverage : float
        The mix w.
    redundancy : float
        Weight of what is shared.
    n_dense : int
        Above so many rows only near neighbours are compared, and two rows share their
        similarity times the smaller coverage.

    Returns
    -------
    problem : SelectionProblem
        Variable j is row j.
    """
    weights = rows.weights
    known = None if labeled is None else largest_similarity(kernel, rows, labeled)
    if len(rows) <= n_dense:
        S = kernel(rows, rows)
        single, both = shared(S, weights, k / len(rows), known)
    else:
        S = neighbor_similarity(kernel.kind, rows, kernel.gamma, kernel.power)
        single = S.T @ (weights if known is None else weights * (1 - known))
        both = smaller(S, single)
    most = float(single.max())
    if most == 0:
        raise ValueError(
            f"Nothing is left to cover: each of the {len(weights)} candidates equals a "
            "labelled row or has no informativeness. Give other candidates."
        )
    own = weights / max(float(weights.max()), 1e-300)
    trust = np.ones(len(weights)) if rows.trust is None else rows.trust
    gain = trust * ((1 - coverage) * own + coverage * single / most)
    pairs = (coverage / most) * both
    if coverage < 1:
        pairs = pairs + (1 - coverage) * smaller(S, own)
    return SelectionProblem(gain, pairs, k, redundancy=redundancy * (k - 1) / 2)


def smaller(S, values):
    """Return S times the smaller of two values, entry by entry."""
    if isinstance(S, np.ndarray):
        return S * np.minimum(values[:, None], values[None])
    entries = S.tocoo()
    entries.data = entries.data * np.minimum(values[entries.row], values[entries.col])
    return entries.tocsr()


def count_of(n, available):
    """Return a number of rows, from a number or a fraction of those available."""
    whole = isinstance(n, Integral)
    count = int(n) if whole else max(1, round(float(n) * available))
    if not 1 <= count <= available:
        raise ValueError(
            f"n_samples_to_select={n} asks for {count} rows, but there must be between "
            f"1 and the {available} candidates. Choose fewer or give more rows."
        )
    return count
