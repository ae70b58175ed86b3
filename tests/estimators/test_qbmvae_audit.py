# SPDX-License-Identifier: Apache-2.0
"""Defects of published models of this family that this one must not have."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from qestim import BoltzmannPrior, QBMVAETransformer
from qestim.estimators._code_facts import code_facts
from qestim.estimators._prior import rate_of
from qestim.nn import BoltzmannMachine, SpinVAE, spin_entropy
from qestim.samplers import SimulatedAnnealingSampler


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


def test_a_score_counts_with_the_upper_bound_of_log_z(digits, monkeypatch):
    bracket = BoltzmannMachine.log_partition_bracket

    def wider(self, **settings):
        bounds = bracket(self, **settings)
        return bounds._replace(lower=bounds.lower - 1, upper=bounds.upper + 3)

    plain = model_of(max_iter=1).fit(digits)
    monkeypatch.setattr(BoltzmannMachine, "log_partition_bracket", wider)
    model = model_of(max_iter=1).fit(digits)
    assert model.score(digits) == pytest.approx(plain.score(digits) - 3)
    assert model.diagnostics_["elbo"] == pytest.approx(plain.diagnostics_["elbo"] - 3)


def test_diagnostics_count_units_and_compare_the_code_with_the_prior():
    generator = torch.Generator().manual_seed(0)
    vae = SpinVAE(4, 4, n_hidden=4, generator=generator).double()
    vae.encoder = torch.nn.Linear(4, 4).double()  # the rows are the log odds
    with torch.no_grad():
        vae.encoder.weight.copy_(torch.eye(4))
        vae.encoder.bias.zero_()
    rows = torch.zeros(100, 4, dtype=torch.float64)
    rows[:50, 0], rows[50:, 0] = 3.0, -3.0  # active and sharp
    rows[:, 1] = -0.5  # the same in every row
    rows[:, 2] = 9.0  # up in all but one row
    rows[0, 2] = -9.0
    rows[:, 3] = torch.linspace(-0.5, 0.5, 100)  # active, not sharp
    batch = SimpleNamespace(inputs=rows, targets=rows, given=())
    prior = BoltzmannMachine(4, "full").double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.zero_()
    facts = code_facts(vae, prior, (0.0, 0.0), [batch], None, generator, 0)
    code = vae.code.mean(rows)
    assert facts["active_units"] == 2
    assert facts["sharpness"] == 0.5
    assert facts["marginal_gap"] == pytest.approx(1, abs=0.1)
    products = (code.T @ code / 100)[np.triu_indices(4, 1)]
    gap = products.square().mean().sqrt().item()
    assert facts["correlation_gap"] == pytest.approx(gap, abs=0.05)
    # A prior whose spins move together where those of the code do not.
    with torch.no_grad():
        prior.J.fill_(-2.0)
    facts = code_facts(vae, prior, (0.0, 0.0), [batch], None, generator, 0)
    gap = (1 - products).square().mean().sqrt().item()
    assert facts["correlation_gap"] == pytest.approx(gap, abs=0.05)


def test_the_prior_learns_slower_where_a_spin_has_many_couplings():
    settings = BoltzmannPrior()
    rates = [rate_of(settings, BoltzmannMachine(n, "full")) for n in (5, 9, 33)]
    np.testing.assert_allclose(rates, [5e-3, 5e-3, 2.5e-3])
    fixed = BoltzmannPrior(learning_rate=0.1)
    assert rate_of(fixed, BoltzmannMachine(33, "full")) == 0.1


@pytest.mark.parametrize(
    "sampler", [None, SimulatedAnnealingSampler(num_reads=500, seed=0)]
)
def test_draws_follow_the_prior(digits, sampler):
    model = model_of(max_iter=1, sampler=sampler).fit(digits)
    with torch.no_grad():
        model.prior_.h.copy_(torch.linspace(-1, 1, 8))
        model.prior_.J.zero_()
    spins = model._draw_code(1000, np.random.RandomState(0))
    want = -torch.tanh(model.prior_.h)
    torch.testing.assert_close(spins.mean(0), want, atol=0.12, rtol=0)


def test_draws_are_asked_for_at_the_scale_that_the_fit_found(digits):
    models = []

    class Recorded(SimulatedAnnealingSampler):
        def _sample_ising(self, model, *rest):
            models.append(model)
            return super()._sample_ising(model, *rest)

    model = model_of(max_iter=1, sampler=Recorded(seed=0)).fit(digits)
    model.sampler_report_["scale"] = 2.5
    model.sample(3)
    np.testing.assert_allclose(models[-1].h, model.prior_.h / 2.5, rtol=1e-6)


def test_energy_is_that_of_the_prior(digits):
    model = model_of(max_iter=2).fit(digits)
    bqm = model.prior_.to_bqm()
    spins = np.sign(model.transform(digits[:5])).astype(int)
    have = model.prior_.energy(torch.as_tensor(spins).double())
    np.testing.assert_allclose(have, bqm.energies((spins, range(8))), atol=1e-6)
    means = torch.as_tensor(model.transform(digits[:5]))
    np.testing.assert_allclose(model.energy(digits[:5]), model.prior_.energy(means))
