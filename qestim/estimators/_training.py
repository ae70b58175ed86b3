# SPDX-License-Identifier: Apache-2.0
"""The training loop of an autoencoder with a Boltzmann prior."""

import copy
import math
from contextlib import contextmanager

import torch
from tqdm.auto import tqdm

from qestim.nn import spin_entropy, straight_through_spins

_PRIOR_RATE = 5e-3
_WARM_UP = 0.5  # share of the steps over which the KL weight rises

_SMALL = 2**18  # weights of a layer whose products are not worth dividing


@contextmanager
def threads_for(n_weights):
    """Keep torch on one thread while a network is small.

    Threads that wait for each other at every step of a small network cost many times
    what they save as soon as anything else runs on the machine.

    Parameters
    ----------
    n_weights : int
        Weights of the largest layer.
    """
    before = torch.get_num_threads()
    if n_weights < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(
    vae,
    prior,
    phase,
    inputs,
    targets,
    *,
    kl_weight,
    learning_rate,
    batch_size,
    max_iter,
    validate,
    patience,
    generator,
    verbose,
):
    r"""Fit the networks and the prior, each to its own part of the bound.

    The networks follow the gradient of reconstruction minus ``kl_weight`` times
    :math:`E_q[E_\theta] - H(q)`, in which the energy of the posterior means is exact;
    the prior follows its own likelihood of the posterior, positive minus negative
    phase, whatever the weight.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    prior : BoltzmannMachine
        The prior.
    phase : object
        ``phase.step()`` gives spins of the prior as it is now.
    inputs, targets : tensor of shape (n_samples, n_features)
        What the encoder sees and what the likelihood is of.
    kl_weight, learning_rate, batch_size, max_iter : float, float, int, int
        As of the estimator.
    validate : callable or None
        Gives the held-out bound of the present state, to be maximised.
    patience : int or None
        Epochs without a better bound, after the warm-up, that end the training.
    generator : torch.Generator
        Source of randomness.
    verbose : int
        Whether to show progress.

    Returns
    -------
    losses : list of float
        Mean loss of the networks, an epoch each.
    bounds : list of float
        Held-out bound, an epoch each; empty without ``validate``.
    """
    n = len(inputs)
    n_batches = math.ceil(n / batch_size)
    n_steps = max_iter * n_batches
    networks = torch.optim.Adam(vae.parameters(), learning_rate)
    fields = torch.optim.Adam(prior.parameters(), _PRIOR_RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(
        networks, lambda step: _rate(step / n_steps)
    )
    losses, bounds, best, step = [], [], None, 0
    epochs = tqdm(range(max_iter), desc="QBM-VAE", disable=not verbose)
    for epoch in epochs:
        total = 0.0
        order = torch.randperm(n, generator=generator, device=inputs.device)
        for rows in order.tensor_split(n_batches):
            logits = vae.noisy_logits(inputs[rows], generator=generator)
            means = torch.tanh(logits / 2)
            spins = straight_through_spins(logits, generator=generator)
            reconstruction = vae.log_likelihood(spins, targets[rows]).mean()
            weight = kl_weight * min(1.0, step / (_WARM_UP * n_steps))
            divergence = (prior.energy(means) - spin_entropy(logits)).mean()
            loss = weight * divergence - reconstruction
            networks.zero_grad()
            loss.backward()
            networks.step()
            rate.step()
            contrast = prior.contrast(means, phase.step())
            fields.zero_grad()  # forgets the networks' share as well
            contrast.backward()
            fields.step()
            total += loss.item() * len(rows)
            step += 1
        losses.append(total / n)
        if not math.isfinite(losses[-1]):
            raise ValueError(
                f"The training diverged: the loss of epoch {epoch + 1} is "
                f"{losses[-1]}. Lower learning_rate, now {learning_rate:g}, or scale "
                "the data."
            )
        if validate is not None:
            bounds.append(validate())
            epochs.set_postfix(loss=losses[-1], bound=bounds[-1])
            if epoch + 1 >= _WARM_UP * max_iter:
                if best is None or bounds[-1] > bounds[best[0]]:
                    best = (
                        epoch,
                        *(copy.deepcopy(m.state_dict()) for m in (vae, prior)),
                    )
                elif epoch - best[0] >= patience:
                    break
        else:
            epochs.set_postfix(loss=losses[-1])
    epochs.close()
    if best is not None:
        vae.load_state_dict(best[1])
        prior.load_state_dict(best[2])
    return losses, bounds


def _rate(share):
    """Return the factor of the learning rate: up to 2 and down along cosines."""
    if share < 0.3:
        return 1 + 0.96 * math.sin(math.pi * (share / 0.3 - 0.5))
    return 1 + math.cos(math.pi * (share - 0.3) / 0.7)
