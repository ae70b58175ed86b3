# SPDX-License-Identifier: Apache-2.0
"""The contestants of the league: every minimiser, behind one signature."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import dimod
import numpy as np
import openjij
import simulated_bifurcation
import torch
from dwave.samplers import SimulatedAnnealingSampler as DWaveAnnealing
from dwave.samplers import TabuSampler

from qestim.exceptions import MixingWarning
from qestim.qubo import IsingArrays
from qestim.samplers import (
    BoltzmannSampler,
    CIMSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
    default_beta_range,
)

ANNEALING = "annealing"


@dataclass(frozen=True)
class Contestant:
    """``call(bqm, length, reads, seed)`` gives the energies of the reads.

    ``length`` is what the CPU time buys: sweeps, steps or milliseconds, from
    ``shortest`` on. Below ``least`` the method has not finished what it does, and with
    more than ``most_spins`` it does not fit: then it is left out.
    """

    name: str
    call: Callable
    reads: int
    shortest: int = 1
    least: int = 1
    most_spins: int = 100_000


def ours(sampler, keyword, bqm, length, reads, seed):
    sampleset = sampler.sample(
        bqm, num_reads=reads, seed=seed, num_threads=1, **{keyword: length}
    )
    return sampleset.record.energy


def tempering(bqm, length, reads, seed):
    """Parallel tempering: reads of the law at annealing's cold end, the coldest."""
    sampler = BoltzmannSampler(
        beta=default_beta_range(bqm)[1],
        num_temperatures=24,
        num_chains=reads,
        log_z=False,
        num_threads=1,
    )
    with warnings.catch_warnings():
        # Chains that have not mixed are still candidates for the ground state.
        warnings.simplefilter("ignore", MixingWarning)
        found = sampler.sample(bqm, num_reads=reads, num_sweeps=length, seed=seed)
    return found.record.energy


def energies_of(sampleset):
    return np.repeat(sampleset.record.energy, sampleset.record.num_occurrences)


def dwave(bqm, length, reads, seed):
    return energies_of(
        DWaveAnnealing().sample(bqm, num_sweeps=length, num_reads=reads, seed=seed)
    )


def tabu(bqm, length, reads, seed):
    return energies_of(
        TabuSampler().sample(bqm, timeout=length, num_reads=reads, seed=seed)
    )


def jij(bqm, length, reads, seed):
    # openjij's own seed would make all reads alike: it is left out.
    sampler = openjij.SASampler()
    return energies_of(sampler.sample(bqm, num_sweeps=length, num_reads=reads))


def peer_bifurcation(mode, bqm, length, reads, seed):
    spin = bqm if bqm.vartype is dimod.SPIN else bqm.change_vartype("SPIN", False)
    model = IsingArrays.from_bqm(spin)
    upper = np.zeros((len(model), len(model)), dtype=np.float32)
    upper[model.row, model.col] = model.value
    torch.manual_seed(seed)
    spins, _ = simulated_bifurcation.minimize(
        torch.from_numpy(upper),
        torch.from_numpy(model.h.astype(np.float32)),
        domain="spin",
        agents=reads,
        max_steps=length,
        best_only=False,
        mode=mode,
        verbose=False,
        early_stopping=False,
        dtype=torch.float32,
    )
    return model.energies(np.ascontiguousarray(spins.numpy().astype(np.int8)), 1)


def contestants():
    """Return all of them, each with its own defaults; only the length is chosen."""
    ising, bifurcation = CIMSampler, SimulatedBifurcationSampler
    own = {ANNEALING: (SimulatedAnnealingSampler(), "num_sweeps", 64)}
    own["dSB"] = bifurcation(mode="discrete"), "num_steps", 64
    own["bSB"] = bifurcation(mode="ballistic"), "num_steps", 64
    for model in ("cac", "cfc", "sfc", "mean_field", "wigner"):
        own[model] = ising(model=model), "num_steps", 64
    return [
        *(
            Contestant(name, partial(ours, sampler, keyword), reads)
            for name, (sampler, keyword, reads) in own.items()
        ),
        Contestant("tempering", tempering, 16, shortest=10),
        Contestant("dwave annealing", dwave, 16),
        # Before its clock starts it prepares for most of a minute on 20,000 spins.
        Contestant("dwave tabu", tabu, 4, most_spins=10_000),
        Contestant("openjij annealing", jij, 16),
        # Its ramp takes 1000 steps, whatever the number asked for; its matrix is
        # dense: of 20,000 spins 1.6 GB.
        *(
            Contestant(f"simulated-bifurcation, {mode}", call, 32, 1, 1000, 10_000)
            for mode in ("discrete", "ballistic")
            for call in [partial(peer_bifurcation, mode)]
        ),
    ]
