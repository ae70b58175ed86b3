# SPDX-License-Identifier: Apache-2.0
import itertools
import math

import pytest
import torch

from qestim.nn import (
    BoltzmannMachine,
    SpinVAE,
    conditional_mean,
    evidence_bound,
    spin_entropy,
    straight_through_spins,
)


def states_of(n):
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=n))).double()


def law_of(logits, states):
    return torch.sigmoid(states * logits).prod(1)


def test_entropy_and_its_gradient_are_the_enumerated_ones():
    logits = torch.tensor([[0.3, -2.0, 1.1, 4.0]], dtype=torch.float64)
    logits.requires_grad_()
    law = law_of(logits, states_of(4))
    exact = -(law * law.log()).sum()
    (want,) = torch.autograd.grad(exact, logits)
    have = spin_entropy(logits).sum()
    assert have.item() == pytest.approx(exact.item())
    assert torch.allclose(torch.autograd.grad(have, logits)[0], want)


def test_divergence_reaches_the_encoder_with_the_enumerated_gradient():
    generator = torch.Generator().manual_seed(0)
    prior = BoltzmannMachine(6, "full").double()
    with torch.no_grad():
        prior.h.normal_(0, 1, generator=generator)
        prior.J.normal_(0, 1, generator=generator)
    logits = torch.randn(1, 6, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    states = states_of(6)
    law = law_of(logits, states)
    log_prior = -prior.energy(states) - prior.log_partition()[0]
    exact = (law * (law.log() - log_prior)).sum()
    (want,) = torch.autograd.grad(exact, logits)
    divergence = prior.energy(torch.tanh(logits / 2)) - spin_entropy(logits)
    (have,) = torch.autograd.grad(divergence.sum(), logits)
    assert torch.allclose(have, want, atol=1e-10)
    value = divergence.item() + prior.log_partition()[0]
    assert value == pytest.approx(exact.item())


def test_straight_through_draws_the_law_and_is_exact_for_linear_functions():
    logits = torch.tensor([0.4, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    generator = torch.Generator().manual_seed(1)
    spins = straight_through_spins(
        logits.expand(200_000, 3), temperature=1.0, generator=generator
    )
    assert set(spins.detach().unique().tolist()) == {-1.0, 1.0}
    mean = torch.tanh(logits / 2).detach()
    assert (spins.mean(0).detach() - mean).abs().max() < 0.012
    # d tanh(l / 2) / dl; at temperature 1 the relaxation is biased by the noise alone.
    (slope,) = torch.autograd.grad(spins.mean(0).sum(), logits)
    assert torch.sign(slope).eq(1).all()


def test_straight_through_gradient_points_along_the_enumerated_one():
    # A loss of four spins with third-order terms, at 64 random laws.
    states = states_of(4)
    generator = torch.Generator().manual_seed(2)

    def loss(s):
        return (s @ torch.tensor([1.0, -0.5, 0.3, 0.0]).to(s) + s[:, 3] * s[:, 0]) ** 2

    have, want = [], []
    for _ in range(64):
        logits = torch.randn(4, generator=generator, dtype=torch.float64)
        logits.requires_grad_()
        exact = (law_of(logits, states) * loss(states)).sum()
        want.append(torch.autograd.grad(exact, logits)[0])
        spins = straight_through_spins(logits.expand(4000, 4), generator=generator)
        have.append(torch.autograd.grad(loss(spins).mean(), logits)[0])
    have, want = torch.stack(have).ravel(), torch.stack(want).ravel()
    assert torch.cosine_similarity(have, want, dim=0) > 0.8


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_bound_lies_below_the_exact_evidence_and_meets_the_enumerated_bound(likelihood):
    generator = torch.Generator().manual_seed(3)
    vae = SpinVAE(5, 4, n_hidden=8, likelihood=likelihood, generator=generator).double()
    prior = BoltzmannMachine(4, "full").double()
    with torch.no_grad():
        prior.h.normal_(0, 0.7, generator=generator)
        prior.J.normal_(0, 0.7, generator=generator)
        vae.encoder[3].weight.mul_(6)  # posteriors of many shapes
    x = torch.rand(12, 5, generator=generator).double().round(decimals=1)
    log_z, _ = prior.log_partition()
    states = states_of(4)
    log_prior = -prior.energy(states) - log_z
    likelihoods = torch.stack([vae.log_likelihood(states, r.expand(16, 5)) for r in x])
    evidence = torch.logsumexp(likelihoods + log_prior, 1)
    law = torch.stack([law_of(row, states) for row in vae.encoder(x)])
    exact = (law * (likelihoods + log_prior - law.log())).sum(1)
    bound = evidence_bound(vae, prior, log_z, x, x, n_draws=4096)
    assert (exact < evidence).all()
    assert torch.allclose(bound, exact, atol=0.02)
    wrong_sign = evidence_bound(vae, prior, -log_z, x, x, n_draws=64)
    assert not (wrong_sign < evidence).all()


def test_gaussian_likelihood_is_the_density():
    vae = SpinVAE(2, 2, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        vae.law.log_variance.copy_(torch.tensor([0.5, -1.0]))
    spins, x = torch.ones(1, 2).double(), torch.tensor([[0.2, 3.0]]).double()
    law = torch.distributions.Normal(vae.mean(spins), vae.variance().sqrt())
    assert vae.log_likelihood(spins, x).item() == pytest.approx(
        law.log_prob(x).sum().item()
    )
    assert math.isfinite(SpinVAE(2, 2).log_likelihood(spins.float(), x.float()).item())


def test_weights_come_from_the_generator_alone():
    before = torch.random.get_rng_state()
    one, two = (
        SpinVAE(3, 2, generator=torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(one.encoder[0].weight, two.encoder[0].weight)
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ValueError, match="likelihood must be one of"):
        SpinVAE(3, 2, likelihood="gamma")


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_conditional_mean_is_the_enumerated_one(likelihood):
    generator = torch.Generator().manual_seed(4)
    vae = SpinVAE(5, 4, n_hidden=8, likelihood=likelihood, generator=generator).double()
    prior = BoltzmannMachine(4, "full").double()
    with torch.no_grad():
        prior.J.normal_(0, 0.7, generator=generator)
        vae.decoder[3].weight.mul_(6)
        if likelihood == "gaussian":
            vae.law.log_variance.uniform_(-1, 1, generator=generator)
    x = torch.rand(3, 5, generator=generator).double()
    missing = torch.tensor([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()
    states = states_of(4)
    law = torch.softmax(-prior.energy(states), 0)
    mean = vae.mean(states)
    if likelihood == "gaussian":
        density = torch.distributions.Normal(mean, vae.variance().sqrt())
        table = torch.stack([density.log_prob(row) for row in x])
    else:
        table = torch.stack([r * mean.log() + (1 - r) * (1 - mean).log() for r in x])
    seen = torch.where(missing[:, None, :], 0.0, table).sum(2)
    weights = torch.softmax(seen + law.log(), 1)
    exact = torch.where(missing, weights @ mean, x)
    rows = torch.multinomial(law, 400_000, True, generator=generator)
    given = torch.where(missing, torch.nan, x)
    have, ess = conditional_mean(vae, states[rows], given)
    assert torch.allclose(have, exact, atol=5e-3)
    assert torch.equal(have[1], x[1])
    assert ess[2].item() == pytest.approx(400_000)
    assert ess[0] < 399_000
    unweighted = torch.where(missing, law @ mean, x)
    assert not torch.allclose(unweighted, exact, atol=2e-2)
