# SPDX-License-Identifier: Apache-2.0
"""The training loop of an autoencoder with a prior on its code."""

import copy
import math
import warnings
from contextlib import contextmanager

import torch
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm

_WARM_UP = 0.5  # share of the steps of a fit over which the KL weight rises
WARM_UP_STEPS = 400  # the same where the number of steps is not known

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


class Trainer:
    r"""Fits the networks and the prior, each to its own part of the bound.

    The networks follow the gradient of reconstruction minus ``kl_weight`` times
    :math:`E_q[E_\theta] - H(q)`, in which the energy of the posterior means is exact;
    the prior follows its own likelihood of the posterior, positive minus negative
    phase, whatever the weight. One draw of a step serves both.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The prior.
    phase : object
        ``phase.step(means)`` gives spins of the prior as it is now, given the means of
        a minibatch's code.
    kl_weight, learning_rate : float
        As of the estimator.
    prior_rate : float
        Rate of the prior's steps.
    generator : torch.Generator
        Source of randomness.
    dropout_seed : int
        Seed of torch's global generator while the networks train; it is put back.
    """

    def __init__(
        self,
        vae,
        prior,
        phase,
        *,
        kl_weight,
        learning_rate,
        prior_rate,
        generator,
        dropout_seed,
    ):
        self.vae, self.prior, self.phase = vae, prior, phase
        self.kl_weight = kl_weight
        self.learning_rate, self.prior_rate = learning_rate, prior_rate
        self.generator, self.dropout_seed = generator, dropout_seed
        self.networks = torch.optim.Adam(vae.parameters(), learning_rate, fused=True)
        parameters = list(prior.parameters())
        self.fields = None
        if parameters:
            self.fields = torch.optim.Adam(parameters, prior_rate, fused=True)
        self.steps = 0
        self.beta_curve: list[float] = []

    def step(self, rows, warmth, rate):
        """Follow the gradients at some rows and return the loss of the networks.

        Parameters
        ----------
        rows : Minibatch
            The rows.
        warmth : float
            Factor of the KL weight.
        rate : float
            Factor of the learning rate.
        """
        vae, prior = self.vae, self.prior
        outputs = vae.noisy_logits(rows.inputs, generator=self.generator)
        moments = vae.code.moments(outputs)
        draw = vae.code.draw(outputs, generator=self.generator)
        log_p = vae.log_likelihood(draw, rows.targets, *rows.given)
        divergence = prior.energy(*moments) - vae.code.entropy(outputs)
        loss = self.kl_weight * warmth * divergence.mean() - log_p.mean()
        _set_rate(self.networks, rate * self.learning_rate)
        self.networks.zero_grad()
        loss.backward()
        self.networks.step()
        if self.fields is not None:
            contrast = prior.contrast(moments[0], self.phase.step(moments[0].detach()))
            self.fields.zero_grad()  # forgets the networks' share as well
            contrast.backward()
            _set_rate(self.fields, rate * self.prior_rate)
            self.fields.step()
        self.steps += 1
        return loss.item()

    def epoch(self, minibatches, n_rows, schedule):
        """Follow the gradients once through some rows; return the mean loss.

        Parameters
        ----------
        minibatches : iterable of Minibatch
            The rows.
        n_rows : int
            Their number.
        schedule : callable
            Gives ``(warmth, rate)`` of a step from the number of steps before it.
        """
        self.vae.train()
        total = 0.0
        with torch.random.fork_rng():
            torch.manual_seed(self.dropout_seed + self.steps)
            for rows in minibatches:
                total += self.step(rows, *schedule(self.steps)) * len(rows)
        self.vae.eval()
        beta = getattr(self.phase, "beta_eff", None)
        if beta is not None:
            self.beta_curve.append(beta)
        if not math.isfinite(total):
            raise ValueError(
                f"The training diverged: the loss of an epoch is {total / n_rows}. "
                f"Lower learning_rate, now {self.learning_rate:g}, or scale the data."
            )
        return total / n_rows

    def fit(self, epochs, *, max_iter, validate, patience, verbose):
        """Train for some epochs; an interruption leaves the best state so far.

        Parameters
        ----------
        epochs : Epochs
            The rows, once each time it is iterated.
        max_iter : int
            Epochs.
        validate : callable or None
            Gives the held-out bound of the present state, to be maximised.
        patience : int or None
            Epochs without a better bound, after the warm-up, that end the training.
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
        losses, bounds, best = [], [], None
        bar = tqdm(range(max_iter), desc="QBM-VAE", disable=not verbose)
        try:
            for epoch in bar:
                losses.append(
                    self.epoch(epochs, epochs.n_rows, lambda k: _schedule(k / n_steps))
                )
                bar.set_postfix(loss=losses[-1])
                if validate is None:
                    continue
                bounds.append(validate())
                bar.set_postfix(loss=losses[-1], bound=bounds[-1])
                if epoch + 1 < _WARM_UP * max_iter:
                    continue
                if best is None or bounds[-1] > bounds[best[0]]:
                    best = (epoch, *self._state())
                elif epoch - best[0] >= patience:
                    break
        except KeyboardInterrupt:
            warnings.warn(
                f"The fit was interrupted after {len(losses)} of {max_iter} epochs; "
                "the model has the best state so far.",
                ConvergenceWarning,
                stacklevel=5,
            )
        bar.close()
        self.vae.eval()
        if best is not None:
            self.vae.load_state_dict(best[1])
            self.prior.load_state_dict(best[2])
        return losses, bounds

    def _state(self):
        """Return copies of the parameters, which a later step does not change."""
        return [copy.deepcopy(m.state_dict()) for m in (self.vae, self.prior)]

    def partial_fit(self, epochs):
        """Train once through some rows at a steady rate; return the mean loss."""
        return self.epoch(
            epochs, epochs.n_rows, lambda k: (min(1.0, k / WARM_UP_STEPS), 1.0)
        )


def _set_rate(optimiser, rate):
    for group in optimiser.param_groups:
        group["lr"] = rate


def _schedule(share):
    """Return the factors of KL weight and rate after a share of the steps.

    The weight rises to 1, the rate to 2 and down again along cosines.
    """
    warmth = min(1.0, share / _WARM_UP)
    if share < 0.3:
        return warmth, 1 + 0.96 * math.sin(math.pi * (share / 0.3 - 0.5))
    return warmth, 1 + math.cos(math.pi * (share - 0.3) / 0.7)
