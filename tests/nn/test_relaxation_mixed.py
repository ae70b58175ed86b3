# SPDX-License-Identifier: Apache-2.0
"""Half of the rows are spins and half are means, each with its gradient."""

import torch

from qestim.nn import SpinCode, mean_spins, mixed_spins


def test_half_of_the_rows_are_spins_and_the_others_exact_means():
    logits = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    spins = mixed_spins(logits, generator=torch.Generator().manual_seed(2))
    drawn = (spins.abs() == 1).all(1)
    assert abs(drawn.double().mean() - 0.5) < 0.03
    torch.testing.assert_close(spins[~drawn], torch.tanh(logits / 2)[~drawn])
    error = (spins - torch.tanh(logits / 2))[drawn].mean(0)
    assert error.abs().max() < 0.06


def test_the_gradient_of_a_mean_is_exact():
    logits = torch.full((2000, 1), 0.7, requires_grad=True)
    spins = mixed_spins(logits, generator=torch.Generator().manual_seed(2))
    spins.sum().backward()
    means = (spins.abs() != 1).ravel()
    slope = (1 - torch.tanh(torch.tensor(0.35)) ** 2) / 2
    torch.testing.assert_close(
        logits.grad.ravel()[means], slope.expand(int(means.sum()))
    )
    assert (logits.grad.ravel()[~means] > 0).any()


def test_means_are_not_drawn():
    logits = torch.tensor([[-1.0, 0.0, 3.0]])
    torch.testing.assert_close(mean_spins(logits), 2 * torch.sigmoid(logits) - 1)
    assert torch.equal(SpinCode("mean").draw(logits), SpinCode().mean(logits))
