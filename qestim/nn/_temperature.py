# SPDX-License-Identifier: Apache-2.0
"""The inverse temperature at which reads of an Ising model were drawn."""

import numpy as np
import scipy.special

from qestim.qubo import IsingArrays
from qestim.qubo._pseudolikelihood import flip_energies, maximum


def effective_beta(h, J, spins, *, upper=20.0) -> tuple[float, float]:
    r"""Fit the inverse temperature of reads by maximum pseudo-likelihood.

    With :math:`a_i = -2 s_i (h_i + \sum_j J_{ij} s_j)`, the energy of flipping a spin,
    the estimate is the maximum of the concave mean of :math:`\log \sigma(\beta a_i)`.

    Parameters
    ----------
    h : ndarray of shape (n,)
        Fields, in dimod's sign.
    J : ndarray of shape (n, n)
        Symmetric couplings with a zero diagonal.
    spins : ndarray of shape (reads, n)
        Values in {-1, 1}.
    upper : float, default=20.0
        Largest value returned: ground states have no finite maximum.

    Returns
    -------
    beta : float
        Dimensionless, between 0 and ``upper``; NaN if the model is zero, because
        then the reads say nothing.
    error : float
        Its standard error if every spin of every read told something new; infinite
        where the reads say nothing.

    References
    ----------
    .. [1] Besag, "Statistical analysis of non-lattice data", The Statistician 24,
           179 (1975). doi:10.2307/2987782

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.nn import effective_beta
    >>> reads = np.array([[1]] * 3 + [[-1]])  # p(+1) = 3/4 = sigmoid(2 beta)
    >>> beta, error = effective_beta(np.array([-1.0]), np.zeros((1, 1)), reads)
    >>> round(beta, 4), round(error, 4)
    (0.5493, 0.5774)
    """
    change = flip_energies(IsingArrays.from_matrix(J, h), np.asarray(spins, np.int8))
    if not change.any():
        return float("nan"), float("inf")
    beta = float(np.clip(maximum(change), 0.0, upper))
    weak = scipy.special.expit(-beta * change)  # the probability of the other spin
    information = np.sum(change**2 * weak * (1 - weak))
    return beta, float(1 / np.sqrt(information)) if information else float("inf")
