# SPDX-License-Identifier: Apache-2.0
"""The partition function of a Boltzmann machine: by enumeration and by annealing."""

import math
from typing import NamedTuple

import torch

from qestim.nn._graph import index_of

_STEPS = (100, 400, 1600)
_NARROW = 0.1  # nat


class LogPartition(NamedTuple):
    """Bounds of the logarithm of a partition function.

    Parameters
    ----------
    lower, upper : float
        Bounds of log Z, in nats; equal where it is exact. An estimate from either
        side, two standard errors further out.
    ess_lower, ess_upper : float or None
        Effective number of chains of each estimate; None where log Z is exact.

    References
    ----------
    Derived in docs/guide/boltzmann.md.

    Examples
    --------
    >>> from qestim.nn import BoltzmannMachine
    >>> BoltzmannMachine(2).log_partition_bracket().width
    0.0
    """

    lower: float
    upper: float
    ess_lower: float | None = None
    ess_upper: float | None = None

    @property
    def width(self):
        """Upper minus lower bound, in nats; negative if the bounds contradict."""
        return self.upper - self.lower


class AnnealingPath:
    r"""Laws that lead from independent spins to a Boltzmann machine.

    .. math:: E_b(s) = (1 - b)\, a \cdot s + b\, E(s), \qquad 0 \le b \le 1

    The largest colour class is summed out of every law, so that the weights of
    annealed importance sampling vary less than those of all spins.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine.
    fields : tensor of shape (n,)
        a: fields of the independent spins, dimensionless.
    """

    def __init__(self, machine, fields):
        # Weights are added up in double precision; single is enough for the chains.
        self.machine = machine
        self.a = fields.detach().float()
        self.h = machine.h.detach().float()
        self.J = machine.couplings().detach().float()
        self.free, self.kept = _split(machine)
        self.others = [c for c in machine.colours if c is not self.free]
        self.log_z0 = log_2cosh(fields.detach().double()).sum().item()

    def start(self, n_chains, generator):
        """Return independent spins of the law at b = 0, tensor of shape (chains, n)."""
        return _heat(self.a.expand(n_chains, -1), generator)

    @torch.no_grad()
    def weigh(self, spins, shares, generator):
        """Carry chains along the path.

        Parameters
        ----------
        spins : tensor of shape (chains, n)
            Draws from the law at the first share; overwritten.
        shares : tensor of shape (steps,)
            Values of b, one sweep at each but the first and last.
        generator : torch.Generator or None
            Source of randomness.

        Returns
        -------
        log_weights : tensor of shape (chains,), dtype float64
            Their exponentials' mean is the ratio of the last Z to the first.
        """
        a, h, J = self.a, self.h, self.J
        free, kept = index_of(self.free), index_of(self.kept)
        into, within = J[kept][:, free].contiguous(), J[kept][:, kept].contiguous()
        blocks = [(index_of(c), J[:, c]) for c in self.others]
        coupled = bool(within.any())
        total = torch.zeros(len(spins), dtype=torch.float64, device=spins.device)
        for b, after in zip(shares.tolist(), shares.tolist()[1:], strict=False):
            rest = spins[:, kept]
            field = rest @ into
            field += h[free] - a[free]
            energy = rest @ (h[kept] - a[kept])
            if coupled:
                energy += 0.5 * ((rest @ within) * rest).sum(1)
            new = a[free] + after * field
            gain = log_2cosh(new) - log_2cosh(a[free] + b * field)
            total += (gain.sum(1) - (after - b) * energy).double()
            # The sweep at the next share starts from the same fields.
            spins[:, free] = _heat(new, generator)
            for c, J_c in blocks:
                field = (1 - after) * a[c] + after * (h[c] + spins @ J_c)
                spins[:, c] = _heat(field, generator)
        return total


@torch.no_grad()
def exact_log_partition(machine):
    """Return log Z: one colour class summed out, the other spins enumerated.

    Parameters
    ----------
    machine : BoltzmannMachine
        Cost: 2 to the number of spins outside its largest colour class.

    Returns
    -------
    log_z : float
        Natural logarithm of Z.
    """
    parts = [torch.logsumexp(log_p, 0) for _, _, log_p in _enumerate(machine)]
    return torch.logsumexp(torch.stack(parts), 0).item()


@torch.no_grad()
def exact_moments(machine):
    """Return means and correlations of the spins.

    Parameters
    ----------
    machine : BoltzmannMachine
        Cost: twice that of `exact_log_partition`.

    Returns
    -------
    means : tensor of shape (n,), dtype float64
        Mean spins.
    correlations : tensor of shape (n, n), dtype float64
        Means of products of two spins.
    """
    n, log_z = machine.n_units, exact_log_partition(machine)
    free, kept = _split(machine)
    means = torch.zeros(n, dtype=torch.float64)
    products = torch.zeros(n, n, dtype=torch.float64)
    for spins, field, log_p in _enumerate(machine):
        given = torch.empty(len(spins), n, dtype=torch.float64)
        given[:, kept], given[:, free] = spins, -torch.tanh(field)
        p = torch.exp(log_p - log_z)
        means += p @ given
        products += given.T @ (p[:, None] * given)
    return means, products.fill_diagonal_(1.0)


def _split(machine):
    """Return the spins of the largest colour class and the others."""
    free = max(machine.colours, key=len)
    kept = torch.ones(machine.n_units, dtype=torch.bool)
    kept[free] = False
    return free, torch.nonzero(kept).ravel()


def _enumerate(machine, chunk=2**14):
    """Yield states outside the free class, its fields and the log weights, in parts."""
    free, kept = _split(machine)
    h, J = machine.h.double().cpu(), machine.couplings().double().cpu()
    for start in range(0, 2 ** len(kept), chunk):
        code = torch.arange(start, min(start + chunk, 2 ** len(kept)))
        bits = (code[:, None] >> torch.arange(len(kept))) & 1
        spins = (2.0 * bits - 1.0).to(h)
        energy = spins @ h[kept] + 0.5 * ((spins @ J[kept][:, kept]) * spins).sum(1)
        field = spins @ J[kept][:, free] + h[free]
        yield spins, field, log_2cosh(field).sum(1) - energy


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
    path = AnnealingPath(machine, machine.h)
    shares = torch.linspace(0, 1, n_betas + 1)
    weights = path.weigh(path.start(n_chains, generator), shares, generator)
    ratio, ess, _ = _log_mean(weights)
    return path.log_z0 + ratio, ess


def bracket_log_partition(machine, spins, n_chains, n_betas, generator):
    """Bound log Z by annealing from both ends of one path.

    From independent spins to the machine the estimate is low in the mean; from spins
    of the machine to independent ones it is high.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine.
    spins : tensor of shape (reads, n)
        Draws from the machine. Where they miss a part of its law, the upper bound is
        too low.
    n_chains : int
        Chains from independent spins.
    n_betas : int or None
        Steps of the path; None takes as few of 100, 400 and 1600 as bring the bounds
        within 0.1 nat.
    generator : torch.Generator or None
        Source of randomness.

    Returns
    -------
    bounds : LogPartition
        Each estimate, two of its standard errors further out.

    References
    ----------
    .. [1] Neal, "Annealed importance sampling", Statistics and Computing 11, 125
           (2001). doi:10.1023/A:1008923215028
    .. [2] Burda, Grosse and Salakhutdinov, "Accurate and conservative estimates of MRF
           log-likelihood using reverse annealing", AISTATS 2015. arXiv:1412.8566
    """
    spins = spins.detach().float()
    # Independent spins with the machine's means, kept off the ends.
    path = AnnealingPath(machine, -torch.atanh(0.98 * spins.mean(0)))
    for steps in _STEPS if n_betas is None else (n_betas,):
        shares = torch.linspace(0, 1, steps + 1)
        forward = path.weigh(path.start(n_chains, generator), shares, generator)
        back = path.weigh(spins.clone(), shares.flip(0), generator)
        low, ess_low, error_low = _log_mean(forward)
        high, ess_high, error_high = _log_mean(back)
        bounds = LogPartition(
            path.log_z0 + low - 2 * error_low,
            path.log_z0 - high + 2 * error_high,
            ess_low,
            ess_high,
        )
        if abs(bounds.width) < _NARROW:
            break
    return bounds


def log_2cosh(x):
    """Return log(2 cosh x) without overflow."""
    x = x.abs()
    return x + torch.log(1 + torch.exp(-2 * x))


def _heat(field, generator):
    """Return spins drawn in given fields."""
    u = torch.rand(
        field.shape, generator=generator, dtype=field.dtype, device=field.device
    )
    return (u < torch.sigmoid(-2 * field)).to(field).mul_(2).sub_(1)


def _log_mean(log_weights):
    """Return the log of the mean of weights, their effective number and its error."""
    n = len(log_weights)
    square = (torch.softmax(log_weights, 0) ** 2).sum().item()
    log_mean = torch.logsumexp(log_weights, 0).item() - math.log(n)
    return log_mean, 1 / square, math.sqrt(max(square - 1 / n, 0.0))
