# SPDX-License-Identifier: Apache-2.0
import itertools
import math

import numpy as np
import pytest
import torch

from qestim.nn import GaussianBoltzmannMachine


def states_of(n):
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=n))).double()


def random_machine(graph="bernoulli", n_visible=2, n_hidden=4, seed=0):
    machine = GaussianBoltzmannMachine(n_visible, n_hidden, graph).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    return machine


def integrated(machine):
    """Return log of the integral over x of exp(-E(x, s)) for all s, on a grid."""
    axis = torch.linspace(-9, 9, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    cell = (axis[1] - axis[0]) ** 2
    sums = []
    for spins in states_of(machine.n_units):
        energy = machine.energy(grid, spins.expand(len(grid), -1))
        sums.append(torch.logsumexp(-energy, 0) + torch.log(cell))
    return torch.stack(sums).detach()


@pytest.mark.parametrize("graph", ["bernoulli", "full"])
def test_the_hidden_law_is_the_integral_over_the_visible_units(graph):
    machine = random_machine(graph)
    expected = integrated(machine)
    hidden, constant = machine.hidden_marginal()
    energy = hidden.energy(states_of(4)).detach()
    assert torch.allclose(constant - energy, expected, atol=1e-8)
    assert torch.allclose(-machine._marginal(states_of(4)), expected, atol=1e-8)
    log_z = torch.logsumexp(expected, 0).item()
    assert machine.log_partition_bracket().lower == pytest.approx(log_z, abs=1e-8)
    h, J = machine.to_arrays()
    states = states_of(4).numpy()
    by_hand = states @ h + 0.5 * np.sum(states @ J * states, 1)
    np.testing.assert_allclose(by_hand, energy, atol=1e-12)
    np.testing.assert_allclose(
        machine.to_ising().energies(states.astype(np.int8)), energy, atol=1e-12
    )


def test_the_density_of_rows_is_the_sum_over_hidden_states():
    machine = random_machine()
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(1)).double()
    states = states_of(4)
    energy = torch.stack([machine.energy(x, s.expand(5, -1)) for s in states], 1)
    free = machine.free_energy(x)
    assert torch.allclose(free, -torch.logsumexp(-energy, 1))
    law = torch.softmax(-energy, 1)
    assert torch.allclose(machine.hidden_means(x), law @ states)
    axis = torch.linspace(-9, 9, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_z = machine.log_partition_bracket().upper
    total = torch.exp(-machine.free_energy(grid) - log_z).sum()
    assert (total * (axis[1] - axis[0]) ** 2).item() == pytest.approx(1)


def test_coupled_hidden_spins_have_a_bound():
    machine = random_machine("full")
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(1)).double()
    energy = torch.stack([machine.energy(x, s.expand(5, -1)) for s in states_of(4)], 1)
    gap = machine.free_energy(x) + torch.logsumexp(-energy, 1)
    assert (gap >= 0).all()
    assert 1e-6 < gap.max() < 0.7


def test_visible_units_given_spins_and_sweeps_follow_the_law():
    machine = random_machine()
    generator = torch.Generator().manual_seed(2)
    spins = states_of(4)[5].expand(20_000, -1)
    drawn = machine.draw_visible(spins, generator)
    sigma = torch.exp(0.5 * machine.log_variance)
    means = machine.visible_means(spins[:1])[0]
    assert ((drawn.mean(0) - means).abs() < 5 * sigma / 20_000**0.5).all()
    assert torch.allclose(drawn.std(0), sigma, rtol=0.03)
    law = torch.softmax(integrated(machine), 0)
    spins = machine.random_spins(20_000, generator=generator)
    # Slow: two of the spins pull each other through the visible units.
    spins = machine.sweep(spins, 250, generator=generator)
    expected = law @ states_of(4)
    assert (spins.mean(0) - expected).abs().max() < 5 / 20_000**0.5


def test_the_gradient_is_that_of_the_exact_likelihood():
    machine = random_machine()
    data = torch.randn(300, 2, generator=torch.Generator().manual_seed(3)).double()
    states = states_of(4)
    log_z = torch.logsumexp(-machine._marginal(states), 0)
    (machine.free_energy(data).mean() + log_z).backward()
    exact = torch.cat([p.grad.ravel() for p in machine.parameters()])
    law = torch.softmax(-machine._marginal(states).detach(), 0)
    generator = torch.Generator().manual_seed(4)
    model = states[torch.multinomial(law, 200_000, True, generator=generator)]
    machine.zero_grad()
    machine.contrast(data, model).backward()
    estimate = torch.cat([p.grad.ravel() for p in machine.parameters()])
    assert torch.cosine_similarity(estimate, exact, dim=0) > 0.999
    assert (estimate.norm() / exact.norm()).item() == pytest.approx(1, abs=0.02)


def test_without_weights_it_is_a_gaussian():
    machine = GaussianBoltzmannMachine(3, 2).double()
    bounds = machine.log_partition_bracket()
    assert bounds.upper == pytest.approx(1.5 * math.log(2 * math.pi) + 2 * math.log(2))
