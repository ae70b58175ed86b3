# SPDX-License-Identifier: Apache-2.0
"""The partition function of a Boltzmann machine: by enumeration and by annealing."""

import math

import torch


def exact_log_partition(machine, chunk=2**14):
    """Return log Z: one colour class summed out, the other spins enumerated.

    Parameters
    ----------
    machine : BoltzmannMachine
        Cost: 2 to the number of spins outside its largest colour class.
    chunk : int, default=2**14
        States held at a time.

    Returns
    -------
    log_z : float
        Natural logarithm of Z.
    """
    free = max(machine.colours, key=len)
    kept = torch.ones(machine.n_units, dtype=torch.bool)
    kept[free] = False
    kept = torch.nonzero(kept).ravel()
    h, J = machine.h.double(), machine.couplings().double()
    total = []
    for start in range(0, 2 ** len(kept), chunk):
        code = torch.arange(start, min(start + chunk, 2 ** len(kept)))
        bits = (code[:, None] >> torch.arange(len(kept))) & 1
        s = (2.0 * bits - 1.0).to(h)
        energy = s @ h[kept] + 0.5 * ((s @ J[kept][:, kept]) * s).sum(1)
        field = s @ J[kept][:, free] + h[free]
        total.append(torch.logsumexp(_log_2cosh(field).sum(1) - energy, 0))
    return torch.logsumexp(torch.stack(total), 0).item()


def annealed_log_partition(machine, n_chains, n_betas, generator):
    """Estimate log Z by annealed importance sampling from the law of the fields.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine.
    n_chains : int
        Chains, each of one weight.
    n_betas : int
        Steps from zero couplings to the machine's, one sweep each.
    generator : torch.Generator or None
        Source of randomness.

    Returns
    -------
    log_z : float
        Estimate; low in the mean.
    ess : float
        Effective number of chains, ``1 / sum(w ** 2)`` of the normalised weights.
    """
    h, J = machine.h, machine.couplings()
    spins = machine.random_spins(n_chains, generator=generator)
    up = torch.sigmoid(-2 * h).expand(n_chains, -1)
    u = torch.rand(up.shape, generator=generator, dtype=up.dtype, device=up.device)
    spins = torch.where(u < up, 1.0, -1.0).to(spins)
    weight = torch.zeros(n_chains, dtype=torch.float64, device=h.device)
    for k in range(1, n_betas + 1):
        coupled = 0.5 * ((spins @ J) * spins).sum(1)
        weight -= coupled.double() / n_betas
        for c in machine.colours:
            up = torch.sigmoid(-2 * (k / n_betas * (spins @ J[:, c]) + h[c]))
            u = torch.rand(
                up.shape, generator=generator, dtype=up.dtype, device=up.device
            )
            spins[:, c] = torch.where(u < up, 1.0, -1.0).to(spins)
    log_z0 = _log_2cosh(h.double()).sum()
    log_z = log_z0 + torch.logsumexp(weight, 0) - math.log(n_chains)
    normalised = torch.softmax(weight, 0)
    return log_z.item(), (1 / (normalised**2).sum()).item()


def _log_2cosh(x):
    return x.abs() + torch.nn.functional.softplus(-2 * x.abs())
