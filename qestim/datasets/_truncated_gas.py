# SPDX-License-Identifier: Apache-2.0
"""A gas in a harmonic trap of finite depth: its integrals and its rates of loss."""

import math

# Below, differences of the integrals lose their digits, and the trap holds nothing.
_SHALLOWEST, _DEEPEST = 0.3, 400.0


def occupations(eta):
    r"""Return the regularised incomplete gamma functions P(a, eta), a = 3, 4, 5.

    Parameters
    ----------
    eta : float
        Trap depth over :math:`k_B T`, dimensionless, positive.

    Returns
    -------
    p3, p4, p5 : float
        Dimensionless, in (0, 1).
    """
    tail = math.exp(-eta)
    p3 = 1 - tail * (1 + eta + eta * eta / 2)
    p4 = p3 - tail * eta**3 / 6
    return p3, p4, p4 - tail * eta**4 / 24


def mean_energy(eta):
    r"""Return the energy per atom over the depth, :math:`3 P_4 / (\eta P_3)`.

    Parameters
    ----------
    eta : float
        Trap depth over :math:`k_B T`, dimensionless.

    Returns
    -------
    energy : float
        Dimensionless, falls from 3/4 to 0 as ``eta`` rises.
    """
    p3, p4, _ = occupations(eta)
    return 3 * p4 / (eta * p3)


def depth_over_temperature(energy, guess):
    """Return the eta whose `mean_energy` is given.

    Newton's method on the reciprocal, which is all but linear in eta.

    Parameters
    ----------
    energy : float
        Energy per atom over the depth, dimensionless, positive.
    guess : float
        Where to start.

    Returns
    -------
    eta : float
        Within [0.3, 400].
    """
    if energy >= mean_energy(_SHALLOWEST):
        return _SHALLOWEST
    eta = guess
    for _ in range(50):
        tail = math.exp(-eta)
        square = eta * eta
        p3 = 1 - tail * (1 + eta + square / 2)
        p4 = p3 - tail * square * eta / 6
        value = eta * p3 / (3 * p4)
        slope = value * (1 / eta + tail * square * (1 / p3 - eta / (3 * p4)) / 2)
        step = (1 / energy - value) / slope
        eta = min(max(eta + step, _SHALLOWEST), _DEEPEST)
        if abs(step) <= 1e-9 * eta:
            break
    return eta


def evaporation(eta):
    r"""Return how fast collisions evaporate atoms, and what an atom takes along.

    Parameters
    ----------
    eta : float
        Trap depth over :math:`k_B T`, dimensionless.

    Returns
    -------
    rate : float
        Atoms lost per atom, in units of :math:`n_0 \sigma \bar v`:
        :math:`e^{-\eta} (\eta P_3 - 4 P_4) / P_3`.
    energy : float
        Energy of a lost atom in units of :math:`k_B T`: :math:`\eta + 1
        - P_5 / (\eta P_3 - 4 P_4)`.
    """
    p3, p4, p5 = occupations(eta)
    excess = eta * p3 - 4 * p4
    return math.exp(-eta) * excess / p3, eta + 1 - p5 / excess


def spilling(eta):
    r"""Return the share of atoms above a barrier that sinks by one e-fold.

    Atoms at the barrier's height, :math:`\eta^3 e^{-\eta} / (2 P_3)` of them per unit
    of log depth, less the half that the trap's own opening cools below it.

    Parameters
    ----------
    eta : float
        Trap depth over :math:`k_B T`, dimensionless.

    Returns
    -------
    share : float
        Dimensionless: :math:`\eta^3 e^{-\eta} / (4 P_3)`.
    """
    return eta**3 * math.exp(-eta) / (4 * occupations(eta)[0])
