# SPDX-License-Identifier: Apache-2.0
"""Block descent: the weights of one neuron at a time, by one dense QUBO each."""

import numpy as np

from qestim.estimators._quantized_network import (
    RATE,
    cross_entropy,
    refit,
    row_losses,
    softmax,
)

_NOISY_ROWS = 24_000  # rows with noise of their own, copies of a row included
_MOST_COPIES = 100
_WIDTH = 1.0  # of a switch, in units of the pre-activation
_CURVED = 1e-4  # share of the greatest curvature below which a row is flat


class BlockDescent:
    """Monotone descent on the loss over all rows, one neuron after the other.

    Derived in docs/guide/quantized_classifier.md.

    Parameters
    ----------
    network : QuantizedNetwork
        Changed in place.
    draw : callable
        ``draw(h, J)`` returns reads of an Ising model in dimod's sign, an array of
        shape (n_reads, n).
    rng : numpy.random.RandomState
        Order of the neurons and noise.
    penalty : float
        Weight of the proximal term, in units of the mean curvature of a spin.
    inertia : float
        Weight of all rows seen so far as a multiple of these rows'; 1 at the start.
    block_size : int or None
        Most spins of a model.
    input_noise : float
        Noise of the features, as a multiple of their spread.
    spread : float
        Root mean square of the features' standard deviations.

    Attributes
    ----------
    accepted : int
        Blocks whose change was accepted.
    share : float
        Share of them in the last round.
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
        self.penalty, self.block_size = penalty * inertia, block_size
        self.inertia, self.rate = inertia, RATE / inertia**0.5
        self.input_noise, self.spread = input_noise, spread
        self.accepted = 0
        self.share = 1.0

    def start(self, rows):
        """Fit scales and biases of the random first weights."""
        noise, targets, share = self._noisy(rows)
        refit(self.network, rows.X, targets, share, 20, self.rate, noise)

    def epoch(self, rows):
        """Visit every neuron once; return the loss after it."""
        net = self.network
        noise, self.targets, self.rows = self._noisy(rows)
        self.X = rows.X
        self.layers = net.forward(self.X, noise)
        self.P = softmax(self.layers[-1])
        self.loss = cross_entropy(self.layers[-1], self.targets, self.rows)
        blocks = accepted = 0
        for layer, weights in enumerate(net.weights):
            for column in self.rng.permutation(weights.shape[1]):
                for block in self._blocks(net.spins[layer][:, column].size):
                    blocks += 1
                    accepted += self._step(layer, column, block)
        self.accepted += accepted
        self.share = accepted / blocks
        if self.share > 0.5:
            self.penalty *= 0.7
        elif self.share < 0.2:
            self.penalty *= 1.5
        return refit(net, self.X, self.targets, self.rows, 10, self.rate, noise)

    def _noisy(self, rows):
        """Return noise of the first layer's sums, and targets and shares to match.

        Independent noise of the features gives each sum normal noise of this size,
        and sums whose weights are nearly orthogonal independent noise. So the noise is
        drawn for the sums, and copies of a row share their features.
        """
        if not self.input_noise:
            return None, rows.targets, rows.share
        net, n = self.network, rows.X.shape[1]
        copies = int(np.clip(_NOISY_ROWS // n, 1, _MOST_COPIES))
        size = self.spread * np.sqrt(len(rows.X) * np.sum(net.bits**2))
        shape = (net.weights[0].shape[1], copies, n)
        noise = self.rng.standard_normal(shape).astype(np.float32)
        noise *= np.float32(self.input_noise * size)
        share = np.tile(rows.share / copies, copies)
        return noise, np.tile(rows.targets, copies), share

    def _blocks(self, n):
        """Divide n spins into random parts of at most `block_size`."""
        parts = -(-n // (self.block_size or n))
        order = self.rng.permutation(n) if parts > 1 else np.arange(n)
        return [np.sort(part) for part in np.array_split(order, parts)]

    def _step(self, layer, column, block):
        """Improve some spins of a neuron; return whether the loss fell."""
        net = self.network
        spins = net.spins[layer][:, column].reshape(-1)
        old = spins[block].astype(np.float64)
        source, bit = np.divmod(block, len(net.bits))
        inputs = self.X if layer == 0 else net.value(self.layers[layer - 1])
        factors = net.bits[bit] * np.float32(net.scales[layer])
        inputs = inputs[source] * factors[:, None]
        slope, curve = (
            part.reshape(-1, inputs.shape[1]).sum(axis=0)
            for part in self._derivatives(layer, column)
        )
        h, J, free = self._ising(inputs, slope, curve, old)
        if not (h.any() or J.any()):  # no row depends on this neuron
            return False
        reads = self._candidates(h, J, old)
        energies = reads @ h + 0.5 * np.einsum("ri,ri->r", reads @ J, reads)
        move = reads[np.argmin(energies)] - old
        if not move.any():
            return False
        shift = np.float32(free(move))
        change = move.astype(np.float32) @ inputs + shift
        z = self.layers[layer][column]
        layers = self._propagate(layer, column, z + np.resize(change, len(z)))
        loss = cross_entropy(layers[-1], self.targets, self.rows)
        if not loss < self.loss - 1e-7:
            return False
        self.layers, self.loss, self.P = layers, loss, softmax(layers[-1])
        spins = spins.copy()
        spins[block] += move.astype(np.int8)
        net.set_column(
            layer,
            column,
            spins.reshape(-1, len(net.bits)),
            net.biases[layer][column] + shift,
        )
        return True

    def _candidates(self, h, J, old):
        """Return new spins to choose from in place of the old, a row each."""
        top = max(np.abs(h).max(), np.abs(J).max())
        return self.draw(h / top, J / top).astype(np.float64)

    def _ising(self, inputs, slope, curve, old):
        r"""Return the model of one block, and the best bias for a move.

        With :math:`b_n` the columns of ``inputs``, a move :math:`\delta` of the spins
        and one :math:`\beta` of the bias, the loss changes by
        :math:`\sum_n g_n u_n + \frac{1}{2} k_n u_n^2`,
        :math:`u_n = b_n \cdot \delta + \beta`. The best :math:`\beta` is put in, which
        leaves a quadratic form.
        """
        live = np.flatnonzero(curve > _CURVED * curve.max())
        curved = inputs[:, live] * np.sqrt(curve[live])
        g = (inputs @ slope).astype(np.float64)
        M = (curved @ curved.T).astype(np.float64)
        cross = (inputs @ curve).astype(np.float64)
        # The bias is held by rows seen before, as if they curved like these.
        first, second = float(slope.sum()), self.inertia * float(curve.sum())
        if second > 0:
            g -= cross * (first / second)
            M -= np.outer(cross, cross) / second
        # The proximal term; its mean curvature is that of the data's part.
        M[np.diag_indices(len(M))] += self.penalty * np.trace(M) / len(M)
        h = g - M @ old
        J = (M + M.T) / 2
        np.fill_diagonal(J, 0)

        def free(move):
            return -(first + cross @ move) / second if second > 0 else 0.0

        return h, J, free

    def _derivatives(self, layer, column):
        """Return slope and curvature of the loss in a pre-activation, a row each."""
        net, layers, P = self.network, self.layers, self.P
        last = len(net.weights) - 1
        if layer == last:
            p = P[column]
            return (p - self.targets[column]) * self.rows, p * (1 - p) * self.rows
        if net.activation == "sign":
            return self._switch(layer, column)
        active = net.slope(layers[layer][column])
        ahead = np.float32(net.scales[layer + 1]) * net.weights[layer + 1][column]
        if layer + 1 == last:
            mean, square = ahead @ P, ahead**2 @ P
            slope = active * (mean - ahead @ self.targets)
            curve = active**2 * (square - mean**2)
        else:
            move = ahead[:, None] * active
            for above in range(layer + 1, last):
                move = net.weights[above + 1].T @ (move * net.slope(layers[above]))
                move *= np.float32(net.scales[above + 1])
            mean = np.einsum("cn,cn->n", P, move)
            slope = mean - np.einsum("cn,cn->n", self.targets, move)
            curve = np.einsum("cn,cn,cn->n", P, move, move) - mean**2
        return slope * self.rows, np.maximum(curve, 0) * self.rows

    def _switch(self, layer, column):
        """Return the derivatives of a stand-in for a neuron that only switches.

        What each row gains by either output is exact; the stand-in is the logistic
        loss of the output that gains, weighted with the gain.
        """
        z = self.layers[layer][column]
        down, up = (
            row_losses(
                self._propagate(layer, column, np.full_like(z, end))[-1], self.targets
            )
            for end in (-1, 1)
        )
        gain = (down - up) * self.rows
        side, weight = np.sign(gain), np.abs(gain)
        p = 1 / (1 + np.exp(np.clip(side * z / _WIDTH, -30, 30)))
        return -weight * side * p / _WIDTH, weight * p * (1 - p) / _WIDTH**2

    def _propagate(self, layer, column, z):
        """Return all pre-activations with those of one neuron replaced."""
        net, layers = self.network, list(self.layers)
        old = layers[layer][column]
        layers[layer] = layers[layer].copy()
        layers[layer][column] = z
        if layer + 1 < len(layers):
            step = np.float32(net.scales[layer + 1]) * (net.value(z) - net.value(old))
            layers[layer + 1] = layers[layer + 1] + np.outer(
                net.weights[layer + 1][column], step
            )
            for above in range(layer + 2, len(layers)):
                layers[above] = net.affine(above, net.value(layers[above - 1]))
        return layers
