# SPDX-License-Identifier: Apache-2.0
"""The square Ising lattice and Kaufman's exact energy of a finite one."""

import dimod
import numpy as np


def ising_2d(L, coupling=-1.0) -> dimod.BinaryQuadraticModel:
    """Return the square Ising model of L x L spins with periodic boundary.

    Parameters
    ----------
    L : int
        Side, at least 3; spin ``L * x + y`` lies at (x, y).
    coupling : float, default=-1.0
        Coupling J of each of the 2 L**2 neighbouring pairs, dimod's sign: -1 is the
        ferromagnet.

    Returns
    -------
    bqm : dimod.BinaryQuadraticModel
        SPIN model without fields.

    References
    ----------
    .. [1] Kaufman, "Crystal statistics. II. Partition function evaluated by spinor
       analysis", Phys. Rev. 76, 1232 (1949). doi:10.1103/PhysRev.76.1232

    Examples
    --------
    >>> from qestim.testing import ising_2d
    >>> ising_2d(4).num_interactions
    32
    """
    if L < 3:
        raise ValueError(f"L must be at least 3, or pairs would be double. Got {L}.")
    site = np.arange(L * L).reshape(L, L)
    row = np.concatenate([site.ravel(), site.ravel()])
    col = np.concatenate([np.roll(site, -1, 0).ravel(), np.roll(site, -1, 1).ravel()])
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.zeros(L * L), (row, col, np.full(len(row), coupling)), 0.0, dimod.SPIN
    )


def kaufman_log_z(L, K) -> float:
    """Return log Z of the L x L periodic ferromagnet at reduced coupling K > 0.

    Parameters
    ----------
    L : int
        Side of the lattice.
    K : float
        Coupling times inverse temperature, dimensionless.

    Returns
    -------
    log_z : float
        Logarithm of the sum of exp(K sum s_i s_j) over all states.

    References
    ----------
    .. [1] Kaufman, "Crystal statistics. II. Partition function evaluated by spinor
       analysis", Phys. Rev. 76, 1232 (1949). doi:10.1103/PhysRev.76.1232

    Examples
    --------
    >>> from qestim.testing import kaufman_log_z
    >>> round(kaufman_log_z(2, 1e-6) / 4, 4)  # log 2 a spin, without couplings
    0.6931
    """
    if not 0 < K < 100:
        raise ValueError(
            f"K must lie between 0 and 100, where its functions are finite. Got {K}."
        )
    c = np.cosh(2 * K) / np.tanh(2 * K)
    r = np.arange(2 * L)
    gamma = np.arccosh(np.maximum(c - np.cos(np.pi * r / L), 1.0))
    # The one root that changes sign, at the critical coupling.
    gamma[0] = 2 * K + np.log(np.tanh(K))
    x = L * gamma / 2
    size = np.abs(x)
    log_cosh = size + np.log1p(np.exp(-2 * size))
    with np.errstate(divide="ignore"):
        log_sinh = size + np.log(-np.expm1(-2 * size))
    odd, even = slice(1, None, 2), slice(0, None, 2)
    terms = np.array(
        [
            log_cosh[odd].sum(),
            log_sinh[odd].sum(),
            log_cosh[even].sum(),
            log_sinh[even].sum(),
        ]
    )
    signs = np.array([1.0, 1.0, 1.0, np.sign(gamma[0])])
    top = terms.max()
    total = top + np.log((signs * np.exp(terms - top)).sum())
    return float(-np.log(2) + L * L / 2 * np.log(2 * np.sinh(2 * K)) + total)


def kaufman_energy(L, beta, coupling=-1.0) -> float:
    """Return the exact mean energy of `ising_2d` at an inverse temperature.

    Parameters
    ----------
    L : int
        Side, at least 3; even for a positive (antiferromagnetic) coupling, which is
        then equivalent to the ferromagnet.
    beta : float
        Inverse temperature, in inverse units of the coupling; positive.
    coupling : float, default=-1.0
        As in `ising_2d`.

    Returns
    -------
    energy : float
        Mean energy of the whole lattice, in the units of the coupling.

    References
    ----------
    .. [1] Kaufman, "Crystal statistics. II. Partition function evaluated by spinor
       analysis", Phys. Rev. 76, 1232 (1949). doi:10.1103/PhysRev.76.1232

    Examples
    --------
    >>> from qestim.testing import kaufman_energy
    >>> round(kaufman_energy(16, beta=0.44), 2)
    -370.62
    """
    if coupling > 0 and L % 2:
        raise ValueError(f"L must be even for a positive coupling. Got {L}.")
    if L < 3 or not beta > 0 or coupling == 0:
        raise ValueError(
            "kaufman_energy needs L >= 3, beta > 0 and a coupling other than 0. "
            f"Got L={L}, beta={beta}, coupling={coupling}."
        )
    K, step = beta * abs(coupling), 1e-3 * min(1.0, beta * abs(coupling))
    # Central differences of fourth order: an error below 1e-9 of the energy.
    slope = 8 * (kaufman_log_z(L, K + step) - kaufman_log_z(L, K - step))
    slope -= kaufman_log_z(L, K + 2 * step) - kaufman_log_z(L, K - 2 * step)
    return -abs(coupling) * slope / (12 * step)
