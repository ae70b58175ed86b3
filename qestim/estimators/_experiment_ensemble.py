# SPDX-License-Identifier: Apache-2.0
"""The networks behind ExperimentOptimizer: they disagree where little is known."""

import itertools
import math

import numpy as np
import torch

from qestim.estimators._training import threads_for

_MEMBERS, _WIDTH = 8, 32
_STEPS = 120
_RATE, _DECAY = 0.02, 1e-4
_LEAST = 1e-6


class Ensemble:
    """Networks with different initialisation, each on its own weighting of the data.

    Two hidden layers of 32 tanh units; eight members, trained side by side by Adam on
    all measurements at once.

    Parameters
    ----------
    state : dict, default=None
        Not used: an ensemble is trained from its seed every time.
    """

    state = None

    def __init__(self, state=None):
        self._layers = []

    def fit(self, unit, y, noise, *, tune=True, seed=0):
        """Train on measurements.

        Parameters
        ----------
        unit : ndarray of shape (n, d)
            Points of the unit cube.
        y : ndarray of shape (n,)
            Standardised goals.
        noise : ndarray of shape (n,)
            Known variance of each, in units of ``y`` squared; it lowers its weight.
        tune : bool, default=True
            Not used.
        seed : int, default=0
            Of the initial weights and of the weighting.

        Returns
        -------
        surrogate : Ensemble
            This object.
        """
        generator = torch.Generator().manual_seed(seed)
        sizes = (unit.shape[1], _WIDTH, _WIDTH, 1)
        self._layers = []
        for before, after in itertools.pairwise(sizes):
            weight = torch.randn(_MEMBERS, before, after, generator=generator)
            bias = torch.randn(_MEMBERS, 1, after, generator=generator)
            weight *= (2.0 if before == sizes[0] else 1.0) / math.sqrt(before)
            self._layers += [weight, 0.5 * bias if after > 1 else 0.0 * bias]
        for layer in self._layers:
            layer.requires_grad_(True)
        X = torch.as_tensor(2 * unit - 1, dtype=torch.float32)
        goal = torch.as_tensor(y, dtype=torch.float32)
        draws = torch.rand(_MEMBERS, len(y), generator=generator)
        trust = torch.as_tensor(0.01 / (0.01 + noise), dtype=torch.float32)
        weights = (0.25 - torch.log(1 - draws)) * trust
        weights /= weights.mean(1, keepdim=True)
        optimizer = torch.optim.AdamW(
            self._layers, _RATE, weight_decay=_DECAY, foreach=True
        )
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
        with threads_for(0):
            for _ in range(_STEPS):
                miss = self._forward(X) - goal
                loss = (weights * miss * miss).mean(1).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                rate.step()
        for layer in self._layers:
            layer.requires_grad_(False)
        return self

    def predict(self, unit):
        """Return mean and disagreement at points (m, d)."""
        mean, std = self._moments(self._forward(self._inputs(unit)))
        return mean.numpy().astype(float), std.numpy().astype(float)

    def correlation(self, unit):
        """Return how alike the members' answers at m points differ: (m, m)."""
        answers = self._forward(self._inputs(unit)).numpy().astype(float)
        centred = answers - answers.mean(0)
        norm = np.sqrt((centred**2).sum(0) + _LEAST)
        return np.clip(centred.T @ centred / np.outer(norm, norm), 0.0, 1.0)

    def slopes(self, unit):
        """Return mean and std at points (m, d), and their gradients of shape (m, d)."""
        inputs = self._inputs(unit).requires_grad_(True)
        with threads_for(0):
            mean, std = self._moments(self._forward(inputs))
            (rise,) = torch.autograd.grad(mean.sum(), inputs, retain_graph=True)
            (spread,) = torch.autograd.grad(std.sum(), inputs)
        found = (mean.detach(), std.detach(), 2 * rise, 2 * spread)
        return tuple(part.numpy().astype(float) for part in found)

    def _inputs(self, unit):
        return torch.as_tensor(2 * np.asarray(unit) - 1, dtype=torch.float32)

    def _forward(self, X):
        """Return the answers of all members, shape (members, m)."""
        w1, b1, w2, b2, w3, b3 = self._layers
        hidden = torch.tanh(X @ w1 + b1)
        hidden = torch.tanh(hidden @ w2 + b2)
        return (hidden @ w3 + b3)[..., 0]

    def _moments(self, answers):
        centred = answers - answers.mean(0)
        return answers.mean(0), torch.sqrt((centred**2).mean(0) + _LEAST)
