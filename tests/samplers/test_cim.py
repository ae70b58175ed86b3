# SPDX-License-Identifier: Apache-2.0
import itertools
import json
import subprocess
import sys

import dimod
import numpy as np
import pytest

from qestim import _native
from qestim.exceptions import TimeLimitWarning
from qestim.qubo import IsingArrays
from qestim.samplers import CIMSampler, SimulatedAnnealingSampler
from qestim.samplers._cim_models import machine_of
from qestim.samplers._cim_torch import evolve_on
from qestim.samplers._dynamics import in_units_of_rows
from qestim.testing import check_sampler

MODELS = ["cac", "cfc", "sfc", "mean_field", "wigner"]

needs_compiled = pytest.mark.skipif(
    _native.kernel_name == "numpy", reason="minutes in numpy"
)


def glass(n, seed, field=1.0):
    rng = np.random.default_rng(seed)
    pairs = itertools.combinations(range(n), 2)
    linear = {i: field * rng.normal() for i in range(n)}
    return dimod.BQM(linear, {pair: rng.normal() for pair in pairs}, 0.5, "SPIN")


def with_auxiliary_spin(bqm):
    """The same model with its fields as couplings to one more spin."""
    J = {**bqm.quadratic, **{(i, "aux"): h for i, h in bqm.linear.items()}}
    return dimod.BQM({}, J, bqm.offset, "SPIN")


@pytest.mark.parametrize("model", MODELS)
def test_fields_and_an_auxiliary_spin_have_one_ground_state(model):
    for seed in range(3):
        bqm = glass(12, seed)
        lowest = dimod.ExactSolver().sample(bqm).first.energy
        sampler = CIMSampler(model=model, num_reads=100, num_steps=1000, seed=1)
        assert sampler.sample(bqm).first.energy == pytest.approx(lowest)
        other = sampler.sample(with_auxiliary_spin(bqm)).first.energy
        assert other == pytest.approx(lowest)


@pytest.mark.parametrize("model", MODELS)
def test_the_size_of_the_coefficients_does_not_matter(model):
    sampler = CIMSampler(model=model, num_reads=8, num_steps=200, seed=2)
    bqm = glass(20, 3)
    reads = []
    for scale in (1.0, 2.0**-600, 2.0**600):
        scaled = bqm.copy()
        scaled.scale(scale)
        reads.append(sampler.sample(scaled).record.sample)
    assert np.array_equal(reads[0], reads[1])
    assert np.array_equal(reads[0], reads[2])


@pytest.mark.parametrize("scaling", ["auto", "target", "mean", 0.7])
@pytest.mark.parametrize("model", MODELS)
def test_isolated_spins_follow_their_field(model, scaling):
    bqm = dimod.BQM.from_ising({0: 1.0, 1: -2.0, 2: 0.0}, {(3, 4): 1.0})
    sampler = CIMSampler(model=model, num_reads=20, seed=0, field_scaling=scaling)
    assert sampler.sample(bqm).first.energy == pytest.approx(-4.0)
    assert CIMSampler(model=model, seed=0).sample_ising({0: 1}, {}).first.energy == -1


@pytest.mark.parametrize("model", MODELS)
@needs_compiled
def test_is_near_annealing_on_a_random_graph(model):
    rng = np.random.default_rng(1)
    row, col = np.triu_indices(400, 1)
    kept = rng.choice(len(row), 4000, replace=False)
    J = {(int(i), int(j)): 1.0 for i, j in zip(row[kept], col[kept], strict=True)}
    annealed = SimulatedAnnealingSampler(num_reads=8, seed=0).sample_ising({}, J)
    reads = CIMSampler(model=model, num_reads=32, seed=0).sample_ising({}, J)
    bound = 0.98 if model in ("mean_field", "wigner") else 0.995
    cut = (4000 - reads.first.energy) / 2
    assert cut > bound * (4000 - annealed.first.energy) / 2


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("model", MODELS)
@needs_compiled
def test_the_step_suits_an_outlying_mode(model, sign):
    # Couplings of one sign: all spins together are one mode, far from the others, and
    # a step that suits the others overshoots it.
    rng = np.random.default_rng(4)
    J = np.triu(sign * (rng.random((200, 200)) < 0.5), 1)
    J += J.T
    reads = CIMSampler(model=model, num_reads=16, seed=1).sample_arrays(J)
    annealed = SimulatedAnnealingSampler(num_reads=16, seed=1).sample_arrays(J)
    assert reads.record.energy.mean() < 0.94 * annealed.first.energy


def test_trajectories_bifurcate():
    bqm = glass(20, 4, field=0.0)
    sampler = CIMSampler(num_reads=3, num_steps=500, seed=1, return_trajectory=True)
    reads = sampler.sample(bqm, return_best=False)
    path, steps = reads.record.trajectory, reads.info["trajectory_steps"]
    assert path.shape == (3, 200, 20)
    assert steps[0] == 0
    assert steps[-1] == 500
    assert np.abs(path[:, 0]).max() < 0.1 < np.abs(path[:, -1]).mean()
    assert np.array_equal(np.where(path[:, -1] < 0, -1, 1), reads.record.sample)
    json.dumps(reads.info)
    with pytest.raises(ValueError, match="'return_trajectory' parameter asks for"):
        sampler.sample(bqm, num_reads=100_000)


@pytest.mark.parametrize("model", MODELS)
def test_without_a_polish_it_is_no_boltzmann_sampler(model):
    sampler = CIMSampler(model=model, num_steps=200)
    assert sampler.properties["distribution"] == "ground_state"
    with pytest.raises(AssertionError, match="Boltzmann law"):
        check_sampler(sampler, samples_boltzmann_at=1.0)


def test_the_polish_tells_the_temperature_and_its_misfit():
    bqm = glass(30, 5, field=0.3)
    bqm.scale(0.2)
    sampler = CIMSampler(num_reads=2000, num_steps=200, seed=1, boltzmann_beta=1.0)
    polished = sampler.sample(bqm, post_sweeps=300).info
    assert polished["beta_eff"] == pytest.approx(1.0, abs=0.05)
    assert polished["misfit"] < 1e-3
    assert polished["misfit_p"] > 1e-3
    # Too cold to mix: the polish leaves the reads where the machine froze them.
    bqm.scale(10)
    frozen = sampler.sample(bqm, boltzmann_beta=3.0, post_sweeps=1).info
    assert not abs(frozen["beta_eff"] - 3.0) < 0.05 or frozen["misfit"] > 1e-3
    with pytest.raises(ValueError, match="'target_energy' parameter must be None"):
        sampler.sample(bqm, target_energy=0.0)


def test_polished_reads_are_those_of_the_seed():
    bqm = glass(20, 6)
    sampler = CIMSampler(num_reads=50, num_steps=50, seed=3, boltzmann_beta=0.5)
    reads = sampler.sample(bqm, num_threads=1).record.sample
    assert np.array_equal(reads, sampler.sample(bqm, num_threads=2).record.sample)
    assert not np.array_equal(reads, sampler.sample(bqm, seed=4).record.sample)


def test_a_step_beyond_the_stable_one_is_refused():
    bqm = dimod.BQM(
        {}, dict.fromkeys(itertools.combinations(range(50), 2), 1.0), "SPIN"
    )
    sampler = CIMSampler(model="mean_field", num_steps=5, pump=(0.0, 1.0), xi=1.0)
    # Stiffness at rest: 1 - p + xi lambda_max / r = 1 + 7.
    sampler.sample(bqm, dt=0.245)
    with pytest.raises(ValueError, match=r"'dt' parameter must be below 0\.25"):
        sampler.sample(bqm, dt=0.255)
    assert sampler.sample(bqm, dt="auto").info["dt"] == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pump": (1, 2, 3)}, "'pump' parameter must be 'auto'"),
        ({"pump": np.nan}, "'pump' parameter must be 'auto'"),
        ({"alpha": -1.0}, "'alpha' parameter must not be negative"),
        ({"rate": (0.1, -0.1)}, "'rate' parameter must not be negative"),
        ({"xi": 0}, "'xi' parameter of CIMSampler"),
        ({"model": "gaussian"}, "'model' parameter of CIMSampler"),
        ({"boltzmann_beta": -1.0}, "'boltzmann_beta' parameter"),
    ],
)
def test_errors_name_the_parameter(parameters, message):
    with pytest.raises(ValueError, match=message):
        CIMSampler().sample(glass(3, 0), **parameters)


def test_a_limit_too_short_for_one_read_warns():
    sampler = CIMSampler(num_steps=10**6, time_limit=0.05, num_reads=3)
    with pytest.warns(TimeLimitWarning, match="before any of its 3 reads"):
        assert len(sampler.sample(glass(40, 4))) == 3


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_torch_integrates_the_same_equations(model, sparse):
    # A few more couplings would make it dense; the idle spins keep it sparse.
    bqm = glass(12, 7)
    if sparse:
        bqm.add_linear_from({f"idle {k}": 0.0 for k in range(60)})
    scaled, _ = in_units_of_rows(IsingArrays.from_bqm(bqm))
    sampler = CIMSampler(model=model, num_steps=400)
    machine, _ = machine_of(sampler, scaled)
    spins, completed, kernel, reason, record = evolve_on("cpu")(
        scaled.h,
        scaled.row,
        scaled.col,
        scaled.value,
        **machine,
        interval=10,
        moments=np.array([0, 400]),
        num_reads=64,
        seed=_native.stream_key(1),
    )
    assert kernel == "torch-cpu"
    assert reason == ""
    assert completed.all()
    assert np.abs(record[:, 0]).mean() < np.abs(record[:, 1]).mean()
    states = np.array(list(itertools.product([-1, 1], repeat=12)), dtype=np.int8)
    states = np.pad(states, ((0, 0), (0, len(scaled) - 12)), constant_values=1)
    lowest = scaled.energies(states).min()
    assert scaled.energies(spins).min() == pytest.approx(lowest)


def test_torch_is_imported_only_when_asked():
    code = (
        "import sys; from qestim.samplers import CIMSampler;"
        "CIMSampler(num_steps=5).sample_ising({0: 1}, {});"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_cuda_without_a_device_says_so():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a device")
    with pytest.raises(RuntimeError, match="'device' parameter of CIMSampler"):
        CIMSampler(device="cuda").sample(glass(3, 0))


@pytest.mark.parametrize("noise", [1.0, 3.0, 10.0])
def test_strong_noise_warms_and_does_not_turn_the_sign(noise):
    rng = np.random.default_rng(0)
    J = np.triu(rng.standard_normal((31, 31)), 1)
    sampler = CIMSampler(
        model="mean_field", noise=noise, num_steps=200, return_best=False, seed=0
    )
    reads = sampler.sample_arrays(J + J.T, num_reads=400)
    assert reads.record.energy.mean() < -2


@pytest.mark.parametrize("noise", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_noise_that_grows_with_the_amplitudes_does_not_turn_the_sign(noise, mean):
    rng = np.random.default_rng(0)
    J = np.triu(mean + rng.standard_normal((40, 40)), 1)
    sampler = CIMSampler(
        model="wigner", noise=noise, num_steps=400, return_best=False, seed=0
    )
    energies = sampler.sample_arrays(J + J.T, num_reads=400).record.energy
    assert energies.mean() < -4 * energies.std() / 20


def test_a_machine_without_noise_leaves_zero():
    J = np.ones((20, 20)) - np.eye(20)
    sampler = CIMSampler(model="wigner", noise=0, num_reads=5, seed=0)
    assert np.ptp(sampler.sample_arrays(J).record.sample, axis=1).all()
