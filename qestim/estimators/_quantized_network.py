# SPDX-License-Identifier: Apache-2.0
"""A feed-forward network whose weights are a few spins each, in numpy."""

import copy
import itertools

import numpy as np

RATE = 0.05  # of biases and logarithms of scales

# Value and slope; the slope of a step is that of the ramp it stands for.
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "hardtanh": (
        lambda z: np.clip(z, -1, 1),
        lambda z: (np.abs(z) < 1).astype(z.dtype),
    ),
    "sign": (
        lambda z: np.where(z < 0, -1, 1).astype(z.dtype),
        lambda z: (np.abs(z) < 1).astype(z.dtype),
    ),
}


def bit_values(weight_bits):
    """Return what each spin of a weight contributes to it.

    Parameters
    ----------
    weight_bits : int or "ternary"
        Bits of a weight.

    Returns
    -------
    values : ndarray of shape (n_bits,), dtype float32
        ``[1]`` gives weights in {-1, 1}, ``[1, 2]`` the odd ones in -3..3, and
        ``[0.5, 0.5]`` those in {-1, 0, 1}.
    """
    if weight_bits == "ternary":
        return np.array([0.5, 0.5], dtype=np.float32)
    return (2.0 ** np.arange(weight_bits)).astype(np.float32)


class QuantizedNetwork:
    r"""Layers :math:`a_{l+1} = \sigma(s_l\, a_l W_l + b_l)` with integer weights.

    Parameters
    ----------
    sizes : list of int
        Widths: features, hidden layers, outputs.
    weight_bits : int or "ternary"
        Bits of a weight.
    activation : str
        A key of `ACTIVATIONS`.
    size : float
        Root mean square of the features, which sets the first scale.
    rng : numpy.random.RandomState
        Draws the first spins.

    Attributes
    ----------
    spins : list of ndarray of shape (n_inputs, n_outputs, n_bits), dtype int8
        In {-1, 1}, those of each layer.
    weights : list of ndarray of shape (n_inputs, n_outputs), dtype float32
        What they add up to.
    scales : list of float
        Scale of each layer.
    biases : list of ndarray of shape (n_outputs,), dtype float32
        Biases of each layer.
    memory : list of ndarray of the spins' shapes, or None
        In [-1, 1], how sure of each spin the rows are that `BitScaleDescent` showed.
    """

    def __init__(self, sizes, weight_bits, activation, size, rng):
        self.bits = bit_values(weight_bits)
        self.activation = activation
        self.spins = [
            rng.choice(np.array([-1, 1], np.int8), (m, n, len(self.bits)))
            for m, n in itertools.pairwise(sizes)
        ]
        self.weights = [spins @ self.bits for spins in self.spins]
        rms = float(np.sqrt(np.sum(self.bits**2)))
        self.scales = [1 / (rms * np.sqrt(m)) for m in sizes[:-1]]
        self.scales[0] /= size
        self.biases = [np.zeros(n, np.float32) for n in sizes[1:]]
        self.memory = None

    def value(self, z):
        """Return the activation of a pre-activation."""
        return ACTIVATIONS[self.activation][0](z)

    def slope(self, z):
        """Return the slope of the interval in which a pre-activation lies."""
        return ACTIVATIONS[self.activation][1](z)

    def set_column(self, layer, column, spins, bias):
        """Replace the incoming weights and the bias of one neuron."""
        self.spins[layer][:, column] = spins
        self.weights[layer][:, column] = spins @ self.bits
        self.biases[layer][column] = bias

    def integers(self, layer):
        """Return the weights of a layer as integers of shape (n_inputs, n_outputs)."""
        return np.rint(self.weights[layer]).astype(
            np.int8 if len(self.bits) < 8 else np.int16
        )

    def state(self):
        """Return a copy of all that training changes."""
        return copy.deepcopy((self.spins, self.scales, self.biases, self.memory))

    def restore(self, state):
        """Go back to a state."""
        self.spins, self.scales, self.biases, self.memory = copy.deepcopy(state)
        self.weights = [spins @ self.bits for spins in self.spins]

    def affine(self, layer, inputs):
        """Return what a layer makes of its inputs, before the activation."""
        scale = np.float32(self.scales[layer])
        return scale * (self.weights[layer].T @ inputs) + self.biases[layer][:, None]

    def first_sums(self, X, noise=None):
        """Return the first layer's weighted sums, with copies for the noise."""
        sums = self.weights[0].T @ X
        if noise is None:
            return sums
        return (sums[:, None] + noise).reshape(len(sums), -1)

    def forward(self, X, noise=None):
        """Return the pre-activations of every layer, the last of them the logits."""
        raw = self.first_sums(X, noise)
        layers = [np.float32(self.scales[0]) * raw + self.biases[0][:, None]]
        for layer in range(1, len(self.weights)):
            layers.append(self.affine(layer, self.value(layers[-1])))
        return layers


def softmax(logits):
    """Return the probabilities of the classes; the logits have a class a row."""
    P = np.exp(logits - logits.max(axis=0))
    P /= P.sum(axis=0)
    return P


def row_losses(logits, targets):
    """Return the cross-entropy of every row, in nats."""
    shifted = logits - logits.max(axis=0)
    norm = np.log(np.exp(shifted).sum(axis=0))
    return norm - np.einsum("cn,cn->n", targets, shifted)


def cross_entropy(logits, targets, share):
    """Return the mean loss.

    Parameters
    ----------
    logits, targets : ndarray of shape (n_classes, n)
        What the network says and the wanted probabilities.
    share : ndarray of shape (n,)
        Weights of the rows, which sum to 1.

    Returns
    -------
    loss : float
        In nats.
    """
    return float(share @ row_losses(logits, targets))


def refit(network, X, targets, rows, steps, rate=RATE, noise=None):
    """Fit scales and biases by Adam; the integer weights stay.

    The state of least loss on the way is kept, the first included.

    Parameters
    ----------
    network : QuantizedNetwork
        Changed in place.
    X : ndarray of shape (n_features, n), dtype float32
        Inputs.
    targets, rows : ndarray
        As of `cross_entropy`.
    steps : int
        Steps over all rows.
    rate : float, default=0.05
        Size of a step, of biases and of logarithms of scales.
    noise : ndarray of shape (n_outputs, n_copies, n), default=None
        Noise of the first layer's sums, as of `QuantizedNetwork.first_sums`; None is
        none.

    Returns
    -------
    loss : float
        The least.
    """
    depth = len(network.weights)
    first = network.first_sums(X, noise)  # the only wide product, once
    theta: list = [*np.log(network.scales), *network.biases]
    best: tuple = (np.inf, None)
    mean, square = [0.0] * len(theta), [0.0] * len(theta)
    for step in range(steps + 1):
        network.scales = [float(np.exp(t)) for t in theta[:depth]]
        network.biases = theta[depth:]
        layers: list = []
        raw, inputs = [first], [None]
        for layer in range(depth):
            if layer:
                inputs.append(network.value(layers[-1]))
                raw.append(network.weights[layer].T @ inputs[-1])
            scale = np.float32(network.scales[layer])
            layers.append(scale * raw[-1] + network.biases[layer][:, None])
        loss = cross_entropy(layers[-1], targets, rows)
        if loss < best[0]:
            best = (loss, [np.copy(t) for t in theta])
        if step == steps:
            break
        back = (softmax(layers[-1]) - targets) * rows
        grads: list = [0.0] * len(theta)
        for layer in reversed(range(depth)):
            scale = np.float32(network.scales[layer])
            grads[layer] = scale * float(np.vdot(back, raw[layer]))
            grads[depth + layer] = back.sum(axis=1)
            if layer:
                back = scale * (network.weights[layer] @ back)
                back *= network.slope(layers[layer - 1])
        for k, grad in enumerate(grads):
            mean[k] = 0.9 * mean[k] + 0.1 * grad
            square[k] = 0.99 * square[k] + 0.01 * grad**2
            move = mean[k] / (1 - 0.9 ** (step + 1))
            size = np.sqrt(square[k] / (1 - 0.99 ** (step + 1))) + 1e-12
            theta[k] = np.asarray(theta[k] - rate * move / size, dtype=np.float32)
    network.scales = [float(np.exp(t)) for t in best[1][:depth]]
    network.biases = best[1][depth:]
    return best[0]
