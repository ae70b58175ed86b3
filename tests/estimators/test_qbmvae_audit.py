# SPDX-License-Identifier: Apache-2.0
"""Defects of published models of this family that this one must not have."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from qestim import BoltzmannPrior, QBMVAETransformer
from qestim.nn import BoltzmannMachine, spin_entropy


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0][:400] / 16


def model_of(**params):
    return QBMVAETransformer(
        **{
            "n_components": 8,
            "n_hidden": 32,
            "likelihood": "bernoulli",
            "max_iter": 15,
            "kl_weight": 1.0,
            "random_state": 0,
            **params,
        }
    )


def test_the_rate_of_the_prior_reaches_encoder_and_decoder(digits):
    one, two = (
        model_of(max_iter=3, prior=BoltzmannPrior(learning_rate=rate)).fit(digits)
        for rate in (0.0, 1e-2)
    )
    for network in ("encoder", "decoder"):
        a, b = (getattr(m.vae_, network)[0].weight for m in (one, two))
        assert (a - b).abs().max() > 1e-4


def test_the_prior_does_not_drift_to_all_ones(digits):
    model = model_of(max_iter=40).fit(digits)
    facts = model.diagnostics_
    assert facts["marginal_gap"] < 0.25
    assert facts["correlation_gap"] < 0.15
    untrained = model_of(max_iter=40, prior=BoltzmannPrior(learning_rate=0.0))
    assert untrained.fit(digits).diagnostics_["marginal_gap"] > facts["marginal_gap"]


def test_the_gradient_of_the_prior_is_the_enumerated_one():
    # Both signs of log Z: a wrong one turns the cosine negative.
    generator = torch.Generator().manual_seed(0)
    machine = BoltzmannMachine(8, "full").double()
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    means = torch.tanh(torch.randn(30, 8, generator=generator, dtype=torch.float64))
    states = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=8))).double()
    energy = machine.energy(means).mean() + torch.logsumexp(-machine.energy(states), 0)
    want = torch.autograd.grad(energy, list(machine.parameters()))
    law = torch.softmax(-machine.energy(states), 0).detach()
    rows = torch.multinomial(law, 100_000, True, generator=generator)
    contrast = machine.contrast(means, states[rows])
    have = torch.autograd.grad(contrast, list(machine.parameters()))
    for a, b in zip(have, want, strict=True):
        assert torch.cosine_similarity(a, b, dim=0) > 0.99


def test_the_entropy_is_a_sum_over_the_spins():
    assert spin_entropy(torch.zeros(1, 256)).item() == pytest.approx(256 * np.log(2))


def test_diagnostics_are_what_they_say(digits):
    model = model_of(max_iter=60).fit(digits)
    facts = model.diagnostics_
    assert facts["elbo"] == pytest.approx(facts["reconstruction"] - facts["divergence"])
    assert facts["elbo"] == pytest.approx(model.score(digits), abs=0.1)
    lower, upper = model.log_partition_bounds_
    assert lower <= upper == model.log_partition_ == facts["log_partition_upper"]
    code = torch.as_tensor(model.transform(digits))
    # Without couplings nothing is saved but what the fields miss.
    alone = model_of(prior="bernoulli").fit(digits).diagnostics_
    assert alone["couplings_worth"] == pytest.approx(0.0, abs=0.05)
    assert facts["couplings_worth"] > 0.15
    up = (1 + code) / 2
    mean = up.mean(0)
    best = -(mean * mean.log() + (1 - mean) * (1 - mean).log()).sum().item()
    divergence = best - facts["entropy"]
    assert facts["divergence_best_factorised"] == pytest.approx(divergence)
    assert 1 <= facts["active_units"] <= 8
    gaussian = model_of(prior="gaussian").fit(digits).diagnostics_
    assert gaussian["log_partition_upper"] == 0.0


def test_energy_is_that_of_the_prior(digits):
    model = model_of(max_iter=2).fit(digits)
    bqm = model.prior_.to_bqm()
    spins = np.sign(model.transform(digits[:5])).astype(int)
    have = model.prior_.energy(torch.as_tensor(spins).double())
    np.testing.assert_allclose(have, bqm.energies((spins, range(8))), atol=1e-6)
    means = torch.as_tensor(model.transform(digits[:5]))
    np.testing.assert_allclose(model.energy(digits[:5]), model.prior_.energy(means))
