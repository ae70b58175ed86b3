# SPDX-License-Identifier: Apache-2.0
import itertools
import warnings

import dimod
import numpy as np
import pytest
import torch

from qestim.estimators._draw import make_draw
from qestim.estimators._negative import (
    PHASES,
    ContrastiveDivergence,
    ExactMeans,
    HybridChains,
    PersistentChains,
    SampledChains,
    TemperedChains,
    make_phase,
)
from qestim.estimators._sampled_chains import redraw
from qestim.exceptions import MixingWarning
from qestim.nn import BoltzmannMachine
from qestim.samplers import DimodSampler, SimulatedAnnealingSampler

STATES = np.array(list(itertools.product((-1, 1), repeat=10)), dtype=np.int8)


class Device(dimod.Sampler):
    """Exact reads of exp(-beta E), or of a model scaled to the range of the device."""

    def __init__(self, at, scale_free=False, **properties):
        self.at, self.scale_free = at, scale_free
        self.given = properties
        self.models = []

    parameters = {"num_reads": [], "seed": []}

    @property
    def properties(self):
        return self.given

    def sample(self, bqm, num_reads=1, seed=None):
        self.models.append(bqm)
        energy = bqm.energies((STATES, range(10)))
        if self.scale_free:
            energy = energy / max(abs(b) for b in bqm.quadratic.values())
        law = np.exp(-self.at * (energy - energy.min()))
        rng = np.random.RandomState(seed)
        rows = rng.choice(len(STATES), num_reads, p=law / law.sum())
        columns = rng.permutation(10)  # a reader of raw columns would be caught
        reads = (STATES[rows][:, columns], columns.tolist())
        return dimod.SampleSet.from_samples_bqm(reads, bqm)


@pytest.fixture(scope="module")
def machine():
    machine = BoltzmannMachine(10, "full")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        machine.h.normal_(0, 0.3, generator=generator)
        machine.J.normal_(0, 1.2 / 10**0.5, generator=generator)
    return machine


def moments(spins):
    spins = np.asarray(spins, dtype=float)
    return np.append(spins.mean(0), np.triu(spins.T @ spins / len(spins), 1))


def error(machine, spins):
    energy = machine.energy(torch.tensor(STATES).float()).detach().double()
    law = torch.softmax(-energy, 0).numpy()
    rows = np.repeat(
        np.arange(len(law)), np.random.RandomState(0).multinomial(10**6, law)
    )
    return np.sqrt(np.mean((moments(spins) - moments(STATES[rows])) ** 2))


def phase_of(machine, sampler, every=1):
    generator = torch.Generator().manual_seed(1)
    return SampledChains(machine, sampler, every, generator, np.random.RandomState(2))


def test_reads_of_a_boltzmann_sampler_are_used_as_they_are(machine):
    device = Device(1.0, distribution="boltzmann")
    phase = phase_of(machine, device)
    spins = phase.step()
    draw = make_draw(device)
    seed = np.random.RandomState(2).randint(2**31 - 1)
    np.testing.assert_array_equal(spins, draw(*machine.to_arrays(), 256, seed))
    assert phase.report()["beta_eff"] == pytest.approx(1, abs=0.15)


def test_a_stated_beta_divides_the_biases(machine):
    device = Device(2.0, distribution="boltzmann", beta=2.0)
    phase = phase_of(machine, device)
    phase.num_reads = 4000
    assert error(machine, phase.step()) < 0.03
    uncorrected = Device(2.0, distribution="boltzmann")
    phase = phase_of(machine, uncorrected)
    phase.num_reads = 4000
    assert error(machine, phase.step()) > 0.1


def test_a_device_that_is_too_cold_is_rescaled(machine):
    device = Device(2.5)
    phase = phase_of(machine, device)
    phase.num_reads = 2000
    phase.step()  # half of the way, so that noise in the estimate is not followed
    assert phase.scale == pytest.approx(2.5**0.5, rel=0.1)
    for _ in range(11):
        spins = phase.step()
    report = phase.report()
    assert report["scale"] == pytest.approx(2.5, rel=0.15)
    assert report["beta_eff"] == pytest.approx(1, rel=0.15)
    assert not report["scale_free"]
    assert error(machine, spins) < 0.04
    assert error(machine, make_draw(device)(*machine.to_arrays(), 2000, 0)) > 0.1


def test_reads_that_say_little_of_their_temperature_leave_the_scale(machine):
    hot = phase_of(machine, Device(0.0))
    blank = phase_of(BoltzmannMachine(10, "full"), Device(2.5))  # nothing learned yet
    for phase in (hot, blank):
        for _ in range(3):
            phase.step()
        assert phase.scale == 1
    assert hot.beta_eff < 0.1
    assert blank.beta_eff is None


def test_spins_of_a_fitted_machine_are_drawn_at_its_scale_and_polished(machine):
    def draw(sampler, n):
        generator = torch.Generator().manual_seed(1)
        rng = np.random.RandomState(2)
        return redraw(machine, sampler, 2.5, n, generator, rng)

    cold = Device(60.0)
    assert error(machine, draw(cold, 500)) < 0.06
    h, J = machine.to_arrays()
    linear = [cold.models[0].linear[i] for i in range(10)]
    np.testing.assert_allclose(linear, h / 2.5)
    exact = Device(2.5, distribution="boltzmann", beta=2.5)
    seed = np.random.RandomState(2).randint(2**31 - 1)
    reads = make_draw(exact)(h / 2.5, J / 2.5, 50, seed)
    np.testing.assert_array_equal(draw(exact, 50), reads)

    class Few(Device):
        def sample(self, bqm, num_reads=1, seed=None):
            return super().sample(bqm, 3, seed)

    followed = draw(Few(60.0), 500)
    assert followed.shape == (500, 10)
    assert error(machine, followed) < 0.06


def test_a_device_without_a_scale_is_left_alone_and_polished(machine):
    device = Device(60.0, scale_free=True)
    phase = phase_of(machine, device)
    phase.num_reads = 2000
    for _ in range(12):
        spins = phase.step()
    report = phase.report()
    assert report["scale_free"]
    assert report["scale"] == 1
    assert report["beta_eff"] > 5
    raw = error(machine, make_draw(device)(*machine.to_arrays(), 2000, 0))
    assert error(machine, spins) < 0.5 * raw


def test_calls_come_every_so_many_updates_and_reads_are_counted(machine):
    device = Device(1.0, distribution="boltzmann")
    phase = phase_of(machine, DimodSampler(device, sample_params={"num_reads": 7}), 4)
    sizes = [len(phase.step()) for _ in range(9)]
    assert sizes == [7] * 9
    report = phase.report()
    assert (report["calls"], report["reads"]) == (3, 21)
    assert report["seconds"] > 0
    assert len(device.models) == 3


def test_the_model_that_is_submitted_is_that_of_the_machine(machine):
    device = Device(1.0)
    make_draw(device)(*machine.to_arrays(), 1, 0)
    have = device.models[0].energies((STATES, range(10)))
    np.testing.assert_allclose(have, machine.to_bqm().energies((STATES, range(10))))


def test_no_reads_is_an_error(machine):
    class Empty(Device):
        def sample(self, bqm, **parameters):
            return dimod.SampleSet.from_samples_bqm(
                (np.empty((0, 10), np.int8), range(10)), bqm
            )

    with pytest.raises(ValueError, match="Empty returned no reads of 10 variables"):
        make_draw(Empty(1.0))(*machine.to_arrays(), 5, 0)


def test_phases_without_a_sampler(machine):
    generator = torch.Generator().manual_seed(0)
    chains = PersistentChains(machine, generator)
    spins = torch.cat([chains.step() for _ in range(60)][20:])
    assert error(machine, spins) < 0.05
    free = BoltzmannMachine(10, "bernoulli")
    with torch.no_grad():
        free.h.copy_(machine.h)
    energy = free.energy(torch.tensor(STATES).float()).detach()
    exact = torch.softmax(-energy, 0) @ torch.tensor(STATES).float()
    assert torch.allclose(ExactMeans(free).step()[0], exact, atol=1e-5)


def test_calls_that_did_not_mix_are_counted_and_warned_of_once(machine):
    class Stuck(Device):
        def sample(self, bqm, **parameters):
            warnings.warn("R-hat is 3", MixingWarning, stacklevel=2)
            if len(self.models) == 2:
                warnings.warn("out of helium", UserWarning, stacklevel=2)
            return super().sample(bqm, **parameters)

    phase = phase_of(machine, Stuck(1.0))
    phase.step(), phase.step()
    assert phase.report()["unmixed_calls"] == 2
    with pytest.warns(UserWarning, match="out of helium"):
        phase.step()
    with pytest.warns(MixingWarning, match="In 3 of 3 calls"):
        phase.warn_of_mixing()
    good = phase_of(machine, Device(1.0))
    good.step()
    good.warn_of_mixing()


def hybrid_of(machine, sampler, every=1, **settings):
    generator = torch.Generator().manual_seed(1)
    rng = np.random.RandomState(2)
    return HybridChains(machine, sampler, every, generator, rng, **settings)


def test_a_call_replaces_the_share_of_the_chains_that_is_oldest(machine):
    device = Device(1.0, distribution="boltzmann")
    phase = hybrid_of(machine, device, 4, n_chains=40, share=0.25, n_sweeps=0)
    before = phase.spins
    after = phase.step()
    assert torch.equal(after[:30], before[10:])
    seed = np.random.RandomState(2).randint(2**31 - 1)
    fresh = make_draw(device)(*machine.to_arrays(), 10, seed)
    np.testing.assert_array_equal(after[30:], fresh)
    for _ in range(4):
        spins = phase.step()
    assert torch.equal(spins[:20], before[20:])
    report = phase.report()
    assert (report["negative_phase"], report["calls"], report["reads"]) == (
        "hybrid",
        2,
        20,
    )


def test_hybrid_chains_hide_the_temperature_of_a_cold_device(machine):
    device = Device(60.0, scale_free=True)
    phase = hybrid_of(machine, device, 5, n_chains=2000)
    for _ in range(30):
        spins = phase.step()
    assert error(machine, spins) < 0.04
    assert error(machine, make_draw(device)(*machine.to_arrays(), 2000, 0)) > 0.1


def two_wells():
    """Return 16 spins that all agree, in one well of two, and its machine."""
    machine = BoltzmannMachine(16, "full")
    with torch.no_grad():
        machine.J.fill_(-0.25)
    return machine, torch.ones(400, 16)


def test_hybrid_and_tempered_chains_cross_a_barrier_that_stops_persistent_ones():
    machine, stuck = two_wells()
    generator = torch.Generator().manual_seed(0)
    pcd = PersistentChains(machine, generator, n_chains=400)
    pcd.spins = stuck
    assert sum(pcd.step().mean().item() for _ in range(30)) / 30 > 0.9
    device = SimulatedAnnealingSampler(num_sweeps=20)
    hybrid = hybrid_of(machine, device, n_chains=400, share=0.25)
    hybrid.spins = stuck
    tempered = TemperedChains(machine, np.random.RandomState(0), n_chains=400)
    for _ in range(30):
        ends = hybrid.step(), tempered.step()
    for spins in ends:
        assert abs(spins.mean().item()) < 0.25
        assert spins.abs().mean() == 1
    assert tempered.report()["lowest_swap_rate"] > 0.2


def test_tempered_chains_follow_the_law(machine):
    phase = TemperedChains(machine, np.random.RandomState(0), n_chains=500)
    spins = torch.cat([phase.step() for _ in range(60)][20:])
    assert error(machine, spins) < 0.02


def test_all_neighbours_of_a_ladder_exchange_with_one_sweep_an_update(machine):
    phase = TemperedChains(machine, np.random.RandomState(0), n_chains=100, n_sweeps=1)
    for _ in range(5):
        phase.step()
    assert (phase.replicas.swap_rates > 0.2).all()


def test_contrastive_divergence_starts_at_the_data(machine):
    generator = torch.Generator().manual_seed(0)
    data = machine.random_spins(5, generator=generator)
    still = ContrastiveDivergence(machine, generator, n_sweeps=0)
    assert torch.equal(still.step(data), data)
    moved = ContrastiveDivergence(machine, generator).step(data)
    assert not torch.equal(moved, data)
    means = torch.linspace(-1, 1, 10).expand(20_000, -1)
    drawn = still.step(means)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert (drawn.mean(0) - means[0]).abs().max() < 5 / 20_000**0.5


@pytest.mark.parametrize(
    ("kind", "sampler", "found"),
    [
        ("auto", None, "pcd"),
        ("auto", Device(1.0), "hybrid"),
        ("auto", Device(1.0, distribution="boltzmann"), "sampler"),
        ("cd", Device(1.0), "cd"),
        ("pcd", Device(1.0), "pcd"),
        ("tempered", None, "tempered"),
        ("sampler", Device(1.0), "sampler"),
        ("hybrid", Device(1.0), "hybrid"),
    ],
)
def test_kinds_of_phases(machine, kind, sampler, found):
    assert kind in PHASES
    settings = {
        "n_chains": 8,
        "n_sweeps": 2,
        "resample_every": 3,
        "generator": torch.Generator().manual_seed(0),
        "rng": np.random.RandomState(0),
    }
    phase = make_phase(kind, machine, sampler, **settings)
    data = machine.random_spins(8, generator=settings["generator"])
    assert phase.step(data).shape == (8, 10)
    assert phase.report()["negative_phase"] == found
    free = BoltzmannMachine(10, "bernoulli")
    if found in ("cd", "pcd", "tempered"):
        assert make_phase(kind, free, None, **settings).name == "exact"
    if found in ("sampler", "hybrid") and kind != "auto":
        with pytest.raises(ValueError, match=f"'{kind}' needs a sampler"):
            make_phase(kind, machine, None, **settings)
