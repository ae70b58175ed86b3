# SPDX-License-Identifier: Apache-2.0
"""The cooling experiment against scaling laws and its own step size."""

import math

import numpy as np
import pytest
from scipy import constants
from scipy.special import gammainc

from qestim.datasets import EvaporativeCooling
from qestim.datasets._truncated_gas import (
    depth_over_temperature,
    evaporation,
    mean_energy,
    occupations,
    spilling,
)

# The best ramp of the default trap, found by CMA-ES from two seeds (6 digits).
BEST = [0.895, 0.739, 0.561, 0.46, 0.384, 0.313, 0.0, 0.807]


def ramp(unit):
    return [*(1.6 * np.array(unit[:-1])), 20.0 ** unit[-1]]


@pytest.mark.parametrize("eta", [0.3, 1.0, 4.0, 12.0])
def test_the_integrals_are_incomplete_gamma_functions(eta):
    np.testing.assert_allclose(occupations(eta), gammainc([3, 4, 5], eta), rtol=1e-9)


@pytest.mark.parametrize("eta", [0.31, 1.0, 5.0, 12.0, 100.0])
@pytest.mark.parametrize("guess", [0.3, 6.0, 400.0])
def test_the_temperature_follows_from_the_energy(eta, guess):
    assert depth_over_temperature(mean_energy(eta), guess) == pytest.approx(eta)


def test_a_gas_too_hot_for_the_trap_has_the_least_eta():
    assert depth_over_temperature(0.75, 6.0) == 0.3


def test_evaporation_tends_to_the_deep_trap():
    rate, energy = evaporation(30.0)
    assert rate == pytest.approx(math.exp(-30) * 26, rel=1e-6)
    assert energy == pytest.approx(30 + 25 / 26, rel=1e-6)


@pytest.mark.parametrize("eta", [0.5, 3.0, 9.0])
def test_spilling_is_what_a_sinking_barrier_reaches(eta):
    """Energies fall as the root of the depth, so the barrier sinks by half of it."""
    step = 1e-5
    above = 1 - gammainc(3, eta * math.exp(-step / 2)) / gammainc(3, eta)
    assert spilling(eta) == pytest.approx(above / step, rel=1e-4)


def constant_eta(eta):
    """Lower the depth a hundredfold at constant eta, by the law of the ramp."""
    trap = {"three_body": 0.0, "lifetime": 1e12, "heating": 0.0, "spilling": False}
    depth, segments = 400e-6, 60
    cooling = EvaporativeCooling(
        n_segments=segments, temperature=depth / eta, n_steps=600, **trap
    )
    start = cooling.simulate(np.r_[np.zeros(segments), 1e-6])
    mass, area = 86.909180520 * constants.atomic_mass, 8 * math.pi
    area *= (98.0 * constants.physical_constants["Bohr radius"][0]) ** 2
    thermal = constants.k * depth / eta
    wave = math.sqrt(2 * math.pi * constants.hbar**2 / (mass * thermal))
    collisions = start.phase_space_density[0] / wave**3 * area
    collisions *= math.sqrt(8 * thermal / (math.pi * mass))
    effective = eta + (eta - 5) / (eta - 4)
    rate = effective / 3 * (eta - 4) * math.exp(-eta) * collisions
    power = 2 * (effective - 3) / effective
    duration = (100 ** (1 / power) - 1) / rate
    times = np.linspace(0, duration, segments + 1)
    cuts = power * np.diff(np.log1p(rate * times))
    run = cooling.simulate([*cuts, duration])
    gain = run.phase_space_density[-1] / run.phase_space_density[0]
    return run, gain, effective


@pytest.mark.parametrize(("eta", "tolerance"), [(12, 0.02), (10, 0.05)])
def test_scaling_laws_of_a_ramp_at_constant_eta(eta, tolerance):
    run, gain, effective = constant_eta(eta)
    left = 100 ** (-1.5 / (effective - 3))
    assert run.atoms[-1] / run.atoms[0] == pytest.approx(left, rel=tolerance)
    expected = 100 ** (1.5 * (effective - 4) / (effective - 3))
    assert gain == pytest.approx(expected, rel=tolerance)
    held = run.depth[-1] / run.temperature[-1]
    assert held == pytest.approx(eta, rel=tolerance)


def test_an_idle_trap_without_losses_keeps_its_gas():
    cooling = EvaporativeCooling(
        three_body=0.0, lifetime=1e12, heating=0.0, temperature=5e-6
    )
    run = cooling.simulate([0.0] * 7 + [5.0])
    assert run.atoms[-1] == pytest.approx(2e6, rel=1e-9)
    assert run.temperature[-1] == pytest.approx(5e-6, rel=1e-9)


def test_an_adiabatic_opening_keeps_the_phase_space_density():
    """No collisions and no spilling: T falls as the frequency."""
    cooling = EvaporativeCooling(
        three_body=0.0,
        lifetime=1e12,
        heating=0.0,
        spilling=False,
        scattering_length=1e-6,
        temperature=10e-6,
    )
    run = cooling.simulate([0.1] * 7 + [1.0])
    cooled = run.temperature[-1] / run.temperature[0]
    assert cooled == pytest.approx(math.exp(-0.35), rel=1e-6)
    before, after = run.phase_space_density[[0, -1]]
    assert after == pytest.approx(before, rel=1e-6)


def test_background_loss_and_heating_have_their_rates():
    cooling = EvaporativeCooling(
        three_body=0.0, scattering_length=1e-6, temperature=5e-6
    )
    run = cooling.simulate([0.0] * 7 + [6.0])
    assert run.atoms[-1] / run.atoms[0] == pytest.approx(math.exp(-6 / 30), rel=1e-6)
    assert run.temperature[-1] - run.temperature[0] == pytest.approx(3e-8, rel=1e-3)


def test_recombination_takes_atoms_and_heats():
    trap = {"scattering_length": 1e-6, "lifetime": 1e12, "heating": 0.0}
    cooling = EvaporativeCooling(temperature=10e-6, **trap)
    run = cooling.simulate([0.0] * 7 + [1e-3])
    thermal = constants.k * 10e-6
    mass = 86.909180520 * constants.atomic_mass
    wave = math.sqrt(2 * math.pi * constants.hbar**2 / (mass * thermal))
    rate = 4.3e-41 * (run.phase_space_density[0] / wave**3) ** 2 / 3**1.5
    assert 1 - run.atoms[-1] / run.atoms[0] == pytest.approx(rate * 1e-3, rel=0.01)
    # A lost atom takes 2 kT of the mean 3 kT: dT/T = 1/3 of the loss.
    warmed = run.temperature[-1] / run.temperature[0] - 1
    assert warmed == pytest.approx(rate * 1e-3 / 3, rel=0.02)


def test_half_the_step_gives_the_same_score():
    coarse = EvaporativeCooling().score(ramp(BEST))
    fine = EvaporativeCooling(n_steps=4 * 300).score(ramp(BEST))
    assert coarse == pytest.approx(fine, abs=1e-4)


def test_the_best_ramp_is_a_maximum_within_the_bounds():
    cooling = EvaporativeCooling()
    best = cooling.score(ramp(BEST))
    assert best == pytest.approx(4.1778, abs=2e-4)
    for i in range(8):
        for step in (-0.08, 0.08):
            moved = list(BEST)
            moved[i] = min(max(moved[i] + step, 0.0), 1.0)
            assert cooling.score(ramp(moved)) <= best


def test_spilling_closes_the_shortcut():
    """Without it the deepest cut in the shortest time would keep most atoms."""
    dive = [1.6] * 7 + [1.0]
    assert EvaporativeCooling(spilling=False).score(dive) > 5.5
    assert EvaporativeCooling().score(dive) < 0.0


def test_a_lost_gas_ends_the_run():
    run = EvaporativeCooling(n_segments=1).simulate([40.0, 1.0])
    assert run.atoms[-1] == 10.0
    assert len(run.time) < 301


def test_measurements_are_noisy_and_repeat_with_the_seed():
    cooling = EvaporativeCooling()
    rng = np.random.default_rng(1)
    seen = [cooling.measure(ramp(BEST), rng) for _ in range(100)]
    # 3 % of the atoms and 6 % of the density, in decades.
    spread = math.hypot(0.03, 0.06) / math.log(10)
    assert np.std(seen) == pytest.approx(spread, rel=0.25)
    assert np.mean(seen) == pytest.approx(cooling.score(ramp(BEST)), abs=0.01)
    assert cooling.measure(ramp(BEST), np.random.default_rng(1)) == seen[0]


def test_a_dict_is_a_ramp():
    cooling = EvaporativeCooling(n_segments=2)
    named = {"cut_2": 0.2, "cut_1": 0.1, "duration": 2.0}
    assert cooling.score(named) == cooling.score([0.1, 0.2, 2.0])
    assert list(cooling.space) == ["cut_1", "cut_2", "duration"]


@pytest.mark.parametrize(
    "x", [[0.1] * 7, [math.nan] + [0.1] * 7, [0.1] * 7 + [0.0], {"cut_1": 0.1}]
)
def test_wrong_ramps_are_refused(x):
    with pytest.raises(ValueError, match=r"ramp is 7|parameters are"):
        EvaporativeCooling().simulate(x)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("atoms", 0.0),
        ("n_segments", 0),
        ("three_body", -1.0),
        ("depth", math.nan),
        ("noise", 0.03),
        ("noise", (-0.03, 0.06)),
    ],
)
def test_wrong_traps_are_refused(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        EvaporativeCooling(**{name: value})
