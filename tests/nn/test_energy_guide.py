# SPDX-License-Identifier: Apache-2.0
import itertools

import networkx as nx
import numpy as np
import pytest
import torch

from qestim.nn import EnergyGuide, draw_candidates, log_likelihood
from qestim.nn._hidden_units import ClampedMachine, sampled_means, sum_log_2cosh
from qestim.samplers import BoltzmannSampler

V, L = 4, 6


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def guide_of(graph="rbm", n_visible=5, n_hidden=4, **more):
    made = torch.Generator().manual_seed(1)
    return EnergyGuide(
        V,
        L,
        n_visible=n_visible,
        n_hidden=n_hidden,
        graph=graph,
        width=8,
        generator=made,
        **more,
    )


def enumerated(guide, visible):
    """Free energies by the machine's own energy of every hidden state."""
    hidden = torch.tensor(
        list(itertools.product([-1.0, 1.0], repeat=guide.n_hidden))
    ).double()
    machine = guide.machine.double()
    free = []
    for v in visible.double():
        states = torch.cat([v.expand(len(hidden), -1), hidden], 1)
        free.append(-(-machine.energy(states)).logsumexp(0))
    machine.float()
    return torch.stack(free).detach()


def visible_values(n=7, n_visible=5):
    return torch.rand(n, n_visible, generator=torch.Generator().manual_seed(2)) * 2 - 1


def some_pairs():
    """Visible units coupled among themselves, and not all with all hidden ones."""
    return nx.Graph([(0, 1), (0, 5), (2, 6), (3, 7), (4, 8), (1, 8)])


@pytest.mark.parametrize("graph", ["rbm", some_pairs(), [(0, 5), (4, 8)]])
def test_hidden_units_are_summed_out_exactly(graph):
    guide, visible = guide_of(graph), visible_values()
    assert guide.exact
    free = guide.free_energy(visible).detach().double()
    assert torch.allclose(free, guide.machine.free_energy(visible).double(), atol=1e-5)
    assert torch.allclose(free, enumerated(guide, visible), atol=1e-5)


@pytest.mark.parametrize("n_hidden", [1, 7, 12, 128, 192])
def test_products_of_factors_keep_the_sum(n_hidden, generator):
    scale = torch.tensor([[1e-4], [1.0], [30.0], [200.0]])
    fields = torch.randn(4, n_hidden, generator=generator) * scale
    expected = torch.logaddexp(fields.double(), -fields.double()).sum(1)
    assert torch.allclose(sum_log_2cosh(fields).double(), expected, rtol=1e-5)


def test_gradients_of_the_free_energy_are_those_of_the_sum():
    guide, visible = guide_of(), visible_values()
    fast = torch.autograd.grad(guide.free_energy(visible).sum(), guide.machine.J)[0]
    guide._is_matrix = False
    general = torch.autograd.grad(guide.free_energy(visible).sum(), guide.machine.J)[0]
    assert torch.allclose(fast, general, atol=1e-5)


@pytest.mark.parametrize("sampler", [None, BoltzmannSampler(num_sweeps=50)])
def test_coupled_hidden_units_have_the_variational_bound(sampler, generator):
    guide = guide_of("full", num_reads=200, sampler=sampler)
    with torch.no_grad():
        guide.machine.J.mul_(0.5)
    visible = visible_values()
    assert not guide.exact
    bound = guide.free_energy(visible, generator=generator).detach().double()
    gap = bound - enumerated(guide, visible)
    assert gap.min() > -0.02
    assert gap.max() < 0.3
    assert guide.n_calls == (sampler is not None)


def test_reads_of_uncoupled_units_are_exact():
    exact = guide_of()
    read = guide_of(sampler=BoltzmannSampler(num_sweeps=2), num_reads=2)
    visible = visible_values()
    ours = read.free_energy(visible)
    assert torch.allclose(ours, exact.free_energy(visible), atol=1e-4)
    assert read.n_calls == 1


def test_reads_enter_as_conditional_means():
    clamped = ClampedMachine(guide_of().machine, visible_values())
    means, n_reads = sampled_means(clamped, BoltzmannSampler(num_sweeps=2), 3, 0)
    assert n_reads == 3
    # Uncoupled: the condition is nothing, so that any read has the exact means.
    assert torch.allclose(means, -clamped.fields.tanh(), atol=1e-6)


def test_a_bad_graph_is_refused():
    with pytest.raises(ValueError, match="'rbm', 'full'"):
        guide_of("star")


def test_candidates_keep_what_is_in_sight(generator):
    noisy = torch.tensor([[0, V, 2, V, V + 1, V + 1]] * 3)
    logits = torch.zeros(3, L, V)
    logits[:, 3, 1] = 50.0
    drawn = draw_candidates(noisy, logits, V, 9, generator=generator)
    assert drawn.shape == (3, 9, L)
    seen = noisy[0] != V
    assert (drawn[:, :, seen] == noisy[0, seen]).all()
    assert (drawn[:, :, 3] == 1).all()
    assert len(drawn[:, :, 1].unique()) > 1


def test_likelihood_counts_the_new_tokens_only():
    noisy = torch.tensor([[0, V, V, V + 1]])
    logits = torch.zeros(1, 4, V)
    candidates = torch.tensor([[[0, 1, 2, V + 1]]])
    log_mu = log_likelihood(noisy, candidates, logits, V)
    assert log_mu.item() == pytest.approx(2 * np.log(1 / V))


def test_the_chosen_candidates_follow_the_weights(generator):
    guide = guide_of()
    # One mask, even odds, and an energy that we set: p = exp(-E) / sum.
    wanted = torch.tensor([0.1, 0.2, 0.3, 0.4])
    guide.energy = lambda _, candidates, *__, **more: -wanted[candidates[:, :, 0]].log()
    noisy = torch.zeros(4000, L, dtype=torch.int64)
    noisy[:, 0] = V
    drawn = guide.choose(noisy, torch.zeros(4000, L, V), 64, generator=generator)
    found = torch.bincount(drawn[:, 0], minlength=V) / 4000
    assert torch.allclose(found, wanted, atol=0.03)


def test_rounds_lead_to_the_law_with_two_candidates(generator):
    guide, n = guide_of(), 4000
    # Two masks; the energy wants them equal, and the first to be a large number.
    wanted = 2.0 * torch.eye(V) + 0.5 * torch.arange(V)[:, None]
    guide.energy = lambda _, candidates, *__, **more: (
        -wanted[candidates[:, :, 1], candidates[:, :, 4]]
    )
    noisy = torch.zeros(n, L, dtype=torch.int64)
    noisy[:, [1, 4]] = V
    logits = torch.randn(1, L, V, generator=generator).expand(n, -1, -1)
    log_mu = logits[0].log_softmax(1)
    law = (log_mu[1][:, None] + log_mu[4] + wanted).flatten().softmax(0)

    def distance(n_rounds):
        drawn = guide.choose(noisy, logits, 2, n_rounds=n_rounds, generator=generator)
        assert torch.equal(drawn[:, [0, 2, 3, 5]], noisy[:, [0, 2, 3, 5]])
        found = torch.bincount(V * drawn[:, 1] + drawn[:, 4], minlength=V * V) / n
        return 0.5 * float((found - law).abs().sum())

    assert distance(30) < 0.05 < 0.1 < distance(1)


def test_filling_changes_no_energy(generator):
    guide = guide_of()
    noisy = torch.tensor([[V, 1, V]])
    candidates = torch.tensor([[[2, 1, 0], [3, 1, 3]]])
    logits = torch.randn(1, 3, V, generator=generator)
    filling = torch.full((1, 2), V + 1)
    longer = guide.energy(
        torch.cat([noisy, filling], 1),
        torch.cat([candidates, filling.expand(1, 2, 2)], 2),
        torch.cat([logits, torch.randn(1, 2, V, generator=generator)], 1),
    )
    assert torch.allclose(guide.energy(noisy, candidates, logits), longer, atol=1e-5)


def test_the_contrast_learns_which_tokens_agree(generator):
    """Two tokens that are equal: the energy must find what the denoiser cannot."""
    guide = guide_of(n_visible=8, n_hidden=8)
    descent = torch.optim.Adam(guide.parameters(), 2e-2)
    for _ in range(60):
        tokens = torch.randint(V, (48, 1), generator=generator).repeat(1, 2)
        noisy, logits = torch.full((48, 2), V), torch.zeros(48, 2, V)
        loss = guide.contrast(noisy, tokens, logits, 7, generator=generator).mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
    # A quarter of the false ones agree by chance: no energy can tell those.
    assert loss.item() < 1.2 < np.log(8)
    drawn = guide.choose(
        torch.full((500, 2), V), torch.zeros(500, 2, V), 16, generator=generator
    )
    assert (drawn[:, 0] == drawn[:, 1]).float().mean() > 0.9


def test_the_guide_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    guide_of()
    assert torch.equal(torch.rand(3), expected)
