# SPDX-License-Identifier: Apache-2.0
"""Spins in given fields: their means and free energy, exact where uncoupled."""

import torch

from qestim.nn._partition import log_2cosh

_ROUNDS = 25


@torch.no_grad()
def mean_field(fields, J, colours):
    """Return the means of spins in fields, a row each.

    Parameters
    ----------
    fields : tensor of shape (batch, n)
        Fields, dimensionless.
    J : tensor of shape (n, n)
        Symmetric couplings between these spins, zero diagonal.
    colours : list of tensor
        Classes of spins without a coupling inside.

    Returns
    -------
    means : tensor of shape (batch, n)
        Exact without couplings; otherwise the factorised law that 25 rounds of
        coordinate descent on the variational free energy find.
    """
    means = -torch.tanh(fields)
    if not J.any():
        return means
    for _ in range(_ROUNDS):
        for c in colours:
            means[:, c] = -torch.tanh(fields[:, c] + means @ J[:, c])
    return means


def free_energy(fields, J, means):
    r"""Return minus the log of the sum over spins of exp(-E), a row each.

    Parameters
    ----------
    fields, J : tensor of shapes (batch, n) and (n, n)
        As of `mean_field`; gradients reach them.
    means : tensor of shape (batch, n)
        Of `mean_field`.

    Returns
    -------
    free_energy : tensor of shape (batch,)
        Exact without couplings, else the upper bound :math:`E(m) - H(m)` of a
        factorised law.
    """
    if not J.any():
        return -log_2cosh(fields).sum(1)
    energy = (fields * means).sum(1) + 0.5 * ((means @ J) * means).sum(1)
    up = ((1 + means) / 2).clamp(1e-12, 1 - 1e-12)
    return (
        energy
        + torch.special.xlogy(up, up).sum(1)
        + torch.special.xlogy(1 - up, 1 - up).sum(1)
    )
