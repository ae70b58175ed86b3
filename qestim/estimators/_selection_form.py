# SPDX-License-Identifier: Apache-2.0
"""From rows to the selection problem: gains and what two rows share of them."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from qestim.estimators._coverage import (
    largest_similarity,
    near_similarity,
    shared,
    shared_near,
    similarity,
    symmetric,
)
from qestim.qubo import SelectionProblem

# Twice the redundancy of the form for late rounds: see docs/guide/selection.md.
LATE = 6.0


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

    With the mix :math:`w` of coverage, the gain of row j and what two rows share are

    .. math:: w \frac{c_j}{\max c} + \frac{1 - w}{2} \left(u_j
              + \frac{\sum_i u_i S_{ij}}{\max_j \sum_i u_i S_{ij}}\right),
              \qquad w \frac{o_{ij}}{\max c} + (1 - w) \frac{6}{k - 1} S_{ij}

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
        Above so many rows only near neighbours are compared.

    Returns
    -------
    problem : SelectionProblem
        Variable j is row j.
    """
    weights, share = rows.weights, k / len(rows)
    known = None if labeled is None else largest_similarity(kernel, rows, labeled)
    if len(rows) <= n_dense:
        S = kernel(rows, rows)
        single, both = shared(S, weights, share, known)
    else:
        index, values = near_similarity(kernel, rows)
        # A row's own similarity to labelled ones leaves the order of its neighbours.
        parts = values if known is None else np.maximum(values - known[:, None], 0)
        single, both = shared_near(index, parts, weights, share)
        S = symmetric(index, values)
    most = float(single.max())
    if most == 0:
        raise ValueError(
            f"Nothing is left to cover: each of the {len(weights)} candidates equals a "
            "labelled row or has no informativeness. Give other candidates."
        )
    gain, pairs = coverage * single / most, (coverage / most) * both
    if coverage < 1:
        around = S.T @ weights
        own = weights / weights.max() + around / around.max()
        gain = gain + (1 - coverage) / 2 * own
        pairs = pairs + ((1 - coverage) * LATE / max(k - 1, 1)) * S
    if rows.trust is not None:
        gain = rows.trust * gain
    # The problem's own factor is 2 / (k - 1); these pairs have their weight already.
    return SelectionProblem(gain, pairs, k, redundancy=redundancy * (k - 1) / 2)


def count_of(n, available, name="n_samples_to_select", hint=""):
    """Return a number of rows, from a number or a fraction of those available."""
    whole = isinstance(n, Integral)
    if not whole and not 0 < n <= 1:
        raise ValueError(
            f"{name} must be a whole number of rows, or a fraction above 0 and at most "
            f"1 of the candidates. Got {n}."
        )
    count = int(n) if whole else max(1, round(float(n) * available))
    if not 1 <= count <= available:
        raise ValueError(
            f"{name}={n} asks for {count} rows, but there must be between "
            f"1 and the {available} candidates. Choose fewer or give more rows.{hint}"
        )
    return count
