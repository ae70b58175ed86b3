# SPDX-License-Identifier: Apache-2.0
import itertools

import dimod
import networkx as nx
import numpy as np
import pytest

from qestim import _native
from qestim.exceptions import TimeLimitWarning
from qestim.samplers import SimulatedAnnealingSampler, default_beta_range


def random_bqm(n, vartype, seed, labels=None):
    rng = np.random.default_rng(seed)
    labels = list(range(n)) if labels is None else labels
    linear = dict(zip(labels, rng.normal(size=n), strict=True))
    pairs = itertools.combinations(labels, 2)
    return dimod.BQM(linear, {pair: rng.normal() for pair in pairs}, 1.5, vartype)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
@pytest.mark.parametrize("seed", range(5))
def test_finds_the_ground_state(vartype, seed):
    bqm = random_bqm(12, vartype, seed, labels=list("abcdefghijkl"))
    reads = SimulatedAnnealingSampler(num_reads=32, seed=seed).sample(bqm)
    assert reads.vartype is bqm.vartype
    assert reads.first.energy == pytest.approx(
        dimod.ExactSolver().sample(bqm).first.energy
    )
    assert np.allclose(
        reads.record.energy, bqm.energies((reads.record.sample, list(reads.variables)))
    )


def test_documented_calls_of_dwave_samplers_run():
    sampler = SimulatedAnnealingSampler()
    h, J = {"a": 0.0, "b": 0.0, "c": 0.0}, {("a", "b"): 1, ("b", "c"): 1, ("c", "a"): 1}
    for parameters in (
        {"num_reads": 10},
        {"num_reads": 3, "num_sweeps": 100, "beta_range": [0.1, 4.2]},
        {"beta_schedule_type": "linear", "seed": 7, "num_sweeps_per_beta": 10},
        {"beta_schedule_type": "custom", "beta_schedule": [0.1, 1.0, 5.0]},
        {"initial_states": {"a": 1, "b": -1, "c": 1}, "num_sweeps": 0},
        {"initial_states_generator": "tile", "initial_states": ([1, 1, 1], "abc")},
        {"randomize_order": True, "proposal_acceptance_criteria": "Gibbs"},
        {"interrupt_function": lambda: False},
    ):
        reads = sampler.sample_ising(h, J, **parameters)
        assert len(reads) == parameters.get("num_reads", 1)
        assert set(reads.variables) == {"a", "b", "c"}
    qubo = sampler.sample_qubo({("x", "x"): -1, ("x", "y"): 2, ("y", "y"): -1})
    assert qubo.vartype is dimod.BINARY
    assert qubo.first.energy == -1


def test_zero_sweeps_return_the_initial_states():
    bqm = random_bqm(6, "BINARY", 0)
    states = np.random.default_rng(0).integers(0, 2, (4, 6))
    reads = SimulatedAnnealingSampler(num_sweeps=0).sample(bqm, initial_states=states)
    assert np.array_equal(reads.record.sample, states)


def test_initial_states_are_cut_tiled_or_filled_up():
    bqm = dimod.BQM.from_ising({0: 0.0, 1: 0.0}, {})
    sampler = SimulatedAnnealingSampler(
        num_sweeps=0, initial_states=[[1, -1], [-1, 1]], seed=3
    )
    assert sampler.sample(bqm, num_reads=1).record.sample.tolist() == [[1, -1]]
    tiled = sampler.sample(bqm, num_reads=3, initial_states_generator="tile")
    assert tiled.record.sample.tolist() == [[1, -1], [-1, 1], [1, -1]]
    filled = sampler.sample(bqm, num_reads=40).record.sample
    assert filled[:2].tolist() == [[1, -1], [-1, 1]]
    assert len(np.unique(filled[2:], axis=0)) == 4
    with pytest.raises(ValueError, match="'initial_states' parameter holds 2 states"):
        sampler.sample(bqm, num_reads=3, initial_states_generator="none")


def test_same_seed_same_reads_whatever_the_threads_and_the_other_reads():
    bqm = random_bqm(40, "SPIN", 1)
    sampler = SimulatedAnnealingSampler(num_reads=70, num_sweeps=20, seed=5)
    reads = sampler.sample(bqm, num_threads=1).record.sample
    assert np.array_equal(reads, sampler.sample(bqm, num_threads=3).record.sample)
    fewer = sampler.sample(bqm, num_reads=7).record.sample
    assert np.array_equal(reads[:7], fewer)
    assert not np.array_equal(reads, sampler.sample(bqm, seed=6).record.sample)


def test_a_drawn_seed_is_stated_and_repeats_the_call():
    bqm = random_bqm(30, "SPIN", 2)
    first = SimulatedAnnealingSampler(num_reads=5, num_sweeps=3).sample(bqm)
    again = SimulatedAnnealingSampler(
        num_reads=5, num_sweeps=3, seed=first.info["seed"]
    ).sample(bqm)
    assert np.array_equal(first.record.sample, again.record.sample)


@pytest.mark.skipif(
    _native.kernel_name == "numpy", reason="numpy anneals all reads in one group"
)
def test_time_limit_keeps_complete_reads_only():
    bqm = random_bqm(200, "SPIN", 3)
    full = SimulatedAnnealingSampler(num_reads=2000, num_sweeps=2000, seed=1)
    cut = full.sample(bqm, time_limit=0.3)
    assert cut.info["stopped_by"] == "time_limit"
    assert 0 < cut.info["num_reads_completed"] == len(cut) < 2000
    few = full.sample(bqm, num_reads=1).record.sample
    assert np.array_equal(cut.record.sample[:1], few)


def test_time_limit_too_short_for_one_read_warns():
    bqm = random_bqm(300, "SPIN", 4)
    sampler = SimulatedAnnealingSampler(num_sweeps=10_000_000, time_limit=0.05)
    with pytest.warns(TimeLimitWarning, match="before any of its 1 reads"):
        reads = sampler.sample(bqm)
    assert len(reads) == 1


def test_target_energy_stops_at_the_first_read_that_reaches_it():
    bqm = random_bqm(30, "SPIN", 5)
    sampler = SimulatedAnnealingSampler(num_reads=300, num_sweeps=30, seed=2)
    energies = sampler.sample(bqm).record.energy
    target = float(np.sort(energies)[5])
    first = int(np.flatnonzero(energies <= target)[0])
    for num_threads in (1, 2):
        reads = sampler.sample(bqm, target_energy=target, num_threads=num_threads)
        assert np.allclose(reads.record.energy, energies[: first + 1])
    assert reads.info["stopped_by"] == "target_energy"


def test_aggregate_counts_equal_reads():
    bqm = dimod.BQM.from_ising({0: -1.0, 1: -1.0}, {})
    reads = SimulatedAnnealingSampler(num_reads=20, seed=0, aggregate=True).sample(bqm)
    assert len(reads) == 1
    assert reads.record.num_occurrences.tolist() == [20]
    assert "timing" in reads.info


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_reads": 0}, "'num_reads' parameter of SimulatedAnnealingSampler"),
        ({"num_sweeps": -1}, "'num_sweeps' parameter"),
        ({"num_sweeps": 10, "num_sweeps_per_beta": 3}, "must divide num_sweeps=10"),
        ({"beta_range": (1.0, np.nan)}, "'beta_range' parameter must be 'auto'"),
        ({"beta_range": (0.0, 1.0), "beta_schedule_type": "geometric"}, "positive"),
        ({"beta_schedule_type": "custom"}, "'beta_schedule' parameter goes with"),
        (
            {"beta_schedule_type": "custom", "beta_schedule": [1, np.inf]},
            "finite, non-negative",
        ),
        ({"initial_states": [[2, 1]]}, "'initial_states' parameter must hold spins"),
        ({"initial_states": {0: 1}}, "lacks 1 of the 2 variables"),
        ({"initial_states": []}, "'initial_states' parameter"),
        ({"time_limit": 0}, "'time_limit' parameter"),
        ({"seed": -1}, "'seed' parameter"),
    ],
)
def test_errors_name_the_parameter(parameters, message):
    bqm = dimod.BQM.from_ising({0: 1.0, 1: 1.0}, {})
    with pytest.raises(ValueError, match=message):
        SimulatedAnnealingSampler().sample(bqm, **parameters)


def test_default_range_of_plain_models():
    graph = nx.random_regular_graph(20, 100, seed=0)
    bqm = dimod.BQM.from_ising({}, dict.fromkeys(graph.edges, 1.0))
    hot, cold = default_beta_range(bqm)
    assert hot == pytest.approx(0.45 / np.sqrt(20))
    assert cold == pytest.approx(13.4 / np.sqrt(20))
    scaled = default_beta_range(dimod.BQM.from_ising({}, dict.fromkeys(graph.edges, 4)))
    assert np.allclose(np.array(scaled) * 4, (hot, cold))
    assert default_beta_range(dimod.BQM("SPIN")) == (0.1, 1.0)


def test_the_default_range_sees_through_fields_that_cancel():
    # Ten ones of 100, by a penalty: fields 80 times a coupling, felt by no read.
    rng = np.random.default_rng(0)
    Q = np.triu(np.full((100, 100), 2.0), 1) + np.diag(-19.0 - rng.random(100) / 2)
    bqm = dimod.BQM(Q, "BINARY")
    hot, cold = default_beta_range(bqm)
    assert hot == pytest.approx(0.45 / (0.5 * np.sqrt(99)), rel=0.1)
    assert cold == pytest.approx(13.4 / (0.5 * np.sqrt(99)), rel=0.1)
    sampler = SimulatedAnnealingSampler(num_reads=20, num_sweeps=500, seed=0)
    chosen = sampler.sample(bqm).record.sample.sum(axis=1)
    assert np.abs(chosen - 10).max() <= 2


def test_random_couplings_leave_the_default_range_to_the_fields():
    rng = np.random.default_rng(1)
    J = np.triu(rng.standard_normal((200, 200)), 1)
    h = rng.standard_normal(200)
    bqm = dimod.BQM.from_ising(h, {(i, j): J[i, j] for i, j in np.argwhere(J)})
    rms = np.sqrt(h**2 + ((J + J.T) ** 2).sum(axis=1))
    assert default_beta_range(bqm)[0] == pytest.approx(0.45 / rms.max(), rel=0.02)


def test_widely_spread_biases_get_a_geometric_schedule():
    bqm = dimod.BQM.from_ising({0: 1.0, 1: 1e-6}, {})
    reads = SimulatedAnnealingSampler(seed=0).sample(bqm)
    assert reads.info["beta_schedule_type"] == "geometric"
    assert reads.first.energy == pytest.approx(-1.000001)
