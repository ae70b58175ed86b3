# SPDX-License-Identifier: Apache-2.0
import threading

import dimod
import numpy as np
import pytest
from sklearn.base import clone

from qestim.samplers import DimodSampler, SimulatedAnnealingSampler


class LockedSampler(dimod.Sampler):
    """A foreign sampler that nobody can copy, which records what it is told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = []

    parameters = {"num_reads": [], "answer": []}
    properties = {"chip": "A"}

    def sample(self, bqm, num_reads=1, **parameters):
        with self.lock:
            self.calls.append({"num_reads": num_reads, **parameters})
        states = np.ones((num_reads, bqm.num_variables), dtype=np.int8)
        return dimod.SampleSet.from_samples_bqm((states, list(bqm.variables)), bqm)


def test_a_clone_shares_what_cannot_be_copied():
    foreign = LockedSampler()
    sampler = DimodSampler(foreign, sample_params={"answer": 42})
    copy = clone(sampler)
    assert copy.sampler is foreign
    assert copy.sample_params == {"answer": 42}
    assert copy.sample_params is not sampler.sample_params


def test_call_keywords_override_and_unknown_seeds_are_left_out():
    foreign = LockedSampler()
    sampler = DimodSampler(foreign, sample_params={"answer": 42, "num_reads": 2})
    reads = sampler.sample_arrays([[0, 1], [1, 0]], num_reads=3, seed=5)
    assert foreign.calls == [{"num_reads": 3, "answer": 42}]
    assert reads.record.energy.tolist() == [1.0, 1.0, 1.0]


def test_dimod_api_and_properties():
    sampler = DimodSampler(LockedSampler())
    dimod.testing.assert_sampler_api(sampler)
    assert sampler.properties["distribution"] == "ground_state"
    assert sampler.properties["chip"] == "A"
    assert sampler.children == [sampler.sampler]


def test_parameters_of_a_wrapped_qestim_sampler_can_be_set():
    sampler = DimodSampler(SimulatedAnnealingSampler(num_sweeps=5))
    sampler.set_params(sampler__num_sweeps=7)
    assert sampler.sampler.num_sweeps == 7


def test_what_cannot_sample_is_refused():
    with pytest.raises(ValueError, match="'sampler' parameter of DimodSampler"):
        DimodSampler(object()).sample(dimod.BQM("SPIN"))
    with pytest.raises(ValueError, match=r"write SimulatedAnnealingSampler\(\)"):
        DimodSampler(SimulatedAnnealingSampler).sample(dimod.BQM("SPIN"))


def test_parameters_of_a_clone_leave_the_wrapped_sampler_alone():
    inner = SimulatedAnnealingSampler(num_sweeps=5)
    clone(DimodSampler(inner)).set_params(sampler__num_sweeps=7)
    assert inner.num_sweeps == 5
