# SPDX-License-Identifier: Apache-2.0
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from qestim import _native
from qestim.exceptions import HardwareNetworkError
from qestim.samplers import CIMEmulatorBackend, HardwareSampler
from qestim.samplers._hardware.backend import MachineTask
from qestim.samplers._hardware.calibration import answers, fresh, statistics


def matrices(number, n=24, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        K = np.triu(rng.integers(-127, 128, (n, n)), 1).astype(float)
        found.append(K + K.T)
    return found


K = matrices(1)[0]


def ask(machine, seed=0, num_reads=200, matrix=K):
    task = MachineTask("job", matrix, num_reads, seed)
    return machine.collect(task, {"ready": 0.0})


def test_presets():
    machine = CIMEmulatorBackend.preset("cim-1000", read_noise=0.1)
    assert (machine.max_spins, machine.bits, machine.read_noise) == (1000, 14, 0.1)
    with pytest.raises(ValueError, match="cim-550"):
        CIMEmulatorBackend.preset("cim-9000")


def test_reads_repeat_with_seed_and_machine():
    machine = CIMEmulatorBackend(coupling_error=0.3, noise=1.0)
    one = ask(machine)
    assert np.array_equal(one, ask(machine))
    assert not np.array_equal(one, ask(machine, seed=1))
    other = clone(machine).set_params(machine_seed=1)
    assert not np.array_equal(one, ask(other))


def test_read_noise_flips_its_share():
    clean = ask(CIMEmulatorBackend(noise=1.0))
    noisy = ask(CIMEmulatorBackend(noise=1.0, read_noise=0.1))
    share = (clean != noisy).mean()
    assert 0.08 < share < 0.12


def test_wrong_couplings_cost_energy():
    def energy(error):
        reads = ask(CIMEmulatorBackend(coupling_error=error))
        return -((reads @ K) * reads).sum(axis=1).mean()

    assert energy(0.0) < energy(1.0)


def test_drift_grows_and_a_restart_ends_it():
    still = ask(CIMEmulatorBackend(noise=1.5))
    machine = CIMEmulatorBackend(
        noise=1.5, drift=0.7, drift_period=40, restart_after=20
    )
    assert np.array_equal(ask(machine), still)
    moved = []
    for _ in range(19):
        moved.append(np.abs(ask(machine).mean(axis=0) - still.mean(axis=0)).mean())
    assert moved[0] < moved[-1]
    with pytest.raises(HardwareNetworkError, match="after 20 calls"):
        ask(clone(machine))  # the same machine
    assert np.array_equal(ask(machine), still)
    ask(machine)
    assert pickle.loads(pickle.dumps(machine))._machine == {}


def test_the_lowest_state_passed_is_no_worse_than_the_last():
    def energies(mode):
        reads = ask(CIMEmulatorBackend(noise=1.0, mode=mode))
        return -((reads @ K) * reads).sum(axis=1)

    last, lowest = energies("sampling"), energies("optimization")
    assert (lowest <= last).all()
    assert lowest.mean() < last.mean()


def test_a_restart_is_asked_again():
    machine = CIMEmulatorBackend(restart_after=2)
    sampler = HardwareSampler(machine, num_reads=10)
    for seed in range(5):
        sampler.sample_arrays(-K, seed=seed)
    assert machine._machine == {"calls": 3, "starts": 1}


def test_statistics_know_their_limits():
    ground = ask(CIMEmulatorBackend(noise=0.0))[:1]
    facts = statistics(K, np.repeat(ground, 5, axis=0))
    assert facts["overlap"] == pytest.approx(1)
    assert facts["spread"] == 0
    rng = np.random.default_rng(0)
    facts = statistics(K, rng.choice([-1, 1], (2000, 24)))
    assert abs(facts["energy"]) < 0.05
    assert facts["against"] == pytest.approx(0.5, abs=0.02)
    assert facts["overlap"] == pytest.approx(1 / 24, abs=0.01)


@pytest.mark.skipif(
    _native.kernel_name == "numpy", reason="half a minute without compiled kernels"
)
def test_calibration_finds_the_machine():
    theirs = CIMEmulatorBackend(
        noise=1.2, read_noise=0.03, num_steps=100, machine_seed=7
    )
    problems = matrices(4, seed=1)
    reads = answers(theirs, problems, [150] * 4)
    start = CIMEmulatorBackend(num_steps=100, restart_after=5000)
    ours = start.calibrate(problems, reads)
    assert ours.max_spins == 550
    held_out = matrices(4, seed=2)
    wanted = answers(fresh(theirs), held_out, [400] * 4, 100)
    before = answers(CIMEmulatorBackend(num_steps=100), held_out, [400] * 4, 200)
    after = answers(ours, held_out, [400] * 4, 200)

    def distance(found):
        pairs = [
            (statistics(m, a), statistics(m, b))
            for m, a, b in zip(held_out, wanted, found, strict=True)
        ]
        return np.mean([[abs(a[k] - b[k]) for k in a] for a, b in pairs])

    assert ours.restart_after == 5000
    assert distance(after) < 0.03
    assert distance(after) < distance(before) / 3


def test_what_cannot_be_calibrated():
    machine = CIMEmulatorBackend()
    with pytest.raises(ValueError, match="equal length"):
        machine.calibrate([K], [])
    with pytest.raises(ValueError, match="equal length"):
        machine.calibrate([K], [np.zeros((9, 24))])
    with pytest.raises(ValueError, match="at least 5 reads"):
        machine.calibrate([K], [np.ones((2, 24))])
