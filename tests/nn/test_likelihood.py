# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from qestim.nn import LIKELIHOODS
from qestim.nn._count_density import log_negative_binomial, negative_binomial_rows


@pytest.mark.parametrize("most", [1.0, 4.0, 400.0])  # by table, and above it
@pytest.mark.parametrize("whole", [True, False])
def test_closed_form_of_the_negative_binomial_is_the_plain_one(most, whole):
    generator = torch.Generator().manual_seed(0)
    out, rate = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    x = torch.poisson(most * rate.exp(), generator=generator)
    x = x if whole else 0.5 * x
    x[2] = 0
    size = torch.rand(5, 1, generator=generator, dtype=torch.float64) * 20 + 1
    log_phi = torch.linspace(-3, 5, 7, dtype=torch.float64)
    weight = torch.rand(5, generator=generator, dtype=torch.float64)
    answers = []
    for fast in (True, False):
        o, p = out.clone().requires_grad_(), log_phi.clone().requires_grad_()
        if fast:
            rows = negative_binomial_rows(o, size, p, x)
        else:
            log_mean = torch.log_softmax(o, 1) + size.log()
            rows = log_negative_binomial(x, log_mean, p).sum(1)
        answers.append((rows, *torch.autograd.grad(rows @ weight, (o, p))))
    for have, want in zip(*answers, strict=True):
        torch.testing.assert_close(have, want)


def test_the_negative_binomial_is_torchs():
    x, log_mean = torch.arange(6.0), torch.tensor(0.7)
    log_phi = torch.tensor(-0.4)
    law = torch.distributions.NegativeBinomial(log_phi.exp(), logits=log_mean - log_phi)
    have = log_negative_binomial(x, log_mean, log_phi)
    torch.testing.assert_close(have, law.log_prob(x))
    assert law.mean.item() == pytest.approx(log_mean.exp().item())


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_laws_are_normalised_and_draws_have_their_mean(name):
    generator = torch.Generator().manual_seed(0)
    law = LIKELIHOODS[name](3).double()
    for parameter in law.parameters():
        torch.nn.init.normal_(parameter, 0.5, 0.5, generator=generator)
    width = 3 * law.outputs_per_feature
    out = torch.randn(1, width, generator=generator, dtype=torch.float64)
    size = torch.tensor([[2.5]], dtype=torch.float64) if law.counts else None
    with torch.no_grad():
        rows = out.expand(40_000, -1)
        sizes = None if size is None else size.expand(40_000, 1)
        draws = law.draw(rows, sizes, generator=generator)
        mean = law.mean(out, size)
        assert (draws.mean(0) - mean[0]).abs().max() < 5 * draws.std(0).max() / 200
        # The densities at draws of one law average the entropy of that law; at the
        # point masses of counts and bits they sum to one.
        if name != "gaussian":
            top = 400 if law.counts else 2
            x = torch.zeros(top, 3).double()
            x[:, 1] = torch.arange(top)
            sizes = None if size is None else size.expand(top, 1)
            rest = draws[:, [0, 2]]
            log_p = law.log_prob(out.expand(top, -1), x, sizes)
            share = ((rest == 0).all(1)).double().mean().item()
            assert log_p.exp().sum().item() == pytest.approx(share, rel=0.05)


def test_a_gaussian_of_constant_features_stays_finite():
    law = LIKELIHOODS["gaussian"](2)
    torch.nn.init.constant_(law.log_variance, -50.0)
    zero = torch.zeros(1, 2)
    assert math.isfinite(law.log_prob(zero, zero).item())
