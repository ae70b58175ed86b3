# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest
import torch

from qestim.nn import (
    BernoulliMixture,
    NormalCode,
    SpinCode,
    SpinVAE,
    StandardNormal,
    evidence_bound,
)

STATES = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=5))).double()


@pytest.fixture
def mixture():
    law = BernoulliMixture(5, 3, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        law.h *= 2
        law.weight_logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return law


def test_a_mixture_is_normalised_and_drawn_as_it_says(mixture):
    law = torch.exp(-mixture.energy(STATES)).detach()
    assert law.sum().item() == pytest.approx(1.0)
    draws = mixture.sample(100_000, generator=torch.Generator().manual_seed(1))
    have = (draws.T @ draws) / len(draws)
    want = (STATES * law[:, None]).T @ STATES
    assert (have - want).abs().max() < 0.02
    assert (draws.mean(0) - law @ STATES).abs().max() < 0.02


def test_the_energy_of_means_bounds_the_mean_energy(mixture):
    logits = torch.linspace(-2, 2, 5).double()[None]
    law = torch.sigmoid(STATES * logits).prod(1)
    exact = law @ mixture.energy(STATES)
    bound = mixture.energy(SpinCode().mean(logits))
    assert bound.item() >= exact.item()
    sure = 60 * torch.sign(logits)
    at_sure = mixture.energy(torch.sign(logits).double())
    torch.testing.assert_close(mixture.energy(SpinCode().mean(sure)), at_sure)


def test_the_bound_with_a_mixture_takes_its_energy_at_draws(mixture):
    vae = SpinVAE(4, 5, n_hidden=6, generator=torch.Generator().manual_seed(2)).double()
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        log_p = torch.stack([vae.log_likelihood(STATES, r.expand(32, 4)) for r in x])
        law = torch.stack([torch.sigmoid(STATES * o).prod(1) for o in vae.encoder(x)])
        exact = (law * (log_p - mixture.energy(STATES) - law.log())).sum(1)
    have = evidence_bound(vae, mixture, 0.0, x, x, n_draws=8192)
    torch.testing.assert_close(have, exact, atol=0.02, rtol=0)


def test_as_many_parameters_as_the_machine():
    # 64 fields and 32 x 32 couplings against K laws of 64 and K - 1 weights.
    assert BernoulliMixture.parts_for(64, 64 + 32 * 32) == 17
    assert BernoulliMixture.parts_for(4, 1) == 1


def test_the_divergence_of_gaussian_codes_is_torchs():
    code, prior = NormalCode(), StandardNormal(3)
    outputs = torch.tensor([[0.5, -1.0, 2.0, 0.3, -0.7, 0.0]])
    have = prior.energy(*code.moments(outputs)) - code.entropy(outputs)
    mean, log_deviation = outputs.chunk(2, 1)
    posterior = torch.distributions.Normal(mean, log_deviation.exp())
    standard = torch.distributions.Normal(0.0, 1.0)
    want = torch.distributions.kl_divergence(posterior, standard).sum(1)
    torch.testing.assert_close(have, want)
    draws = code.draw(outputs.expand(50_000, 6), generator=torch.Generator())
    assert (draws.mean(0) - mean).abs().max() < 0.03
    median = code.at(outputs, torch.full((3,), 0.5))
    torch.testing.assert_close(median, mean)
