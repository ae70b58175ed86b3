# SPDX-License-Identifier: Apache-2.0
"""The negative phase: spins that follow a Boltzmann machine while it learns."""

import math
import time
import warnings

import torch

from qestim.estimators._draw import make_draw, reads_of
from qestim.exceptions import MixingWarning
from qestim.nn import effective_beta

_N_CHAINS = 256
_SWEEPS = 3
_POLISH = 5
_COLD = 20.0  # the largest inverse temperature told apart from ground states


class PersistentChains:
    """Chains that are never restarted, a few heat-bath sweeps an update.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine to follow.
    generator : torch.Generator
        Source of randomness.
    """

    name = "pcd"

    def __init__(self, machine, generator):
        self.machine, self.generator = machine, generator
        self.spins = machine.random_spins(_N_CHAINS, generator=generator)

    def step(self):
        """Return spins of the machine as it is now, tensor of shape (reads, n)."""
        self.spins = self.machine.sweep(self.spins, _SWEEPS, generator=self.generator)
        return self.spins

    def report(self):
        """Return JSON-able facts about the phase."""
        return {"negative_phase": self.name, "calls": 0, "reads": 0, "seconds": 0.0}


class ExactMeans:
    """The means of a machine without couplings: its negative phase in closed form."""

    name = "exact"

    def __init__(self, machine):
        self.machine = machine

    def step(self):
        """Return the means, tensor of shape (1, n)."""
        return -torch.tanh(self.machine.h.detach())[None, :]

    def report(self):
        """Return JSON-able facts about the phase."""
        return {"negative_phase": self.name, "calls": 0, "reads": 0, "seconds": 0.0}


class SampledChains:
    """Chains that a sampler replaces every so many updates.

    Between the calls the chains follow the machine by heat bath. Reads of a sampler
    that does not state a Boltzmann law are too cold or too warm: the biases of the
    next call are divided by the inverse temperature that was found, as long as this
    moves it, and a few heat-bath sweeps at beta 1 follow every call.

    Parameters
    ----------
    machine : BoltzmannMachine
        The machine to follow.
    sampler : dimod.Sampler
        The sampler. ``properties["distribution"]`` is ``"boltzmann"`` if its reads
        follow exp(-beta E) at ``properties["beta"]``, or at its parameter ``beta``;
        1 if it states neither.
    every : int
        Updates between two calls.
    generator : torch.Generator
        Source of randomness of the heat bath.
    rng : numpy.random.RandomState
        Source of the seeds of the calls.
    """

    name = "sampler"

    def __init__(self, machine, sampler, every, generator, rng):
        self.machine, self.generator, self.rng = machine, generator, rng
        self.every, self.updates = every, 0
        self.draw = make_draw(sampler)
        self.num_reads = reads_of(sampler, _N_CHAINS)
        properties = getattr(sampler, "properties", {})
        self.distribution = properties.get("distribution", "ground_state")
        self.scale = 1.0
        if self.distribution == "boltzmann":
            beta = properties.get("beta", getattr(sampler, "beta", 1.0))
            self.scale = float(beta)
            if not 0 < self.scale < math.inf:
                raise ValueError(
                    f"The sampler's beta must be positive and finite. Got {beta}."
                )
        self.scale_free = False
        self.beta_eff = None
        self.calls = self.reads = self.unmixed = 0
        self.seconds = 0.0
        self._unscaled = None  # beta found at scale 1

    def step(self):
        """Return spins of the machine as it is now, tensor of shape (reads, n)."""
        if self.updates % self.every == 0:
            self.spins = self.fresh(self.num_reads)
        else:
            self.spins = self.machine.sweep(
                self.spins, _SWEEPS, generator=self.generator
            )
        self.updates += 1
        return self.spins

    def fresh(self, num_reads, polish=_POLISH):
        """Return spins of one call of the sampler, tensor of shape (reads, n).

        Parameters
        ----------
        num_reads : int
            Reads to ask for.
        polish : int, default=5
            Heat-bath sweeps after it, unless the sampler states a Boltzmann law.
        """
        h, J = self.machine.to_arrays()
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            spins = self.draw(
                h / self.scale, J / self.scale, num_reads, self.rng.randint(2**31 - 1)
            )
        self._pass_on(caught)
        self.seconds += time.perf_counter() - start
        self.calls += 1
        self.reads += len(spins)
        beta, error = effective_beta(h, J, spins, upper=_COLD)
        self.beta_eff = beta if math.isfinite(beta) else self.beta_eff
        spins = torch.as_tensor(spins).to(self.machine.h)
        if self.distribution == "boltzmann":
            return spins
        if not self.scale_free and (beta >= _COLD or error < 0.2 * beta):
            self._rescale(beta)
        return self.machine.sweep(spins, polish, generator=self.generator)

    def _pass_on(self, caught):
        """Count the calls that did not mix; let every other warning through."""
        mixing = [w for w in caught if issubclass(w.category, MixingWarning)]
        self.unmixed += bool(mixing)
        for warning in caught:
            if warning not in mixing:
                warnings.warn(warning.message, stacklevel=3)

    def warn_of_mixing(self):
        """Warn once if more than half of the calls did not mix."""
        if 2 * self.unmixed > self.calls:
            warnings.warn(
                f"In {self.unmixed} of {self.calls} calls the sampler's chains had not "
                "mixed, so the prior learned from reads that do not follow its law. "
                "Raise the sampler's num_sweeps or lower resample_every.",
                MixingWarning,
                stacklevel=3,
            )

    def _rescale(self, beta):
        """Move the scale to where the reads have beta 1, if they take notice."""
        if self._unscaled is None:
            self._unscaled = beta
        elif abs(math.log(self.scale)) > 0.4:
            # A machine that maps any biases onto its own range has the same beta
            # at every scale.
            moved = math.log(self._unscaled / beta) / math.log(self.scale)
            if moved < 0.5:
                self.scale, self.scale_free = 1.0, True
                return
        self.scale = min(max(self.scale * math.sqrt(beta), 0.05), 20.0)

    def report(self):
        """Return JSON-able facts about the phase."""
        return {
            "negative_phase": self.name,
            "calls": self.calls,
            "unmixed_calls": self.unmixed,
            "reads": self.reads,
            "seconds": self.seconds,
            "distribution": self.distribution,
            "beta_eff": self.beta_eff,
            "scale": self.scale,
            "scale_free": self.scale_free,
        }
