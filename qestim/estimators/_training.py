# SPDX-License-Identifier: Apache-2.0
"""The training loop of an autoencoder with a Boltzmann prior."""

import copy
import math
from contextlib import contextmanager

import torch
from tqdm.auto import tqdm

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
    epochs,
    *,
    kl_weight,
    learning_rate,
    prior_rate,
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
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The prior.
    phase : object
        ``phase.step()`` gives spins of the prior as it is now.
    epochs : iterable of Minibatch
        One epoch each time it is iterated; it knows ``n_rows`` and ``n_batches``.
    kl_weight, learning_rate, max_iter : float, float, int
        As of the estimator.
    prior_rate : float
        Rate of the prior's steps.
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
    n_steps = max_iter * epochs.n_batches
    networks = torch.optim.Adam(vae.parameters(), learning_rate, fused=True)
    fields = None
    if any(True for _ in prior.parameters()):
        fields = torch.optim.Adam(prior.parameters(), prior_rate, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        networks, lambda step: _rate(step / n_steps)
    )
    losses, bounds, best, step = [], [], None, 0
    bar = tqdm(range(max_iter), desc="QBM-VAE", disable=not verbose)
    for epoch in bar:
        total = 0.0
        vae.train()
        for rows in epochs:
            outputs = vae.noisy_logits(rows.inputs, generator=generator)
            moments = vae.code.moments(outputs)
            draw = vae.code.draw(outputs, generator=generator)
            log_p = vae.log_likelihood(draw, rows.targets, *rows.given)
            weight = kl_weight * min(1.0, step / (_WARM_UP * n_steps))
            divergence = prior.energy(*moments) - vae.code.entropy(outputs)
            loss = weight * divergence.mean() - log_p.mean()
            networks.zero_grad()
            loss.backward()
            networks.step()
            rate.step()
            if fields is not None:
                contrast = prior.contrast(moments[0], phase.step())
                fields.zero_grad()  # forgets the networks' share as well
                contrast.backward()
                fields.step()
            total += loss.item() * len(rows)
            step += 1
        losses.append(total / epochs.n_rows)
        if not math.isfinite(losses[-1]):
            raise ValueError(
                f"The training diverged: the loss of epoch {epoch + 1} is "
                f"{losses[-1]}. Lower learning_rate, now {learning_rate:g}, or scale "
                "the data."
            )
        if validate is not None:
            vae.eval()
            bounds.append(validate())
            bar.set_postfix(loss=losses[-1], bound=bounds[-1])
            if epoch + 1 >= _WARM_UP * max_iter:
                if best is None or bounds[-1] > bounds[best[0]]:
                    best = (
                        epoch,
                        *(copy.deepcopy(m.state_dict()) for m in (vae, prior)),
                    )
                elif epoch - best[0] >= patience:
                    break
        else:
            bar.set_postfix(loss=losses[-1])
    bar.close()
    vae.eval()
    if best is not None:
        vae.load_state_dict(best[1])
        prior.load_state_dict(best[2])
    return losses, bounds


def _rate(share):
    """Return the factor of the learning rate: up to 2 and down along cosines."""
    if share < 0.3:
        return 1 + 0.96 * math.sin(math.pi * (share / 0.3 - 0.5))
    return 1 + math.cos(math.pi * (share - 0.3) / 0.7)
