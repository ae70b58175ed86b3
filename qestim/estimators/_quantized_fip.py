# SPDX-License-Identifier: Apache-2.0
"""The exact problem: all weights and all rows in one QUBO, for tiny data."""

import numpy as np

from qestim.estimators._quantized_network import refit
from qestim.qubo import FIPProblem, quantize_inputs

_MOST_SPINS = 2000
_INPUT_BITS = 3
_MOST_COPIES = 20  # of a row of great weight


class ExactDescent:
    """Reads of `qestim.qubo.FIPProblem` with the hinge loss, one against the rest.

    Every round is one call of the sampler. Reads are judged by the loss of the network
    that their weight bits describe, not by their energy; the best of all rounds is
    kept, and its scales and biases are fitted to the rows as they are.

    Parameters
    ----------
    network : QuantizedNetwork
        Changed in place.
    draw : callable
        ``draw(h, J)`` returns reads of an Ising model.
    rng : numpy.random.RandomState
        Not used, as are ``inertia``, ``input_noise`` and ``spread``.
    penalty : float
        Weight of the constraints as a multiple of the bound that makes them exact.
    block_size : int or None
        Most spins of the problem; None is 2000.

    Raises
    ------
    ValueError
        If the problem needs more spins, or rows have weights that are no multiples
        of the least.
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
        self.network, self.draw = network, draw
        self.penalty, self.limit = penalty, block_size or _MOST_SPINS
        self.accepted, self.share = 0, 1.0

    def start(self, rows):
        """Set the problem up."""
        net = self.network
        least = max(rows.share.min(), np.finfo(np.float32).tiny)
        counts = rows.share / least
        times = np.rint(counts)
        if np.abs(counts - times).max() > 0.01 or times.max() > _MOST_COPIES:
            raise ValueError(
                "solver='fip' repeats rows by their weights, which must be 1 to "
                f"{_MOST_COPIES} times the least. Got up to {counts.max():.4g} times; "
                "leave weights out or use solver='block'."
            )
        times = times.astype(int)
        X, step = quantize_inputs(np.repeat(rows.X.T, times, axis=0), _INPUT_BITS)
        y = np.repeat(np.where(rows.targets.T > 0, 1, -1), times, axis=0)
        self.problem = FIPProblem(
            X,
            y,
            [weights.shape[1] for weights in net.weights[:-1]],
            weight_bits="ternary" if net.bits[0] < 1 else len(net.bits),
            activation=net.activation,
            loss="hinge",
            weight_scale=net.scales,
            input_step=step,
        )
        size = self.problem.size_report().variables
        if size > self.limit:
            raise ValueError(
                f"solver='fip' needs {size} spins for {len(X)} rows; the limit is "
                f"{self.limit}. Take fewer rows or neurons, raise block_size, or use "
                "solver='block'."
            )
        bound = self.problem.penalty_bound()
        self.model = self.problem.to_arrays(self.penalty * bound)
        self.best = np.inf

    def epoch(self, rows):
        """Draw once and keep the best network so far; return the loss after it."""
        net = self.network
        reads = self.draw(self.model.h, self.model.dense)
        accepted = False
        for spins in reads:
            sample = dict(zip(self.problem.variables, spins.tolist(), strict=True))
            weights = self.problem.decode(sample)
            value = self.problem.objective(weights)
            if value < self.best:
                self.best, accepted = value, True
                self._take(weights)
        self.accepted += accepted
        self.share = float(accepted)
        return refit(net, rows.X, rows.targets, rows.share, 20)

    def _take(self, solution):
        """Put integer weights into the network; the last of a row is the bias."""
        net, layers = self.network, self.problem.layers
        constants = [self.problem.X[0, -1], *layers.biases[1:]]
        for layer, weights in enumerate(solution):
            bias = net.scales[layer] * constants[layer] * layers.steps[layer]
            net.spins[layer] = spins_of_weights(weights[:, :-1].T, net.bits)
            net.weights[layer] = net.spins[layer] @ net.bits
            net.biases[layer] = (bias * weights[:, -1]).astype(np.float32)


def spins_of_weights(weights, bits):
    """Return spins whose sum with the bits' values gives integer weights.

    Parameters
    ----------
    weights : ndarray of shape (n_inputs, n_outputs), dtype int
        Weights that the bits can express.
    bits : ndarray of shape (n_bits,)
        What a spin of each bit contributes.

    Returns
    -------
    spins : ndarray of shape (n_inputs, n_outputs, n_bits), dtype int8
        In {-1, 1}; a ternary 0 is the pair (-1, 1).
    """
    spins = np.empty((*weights.shape, len(bits)), dtype=np.int8)
    rest = weights.astype(np.float64)
    for bit in reversed(range(len(bits))):
        last = bits[:bit].sum()  # what the lower bits can still make up for
        spins[..., bit] = np.where(rest + last >= bits[bit], 1, -1)
        rest = rest - spins[..., bit] * bits[bit]
    return spins
