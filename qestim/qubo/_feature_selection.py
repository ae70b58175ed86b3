# SPDX-License-Identifier: Apache-2.0
"""Feature selection: relevant features that do not repeat each other."""

from numbers import Integral, Real
from typing import Self

import numpy as np

from qestim.qubo._cardinality import CardinalityProblem
from qestim.qubo._selection import read_matrix, read_vector


class FeatureSelectionProblem(CardinalityProblem):
    r"""Choose features by relevance, redundancy and cost.

    .. math:: E(z) = \mathrm{offset} - \sum_j (r_j - c) z_j + \sum_{i<j} R_{ij} z_i z_j

    Parameters
    ----------
    relevance : array-like of shape (n,)
        What each feature tells about the target, in any unit.
    redundancy : array-like of shape (n, n)
        Symmetric, in the unit of the relevance: what a pair tells twice; negative
        where two features tell more together. The diagonal does not matter.
    k : int, default=None
        Number of features, 1 to n; None chooses the number at the lowest energy.
    cost : float, default=0.0
        What each feature costs, in the unit of the relevance.
    offset : float, default=0.0
        Constant part of the energy.

    Notes
    -----
    The number of variables is ``n``. The penalty of `to_bqm` is soft on purpose.

    References
    ----------
    .. [1] Rodriguez-Lujan et al., "Quadratic programming feature selection", Journal of
       Machine Learning Research 11, 1491 (2010), eq. 1, with bits in place of weights.

    Examples
    --------
    >>> from qestim.qubo import FeatureSelectionProblem
    >>> twice = [[0, 0.8, 0], [0.8, 0, 0], [0, 0, 0]]
    >>> FeatureSelectionProblem([0.9, 0.8, 0.1], twice, cost=0.05).solve().indices
    array([0, 2])
    """

    def __init__(self, relevance, redundancy, k=None, *, cost=0.0, offset=0.0) -> None:
        if k is not None and (not isinstance(k, Integral) or k < 1):
            raise ValueError(
                f"The 'k' parameter must be None or an int of at least 1. Got {k!r}."
            )
        for name, value in (("cost", cost), ("offset", offset)):
            if not isinstance(value, Real) or not np.isfinite(float(value)):
                raise ValueError(f"The '{name}' parameter must be finite. Got {value}.")
        self.relevance = read_vector(relevance, "relevance")
        self.redundancy = read_matrix(redundancy, len(self.relevance), "redundancy")
        self.cost = cost
        super().__init__(cost - self.relevance, self.redundancy, k, offset)

    @classmethod
    def from_hessian(cls, weights, hessian, k=None, *, cost=0.0) -> Self:
        r"""Choose the weights of a fitted model whose removal raises its loss least.

        To second order around the minimum, setting the weights :math:`w_j` with
        :math:`z_j = 0` to zero raises the loss by

        .. math:: \tfrac12 \sum_{ij} (1 - z_i) w_i H_{ij} w_j (1 - z_j).

        Parameters
        ----------
        weights : array-like of shape (n,)
            The fitted weights.
        hessian : array-like of shape (n, n)
            Second derivatives of the loss by the weights, symmetric. For several
            weights a feature, sum the products over them and give ones as weights.
        k : int, default=None
            Number of weights to keep; None leaves it to the cost.
        cost : float, default=0.0
            What each kept weight costs, in units of the loss.

        Returns
        -------
        problem : FeatureSelectionProblem
            Its energy is the rise of the loss plus the costs.

        References
        ----------
        .. [1] LeCun, Denker and Solla, "Optimal brain damage", NIPS 1989, eq. 2, with
           the pairs of weights kept.
        """
        weights = read_vector(weights, "weights")
        hessian = np.asarray(hessian, dtype=np.float64)
        if hessian.shape != (len(weights), len(weights)):
            raise ValueError(
                f"The 'hessian' parameter must have shape {(len(weights),) * 2}. "
                f"Got {hessian.shape}."
            )
        products = weights[:, None] * hessian * weights
        relevance = products.sum(axis=1) - 0.5 * np.diagonal(products)
        return cls(relevance, products, k, cost=cost, offset=0.5 * products.sum())

    def objective(self, solution) -> float:
        """Return the energy of a set of features.

        Parameters
        ----------
        solution : set of int
            The chosen features.

        Returns
        -------
        value : float
            In the unit of the relevance.
        """
        chosen = sorted(self._checked(solution).tolist())
        gain = sum(float(self.relevance[j]) - self.cost for j in chosen)
        twice = sum(
            float(self.redundancy[i, j])
            for a, i in enumerate(chosen)
            for j in chosen[a + 1 :]
        )
        return self.offset + twice - gain
