# SPDX-License-Identifier: Apache-2.0
"""The inverse temperature at which reads of an Ising model were drawn."""

import numpy as np


def effective_beta(h, J, spins, *, upper=20.0):
    r"""Fit the inverse temperature of reads by maximum pseudo-likelihood.

    With the local slopes :math:`a_i = -2 s_i (h_i + \sum_j J_{ij} s_j)` the estimate
    is the maximum of the concave mean of :math:`\log \sigma(\beta a_i)`.

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
    spins = np.asarray(spins, dtype=np.float64)
    slope = -2 * spins * (spins @ J + h)
    if not np.any(slope):
        return float("nan"), float("inf")

    def weak(beta):  # the probability of the other spin
        return 1 / (1 + np.exp(np.clip(beta * slope, -500, 500)))

    low, high = 0.0, float(upper)
    if np.mean(slope * weak(low)) <= 0:
        high = low
    elif np.mean(slope * weak(high)) >= 0:
        low = high
    while high - low > 1e-6 * upper:
        middle = 0.5 * (low + high)
        if np.mean(slope * weak(middle)) > 0:
            low = middle
        else:
            high = middle
    beta = 0.5 * (low + high)
    information = np.sum(slope**2 * weak(beta) * (1 - weak(beta)))
    return beta, float(1 / np.sqrt(information)) if information else float("inf")
