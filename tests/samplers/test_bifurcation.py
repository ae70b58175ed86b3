# SPDX-License-Identifier: Apache-2.0
import itertools

import dimod
import numpy as np
import pytest

from qestim import _native
from qestim.exceptions import TimeLimitWarning
from qestim.qubo import IsingArrays
from qestim.samplers import SimulatedAnnealingSampler, SimulatedBifurcationSampler
from qestim.samplers._dynamics import extreme_eigenvalues, in_units_of_rows
from qestim.testing import check_sampler

MODES = ["discrete", "ballistic"]

needs_compiled = pytest.mark.skipif(
    _native.kernel_name == "numpy", reason="minutes in numpy"
)


def glass(n, seed, vartype="SPIN", scale=1.0):
    rng = np.random.default_rng(seed)
    linear = {i: scale * rng.normal() for i in range(n)}
    pairs = itertools.combinations(range(n), 2)
    return dimod.BQM(linear, {p: scale * rng.normal() for p in pairs}, 0.5, vartype)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
@pytest.mark.parametrize("mode", MODES)
def test_finds_ground_states(mode, vartype):
    for seed in range(4):
        bqm = glass(12, seed, vartype)
        sampler = SimulatedBifurcationSampler(
            mode=mode, num_reads=300, num_steps=500, seed=1
        )
        found = sampler.sample(bqm).first.energy
        assert found == pytest.approx(dimod.ExactSolver().sample(bqm).first.energy)


@pytest.mark.parametrize("mode", MODES)
def test_the_size_of_the_coefficients_does_not_matter(mode):
    sampler = SimulatedBifurcationSampler(mode=mode, num_reads=8, seed=2)
    reads = [
        sampler.sample(glass(20, 3, scale=scale)).record.sample
        for scale in (1.0, 2.0**-600, 2.0**600)
    ]
    assert np.array_equal(reads[0], reads[1])
    assert np.array_equal(reads[0], reads[2])


@pytest.mark.parametrize("mode", MODES)
def test_isolated_spins_follow_their_field(mode):
    bqm = dimod.BQM.from_ising({0: 1.0, 1: -2.0, 2: 0.0}, {(3, 4): 1.0})
    best = SimulatedBifurcationSampler(mode=mode, num_reads=4, seed=0).sample(bqm)
    assert best.first.energy == pytest.approx(-4.0)


def test_a_step_beyond_the_stable_one_is_refused():
    # All-positive couplings: lambda_max = n - 1, so k = 1 + 0.5 sqrt(n - 1).
    n = 101
    bqm = dimod.BQM({}, dict.fromkeys(itertools.combinations(range(n), 2), 1.0), "SPIN")
    largest = 2 / np.sqrt(1 + 0.5 * np.sqrt(n - 1))
    sampler = SimulatedBifurcationSampler(num_steps=10)
    sampler.sample(bqm, dt=0.99 * largest)
    with pytest.raises(ValueError, match=r"'dt' parameter must be below 0\.816"):
        sampler.sample(bqm, dt=1.01 * largest)
    wide = dimod.BQM({}, {(0, i): 1.0 for i in range(1, 3000)}, "SPIN")
    assert sampler.sample(wide).info["dt"] < 0.5


def test_spectra_are_those_of_the_matrix():
    J = np.random.default_rng(0).normal(size=(150, 150))
    J = np.triu(J, 1) + np.triu(J, 1).T
    lowest, highest = extreme_eigenvalues(IsingArrays.from_matrix(J))
    values = np.linalg.eigvalsh(J)
    assert values[0] - 1e-9 <= lowest <= 0.97 * values[0]
    assert 0.97 * values[-1] <= highest <= values[-1] + 1e-9
    scaled, unit = in_units_of_rows(IsingArrays.from_matrix(J))
    assert unit == pytest.approx(np.sqrt((J**2).sum() / 150))
    assert scaled.value == pytest.approx(IsingArrays.from_matrix(J).value / unit)


@needs_compiled
def test_is_near_annealing_on_a_random_graph():
    rng = np.random.default_rng(1)
    row, col = np.triu_indices(400, 1)
    kept = rng.choice(len(row), 4000, replace=False)
    J = {(int(i), int(j)): 1.0 for i, j in zip(row[kept], col[kept], strict=True)}
    annealed = SimulatedAnnealingSampler(num_reads=8, seed=0).sample_ising({}, J)
    for mode in MODES:
        sampler = SimulatedBifurcationSampler(mode=mode, num_reads=16, seed=0)
        cut = (4000 - sampler.sample_ising({}, J).first.energy) / 2
        assert cut > 0.995 * (4000 - annealed.first.energy) / 2


@pytest.mark.parametrize("mode", MODES)
def test_a_limit_too_short_for_one_read_warns(mode):
    sampler = SimulatedBifurcationSampler(
        mode=mode, num_steps=10**6, time_limit=0.05, num_reads=3
    )
    with pytest.warns(TimeLimitWarning, match="before any of its 3 reads"):
        assert len(sampler.sample(glass(60, 4))) == 3


def test_a_target_ends_the_call():
    bqm = glass(30, 5)
    sampler = SimulatedBifurcationSampler(num_reads=64, seed=1)
    energy = sampler.sample(bqm).first.energy
    reads = sampler.sample(bqm, target_energy=energy)
    assert reads.info["stopped_by"] == "target_energy"
    assert reads.first.energy == pytest.approx(energy)


@pytest.mark.parametrize("mode", MODES)
def test_is_no_boltzmann_sampler(mode):
    sampler = SimulatedBifurcationSampler(mode=mode, num_steps=200)
    with pytest.raises(AssertionError, match="Boltzmann law"):
        check_sampler(sampler, samples_boltzmann_at=1.0)
