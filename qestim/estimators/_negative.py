# SPDX-License-Identifier: Apache-2.0
"""The negative phase: spins that follow a Boltzmann machine while it learns."""

import torch

from qestim.estimators._sampled_chains import HybridChains, SampledChains
from qestim.nn._tempering import Replicas

PHASES = ("auto", "cd", "pcd", "tempered", "sampler", "hybrid")


def make_phase(
    kind, machine, sampler, *, n_chains, n_sweeps, resample_every, generator, rng
):
    """Return the negative phase of a fit.

    Parameters
    ----------
    kind : {"auto", "cd", "pcd", "tempered", "sampler", "hybrid"}
        ``"auto"`` is ``"hybrid"`` with a sampler that states no Boltzmann law,
        ``"sampler"`` with one that does and ``"pcd"`` without a sampler.
    machine : BoltzmannMachine
        The machine to follow.
    sampler : dimod.Sampler or None
        The sampler; the kinds without one leave it alone.
    n_chains : int
        Chains.
    n_sweeps : int
        Heat-bath sweeps an update.
    resample_every : int
        Updates between two calls of the sampler.
    generator : torch.Generator
        Source of randomness of the heat bath.
    rng : numpy.random.RandomState
        Source of the seeds of the sampler and of tempering.

    Returns
    -------
    phase : object
        ``step(data)`` gives spins, ``report()`` facts.

    Raises
    ------
    ValueError
        If the kind needs a sampler and there is none.
    """
    if kind in ("sampler", "hybrid") and sampler is None:
        raise ValueError(
            f"negative_phase={kind!r} needs a sampler. Got sampler=None; give one "
            "of qestim.samplers, or set negative_phase='pcd'."
        )
    if kind == "auto":
        kind = "pcd"
        if sampler is not None:
            law = getattr(sampler, "properties", {}).get("distribution")
            kind = "sampler" if law == "boltzmann" else "hybrid"
    if kind in ("sampler", "hybrid"):
        chains = SampledChains if kind == "sampler" else HybridChains
        return chains(
            machine,
            sampler,
            resample_every,
            generator,
            rng,
            n_chains=n_chains,
            n_sweeps=n_sweeps,
        )
    if not machine.coupled:
        return ExactMeans(machine)
    if kind == "tempered":
        return TemperedChains(machine, rng, n_chains=n_chains, n_sweeps=n_sweeps)
    if kind == "cd":
        return ContrastiveDivergence(machine, generator, n_sweeps=n_sweeps)
    return PersistentChains(machine, generator, n_chains=n_chains, n_sweeps=n_sweeps)


class _Phase:
    """A phase without a sampler."""

    name: str

    def report(self):
        """Return JSON-able facts about the phase."""
        return {"negative_phase": self.name, "calls": 0, "reads": 0, "seconds": 0.0}


class PersistentChains(_Phase):
    """Chains that are never restarted, a few heat-bath sweeps an update.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine to follow.
    generator : torch.Generator
        Source of randomness.
    n_chains : int, default=256
        Chains.
    n_sweeps : int, default=3
        Heat-bath sweeps an update.
    """

    name = "pcd"

    def __init__(self, machine, generator, *, n_chains=256, n_sweeps=3):
        self.machine, self.generator = machine, generator
        self.n_sweeps = n_sweeps
        self.spins = machine.random_spins(n_chains, generator=generator)

    def step(self, data=None):
        """Return spins of the machine as it is now, tensor of shape (n_chains, n)."""
        self.spins = self.machine.sweep(
            self.spins, self.n_sweeps, generator=self.generator
        )
        return self.spins


class ContrastiveDivergence(_Phase):
    """Chains that start at the data of every update: CD-k.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine to follow.
    generator : torch.Generator
        Source of randomness.
    n_sweeps : int, default=1
        k: heat-bath sweeps from the data.

    References
    ----------
    .. [1] Hinton, "Training products of experts by minimizing contrastive divergence",
           Neural Computation 14, 1771 (2002). doi:10.1162/089976602760128018
    """

    name = "cd"

    def __init__(self, machine, generator, *, n_sweeps=1):
        self.machine, self.generator, self.n_sweeps = machine, generator, n_sweeps

    def step(self, data):
        """Return spins k sweeps from the data.

        Parameters
        ----------
        data : tensor of shape (batch, n)
            Spins of the data and of the hidden units that go with them, or means with
            which spins are drawn.
        """
        if (data.abs() < 1).any():
            u = torch.rand(
                data.shape,
                generator=self.generator,
                dtype=data.dtype,
                device=data.device,
            )
            data = torch.where(2 * u - 1 < data, 1.0, -1.0).to(data)
        return self.machine.sweep(data, self.n_sweeps, generator=self.generator)


class TemperedChains(_Phase):
    """Persistent chains with replicas at higher temperatures, which cross barriers.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine to follow.
    rng : numpy.random.RandomState
        Source of the seeds.
    n_chains : int, default=256
        Chains at beta 1.
    n_sweeps : int, default=3
        Sweeps of every replica an update, rounded up to an even number.
    """

    name = "tempered"
    _LADDER = 100  # updates between two fits of the temperatures

    def __init__(self, machine, rng, *, n_chains=256, n_sweeps=3):
        self.machine, self.updates = machine, 0
        # Odd neighbours exchange in every second sweep of a call.
        self.n_sweeps = n_sweeps + n_sweeps % 2
        self.replicas = Replicas(n_chains, rng, 24)

    def step(self, data=None):
        """Return spins of the machine as it is now, tensor of shape (n_chains, n)."""
        if self.updates % self._LADDER == 0:
            self.replicas.set_ladder(self.machine)
        self.updates += 1
        return self.replicas.draw(self.machine, thin=self.n_sweeps)

    def draw(self, n_reads):
        """Return at least so many spins of the machine, 100 sweeps after the last."""
        self.replicas.set_ladder(self.machine)
        return self.replicas.draw(
            self.machine,
            n_reads=-(-n_reads // self.replicas.n_chains),
            burn_in=100,
            thin=20,
        )

    def report(self):
        """Return JSON-able facts about the phase."""
        rates, betas = self.replicas.swap_rates, self.replicas.betas
        return {
            **super().report(),
            # None before the first step, which an interruption may forestall.
            "temperatures": 0 if betas is None else len(betas),
            "lowest_swap_rate": float(rates.min()) if len(rates) else None,
        }


class ExactMeans(_Phase):
    """The means of a machine without couplings: its negative phase in closed form."""

    name = "exact"

    def __init__(self, machine):
        self.machine = machine

    def step(self, data=None):
        """Return the means, tensor of shape (1, n)."""
        return -self.machine.h.detach().tanh()[None, :]
