# SPDX-License-Identifier: Apache-2.0
"""The negative phase with a sampler: its reads, or chains that its reads re-seed."""

import math
import time
import warnings
import zlib

import numpy as np
import torch

from qestim import _native
from qestim.estimators._draw import make_draw, reads_of
from qestim.exceptions import MixingWarning
from qestim.nn import effective_beta

# Of ground states, 25 leave a gradient whose cosine with the exact one falls to 0.984
# at strong couplings.
_POLISH = 200
_COLD = 20.0  # the largest inverse temperature told apart from ground states


class SampledChains:
    """Chains that a sampler replaces every so many updates.

    Between the calls the chains follow the machine by heat bath. Reads of a sampler
    that does not state a Boltzmann law are too cold or too warm: the biases of the
    next call are divided by the inverse temperature that was found, as long as this
    moves it, and 200 heat-bath sweeps at beta 1 follow every call.

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
    n_chains : int, default=256
        Reads of a call, unless the sampler has its own ``num_reads``.
    n_sweeps : int, default=3
        Heat-bath sweeps of an update without a call.
    """

    name = "sampler"

    def __init__(
        self, machine, sampler, every, generator, rng, *, n_chains=256, n_sweeps=3
    ):
        self.machine, self.generator, self.rng = machine, generator, rng
        self.every, self.updates = every, 0
        self.n_sweeps = n_sweeps
        self.sampler, self.draw = sampler, make_draw(sampler)
        self.num_reads = reads_of(sampler, n_chains)
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
        self.scale_free = bool(properties.get("scale_free", False))
        self.beta_eff = None
        self.calls = self.reads = self.unmixed = 0
        self.seconds = 0.0
        self._unscaled = None  # beta found at scale 1

    def step(self, data=None):
        """Return spins of the machine as it is now, tensor of shape (reads, n)."""
        if self.updates % self.every == 0:
            self.spins = self.fresh(self.num_reads)
        else:
            self.spins = self._follow(self.spins)
        self.updates += 1
        return self.spins

    def _follow(self, spins):
        return self.machine.sweep(spins, self.n_sweeps, generator=self.generator)

    def fresh(self, num_reads):
        """Return spins of one call of the sampler, tensor of shape (reads, n).

        Heat-bath sweeps follow, unless the sampler states a Boltzmann law.

        Parameters
        ----------
        num_reads : int
            Reads to ask for.
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
        if self.distribution == "boltzmann":
            return torch.as_tensor(spins).to(self.machine.h.detach())
        if not self.scale_free and (beta >= _COLD or error < 0.2 * beta):
            self._rescale(beta)
        return self._polished(spins)

    def _polished(self, spins):
        """Heat bath at beta 1 in the kernels, many times cheaper than in torch.

        Other reads take other random numbers: under the same ones chains meet, and
        whose reads they were would be hidden.
        """
        model, own = self.machine.to_ising(), zlib.crc32(spins.tobytes())
        polished = _native.temper(
            model.h,
            model.row,
            model.col,
            model.value,
            np.ones(1),
            len(spins),
            1,
            _POLISH - 1,
            1,
            self.rng.randint(2**31 - 1) ^ own,
            initial=np.ascontiguousarray(spins[:, None], dtype=np.int8),
            num_threads=1,
        )[0]
        reads = np.asarray(polished).reshape(spins.shape)
        return torch.as_tensor(reads).to(self.machine.h.detach())

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


def redraw(machine, sampler, scale, n, generator, rng):
    """Return spins of a machine that was learned with a sampler.

    The sampler's reads: as they are if it states a Boltzmann law, after 200 heat-bath
    sweeps if not; of too few reads each is followed on its own way.

    Parameters
    ----------
    machine : BoltzmannMachine or GaussianBoltzmannMachine
        The machine.
    sampler : dimod.Sampler
        The sampler.
    scale : float
        What the fit found to divide the biases by.
    n : int
        Spins to draw.
    generator, rng
        As of `SampledChains`.

    Returns
    -------
    spins : tensor of shape (n, n_units)
        Like the machine's fields in dtype and device.
    """
    phase = SampledChains(machine, sampler, 1, generator, rng)
    phase.scale, phase.scale_free = scale, True
    spins = phase.fresh(n)
    if len(spins) < n:
        spins = spins[torch.arange(n) % len(spins)]
        spins = machine.sweep(spins, _POLISH, generator=generator)
    return spins[:n]


class HybridChains(SampledChains):
    """Persistent chains of which a sampler re-seeds a share every so many updates.

    Heat bath at beta 1 follows every update, so that the sampler brings the chains to
    far-apart modes and its temperature fades: its reads are sweeps old before they
    are a small part of the phase.

    Parameters
    ----------
    machine, sampler, every, generator, rng, n_sweeps
        As of `SampledChains`.
    n_chains : int, default=256
        Chains.
    share : float, default=0.25
        Share of the chains that a call replaces, the longest followed first.
    """

    name = "hybrid"

    def __init__(
        self,
        machine,
        sampler,
        every,
        generator,
        rng,
        *,
        n_chains=256,
        n_sweeps=3,
        share=0.25,
    ):
        super().__init__(machine, sampler, every, generator, rng, n_sweeps=n_sweeps)
        self.share = share
        self.num_reads = max(1, round(share * n_chains))
        self.spins = machine.random_spins(n_chains, generator=generator)

    def step(self, data=None):
        """Return spins of the machine as it is now, tensor of shape (n_chains, n)."""
        if self.updates % self.every == 0:
            fresh = self.fresh(self.num_reads)[: self.num_reads]
            self.spins = torch.cat([self.spins[len(fresh) :], fresh])
        self.spins = self._follow(self.spins)
        self.updates += 1
        return self.spins

    def report(self):
        """Return JSON-able facts about the phase."""
        return {**super().report(), "share": self.share}
