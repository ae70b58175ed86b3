# SPDX-License-Identifier: Apache-2.0
"""The gradient of every relaxation against enumeration of the spins."""

import itertools
import math

import pytest
import torch

from qestim.nn import SpinCode, overlap_spins, spike_exp_spins

M = 8


def moments(kind, sharpness, n=200_000):
    """First two moments of 2 ζ - 1 given either spin, by quadrature."""
    zeta = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    rising = torch.exp(sharpness * (zeta - 1))
    rising /= rising.mean()
    up = [((2 * zeta - 1) ** k * rising).mean().item() for k in (1, 2)]
    if kind == "overlap":
        return [-up[0], up[1]], up
    return [-1.0, 1.0], up


@pytest.mark.parametrize(
    ("kind", "draw", "sharpness"),
    [("overlap", overlap_spins, 6.0), ("spike_exp", spike_exp_spins, 3.0)],
)
def test_the_gradient_is_that_of_the_smoothed_law(kind, draw, sharpness):
    # f = (a·s) (b·s) + c·s has the mean over smoothed spins that their first two
    # moments give; it is enumerated over the states of all spins.
    generator = torch.Generator().manual_seed(0)
    a, b, c = torch.randn(3, M, generator=generator, dtype=torch.float64)
    down, up = (torch.tensor(m).double() for m in moments(kind, sharpness))
    states = torch.tensor(list(itertools.product((0, 1), repeat=M))).bool()
    first = torch.where(states, up[0], down[0])
    second = torch.where(states, up[1], down[1])
    value = (first @ a) * (first @ b) + first @ c + (second - first**2) @ (a * b)
    logits = torch.linspace(-2.5, 2.5, M, dtype=torch.float64, requires_grad=True)
    law = torch.sigmoid(torch.where(states, logits, -logits)).prod(1)
    exact = law @ value
    (want,) = torch.autograd.grad(exact, logits)
    s = draw(logits.expand(200_000, M), sharpness=sharpness, generator=generator)
    mean = ((s @ a) * (s @ b) + s @ c).mean()
    (have,) = torch.autograd.grad(mean, logits)
    assert mean.item() == pytest.approx(exact.item(), abs=0.05)
    assert torch.cosine_similarity(have, want, dim=0) > 0.999
    assert have.norm().item() == pytest.approx(want.norm().item(), rel=0.03)


@pytest.mark.parametrize("relaxation", ["overlap", "spike_exp"])
def test_sure_spins_are_at_their_end_and_have_finite_gradients(relaxation):
    logits = torch.tensor([[-80.0, 80.0, 0.0]]).expand(500, 3).clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)
    spins = SpinCode(relaxation).draw(logits, generator=generator)
    assert (spins.abs() <= 1).all()
    assert (spins[:, 0] < 0).double().mean() > 0.85
    assert (spins[:, 1] > 0).double().mean() > 0.85
    spins.sum().backward()
    assert logits.grad.isfinite().all()


def test_an_unknown_relaxation_is_refused():
    with pytest.raises(ValueError, match="relaxation must be one of straight_through"):
        SpinCode("sigmoid")


def test_the_entropy_of_the_posterior_is_what_draws_say():
    logits = torch.tensor([[1.3]], dtype=torch.float64)
    q = torch.sigmoid(logits).item()
    want = -(q * math.log(q) + (1 - q) * math.log(1 - q))
    assert SpinCode().entropy(logits).item() == pytest.approx(want)
