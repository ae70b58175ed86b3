# SPDX-License-Identifier: Apache-2.0
import pickle
import time

import dimod
import joblib
import numpy as np
import pytest
from sklearn.base import clone

from qestim.exceptions import (
    HardwareError,
    HardwarePendingError,
    HardwareSizeError,
    PrecisionWarning,
    QestimError,
)
from qestim.qubo import IsingArrays
from qestim.samplers import (
    CallableBackend,
    CIMEmulatorBackend,
    DimodBackend,
    ExactSampler,
    FileBackend,
    HardwareSampler,
    KaiwuBackend,
    SimulatedAnnealingSampler,
)
from qestim.testing import ExactLaw, FaultyBackend


def glass(n, seed=0, field=1.0):
    rng = np.random.default_rng(seed)
    J = np.triu(rng.standard_normal((n, n)), 1)
    return J + J.T, field * rng.standard_normal(n)


def states(n):
    return 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def enumerate_machine(matrix, num_reads):
    every = states(len(matrix))
    cost = -((every @ matrix) * every).sum(axis=1)
    return np.repeat(every[[cost.argmin()]], num_reads, axis=0)


def test_info_tells_what_the_call_was():
    J, h = glass(20)
    sampler = HardwareSampler(num_reads=2500, seed=0)
    info = sampler.sample_arrays(J, h).info
    assert info["calls"] == 2
    assert info["modelled_seconds"] == pytest.approx(2 * 60 + 2.5)
    assert info["machine_spins"] == 21
    assert info["bits"] == 8
    assert 0 < info["max_rel_error"] <= 0.5 / 127 + 1e-12
    assert info["beta_eff"] > 0
    assert 0 < info["unique_fraction"] <= 1
    few = sampler.sample_arrays(J, h, num_reads=3)
    assert len(few) == 3
    assert few.info["num_reads_completed"] == 3


def test_beta_is_that_of_the_model_as_given():
    J, h = glass(30)
    sampler = HardwareSampler(CIMEmulatorBackend(noise=2.0), num_reads=400, seed=1)
    one = sampler.sample_arrays(J, h)
    ten = sampler.sample_arrays(10 * J, 10 * h)
    # Scale-free: the same reads, and so a tenth of the inverse temperature.
    assert np.array_equal(one.record.sample, ten.record.sample)
    assert ten.info["beta_eff"] == pytest.approx(one.info["beta_eff"] / 10, rel=1e-6)
    assert sampler.properties["scale_free"]


def test_gauges_are_undone():
    J, h = glass(8)
    asked = []

    def machine(matrix, num_reads):
        asked.append(matrix)
        return enumerate_machine(matrix, num_reads)

    backend = CallableBackend(machine, bits=14)
    found = HardwareSampler(backend, num_gauges=3, num_reads=7, seed=0).sample_arrays(
        J, h
    )
    assert found.info["calls"] == 3
    assert not np.array_equal(asked[0], asked[1])
    assert np.array_equal(np.abs(asked[0]), np.abs(asked[1]))
    exact = ExactLaw(IsingArrays.from_matrix(J, h)).energies.min()
    assert np.allclose(found.record.energy, exact)
    assert len(found) == 7


def test_without_fields_both_signs_come():
    backend = CallableBackend(enumerate_machine)
    found = HardwareSampler(backend, num_reads=50, seed=0).sample_arrays(glass(5)[0])
    assert found.info["machine_spins"] == 5
    assert abs(found.record.sample[:, 0].mean()) < 0.6


def test_what_needs_no_machine_is_answered_here():
    def never(matrix, num_reads):
        raise AssertionError

    sampler = HardwareSampler(CallableBackend(never), num_reads=40, seed=0)
    found = sampler.sample_ising({"a": 1.0, "b": 0.0, "c": -2.0}, {})
    assert found.info["calls"] == 0
    spins = found.record.sample[:, [found.variables.index(v) for v in "abc"]]
    assert (spins[:, 0] == -1).all()
    assert (spins[:, 2] == 1).all()
    assert set(spins[:, 1]) == {-1, 1}


def test_precision_is_spoken_of():
    J, h = glass(40)
    with pytest.warns(PrecisionWarning, match="3 bits changes"):
        HardwareSampler(CIMEmulatorBackend(bits=3), num_reads=10).sample_arrays(J, h)


def test_size_includes_the_auxiliary_spin():
    sampler = HardwareSampler(CIMEmulatorBackend(max_spins=10))
    J, h = glass(10)
    sampler.sample_arrays(J)
    with pytest.raises(HardwareSizeError, match="10 variables"):
        sampler.sample_arrays(J, h)
    assert issubclass(HardwareSizeError, QestimError)


def test_a_pool_is_no_sample():
    backend = CIMEmulatorBackend(unique_pool=True, noise=2.0)
    with pytest.warns(UserWarning, match="pool of candidates"):
        HardwareSampler(backend, num_reads=60, seed=0).sample_arrays(*glass(30))


def test_drops_and_duplicates():
    backend = CIMEmulatorBackend(drop_rate=0.5, duplicate_rate=0.5, noise=3.0)
    sampler = HardwareSampler(backend, num_reads=200, seed=0)
    info = sampler.sample_arrays(*glass(40)).info
    assert 60 < info["num_reads_completed"] < 140
    assert info["unique_fraction"] < 0.9


@pytest.mark.parametrize("name", ["initial_states", "target_energy"])
def test_what_a_machine_cannot_do_is_refused(name):
    with pytest.raises(ValueError, match=name):
        HardwareSampler().sample_ising({0: 1.0}, {}, **{name: [1.0]})


def test_a_class_is_no_backend():
    with pytest.raises(ValueError, match="'backend' parameter"):
        HardwareSampler(CIMEmulatorBackend).sample_ising({}, {(0, 1): 1.0})


def test_the_same_seed_finds_its_reads_again(tmp_path):
    calls = []

    def machine(matrix, num_reads):
        calls.append(num_reads)
        rng = np.random.default_rng(len(calls))
        return rng.choice([-1, 1], (num_reads, len(matrix)))

    J, h = glass(6)

    def fresh(**options):
        return HardwareSampler(
            CallableBackend(machine, max_reads=20), folder=tmp_path, **options
        )

    one = fresh(seed=1, num_reads=50).sample_arrays(J, h)
    assert calls == [20, 20, 10]
    again = pickle.loads(pickle.dumps(one.info["job_names"]))
    two = fresh(seed=1, num_reads=50).sample_arrays(J, h)
    assert np.array_equal(one.record.sample, two.record.sample)
    assert (two.info["resumed"], two.info["job_names"]) == (3, again)
    fresh(seed=2, num_reads=50).sample_arrays(J, h)
    fresh(seed=1, num_reads=50, task_name="Schrödinger's cat/9").sample_arrays(J, h)
    fresh(seed=1, num_reads=50).sample_arrays(J + 0.1 * (J != 0), h)
    assert len(calls) == 12
    names = {path.name for path in tmp_path.iterdir()}
    assert any(name.startswith("Schr_dinger_s_cat_9-") for name in names)


def test_another_machine_gives_its_own_reads(tmp_path):
    J, h = glass(12)
    sampler = HardwareSampler(num_reads=30, seed=1, folder=tmp_path)

    def resumed(backend):
        return sampler.sample_arrays(J, h, backend=backend).info["resumed"]

    machines = [
        CIMEmulatorBackend(noise=1.0),
        CIMEmulatorBackend(noise=2.0),
        DimodBackend(SimulatedAnnealingSampler(), bits=8),
        DimodBackend(ExactSampler(), bits=8),
    ]
    assert [resumed(machine) for machine in machines] == [0, 0, 0, 0]
    assert [resumed(machine) for machine in machines] == [1, 1, 1, 1]
    assert resumed(CIMEmulatorBackend(noise=1.0, queue_seconds=0.01)) == 1
    tabu = KaiwuBackend(tmp_path, solver="tabu")
    assert tabu.identity != KaiwuBackend(tmp_path).identity


def test_files_wait_for_the_booked_time(tmp_path):
    J, h = glass(6)
    machine = FileBackend(tmp_path / "booked")
    sampler = HardwareSampler(machine, folder=tmp_path / "jobs", seed=3, num_reads=2)
    with pytest.raises(HardwarePendingError) as pending:
        sampler.sample_arrays(J, h, wait=False)
    name = pending.value.task_id
    matrix = np.loadtxt(tmp_path / "booked" / f"{name}.problem.csv", delimiter=",")
    answer = tmp_path / "booked" / f"{name}.answer.csv"
    np.savetxt(answer, enumerate_machine(matrix, 2), fmt="%d", delimiter=",")
    exact = ExactLaw(IsingArrays.from_matrix(J, h)).energies.min()
    assert sampler.sample_arrays(J, h).first.energy == pytest.approx(exact)
    answer.unlink()  # the reads are kept
    assert sampler.sample_arrays(J, h).first.energy == pytest.approx(exact)


def test_a_program_that_died_between_answer_and_file_is_told(tmp_path):
    def machine(matrix, num_reads):
        raise KeyboardInterrupt

    sampler = HardwareSampler(CallableBackend(machine), folder=tmp_path, seed=1)
    with pytest.raises(KeyboardInterrupt):
        sampler.sample_arrays(*glass(4))
    with pytest.raises(HardwarePendingError, match=r"remove .*\.json"):
        sampler.sample_arrays(*glass(4))
    next(tmp_path.glob("*.json")).unlink()
    sampler.set_params(backend=CallableBackend(enumerate_machine))
    sampler.sample_arrays(*glass(4))


def test_what_a_function_answered_before_it_died_is_kept(tmp_path):
    calls = []

    def machine(matrix, num_reads):
        calls.append(num_reads)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return enumerate_machine(matrix, num_reads)

    backend = CallableBackend(machine, max_reads=5)
    sampler = HardwareSampler(backend, folder=tmp_path, seed=1, num_reads=15)
    with pytest.raises(KeyboardInterrupt):
        sampler.sample_arrays(*glass(4))
    sampler.set_params(backend=CallableBackend(machine, max_reads=5))  # a new process
    with pytest.raises(HardwarePendingError, match="-2 was begun"):
        sampler.sample_arrays(*glass(4))
    next(tmp_path.glob("*-2.json")).unlink()
    sampler.sample_arrays(*glass(4))
    assert calls == [5, 5, 5, 5]


def test_a_disk_that_is_full_after_the_machine_ran(tmp_path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    sampler = HardwareSampler(CallableBackend(enumerate_machine), folder=tmp_path)
    monkeypatch.setattr("qestim.samplers._hardware.store.write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        sampler.sample_arrays(*glass(4))
    monkeypatch.undo()
    monkeypatch.setattr("qestim.samplers._hardware.store.FolderStore.keep", full)
    with pytest.warns(RuntimeWarning, match="No space"):
        sampler.sample_arrays(*glass(4))


def test_dimod_samplers_as_machines():
    J, h = glass(8)
    exact = ExactLaw(IsingArrays.from_matrix(J, h)).energies.min()
    for inner in (SimulatedAnnealingSampler(), ExactSampler()):
        machine = HardwareSampler(DimodBackend(inner), num_reads=10, seed=0)
        found = machine.sample_arrays(J, h)
        assert found.first.energy == pytest.approx(exact)
        assert len(found) == 10
    with pytest.warns(UserWarning, match="pool"):  # which it is
        HardwareSampler(DimodBackend(dimod.ExactSolver()), num_reads=40).sample_arrays(
            J, h
        )
    broken = DimodBackend(dimod.ExactSolver(), sample_params={"no": object})
    assert clone(broken).sampler is broken.sampler


def test_dwave_machines_by_their_mock():
    testing = pytest.importorskip("dwave.system.testing", reason="needs dwave-system")
    composites = pytest.importorskip("dwave.system")
    mock = testing.MockDWaveSampler(topology_type="pegasus", topology_shape=[2])
    backend = DimodBackend(composites.EmbeddingComposite(mock), bits=7)
    J, h = glass(6)
    found = HardwareSampler(backend, num_reads=20, seed=0).sample_arrays(J, h)
    exact = ExactLaw(IsingArrays.from_matrix(J, h)).energies
    assert len(found) == 20
    assert found.first.energy < np.quantile(exact, 0.1)


def test_whatever_a_function_raises_is_a_hardware_error():
    def machine(matrix, num_reads):
        raise ZeroDivisionError("lasers are off")

    with pytest.raises(HardwareError, match="lasers are off") as caught:
        HardwareSampler(CallableBackend(machine)).sample_arrays(*glass(4))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_later():
    J, h = glass(10)
    bqm = IsingArrays.from_matrix(J, h).to_bqm()
    sampler = HardwareSampler(CIMEmulatorBackend(queue_seconds=0.3), num_reads=10)
    later = sampler.sample_later(bqm, seed=4)
    assert not later.done()
    found = later.record.sample  # waits
    assert later.done()
    again = sampler.sample(bqm, seed=4)
    assert np.array_equal(found, again.record.sample)
    refused = HardwareSampler(CIMEmulatorBackend(max_spins=5)).sample_later(bqm)
    with pytest.raises(HardwareSizeError):
        refused.resolve()


def test_queues_and_limits():
    sampler = HardwareSampler(CIMEmulatorBackend(queue_seconds=5.0), time_limit=0.2)
    start = time.monotonic()
    with pytest.raises(HardwareError, match="time_limit"):
        sampler.sample_arrays(*glass(4))
    assert time.monotonic() - start < 3


def _read(seed, folder):
    sampler = HardwareSampler(num_reads=10, folder=folder)
    return sampler.sample_arrays(*glass(8), seed=seed).record.sample


def test_under_joblib(tmp_path):
    jobs = [joblib.delayed(_read)(seed, tmp_path) for seed in (1, 2, 1)]
    one, two, three = joblib.Parallel(n_jobs=2)(jobs)
    assert np.array_equal(one, three)
    assert not np.array_equal(one, two)


def inject(calls, rate=0.7):
    """Call a machine that fails, and check every outcome; return the faults."""
    J, h = glass(16, field=0.7)
    model = IsingArrays.from_matrix(J, h)
    machine = FaultyBackend(
        CIMEmulatorBackend(num_steps=60), rate=rate, faults=None, seed=5
    )
    # Wrong only where a finite call would be: "never" ends by the limit of time.
    sampler = HardwareSampler(
        machine, num_reads=20, poll_interval=1e-4, max_retries=2, time_limit=0.5
    )
    errors = []
    for seed in range(calls):
        try:
            found = sampler.sample_arrays(J, h, seed=seed)
        except HardwareError as error:
            errors.append(error)
            continue
        spins = found.record.sample
        assert np.isin(spins, (-1, 1)).all()
        assert 1 <= len(spins) <= 20
        assert np.allclose(model.energies(spins), found.record.energy)
        assert found.record.energy.mean() < 0
    assert errors
    assert all(error.task_id for error in errors)
    return machine.injected


def test_injected_faults():
    assert set(inject(250)) == set(FaultyBackend.FAULTS)


@pytest.mark.slow
def test_a_thousand_injected_faults():
    assert len(inject(1300)) >= 1000
