# SPDX-License-Identifier: Apache-2.0
"""The example that trains on two processes gives the curve of one."""

import importlib
import pathlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

pytestmark = pytest.mark.slow
EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
X = torch.tensor(load_digits().data / 16).float()


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        yield importlib.import_module("distributed_vae")


@pytest.fixture(scope="module")
def ranks(example):
    return example.train_on(2, X)


@pytest.fixture(scope="module")
def one_process(example):
    return np.array([example.train(X, seed=seed)[0] for seed in range(3)])


def replay(example, epochs, world=2):
    """Train in one process, which draws what each of the ranks would draw."""
    model, share = example.Bound(X.shape[1]), example.CHAINS // world
    noises = [torch.Generator().manual_seed(rank) for rank in range(world)]
    chains = [model.machine.random_spins(share, generator=g) for g in noises]
    optimizer = torch.optim.Adam(
        [
            {"params": model.vae.parameters(), "lr": 2e-3},
            {"params": model.machine.parameters(), "lr": 5e-3},
        ]
    )
    order, losses = torch.Generator().manual_seed(0), []
    for _ in range(epochs):
        found = []
        for rows in torch.randperm(len(X), generator=order).split(example.ROWS):
            if len(rows) < example.ROWS:
                continue
            optimizer.zero_grad()
            for k, noise in enumerate(noises):
                chains[k] = model.machine.sweep(chains[k], 3, generator=noise)
                loss, negative = model(X[rows[k::world]], chains[k], noise)
                ((loss - negative) / world).backward()
                found.append(loss.item())
            optimizer.step()
        losses.append(np.mean(found))
    return losses


def test_two_ranks_take_the_steps_of_one_process(example, ranks):
    # The same rows, noise and chains: only the order of sums differs, until in later
    # epochs a spin falls to the other side of its random number.
    np.testing.assert_allclose(ranks[0][0][:2], replay(example, 2), rtol=1e-4)


def test_the_loss_curve_is_that_of_one_process_within_noise(ranks, one_process):
    # Between seeds one process differs by 0.05 nats on average.
    assert np.abs(ranks[0][0] - one_process.mean(0)).mean() < 0.2


def test_ranks_agree_on_the_model_and_have_chains_of_their_own(ranks):
    (losses, model, chains), (other_losses, other, other_chains) = ranks
    assert losses == other_losses
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(chains, other_chains)


def test_without_averaged_gradients_it_differs(example, one_process):
    apart = example.train_on(2, X, wrap=None)
    assert np.abs(apart[0][0] - one_process.mean(0)).mean() > 0.3
    models = [model for _, model, _ in apart]
    assert not torch.equal(models[0].machine.J, models[1].machine.J)
