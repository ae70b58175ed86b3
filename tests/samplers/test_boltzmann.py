# SPDX-License-Identifier: Apache-2.0
import json
import re
import time
import warnings

import dimod
import numpy as np
import pytest
from scipy import stats

from qestim import _native
from qestim.exceptions import MixingWarning, TimeLimitWarning
from qestim.qubo import IsingArrays, spins_of
from qestim.samplers import BoltzmannSampler, ExactSampler
from qestim.testing import ising_2d, kaufman_energy, sherrington_kirkpatrick

SEEDS, BETAS = range(6), [0.3, 1.0, 2.0]


def random_bqm(n, seed):
    """Fields, and couplings of mixed weights: some zero, some strong."""
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(n, n)) * rng.choice([0.0, 0.3, 1.0], size=(n, n))
    bqm = dimod.BQM.from_ising(dict(enumerate(rng.normal(size=n))), {})
    bqm.add_quadratic_from(
        (i, j, J[i, j]) for i in range(n) for j in range(i) if J[i, j]
    )
    return bqm


def chi_square(spins, model, beta):
    """Return the p-value with cells pooled to an expectation of 5 reads."""
    n = spins.shape[1]
    states = np.arange(2**n)
    all_spins = (2 * ((states[:, None] >> np.arange(n)) & 1) - 1).astype(np.int8)
    energies = model.energies(all_spins)
    p = np.exp(-beta * (energies - energies.min()))
    p /= p.sum()
    observed = np.bincount((spins > 0) @ (1 << np.arange(n)), minlength=2**n)
    order = np.argsort(-p)
    expected, observed = p[order] * len(spins), observed[order]
    large = expected >= 5
    e, o = expected[large], observed[large]
    if (~large).any():  # one cell for the rest, with the smallest ones if too small
        e, o = (
            np.append(e, expected[~large].sum()),
            np.append(o, observed[~large].sum()),
        )
        while e[-1] < 5:
            e = np.append(e[:-2], e[-2:].sum())
            o = np.append(o[:-2], o[-2:].sum())
    return stats.chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1)


def independent_reads(bqm, beta, seed, **parameters):
    """One read a chain: independent draws, as the chi-square assumes."""
    return BoltzmannSampler(
        num_reads=4000,
        num_chains=4000,
        beta=beta,
        seed=seed,
        log_z=False,
        **parameters,
    ).sample(bqm)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_chi_square_against_enumeration(beta, vartype):
    for seed in SEEDS:
        bqm = random_bqm(6 + seed, seed).change_vartype(vartype, inplace=False)
        reads = independent_reads(bqm, beta, seed, num_temperatures=6, num_sweeps=100)
        model = IsingArrays.from_bqm(bqm)
        p = chi_square(spins_of(reads, bqm.variables), model, beta)
        assert p > 1e-3 / 36, f"seed {seed}"


def test_a_short_run_at_one_temperature_fails_the_chi_square():
    """The negative control: the test above can tell a sampler that did not mix."""
    p = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixingWarning)
        for seed in SEEDS:
            bqm = random_bqm(6 + seed, seed)
            reads = independent_reads(bqm, 2.0, seed, num_temperatures=1, num_sweeps=5)
            p.append(
                chi_square(
                    spins_of(reads, bqm.variables), IsingArrays.from_bqm(bqm), 2.0
                )
            )
    assert min(p) < 1e-6


@pytest.mark.parametrize("beta", BETAS)
def test_defaults_give_means_correlations_and_log_z(beta):
    for seed in SEEDS:
        bqm = random_bqm(12, seed)
        reads = BoltzmannSampler(num_reads=4000, beta=beta, seed=seed).sample(bqm)
        exact = ExactSampler(beta=beta)
        means, correlations = exact.moments(bqm)
        spins = spins_of(reads, bqm.variables).astype(float)
        assert reads.info["mixed"]
        assert reads.info["ess"] > 1000
        row, col = np.triu_indices(12, 1)
        draws = np.hstack([spins, spins[:, row] * spins[:, col]])
        truth = np.append(means, correlations[row, col])
        scale = np.sqrt((1 - truth**2) / reads.info["ess"])
        # 78 quantities of 18 models: 4.6 standard errors are exceeded once in 300.
        assert (np.abs(draws.mean(axis=0) - truth) < 4.6 * scale + 2e-3).all()
        error = reads.info["log_z"] - exact.log_partition(bqm)
        assert reads.info["log_z_error"] < 0.1
        assert abs(error) < 5 * reads.info["log_z_error"] + 1e-6


def test_easy_models_get_one_temperature_and_hard_ones_a_ladder():
    rng = np.random.default_rng(0)
    J = np.triu(rng.normal(size=(64, 64)) / 8, 1)
    J = J + J.T
    sampler = BoltzmannSampler(num_reads=64, seed=1, log_z=False)
    easy = sampler.sample_arrays(J, beta=0.3).info
    hard = sampler.sample_arrays(J, beta=3.0).info
    assert (len(easy["betas"]), easy["swap_rates"]) == (1, [])
    assert easy["num_sweeps_done"] < 500
    assert len(hard["betas"]) > 4
    assert hard["betas"][-1] == 3.0
    assert 0.15 < min(hard["swap_rates"]) <= max(hard["swap_rates"]) < 0.8
    assert hard["round_trips"] > 0


def test_frozen_chains_warn():
    bqm = dimod.BQM.from_ising({}, {(i, i + 1): -1.0 for i in range(99)})
    sampler = BoltzmannSampler(
        num_reads=100, beta=5.0, num_temperatures=1, num_sweeps=100, seed=0
    )
    with pytest.warns(MixingWarning, match="R-hat.*num_sweeps"):
        info = sampler.sample(bqm).info
    assert not info["mixed"]


def test_without_fields_both_signs_come_equally_often():
    """A ferromagnet far below its transition, which no single flip could turn."""
    J = 1.0 - np.eye(30)
    reads = BoltzmannSampler(num_reads=2000, beta=1.0, seed=0).sample_arrays(-J)
    sums = reads.record.sample.sum(axis=1)
    assert set(np.abs(sums)) == {30}
    assert abs((sums > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)


def test_threads_change_nothing_and_seeds_do():
    bqm = random_bqm(40, 0)
    sampler = BoltzmannSampler(num_reads=50, beta=2.0, seed=3)
    one, two = (sampler.sample(bqm, num_threads=t) for t in (1, 2))
    other = sampler.sample(bqm, seed=4)
    np.testing.assert_array_equal(one.record.sample, two.record.sample)
    assert (one.record.sample != other.record.sample).any()
    assert {**one.info, "timing": 0} == {**two.info, "timing": 0}
    json.dumps(one.info)


def test_initial_states_are_where_the_chains_start():
    bqm = dimod.BQM.from_ising({}, {(i, i + 1): -1.0 for i in range(20)})
    bqm.set_linear(0, 1e-9)  # breaks the symmetry, under which signs are drawn anew
    start = np.ones((4, 21), dtype=np.int8)
    sampler = BoltzmannSampler(
        num_reads=40,
        beta=50.0,
        num_temperatures=1,
        burn_in=0,
        thin=1,
        initial_states_generator="tile",
        seed=0,
    )
    reads = sampler.sample(bqm, initial_states=start)
    assert (reads.record.sample == 1).all()


def test_target_energy_is_refused():
    with pytest.raises(ValueError, match=r"'target_energy'.*bias.*Got -1"):
        BoltzmannSampler().sample_ising({0: 1.0}, {}, target_energy=-1)


def test_impossible_schedules_are_refused():
    sampler = BoltzmannSampler(num_reads=100, num_chains=4, num_sweeps=10)
    with pytest.raises(ValueError, match=r"'num_sweeps'.*25 reads.*num_sweeps=10"):
        sampler.sample_ising({0: 1.0}, {})


def test_time_limit_returns_soon_and_warns_when_nothing_is_complete(soon):
    J = np.triu(np.random.default_rng(0).normal(size=(400, 400)), 1)
    start = time.monotonic()
    with pytest.warns(TimeLimitWarning, match="time_limit, now 0.05"):
        reads = BoltzmannSampler(num_reads=8, beta=1.0, time_limit=0.05).sample_arrays(
            J + J.T
        )
    assert time.monotonic() - start < soon
    assert len(reads) == 8
    assert reads.info["ess"] == 0


@pytest.mark.skipif(_native.kernel_name == "numpy", reason="numpy reads too slowly")
def test_a_ladder_that_a_time_limit_stops_counts_the_sweeps_that_were_done():
    # Exchange rates of sweeps that were never run would look like a frozen ladder.
    ladder = {"num_temperatures": 8, "burn_in": 20, "thin": 20, "log_z": False}
    sampler = BoltzmannSampler(beta=1.0, num_reads=10**6, seed=0, **ladder)
    bqm = sherrington_kirkpatrick(60, 0)
    info = sampler.sample(bqm, time_limit=0.8).info
    assert info["stopped_by"] == "time_limit"
    assert 16 < info["num_reads_completed"] < 10**6
    whole = sampler.sample(bqm, num_reads=1000).info
    assert whole["stopped_by"] == ""
    assert whole["num_reads_completed"] == 1000
    assert np.allclose(info["swap_rates"], whole["swap_rates"], atol=0.1)
    asked = []

    def interrupt():
        asked.append(1)
        return len(asked) > 8

    answer = sampler.sample(bqm, interrupt_function=interrupt).info
    assert answer["stopped_by"] == "interrupt"


# On a slow machine the few reads that are left say little of R-hat.
@pytest.mark.filterwarnings("ignore::qestim.exceptions.MixingWarning")
def test_time_limit_keeps_the_reads_that_the_seed_gives(soon):
    sampler = BoltzmannSampler(
        num_reads=3 * 10**6,
        num_temperatures=1,
        burn_in=10,
        thin=20,
        seed=1,
        log_z=False,
    )
    bqm = random_bqm(60, 0)
    cut = sampler.sample(bqm, time_limit=0.4 * soon, beta=0.1, num_threads=1)
    assert 16 < len(cut) < 3 * 10**6
    full = sampler.sample(bqm, beta=0.1, num_reads=len(cut))
    np.testing.assert_array_equal(
        cut.record.sample[:-16], full.record.sample[: len(cut) - 16]
    )


def test_is_a_dimod_sampler():
    sampler = BoltzmannSampler()
    dimod.testing.assert_sampler_api(sampler)
    assert sampler.properties["distribution"] == "boltzmann"
    assert "target_energy" not in sampler.parameters


@pytest.mark.parametrize("beta", [0.3, 0.42, 0.6])
def test_ising_16_by_16_has_kaufmans_energy(beta):
    reads = BoltzmannSampler(num_reads=2000, beta=beta, seed=0).sample(ising_2d(16))
    energy = reads.record.energy
    error = energy.std() / np.sqrt(reads.info["ess"])
    assert abs(energy.mean() - kaufman_energy(16, beta)) < 4 * error
    assert error < 1.5


@pytest.mark.parametrize("options", [{}, {"burn_in": 7}, {"thin": 3}])
def test_the_sweeps_that_the_error_names_are_enough(options):
    options = {"num_reads": 25, "num_chains": 1, "seed": 0, **options}
    with pytest.raises(ValueError, match="are enough") as error:
        BoltzmannSampler(num_sweeps=2, **options).sample_ising({0: 0.5}, {})
    least = int(re.search(r"(\d+) are enough", str(error.value))[1])
    reads = BoltzmannSampler(num_sweeps=least, **options).sample_ising({0: 0.5}, {})
    assert len(reads) == 25
