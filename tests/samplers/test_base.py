# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from dimod.exceptions import SamplerUnknownArgWarning

from qestim.samplers import BaseSampler, SimulatedAnnealingSampler


class UpSampler(BaseSampler):
    """All spins up."""

    def __init__(self, *, num_reads=None, seed=None, initial_states=None):
        self.num_reads = num_reads
        self.seed = seed
        self.initial_states = initial_states
        self.num_threads = self.time_limit = self.target_energy = None
        self.aggregate = False

    _parameter_constraints = {
        name: BaseSampler._parameter_constraints[name]
        for name in ("num_reads", "seed", "initial_states")
    }

    def _sample_ising(self, model, initial, num_reads, seed):
        spins = np.ones((num_reads, len(model)), dtype=np.int8)
        return spins, {"kernel": "none"}, {"round": np.arange(num_reads)}


def test_labels_vartype_offset_and_vectors_come_back():
    bqm = dimod.BQM({"c": 1.0, "a": 2.0}, {("c", "a"): -0.5}, 10.0, "BINARY")
    reads = UpSampler(num_reads=2).sample(bqm)
    assert list(reads.variables) == ["c", "a"]
    assert reads.record.sample.tolist() == [[1, 1], [1, 1]]
    assert reads.record.energy.tolist() == [12.5, 12.5]
    assert reads.record["round"].tolist() == [0, 1]
    assert set(reads.info["timing"]) == {
        "preprocessing_ns",
        "sampling_ns",
        "postprocessing_ns",
    }


def test_sample_arrays_reads_dense_and_sparse_alike():
    J = np.array([[0, 1.0, -2], [1, 0, 0], [-2, 0, 0]])
    dense = UpSampler().sample_arrays(J, h=[1, 0, 0])
    sparse = UpSampler().sample_arrays(scipy.sparse.csr_array(J), h=[1, 0, 0])
    assert dense.record.energy.tolist() == sparse.record.energy.tolist() == [0.0]


@pytest.mark.parametrize(
    ("J", "h", "message"),
    [
        ([[0, 1], [0, 0]], None, "symmetric"),
        ([[1, 0], [0, 0]], None, "zero diagonal"),
        ([[0, np.nan], [np.nan, 0]], None, "finite"),
        ([[0, 1]], None, "square"),
        ([[0, 1], [1, 0]], [1.0], "h must have shape"),
        ([[0, 1], [1, 0]], [1.0, np.inf], "finite"),
        ([], None, "square"),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_wrong_matrices_are_refused(J, h, message, sparse):
    if sparse and J == []:
        J = np.zeros((0, 1))
    with pytest.raises(ValueError, match=message):
        UpSampler().sample_arrays(scipy.sparse.csr_array(J) if sparse else J, h)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_model_that_is_not_finite_is_refused_by_name(bad):
    with pytest.raises(ValueError, match=r"linear bias of 'y'"):
        UpSampler().sample(dimod.BQM({"x": 1.0, "y": bad}, {}, "SPIN"))
    with pytest.raises(ValueError, match=r"coupling of \('y', 'x'\)|\('x', 'y'\)"):
        UpSampler().sample(dimod.BQM({}, {("x", "y"): bad}, "BINARY"))
    with pytest.raises(ValueError, match="offset"):
        UpSampler().sample(dimod.BQM({"x": 1.0}, {}, bad, "SPIN"))


def test_empty_model():
    reads = UpSampler(num_reads=3).sample(dimod.BQM({}, {}, 2.5, "BINARY"))
    assert reads.record.energy.tolist() == [2.5, 2.5, 2.5]


def test_unknown_keywords_warn_and_known_ones_do_not_stick():
    sampler = UpSampler()
    bqm = dimod.BQM.from_ising({0: 1.0}, {})
    with pytest.warns(SamplerUnknownArgWarning, match="nonsense"):
        reads = sampler.sample(bqm, num_reads=4, nonsense=1)
    assert len(reads) == 4
    assert sampler.num_reads is None


def test_initial_states_choose_the_number_of_reads():
    bqm = dimod.BQM.from_ising({"a": 1.0, "b": 1.0}, {})
    states = dimod.SampleSet.from_samples(
        [{"b": 0, "a": 1}, {"b": 1, "a": 1}], "BINARY", energy=0
    )
    assert len(UpSampler(initial_states=states).sample(bqm)) == 2
    first = SimulatedAnnealingSampler(
        num_sweeps=0, num_reads=1, initial_states=states, seed=0
    )
    assert dict(first.sample(bqm).first.sample) == {"a": 1, "b": -1}


@pytest.mark.parametrize("labels", ["ba", [7, 3]])
def test_initial_states_without_labels_follow_the_order_of_the_model(labels):
    bqm = dimod.BQM.from_ising({label: 1.0 for label in labels}, {})
    sampler = SimulatedAnnealingSampler(num_sweeps=0)
    want = dict(zip(labels, (1, -1), strict=True))
    ways = [
        [1, -1],
        [[1, -1]],
        [(1, -1)],
        np.array([1, -1]),
        np.array([[1.0, 0.0]]),
        want,
    ]
    ways.append(pd.DataFrame([[-1, 1]], columns=list(labels)[::-1]))
    for states in ways:
        assert sampler.sample(bqm, initial_states=states).first.sample == want


@pytest.mark.parametrize("states", [[[1, 1, -1]], np.ones((2, 3)), [1], [[1], [-1]]])
def test_initial_states_of_another_width_are_refused(states):
    bqm = dimod.BQM.from_ising({0: 1.0, 1: 2.0}, {})
    with pytest.raises(ValueError, match="must have 2 columns, one a variable"):
        SimulatedAnnealingSampler(seed=0).sample(bqm, initial_states=states)


def test_initial_states_without_labels_belong_to_numbered_variables_by_number():
    bqm = dimod.BQM.from_ising({1: 1.0, 0: 1.0}, {})
    for states in ([1, -1], np.array([1, -1])):
        reads = SimulatedAnnealingSampler(num_sweeps=0, initial_states=states)
        assert reads.sample(bqm).first.sample == {0: 1, 1: -1}
