# SPDX-License-Identifier: Apache-2.0
"""One row and one bit plane at a time: Ising problems for devices of a few spins."""

import numpy as np

from qestim.estimators._quantized_network import softmax

_SPINS = 64  # most spins of a call where block_size does not say
_STIFFNESS = 80.0  # of the proximal term at penalty 1
_STEP = 1.5  # of the memory, against a row's gradient
_RATE = 0.01  # of biases; a tenth for logarithms of scales
_DECAY = 0.7  # of both, a round
_LEARNED = 0.05  # chance of error below which a row asks for nothing
_NEURONS = (2, 8)  # that a row may change: of the outputs, of a hidden layer


class BitScaleDescent:
    r"""Proximal steps on single rows, one bit plane of a neuron each.

    A row with inputs :math:`a` whose loss has the slope :math:`g` and the curvature
    :math:`k` in a neuron's sum is put to the sampler as

    .. math:: \min_s\; g u + \frac{1}{2} k u^2 - \lambda\, m \cdot s, \qquad
              u = c\, a \cdot (s - v)

    over the spins s of one bit, worth c, of its weights; v are the present spins and
    :math:`m \in [-1, 1]` is the memory, in which all rows leave their mark. The answer
    tells how large the slope remains where the row has its way, and the memory moves
    against that remainder: an implicit gradient step. The weights in use are the signs
    of the memory; those handed over are the signs of its mean over a round, and with
    that mean a later call of partial_fit goes on. Derived in
    docs/guide/quantized_classifier.md.

    Parameters and attributes are those of `BlockDescent`; ``block_size=None`` is 64,
    and ``inertia`` is not used.
    """

    def __init__(
        self,
        network,
        draw,
        rng,
        *,
        penalty,
        inertia,
        block_size,
        input_noise,
        spread,
    ):
        self.network, self.draw, self.rng = network, draw, rng
        self.penalty, self.block_size = penalty, block_size or _SPINS
        self.noise = np.float32(input_noise * spread)
        self.accepted = 0
        self.share = self.step = 1.0
        self.memory = (
            [0.2 * spins * rng.random_sample(spins.shape) for spins in network.spins]
            if network.memory is None
            else [
                spins * np.abs(part)
                for spins, part in zip(network.spins, network.memory, strict=True)
            ]
        )

    def start(self, rows):
        """Leave the network as it was drawn: no call sees more than one row."""

    def epoch(self, rows):
        """Visit rows as often as their weights ask; return the mean loss."""
        net, n = self.network, rows.X.shape[1]
        chance = rows.share.astype(np.float64)
        loss, calls, accepted = 0.0, 0, 0
        sums = [
            np.zeros_like(part, dtype=np.float64)
            for part in (*self.memory, *net.biases, *net.scales)
        ]
        for index in self.rng.choice(n, n, p=chance / chance.sum()):
            x, target = rows.X[:, index], rows.targets[:, index]
            x = x + self.noise * self.rng.standard_normal(len(x)).astype(np.float32)
            layers, P = self._forward(x)
            loss -= float(np.log(target @ P + 1e-30))
            self._follow_slope(layers, P - target)
            for layer, column in self._places(layers, P - target):
                if target @ P > 1 - _LEARNED:
                    break
                calls += 1
                accepted += self._step(layers, x, P, target, layer, column)
                layers, P = self._forward(x)
            for total, part in zip(
                sums, (*self.memory, *net.biases, *net.scales), strict=True
            ):
                total += part
        self._hand_over([total / n for total in sums])
        self.accepted += accepted
        self.share = accepted / max(1, calls)
        self.step *= _DECAY
        return loss / n

    def _hand_over(self, means):
        net = self.network
        depth = len(net.weights)
        net.memory = [mean.astype(np.float32) for mean in means[:depth]]
        for layer in range(depth):
            net.spins[layer] = np.where(means[layer] < 0, -1, 1).astype(np.int8)
            net.weights[layer] = net.spins[layer] @ net.bits
            net.biases[layer] = means[depth + layer].astype(np.float32)
            net.scales[layer] = float(means[2 * depth + layer])

    def _forward(self, x):
        layers = self.network.forward(x[:, None])
        return layers, softmax(layers[-1])[:, 0]

    def _tangents(self, layers):
        """Return the derivatives of the logits in every layer's sums, last first."""
        net = self.network
        tangents = [np.eye(len(layers[-1]), dtype=np.float32)]
        for layer in reversed(range(len(layers) - 1)):
            ahead = np.float32(net.scales[layer + 1]) * net.weights[layer + 1]
            tangents.append(ahead @ tangents[-1] * net.slope(layers[layer]))
        return tangents

    def _places(self, layers, error):
        """Yield the neurons on which the row's loss depends most."""
        for depth, tangent in enumerate(self._tangents(layers)):
            pull = np.abs(tangent @ error)
            for column in np.argsort(-pull)[: _NEURONS[depth > 0]]:
                if pull[column] > 0:
                    yield len(layers) - 1 - depth, int(column)

    def _follow_slope(self, layers, error):
        """Move biases and scales against the gradient of one row."""
        net, rate = self.network, _RATE * self.step
        for depth, tangent in enumerate(self._tangents(layers)):
            layer = len(layers) - 1 - depth
            pull = tangent @ error
            along = float(pull @ (layers[layer][:, 0] - net.biases[layer]))
            net.scales[layer] *= float(np.exp(-0.1 * rate * np.clip(along, -1, 1)))
            net.biases[layer] = net.biases[layer] - np.float32(rate) * pull

    def _step(self, layers, x, P, target, layer, column):
        """Put one neuron to the sampler; return whether a spin changed."""
        net = self.network
        inputs = x if layer == 0 else net.value(layers[layer - 1])[:, 0]
        v = self._tangents(layers)[len(layers) - 1 - layer][column]
        slope = float(v @ (P - target))
        curve = float(P @ v**2 - (P @ v) ** 2)
        bit = self.rng.randint(len(net.bits))
        b = inputs * np.float32(net.bits[bit] * net.scales[layer])
        live = np.flatnonzero(b)
        if len(live) > self.block_size:
            live = np.sort(self.rng.choice(live, self.block_size, replace=False))
        b = b[live].astype(np.float64)
        spins = net.spins[layer][:, column].copy()
        old = spins[live, bit].astype(np.float64)
        memory = self.memory[layer][live, column, bit]
        size = _STIFFNESS * self.penalty * np.sqrt(np.mean(v**2))
        h = slope * b - curve * b * (b @ old)
        h -= size * np.linalg.norm(b) / max(1, len(b)) ** 0.5 * memory
        J = curve * np.outer(b, b)
        np.fill_diagonal(J, 0)
        top = max(np.abs(h).max(initial=0), np.abs(J).max(initial=0))
        if top == 0:
            return False
        reads = self.draw(h / top, J / top).astype(np.float64)
        energies = reads @ h + 0.5 * np.einsum("ri,ri->r", reads @ J, reads)
        new = reads[np.argmin(energies)]
        remainder = slope + curve * (b @ (new - old))
        memory = np.clip(memory - _STEP * self.step * remainder * b, -1, 1)
        self.memory[layer][live, column, bit] = memory
        spins[live, bit] = np.where(memory < 0, -1, 1)
        changed = bool((spins[live, bit] != old).any())
        if changed:
            net.set_column(layer, column, spins, net.biases[layer][column])
        return changed
