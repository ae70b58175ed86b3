# SPDX-License-Identifier: Apache-2.0
"""The peer of the quantized network: the same architecture by a straight-through step.

Real weights within [-1, 1] carry the training; the network is evaluated with their
rounded values, whose gradient is passed on to the real ones (Courbariaux et al., 2015,
arXiv:1511.00363). Scale of a layer and biases are learned, as in the network compared.
"""

import itertools

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: z > 0),
    "sign": (lambda z: np.where(z < 0, -1, 1).astype(z.dtype), lambda z: abs(z) < 1),
}
LEVELS = {1: 2, 2: 4, "ternary": 3}
RATES, EPOCHS = (0.03, 0.1), (30, 100)


def rounded(latent, weight_bits):
    """Return the nearest level in [-1, 1], the levels at equal distances."""
    step = 2 / (LEVELS[weight_bits] - 1)
    if weight_bits == 1:
        return np.where(latent < 0, -1, 1).astype(latent.dtype)
    return (np.round((np.clip(latent, -1, 1) + 1) / step) * step - 1).astype(np.float32)


class StraightThrough(ClassifierMixin, BaseEstimator):
    """Minibatch Adam on cross-entropy with a cosine schedule.

    ``rule="sign"`` gives it the signs of the gradient instead.
    """

    def __init__(
        self,
        hidden=(32,),
        weight_bits=1,
        activation="relu",
        rate=0.01,
        epochs=100,
        batch_size=64,
        noise=0.0,
        rule="adam",
        random_state=0,
    ):
        self.hidden = hidden
        self.weight_bits = weight_bits
        self.activation = activation
        self.rate = rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.noise = noise
        self.rule = rule
        self.random_state = random_state

    def fit(self, X, y):
        rng = np.random.default_rng(self.random_state)
        X = np.asarray(X, np.float32)
        self.classes_, codes = np.unique(y, return_inverse=True)
        Y = np.eye(len(self.classes_), dtype=np.float32)[codes]
        sizes = [X.shape[1], *self.hidden, len(self.classes_)]
        self.depth_ = len(sizes) - 1
        latent = [
            rng.uniform(-1, 1, pair).astype(np.float32)
            for pair in itertools.pairwise(sizes)
        ]
        scales = [np.array(-0.5 * np.log(n), np.float32) for n in sizes[:-1]]
        biases = [np.zeros(n, np.float32) for n in sizes[1:]]
        self.theta_ = [*latent, *scales, *biases]
        mean = [np.zeros_like(t) for t in self.theta_]
        square = [np.zeros_like(t) for t in self.theta_]
        size = min(self.batch_size, max(1, len(X) // 4))
        n_steps, step = self.epochs * (len(X) // size), 0
        noise = np.float32(self.noise * X.std())
        for _ in range(self.epochs):
            order = rng.permutation(len(X))
            for k in range(len(X) // size):
                rows = order[k * size : (k + 1) * size]
                batch = X[rows]
                if noise:
                    batch = batch + noise * rng.standard_normal(
                        batch.shape, dtype=np.float32
                    )
                step += 1
                rate = self.rate * (1 + np.cos(np.pi * step / n_steps)) / 2
                fix = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                for k2, grad in enumerate(self._gradient(batch, Y[rows])):
                    if self.rule == "sign":
                        grad = np.sign(grad)
                    mean[k2] += 0.1 * (grad - mean[k2])
                    square[k2] += 0.001 * (grad * grad - square[k2])
                    move = rate * fix * mean[k2] / (np.sqrt(square[k2]) + 1e-8)
                    self.theta_[k2] = (self.theta_[k2] - move).astype(np.float32)
                    if k2 < self.depth_:
                        np.clip(self.theta_[k2], -1, 1, out=self.theta_[k2])
        return self

    def _forward(self, X):
        value, _ = ACTIVATIONS[self.activation]
        inputs, raw, outputs = [X], [], []
        for layer in range(self.depth_):
            W = rounded(self.theta_[layer], self.weight_bits)
            raw.append(inputs[-1] @ W)
            scale = np.exp(self.theta_[self.depth_ + layer])
            outputs.append(scale * raw[-1] + self.theta_[2 * self.depth_ + layer])
            inputs.append(value(outputs[-1]))
        return inputs, raw, outputs

    def _gradient(self, X, Y):
        _, slope = ACTIVATIONS[self.activation]
        inputs, raw, outputs = self._forward(X)
        P = np.exp(outputs[-1] - outputs[-1].max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        back, depth = (P - Y) / len(X), self.depth_
        grads = [None] * (3 * depth)
        for layer in reversed(range(depth)):
            scale = np.exp(self.theta_[depth + layer])
            grads[layer] = scale * (inputs[layer].T @ back)
            grads[depth + layer] = scale * np.vdot(back, raw[layer])
            grads[2 * depth + layer] = back.sum(axis=0)
            if layer:
                W = rounded(self.theta_[layer], self.weight_bits)
                back = scale * (back @ W.T) * slope(outputs[layer - 1])
        return grads

    def predict(self, X):
        outputs = self._forward(np.asarray(X, np.float32))[2]
        return self.classes_[outputs[-1].argmax(axis=1)]


def tuned(X, y, *, rates=RATES, epochs=EPOCHS, folds=3, **architecture):
    """Return the fit whose rate and epochs are best in an inner cross-validation."""
    _, counts = np.unique(y, return_counts=True)
    inner = StratifiedKFold(min(folds, counts.min()), shuffle=True, random_state=0)
    splits = list(inner.split(X, y))

    def score(pair):
        model = StraightThrough(rate=pair[0], epochs=pair[1], **architecture)
        return np.mean([model.fit(X[a], y[a]).score(X[b], y[b]) for a, b in splits])

    best = max(itertools.product(rates, epochs), key=score)
    return StraightThrough(rate=best[0], epochs=best[1], **architecture).fit(X, y)
