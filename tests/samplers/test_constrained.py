# SPDX-License-Identifier: Apache-2.0
"""What the two samplers of constrained models share."""

import time

import dimod
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

from qestim.exceptions import InfeasibleWarning
from qestim.samplers import (
    AdaptivePenaltySampler,
    DimodSampler,
    ExactSampler,
    QCGDSampler,
    SimulatedAnnealingSampler,
)

both = pytest.mark.parametrize("cls", [QCGDSampler, AdaptivePenaltySampler])


class Recorder(dimod.Sampler, BaseEstimator):
    """Answer all zeros and keep what each call is told."""

    parameters = {"num_reads": [], "seed": [], "time_limit": [], "num_threads": []}
    properties = {"chip": "A"}

    def __init__(self, calls):
        self.calls = calls

    def __sklearn_clone__(self):
        return self

    def sample(self, bqm, **parameters):
        self.calls.append(parameters)
        states = np.full((1, bqm.num_variables), -1, dtype=np.int8)
        return dimod.SampleSet.from_samples_bqm((states, list(bqm.variables)), bqm)


def never_zero():
    """Constraints that the assignment of zeros violates, by 1 and by 2."""
    x, y, z = dimod.Binaries("xyz")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x + y + z)
    cqm.add_constraint(x + y + z == 1, label="weak")
    cqm.add_constraint(2 * x + 2 * y + z >= 2, label="strong")
    cqm.add_constraint(x + y <= 1, label="kept")
    return cqm


@both
def test_the_warning_names_the_constraint_the_amount_and_the_way_out(cls):
    sampler = cls(Recorder([]), max_iter=7, polish=False)
    with pytest.warns(InfeasibleWarning) as caught:
        reads = sampler.sample_cqm(never_zero())
    message = str(caught[0].message)
    assert "No read satisfies all 3 constraints after 7 calls" in message
    assert "violates 2, most of all 'strong', by 2." in message
    assert "Raise max_iter, now 7" in message
    assert caught[0].filename == __file__
    assert reads.info["num_calls"] == len(reads) == 7
    assert reads.info["stopped_by"] == "max_iter"
    assert not reads.info["feasible"]
    assert reads.info["constraint_labels"] == ["weak", "strong", "kept"]
    assert reads.record.is_satisfied[0].tolist() == [False, False, True]
    assert reads.info["history"]["violation"] == [2.0] * 7


@both
def test_the_calls_are_told_what_the_inner_sampler_knows(cls):
    calls = []
    sampler = cls(Recorder(calls), max_iter=3, num_reads=4, seed=5, time_limit=60)
    sampler.set_params(polish=False)
    with pytest.warns(InfeasibleWarning):
        sampler.sample_cqm(never_zero())
    assert [call["num_reads"] for call in calls] == [4, 4, 4]
    assert len({call["seed"] for call in calls}) == 3
    assert all(0 < call["time_limit"] <= 60 for call in calls)
    assert "num_threads" not in calls[0]
    again = []
    with pytest.warns(InfeasibleWarning):
        clone(sampler).set_params(sampler=Recorder(again)).sample_cqm(never_zero())
    assert [call["seed"] for call in again] == [call["seed"] for call in calls]


@both
def test_same_seed_same_answer_for_any_number_of_threads(cls):
    cqm = never_zero()
    sampler = cls(SimulatedAnnealingSampler(num_reads=3, num_sweeps=5), seed=3)
    first = sampler.sample_cqm(cqm, num_threads=1)
    second = sampler.sample_cqm(cqm, num_threads=2)
    np.testing.assert_array_equal(first.record.sample, second.record.sample)
    assert first.info["history"] == second.info["history"]
    assert first.info["seed"] == 3


@both
def test_stops(cls):
    cqm = never_zero()
    annealer = SimulatedAnnealingSampler(num_reads=3, num_sweeps=5)
    sampler = cls(annealer, seed=0, patience=4, max_iter=50, polish=False)
    reads = sampler.sample_cqm(cqm)
    assert reads.info["stopped_by"] == "patience"
    found = int(np.flatnonzero(reads.record.is_feasible)[0]) + 1
    assert reads.info["num_calls"] == found + 4
    reads = sampler.sample_cqm(cqm, target_energy=1.0)
    assert reads.info["stopped_by"] == "target_energy"
    assert reads.info["num_calls"] == found
    reads = sampler.sample_cqm(cqm, patience=None)
    assert reads.info["stopped_by"] == "max_iter"
    assert reads.info["num_calls"] == 50


@both
def test_time_limit(cls, soon):
    start = time.perf_counter()
    sampler = cls(Recorder([]), max_iter=10**6, time_limit=0.05, polish=False)
    with pytest.warns(InfeasibleWarning):
        reads = sampler.sample_cqm(never_zero())
    assert reads.info["stopped_by"] == "time_limit"
    assert time.perf_counter() - start < soon


@both
def test_what_the_inner_sampler_lacks_is_refused(cls):
    bqm = dimod.BQM.from_ising({"a": 1.0}, {})
    with pytest.raises(ValueError, match="'target_energy' parameter is 3, but Rec"):
        cls(Recorder([]), target_energy=3).sample(bqm)
    with pytest.raises(ValueError, match="'initial_states' parameter is"):
        cls(Recorder([])).sample(bqm, initial_states={"a": 1})
    with pytest.raises(ValueError, match="'initial_states' parameter goes with sample"):
        cls(initial_states={"x": 1}).sample_cqm(never_zero())
    calls = []
    cls(Recorder(calls), num_reads=2, seed=1).sample(bqm)
    assert calls == [{"num_reads": 2, "seed": 1}]


@both
def test_a_model_without_constraints_goes_to_the_inner_sampler(cls):
    bqm = dimod.BQM.from_ising({"a": 0.5}, {"ab": 1.0, "bc": -2.0})
    inner = SimulatedAnnealingSampler(num_sweeps=7)
    ours = cls(inner).sample(bqm, num_reads=20, seed=4)
    theirs = inner.sample(bqm, num_reads=20, seed=4)
    np.testing.assert_array_equal(ours.record.sample, theirs.record.sample)
    merged = cls(inner).sample(bqm, num_reads=20, seed=4, aggregate=True)
    assert len(merged) < 20 == merged.record.num_occurrences.sum()
    nested = cls(inner).sample(bqm, num_reads=2, seed=4, sampler__num_sweeps=3)
    assert nested.info["num_sweeps"] == 3
    assert inner.num_sweeps == 7
    matrix = cls(inner).sample_arrays([[0, 1], [1, 0]], num_reads=3, seed=0)
    assert matrix.record.energy.tolist() == [-1.0] * 3


@both
def test_children_and_properties(cls):
    sampler = cls(Recorder([]))
    assert sampler.children == [sampler.sampler]
    assert sampler.properties["child_properties"] == {"chip": "A"}
    assert isinstance(cls().children[0], SimulatedAnnealingSampler)


@both
def test_rows_are_merged_on_request(cls):
    sampler = cls(ExactSampler(), aggregate=True)
    reads = sampler.sample_cqm(never_zero())
    assert reads.record.num_occurrences.sum() == reads.info["num_calls"]
    assert len({tuple(row) for row in reads.record.sample}) == len(reads)


class Silent(Recorder):
    def sample(self, bqm, **parameters):
        return dimod.SampleSet.from_samples(
            (np.empty((0, bqm.num_variables)), list(bqm.variables)), "SPIN", energy=[]
        )


@both
def test_an_oracle_without_reads_is_refused(cls):
    with pytest.raises(ValueError, match="Silent returned no read"):
        cls(Silent([])).sample_cqm(never_zero())


@both
@pytest.mark.parametrize("wrap", [DimodSampler, lambda sampler: sampler])
def test_foreign_samplers_are_oracles(cls, wrap):
    reads = cls(wrap(dimod.ExactSolver())).sample_cqm(never_zero())
    assert reads.info["proven_optimal"]
    assert reads.filter(lambda row: row.is_feasible).first.energy == 1.0


@both
@pytest.mark.parametrize("wrong", [object(), ExactSampler])
def test_what_is_no_sampler_is_refused(cls, wrong):
    with pytest.raises(ValueError, match="'sampler' parameter of"):
        cls(wrong).sample_cqm(never_zero())
