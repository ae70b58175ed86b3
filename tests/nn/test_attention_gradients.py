# SPDX-License-Identifier: Apache-2.0
"""Gradients of attention with chosen keys."""

from itertools import product

import numpy as np
import pytest
import torch

from qestim.nn._attention_gradients import (
    CovarianceGate,
    GatedSoftmax,
    Sparsemax,
    StraightThroughGate,
)
from qestim.qubo import IsingArrays
from qestim.qubo._attention_levels import sparsemax
from qestim.samplers import BoltzmannSampler

INF = float("inf")


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def kept_set():
    kept = torch.zeros(1, 2, 3, 5, dtype=torch.bool)
    kept[..., [0, 3]] = True
    kept[0, 1, 2] = False
    return kept


def test_gradcheck_inside_the_kept_set():
    scores = normal(1, 2, 3, 5).requires_grad_()
    kept = kept_set()
    assert torch.autograd.gradcheck(
        lambda s: GatedSoftmax.apply(s, None, kept), (scores,)
    )
    weights = GatedSoftmax.apply(scores, None, kept)
    assert (weights[0, 1, 2] == 0).all()
    torch.testing.assert_close(
        weights[..., [0, 3]][0, 0], scores[..., [0, 3]][0, 0].softmax(-1)
    )


def test_gate_of_a_kept_key_is_its_slope():
    # With weights g_j exp(s_j) / sum, at g = 1 for kept keys.
    scores, kept = normal(1, 2, 3, 5), torch.ones(1, 2, 3, 5, dtype=torch.bool)
    pull = normal(1, 2, 3, 5, seed=1)
    gate = torch.ones_like(scores).requires_grad_()
    explicit = gate * scores.exp()
    (explicit / explicit.sum(-1, keepdim=True) * pull).sum().backward()
    ours = torch.ones_like(scores).requires_grad_()
    (GatedSoftmax.apply(scores, ours, kept) * pull).sum().backward()
    torch.testing.assert_close(ours.grad, gate.grad)


def test_gate_of_a_rejected_key_is_what_its_entry_changes():
    scores, pull = normal(1, 1, 1, 4), normal(1, 1, 1, 4, seed=1)
    kept = torch.tensor([True, True, False, False])
    gate = torch.zeros_like(scores).requires_grad_()
    loss = (GatedSoftmax.apply(scores, gate, kept) * pull).sum()
    loss.backward()
    more = torch.tensor([True, True, True, False])
    entered = (GatedSoftmax.apply(scores, None, more) * pull).sum()
    torch.testing.assert_close(gate.grad[0, 0, 0, 2], entered - loss.detach())


def test_shared_gate_sums_over_queries():
    scores, pull = normal(1, 2, 3, 5), normal(1, 2, 3, 5, seed=1)
    one = torch.zeros(1, 2, 1, 5, dtype=torch.float64, requires_grad=True)
    each = torch.zeros(1, 2, 3, 5, dtype=torch.float64, requires_grad=True)
    for gate in (one, each):
        (GatedSoftmax.apply(scores, gate, kept_set()) * pull).sum().backward()
    torch.testing.assert_close(one.grad, each.grad.sum(2, keepdim=True))


def test_straight_through_gate_is_the_slope_of_a_logistic():
    a = normal(6).requires_grad_()
    (StraightThroughGate.apply(a, a.detach(), 0.5) * normal(6, seed=1)).sum().backward()
    b = a.detach().clone().requires_grad_()
    (torch.sigmoid(b / 0.5) * normal(6, seed=1)).sum().backward()
    torch.testing.assert_close(a.grad, b.grad)


def test_sparsemax_and_its_jacobian():
    scores = (2 * normal(3, 4, 6)).requires_grad_()
    np.testing.assert_allclose(
        Sparsemax.apply(scores).detach(), sparsemax(scores.detach().numpy())[0]
    )
    assert torch.autograd.gradcheck(Sparsemax.apply, (scores,))


def test_sparsemax_of_forbidden_keys():
    scores = torch.tensor([[1.0, -INF, 0.5], [-INF, -INF, -INF]], requires_grad=True)
    weights = Sparsemax.apply(scores)
    weights.square().sum().backward()
    torch.testing.assert_close(
        weights.detach(), torch.tensor([[0.75, 0, 0.25], [0, 0, 0]])
    )
    assert scores.grad.isfinite().all()


def exact_means(a, pairs, beta):
    """Return the mean bits of exp(-beta E), E = -a.x + x.P.x / 2, by enumeration."""
    states = torch.tensor(list(product((0.0, 1.0), repeat=len(a))), dtype=a.dtype)
    energy = -states @ a + ((states @ pairs) * states).sum(1) / 2
    return torch.softmax(-beta * energy, 0) @ states


def test_covariance_gradient_at_1024_reads():
    n, beta = 8, 1.0
    errors = []
    for seed in range(5):
        a = normal(n, seed=seed)
        pairs = normal(n, n, seed=seed + 50)
        pairs = 0.5 * (pairs + pairs.T).fill_diagonal_(0)
        pull = normal(n, seed=seed + 100)
        exact = a.clone().requires_grad_()
        (exact_means(exact, pairs, beta) * pull).sum().backward()
        half = pairs.numpy() / 2
        h = (-a.numpy() + half.sum(1)) / 2
        row, col = np.triu_indices(n, 1)
        model = IsingArrays(
            h, row.astype(np.int32), col.astype(np.int32), half[row, col] / 2
        )
        sampler = BoltzmannSampler(num_reads=1024, beta=beta, seed=seed, num_threads=1)
        reads = sampler.sample(model.to_bqm()).record.sample
        bits = torch.tensor((reads + 1) // 2).view(-1, 1, 1, 1, n)
        ours = a.view(1, 1, 1, n).clone().requires_grad_()
        mean = CovarianceGate.apply(ours, bits, beta, False)
        (mean.view(n) * pull).sum().backward()
        error = (ours.grad.view(n) - exact.grad).norm() / exact.grad.norm()
        errors.append(error.item())
    assert np.mean(errors) <= 0.10


@pytest.mark.parametrize("across", [False, True])
def test_heads_that_are_not_coupled_have_no_covariance(across):
    reads = torch.randint(
        0, 2, (50, 1, 2, 1, 3), generator=torch.Generator().manual_seed(0)
    )
    a = torch.zeros(1, 2, 1, 3, requires_grad=True)
    CovarianceGate.apply(a, reads, 1.0, across)[0, 0, 0, 0].backward()
    assert bool((a.grad[0, 1] != 0).any()) is across
