# SPDX-License-Identifier: Apache-2.0
import itertools

import dimod
import networkx as nx
import numpy as np
import pytest
import torch

from qestim.nn import BoltzmannMachine


def states_of(n):
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=n))).double()


def random_machine(n, graph, seed, scale=0.6):
    machine = BoltzmannMachine(n, graph).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.normal_(0, scale, generator=generator)
    return machine


def law_of(machine):
    states = states_of(machine.n_units)
    return states, torch.softmax(-machine.energy(states).detach(), 0)


GRAPHS = [
    "rbm",
    "full",
    "bernoulli",
    [(0, 1), (1, 2), (2, 0), (4, 3)],
    nx.path_graph(7),
]


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_energy_is_that_of_the_bqm_on_all_states(graph):
    machine = random_machine(7, graph, 0)
    states = states_of(7)
    bqm = machine.to_bqm()
    expected = bqm.energies((states.numpy().astype(np.int8), list(range(7))))
    np.testing.assert_allclose(machine.energy(states).detach(), expected, atol=1e-12)
    h, J = machine.to_arrays()
    np.testing.assert_array_equal(J, J.T)
    by_hand = states.numpy() @ h + 0.5 * np.sum(states.numpy() @ J * states.numpy(), 1)
    np.testing.assert_allclose(by_hand, expected, atol=1e-12)


def test_bqm_there_and_back_with_labels_of_either_vartype():
    bqm = dimod.BinaryQuadraticModel(
        {"b": 0.5, "a": -1.0, "c": 0.0},
        {("c", "b"): 0.7, ("a", "b"): -2.0},
        3.0,
        "SPIN",
    )
    states = states_of(3)
    reads = (states.numpy().astype(np.int8), list(bqm.variables))
    expected = bqm.energies(reads) - 3.0
    for model in (bqm, bqm.change_vartype("BINARY", inplace=False)):
        energy = BoltzmannMachine.from_bqm(model).energy(states).detach()
        np.testing.assert_allclose(energy - energy.mean(), expected - expected.mean())


def test_the_repr_says_the_size():
    shown = "BoltzmannMachine(4 spins, 6 couplings)"
    assert repr(BoltzmannMachine(4, "full")) == shown


def test_energy_of_means_is_the_mean_energy_of_a_factorised_law():
    machine = random_machine(8, "full", 1)
    up = torch.rand(8, generator=torch.Generator().manual_seed(2)).double()
    states = states_of(8)
    law = torch.where(states > 0, up, 1 - up).prod(1)
    mean_energy = (law * machine.energy(states)).sum().item()
    assert machine.energy((2 * up - 1)[None]).item() == pytest.approx(mean_energy)


def test_spins_of_a_colour_are_not_coupled():
    for graph in GRAPHS:
        machine = random_machine(7, graph, 0)
        assert sorted(torch.cat(machine.colours).tolist()) == list(range(7))
        J = machine.couplings()
        assert all((J[c][:, c] == 0).all() for c in machine.colours)
    assert len(BoltzmannMachine(9, "rbm").colours) == 2
    assert len(BoltzmannMachine(5, nx.cycle_graph(5)).colours) == 3


@pytest.mark.parametrize("graph", ["rbm", "full", [(0, 1), (1, 2), (2, 0), (4, 3)]])
def test_sweeps_reach_the_exact_means_and_correlations(graph):
    machine = random_machine(6, graph, 3)
    states, law = law_of(machine)
    generator = torch.Generator().manual_seed(0)
    spins = machine.random_spins(20_000, generator=generator)
    spins = machine.sweep(spins, 40, generator=generator)
    exact = states.T @ (law[:, None] * states), law @ states
    drawn = spins.T @ spins / len(spins), spins.mean(0)
    # Five standard errors of a mean of +-1, over some forty moments.
    for have, want in zip(drawn, exact, strict=True):
        assert (have - want).abs().max() < 5 / len(spins) ** 0.5


def test_sweeps_of_all_spins_at_once_would_be_caught():
    # Negative control of the test above: neighbours updated together are no heat bath.
    machine = random_machine(6, "full", 3)
    machine.colours = [torch.arange(6)]
    states, law = law_of(machine)
    generator = torch.Generator().manual_seed(0)
    spins = machine.random_spins(20_000, generator=generator)
    spins = machine.sweep(spins, 40, generator=generator)
    assert (spins.mean(0) - law @ states).abs().max() > 20 / len(spins) ** 0.5


def test_beta_is_an_inverse_temperature():
    machine = BoltzmannMachine(1, "bernoulli")
    with torch.no_grad():
        machine.h.fill_(-0.5)
    spins = machine.sweep(
        torch.ones(50_000, 1), beta=3.0, generator=torch.Generator().manual_seed(0)
    )
    assert spins.mean().item() == pytest.approx(np.tanh(1.5), abs=0.02)


def gradient(machine, data, model, sign=1):
    machine.zero_grad()
    contrast = machine.energy(data.detach()).mean()
    if sign == 1:
        contrast = machine.contrast(data, model)
    else:  # both phases pushed the same way, the error of published code
        contrast = contrast + machine.energy(model).mean()
    contrast.backward()
    return torch.cat([machine.h.grad, machine.J.grad])


@pytest.mark.parametrize("graph", ["rbm", "full"])
def test_prior_gradient_is_the_enumerated_one_and_the_wrong_sign_is_not(graph):
    machine = random_machine(10, graph, 4)
    other = random_machine(10, graph, 5)
    states, data_law = law_of(other)
    machine.zero_grad()
    log_z = torch.logsumexp(-machine.energy(states), 0)
    (data_law @ machine.energy(states) + log_z).backward()
    exact = torch.cat([machine.h.grad, machine.J.grad])
    generator = torch.Generator().manual_seed(6)
    rows = torch.multinomial(data_law, 100_000, True, generator=generator)
    states, law = law_of(machine)
    model = states[torch.multinomial(law, 100_000, True, generator=generator)]
    data = states[rows]

    def cosine_and_scale(estimate):
        cosine = torch.cosine_similarity(estimate, exact, dim=0).item()
        return cosine, (estimate.norm() / exact.norm()).item()

    cosine, scale = cosine_and_scale(gradient(machine, data, model))
    assert cosine > 0.999
    assert scale == pytest.approx(1, abs=0.02)
    cosine, _ = cosine_and_scale(gradient(machine, data, model, sign=-1))
    assert cosine < 0.9


def test_log_partition_of_both_kinds():
    for graph in ("rbm", "full", "bernoulli", nx.cycle_graph(9)):
        machine = random_machine(9, graph, 7)
        exact = torch.logsumexp(-machine.energy(states_of(9)), 0).item()
        assert machine.log_partition() == (pytest.approx(exact, abs=1e-10), None)
        estimate, ess = machine.log_partition(
            max_states=0, generator=torch.Generator().manual_seed(0)
        )
        assert estimate == pytest.approx(exact, abs=0.05)
        assert 100 < ess <= 256.0001


def test_log_partition_of_a_large_rbm_is_estimated_near_the_exact_one():
    machine = random_machine(24, "rbm", 8, scale=0.3)  # 2 ** 12 states enumerated
    exact, _ = machine.log_partition()
    estimate, ess = machine.log_partition(
        max_states=2**11, generator=torch.Generator().manual_seed(1)
    )
    assert ess is not None
    assert estimate == pytest.approx(exact, abs=0.1)


def test_global_generator_is_not_touched():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    machine = random_machine(6, "rbm", 0)
    generator = torch.Generator().manual_seed(0)
    machine.sweep(machine.random_spins(9, generator=generator), generator=generator)
    machine.log_partition(max_states=0, n_betas=3, generator=generator)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("graph", "message"),
    [("chain", "'rbm', 'full'"), ([(0, 0)], r"pair \(0, 0\)"), ([(0, 9)], "0 .. 3")],
)
def test_bad_graphs_are_named(graph, message):
    with pytest.raises(ValueError, match=message):
        BoltzmannMachine(4, graph)


@pytest.mark.parametrize("n_units", [0, -1, 2.5])
def test_the_number_of_units_is_positive(n_units):
    with pytest.raises(ValueError, match="n_units must be a positive integer"):
        BoltzmannMachine(n_units)


@pytest.mark.parametrize("graph", ["rbm", "full", nx.circular_ladder_graph(9)])
def test_log_partition_is_bracketed(graph):
    for seed in range(3):
        machine = random_machine(18, graph, seed, scale=0.35)
        exact, _ = machine.log_partition()
        assert machine.log_partition_bracket() == (exact, exact, None, None)
        generator = torch.Generator().manual_seed(seed)
        bounds = machine.log_partition_bracket(
            max_states=1, n_betas=200, generator=generator
        )
        assert bounds.lower < exact < bounds.upper
        assert 0 < bounds.width < 0.2
        assert 500 < min(bounds.ess_lower, bounds.ess_upper) <= 1024


def test_few_temperatures_widen_the_bracket_but_do_not_break_it():
    machine = random_machine(20, "rbm", 1, scale=0.8)
    exact, _ = machine.log_partition()
    widths = []
    for n_betas in (10, 300):
        generator = torch.Generator().manual_seed(0)
        bounds = machine.log_partition_bracket(
            max_states=1, n_betas=n_betas, generator=generator
        )
        assert bounds.lower < exact < bounds.upper
        widths.append(bounds.width)
    assert widths[0] > 2 * widths[1]


def test_draws_that_are_not_the_machines_contradict_the_lower_bound():
    machine = random_machine(20, "rbm", 1, scale=0.8)
    generator = torch.Generator().manual_seed(0)
    start = machine.random_spins(512, generator=generator)
    ground = machine.sweep(start, 60, beta=9.0, generator=generator)
    honest = machine.log_partition_bracket(
        max_states=1, n_betas=100, generator=generator
    )
    cold = machine.log_partition_bracket(
        spins=ground, max_states=1, n_betas=100, generator=generator
    )
    assert cold.upper < honest.lower


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_exact_moments_are_those_of_all_states(graph):
    machine = random_machine(7, graph, 0)
    states, law = law_of(machine)
    means, correlations = machine.exact_moments()
    assert torch.allclose(means, law @ states)
    assert torch.allclose(correlations, states.T @ (law[:, None] * states))


def test_exact_moments_of_a_large_machine_are_refused():
    with pytest.raises(ValueError, match=r"at most 22.*30 spins"):
        BoltzmannMachine(30, "full").exact_moments()


HIDDEN = {
    "rbm": BoltzmannMachine(7, "rbm", n_visible=4),
    "all visible": BoltzmannMachine(5, "full"),
    "visible coupled": BoltzmannMachine(
        5, [(0, 1), (1, 2), (0, 3), (2, 4)], n_visible=3
    ),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_free_energy_and_means_are_the_sums_over_hidden_states(kind):
    machine = HIDDEN[kind].double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.normal_(0, 0.8, generator=generator)
    visible = states_of(machine.n_visible)
    hidden = states_of(machine.n_units - machine.n_visible)
    joint = torch.cat(
        [
            visible.repeat_interleave(len(hidden), 0),
            hidden.repeat(len(visible), 1),
        ],
        1,
    )
    energy = machine.energy(joint).detach().reshape(len(visible), len(hidden))
    free = machine.free_energy(visible).detach()
    assert torch.allclose(free, -torch.logsumexp(-energy, 1))
    assert torch.allclose(
        machine.hidden_means(visible).detach(), torch.softmax(-energy, 1) @ hidden
    )
    # Normalised by log Z, the free energies are a law of the visible spins.
    log_z, _ = machine.log_partition()
    assert torch.exp(-free - log_z).sum().item() == pytest.approx(1)


def test_visible_means_given_hidden_spins():
    machine = random_machine(6, "rbm", 3)
    states, law = law_of(machine)
    hidden = torch.tensor([[1.0, -1.0, 1.0]]).double()
    same = (states[:, 3:] == hidden).all(1)
    expected = (law[same] / law[same].sum()) @ states[same, :3]
    assert torch.allclose(machine.visible_means(hidden)[0], expected)


def test_mean_field_bounds_the_free_energy_of_coupled_hidden_spins():
    machine = BoltzmannMachine(9, "full", n_visible=3).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        machine.J.normal_(0, 0.4, generator=generator)
    visible, hidden = states_of(3), states_of(6)
    joint = torch.cat([visible.repeat_interleave(64, 0), hidden.repeat(8, 1)], 1)
    exact = -torch.logsumexp(-machine.energy(joint).reshape(8, 64), 1)
    bound = machine.free_energy(visible)
    assert (bound >= exact).all()
    assert (bound - exact).max() < 0.6
    means = machine.hidden_means(visible)
    factor = torch.where(hidden > 0, 1 + means[:, None], 1 - means[:, None]) / 2
    law = factor.prod(2)
    energy = machine.energy(joint).reshape(8, 64)
    by_hand = (law * (energy + torch.log(law))).sum(1)
    assert torch.allclose(bound, by_hand)


def test_clamped_spins_stay_and_the_others_follow_the_conditional_law():
    machine = random_machine(6, "full", 3)
    clamped = [0, 4]
    start = torch.ones(20_000, 6).double()
    start[:, 0] = torch.tensor([1.0, -1.0]).repeat(10_000)
    generator = torch.Generator().manual_seed(0)
    ends = machine.sweep(start, 30, clamped=clamped, generator=generator)
    assert torch.equal(ends[:, clamped], start[:, clamped])
    states, law = law_of(machine)
    for value, rows in ((1.0, slice(0, None, 2)), (-1.0, slice(1, None, 2))):
        same = (states[:, 0] == value) & (states[:, 4] == 1)
        expected = (law[same] / law[same].sum()) @ states[same]
        assert (ends[rows].mean(0) - expected).abs().max() < 5 / 10_000**0.5


def test_fields_of_a_row_are_added_to_the_machines():
    machine = random_machine(5, "rbm", 1)
    shift = torch.linspace(-1, 1, 5).double()
    shifted = random_machine(5, "rbm", 1)
    with torch.no_grad():
        shifted.h += shift
    starts = machine.random_spins(9, generator=torch.Generator().manual_seed(0))
    have = machine.sweep(
        starts,
        3,
        fields=shift.expand(9, -1),
        generator=torch.Generator().manual_seed(1),
    )
    want = shifted.sweep(starts, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(have, want)


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_the_conditional_machine_differs_by_a_constant(graph):
    # A quarter of the couplings instead of an eighth in bits, an error of published
    # code, gives a spread of energies here.
    machine = random_machine(7, graph, 0)
    rest = machine.condition([2, 5], [1.0, -1.0])
    states = states_of(5)
    whole = torch.empty(len(states), 7).double()
    whole[:, [0, 1, 3, 4, 6]] = states
    whole[:, 2], whole[:, 5] = 1.0, -1.0
    difference = (machine.energy(whole) - rest.energy(states)).detach()
    assert torch.allclose(difference, difference[:1])
    assert rest.to_bqm().num_variables == 5


def test_the_number_of_visible_spins():
    assert BoltzmannMachine(7, "rbm").n_visible == 3
    assert BoltzmannMachine(7, "full").n_visible == 7
    machine = BoltzmannMachine(7, "rbm", n_visible=2)
    assert len(machine.J) == 10
    with pytest.raises(ValueError, match=r"integer of 0 \.\. 7. Got 8"):
        BoltzmannMachine(7, "rbm", n_visible=8)
