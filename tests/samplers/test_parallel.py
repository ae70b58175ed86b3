# SPDX-License-Identifier: Apache-2.0
import dimod
import dwave.samplers
import joblib
import numpy as np
import pytest

from qestim.qubo import IsingArrays, spins_of
from qestim.samplers import (
    BoltzmannSampler,
    CIMSampler,
    DimodSampler,
    ParallelSampler,
    SimulatedAnnealingSampler,
)


@pytest.fixture
def bqm():
    rng = np.random.default_rng(0)
    # In the order of pairs that jobs get, as sums depend on it in the last digits.
    return IsingArrays.from_bqm(dimod.BQM(rng.normal(size=(20, 20)), "SPIN")).to_bqm()


@pytest.mark.parametrize(
    "inner",
    [
        SimulatedAnnealingSampler(num_sweeps=3),
        BoltzmannSampler(),
        CIMSampler(num_steps=20),
        DimodSampler(dwave.samplers.SimulatedAnnealingSampler()),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_the_reads_are_those_of_its_jobs_wherever_they_run(bqm, inner):
    sampler = ParallelSampler(inner, reads_per_job=4, num_reads=10, seed=7)
    reads = sampler.sample(bqm)
    seeds = np.random.SeedSequence(7).generate_state(3) >> 1
    jobs = [
        inner.sample(bqm, num_reads=n, seed=int(seed))
        for n, seed in zip((4, 4, 2), seeds, strict=True)
    ]
    alone = np.concatenate([spins_of(job, bqm.variables) for job in jobs])
    assert np.array_equal(spins_of(reads, bqm.variables), alone)
    assert len(reads.info["jobs"]) == 3
    energies = bqm.energies((alone, list(bqm.variables)))
    np.testing.assert_allclose(reads.record.energy, energies)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        shared = sampler.sample(bqm)
    assert np.array_equal(spins_of(shared, bqm.variables), alone)


def test_more_reads_begin_with_the_same(bqm):
    sampler = ParallelSampler(reads_per_job=4, seed=1, sampler=_quick())
    few = spins_of(sampler.sample(bqm, num_reads=8), bqm.variables)
    many = spins_of(sampler.sample(bqm, num_reads=13), bqm.variables)
    assert np.array_equal(few, many[:8])


def test_initial_states_reach_their_jobs(bqm):
    start = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), (5, 20))
    sampler = ParallelSampler(_quick(0), reads_per_job=2, seed=0)
    reads = sampler.sample(bqm, initial_states=(start, list(bqm.variables)))
    assert np.array_equal(spins_of(reads, bqm.variables), start)


def test_facts_of_each_read_survive(bqm):
    inner = CIMSampler(num_steps=20, return_trajectory=True)
    sampler = ParallelSampler(inner, reads_per_job=4, num_reads=6, seed=0)
    trajectory = sampler.sample(bqm).record.trajectory
    assert len(trajectory) == 6
    seed = int(np.random.SeedSequence(0).generate_state(2)[1] >> 1)
    last = inner.sample(bqm, num_reads=2, seed=seed).record.trajectory
    assert np.array_equal(trajectory[4:], last)


def test_it_states_the_law_of_the_inner_sampler():
    law = ParallelSampler(BoltzmannSampler()).properties["distribution"]
    assert law == "boltzmann"
    assert ParallelSampler().properties["distribution"] == "ground_state"


@pytest.mark.parametrize("name", ["time_limit", "target_energy"])
def test_what_would_end_reads_early_is_refused(bqm, name):
    with pytest.raises(ValueError, match=f"{name}.*sampler__{name}"):
        ParallelSampler(**{name: 1.0}).sample(bqm)


def _quick(num_sweeps=5):
    return SimulatedAnnealingSampler(num_sweeps=num_sweeps)


def test_vectors_of_merged_reads_are_repeated_like_the_reads():
    inner = CIMSampler(num_steps=20, return_trajectory=True, aggregate=True)
    sampler = ParallelSampler(inner, reads_per_job=3, num_reads=6, seed=1)
    reads = sampler.sample_ising({0: 1.0}, {(0, 1): 1.0})
    assert reads.record.trajectory.shape == (6, 21, 2)
