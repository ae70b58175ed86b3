# SPDX-License-Identifier: Apache-2.0
"""
A QBM-VAE on several processes
==============================
"""

import datetime
import tempfile

import torch
from sklearn.datasets import load_digits
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from qestim.nn import BoltzmannMachine, SpinVAE

EPOCHS, KL_WEIGHT = 10, 0.1
ROWS, CHAINS = 128, 256  # of a step, all ranks together


class Bound(torch.nn.Module):
    """The loss and its negative phase in one forward, which is what DDP watches."""

    def __init__(self, n_features, n_units=32):
        super().__init__()
        first = torch.Generator().manual_seed(0)
        self.vae = SpinVAE(
            n_features, n_units, likelihood="bernoulli", input_noise=0, generator=first
        )
        self.machine = BoltzmannMachine(n_units, "rbm")

    def forward(self, rows, chains, noise):
        logits = self.vae.noisy_logits(rows, generator=noise)
        spins = self.vae.code.draw(logits, generator=noise)
        energy = self.machine.energy(*self.vae.code.moments(logits))
        divergence = energy - self.vae.code.entropy(logits)
        log_p = self.vae.log_likelihood(spins, rows)
        loss = (KL_WEIGHT * divergence - log_p).mean()
        return loss, KL_WEIGHT * self.machine.energy(chains).mean()


def train(X, rank=0, world=1, seed=0, wrap=None, meet=None):
    """Train as one of some ranks; return the losses of all, the model, own chains."""
    if world > 1:
        distributed.init_process_group(
            "gloo",
            init_method=f"file://{meet}",
            rank=rank,
            world_size=world,
            timeout=datetime.timedelta(minutes=2),
        )
    model = Bound(X.shape[1])
    shared = wrap(model) if wrap else model
    order = torch.Generator().manual_seed(0)  # of the rows: every rank's is the same
    noise = torch.Generator().manual_seed(1000 * seed + rank)  # a rank's own
    chains = model.machine.random_spins(CHAINS // world, generator=noise)
    optimizer = torch.optim.Adam(
        [
            {"params": model.vae.parameters(), "lr": 2e-3},
            {"params": model.machine.parameters(), "lr": 5e-3},
        ]
    )
    losses = []
    for _ in range(EPOCHS):
        steps = torch.randperm(len(X), generator=order).split(ROWS)
        steps = [rows for rows in steps if len(rows) == ROWS]
        total = torch.zeros(())
        for rows in steps:
            chains = model.machine.sweep(chains, 3, generator=noise)
            loss, negative = shared(X[rows[rank::world]], chains, noise)
            optimizer.zero_grad()
            (loss - negative).backward()  # DDP averages the gradients here
            optimizer.step()
            total += loss.detach() / len(steps)
        if world > 1:
            distributed.all_reduce(total)
        losses.append(total.item() / world)
    if world > 1:
        del shared  # before its group: the other way round they can wait for each other
        distributed.destroy_process_group()
    return losses, model, chains


def train_on(world, X, seed=0, wrap=DistributedDataParallel):
    """Return what ``train`` returns in each of some processes."""
    context = torch.multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(world, torch.set_num_threads, (1,)) as pool,
    ):
        ranks = [(X, r, world, seed, wrap, f"{folder}/meet") for r in range(world)]
        return pool.starmap(train, ranks, chunksize=1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    X = torch.tensor(load_digits().data / 16).float()
    print("epoch  one process  two ranks")
    curves = train(X)[0], train_on(2, X)[0][0]
    for epoch, pair in enumerate(zip(*curves, strict=True), 1):
        print("{:5d}  {:11.3f}  {:9.3f}".format(epoch, *pair))
