# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pytest
from dimod.exceptions import BinaryQuadraticModelSizeError

from qestim.samplers import ExactSampler


def random_bqm(n, seed, vartype="SPIN"):
    rng = np.random.default_rng(seed)
    bqm = dimod.BQM(rng.normal(size=(n, n)), vartype)
    bqm.offset = 0.75
    for v in range(n):
        bqm.set_linear(v, rng.normal())
    return bqm.relabel_variables({v: f"v{v}" for v in range(n)}, inplace=False)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_lists_all_states_like_dimods_exact_solver(vartype):
    bqm = random_bqm(7, 0, vartype)
    ours = ExactSampler().sample(bqm)
    theirs = dimod.ExactSolver().sample(bqm)
    assert ours.vartype is bqm.vartype
    assert len(ours) == 128
    np.testing.assert_allclose(ours.record.energy, np.sort(theirs.record.energy))
    dimod.testing.assert_response_energies(ours, bqm)


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
@pytest.mark.parametrize("beta", [0.0, 0.4, 2.0])
def test_log_z_mean_energy_and_moments(vartype, beta):
    bqm = random_bqm(8, 1, vartype)
    states = dimod.ExactSolver().sample(bqm)
    spins = dimod.as_samples(states.change_vartype("SPIN", inplace=False))
    spins = spins[0][:, [spins[1].index(v) for v in bqm.variables]]
    weights = np.exp(-beta * states.record.energy)
    p = weights / weights.sum()
    sampler = ExactSampler(beta=beta)
    means, correlations = sampler.moments(bqm)
    np.testing.assert_allclose(means, p @ spins, atol=1e-12)
    np.testing.assert_allclose(correlations, spins.T @ (p[:, None] * spins), atol=1e-12)
    info = sampler.sample(bqm).info
    assert info["log_z"] == pytest.approx(np.log(weights.sum()))
    assert sampler.log_partition(bqm) == pytest.approx(info["log_z"])
    assert info["mean_energy"] == pytest.approx(p @ states.record.energy)
    assert info["ground_energy"] == pytest.approx(states.record.energy.min())
    assert info["ground_states"] == 1


def test_draws_are_independent_and_follow_the_law():
    bqm = random_bqm(12, 2)
    sampler = ExactSampler(beta=0.3, num_reads=20000, seed=4)
    reads = sampler.sample(bqm)
    means, correlations = sampler.moments(bqm)
    spins = reads.record.sample.astype(float)
    assert list(reads.variables) == list(bqm.variables)
    z = (spins.mean(axis=0) - means) / np.sqrt((1 - means**2) / len(spins))
    assert np.abs(z).max() < 4
    assert np.abs(spins.T @ spins / len(spins) - correlations).max() < 0.035
    again = sampler.sample(bqm, num_threads=1)
    np.testing.assert_array_equal(again.record.sample, reads.record.sample)
    other = sampler.sample(bqm, seed=5)
    assert (other.record.sample != reads.record.sample).any()


def test_lowest_states():
    bqm = random_bqm(18, 3, "BINARY")
    lowest = ExactSampler().lowest(bqm, 10)
    theirs = np.sort(dimod.ExactSolver().sample(bqm).record.energy)[:10]
    np.testing.assert_allclose(lowest.record.energy, theirs)
    assert lowest.vartype is dimod.BINARY
    with pytest.raises(ValueError, match=r"num_states"):
        ExactSampler().lowest(bqm, 0)


def test_too_large_models_say_the_limit_and_the_way_out():
    bqm = dimod.BQM.from_ising({v: 1.0 for v in range(17)}, {})
    with pytest.raises(BinaryQuadraticModelSizeError, match=r"17 variables.*num_reads"):
        ExactSampler().sample(bqm)
    assert len(ExactSampler(num_reads=3).sample(bqm)) == 3
    bqm = dimod.BQM.from_ising({v: 1.0 for v in range(27)}, {})
    with pytest.raises(
        BinaryQuadraticModelSizeError, match=r"27.*26.*BoltzmannSampler"
    ):
        ExactSampler(num_reads=3).sample(bqm)


def test_is_a_dimod_sampler():
    sampler = ExactSampler()
    dimod.testing.assert_sampler_api(sampler)
    assert sampler.properties["distribution"] == "boltzmann"


@pytest.mark.slow
def test_independent_spins_at_the_size_limit():
    h = np.linspace(-1, 1, 26)
    sampler = ExactSampler(beta=0.8)
    bqm = dimod.BQM.from_ising(dict(enumerate(h)), {})
    expected = np.log(2 * np.cosh(0.8 * h)).sum()
    assert sampler.log_partition(bqm) == pytest.approx(expected)
    np.testing.assert_allclose(sampler.moments(bqm)[0], np.tanh(-0.8 * h))


@pytest.mark.parametrize("beta", [-1.0, np.nan, "cold"])
@pytest.mark.parametrize("question", ["log_partition", "moments", "lowest"])
def test_every_question_checks_the_temperature(question, beta):
    sampler = ExactSampler(beta=beta)
    with pytest.raises(ValueError, match="'beta' parameter of ExactSampler"):
        getattr(sampler, question)(dimod.BQM.from_ising({0: 1.0}, {}))


def test_a_model_beyond_all_draws_is_sent_to_another_sampler():
    bqm = dimod.BQM(dict.fromkeys(range(27), 1.0), {}, "SPIN")
    with pytest.raises(BinaryQuadraticModelSizeError, match="BoltzmannSampler"):
        ExactSampler().sample(bqm)
