# SPDX-License-Identifier: Apache-2.0
"""Boltzmann machines with few hidden units: exact at any number of visible ones."""

import dimod
import numpy as np

LARGEST = 20


class ExactRBM:
    r"""A restricted Boltzmann machine summed exactly over its hidden units.

    .. math:: E(v, u) = b \cdot v + c \cdot u + v^T W u, \qquad v_i, u_a \in \{-1, 1\}

    The visible units are independent once the hidden ones are given, so 2**n_hidden
    terms give every expectation, and exact independent draws.

    Parameters
    ----------
    weights : array-like of shape (n_visible, n_hidden)
        W, in the units of the energy; at most 20 hidden units.
    visible_bias : array-like of shape (n_visible,), default=None
        Fields b, in the units of the energy; None means zeros.
    hidden_bias : array-like of shape (n_hidden,), default=None
        Fields c, in the units of the energy; None means zeros.
    beta : float, default=1.0
        Inverse temperature, in inverse units of the energy.

    Attributes
    ----------
    bqm : dimod.BinaryQuadraticModel
        SPIN model; the visible units come first, then the hidden ones, labels
        ``0 .. n_visible + n_hidden - 1``.
    log_z : float
        Logarithm of the partition function.
    mean_energy : float
        Mean energy under exp(-beta E), in the units of the energy.
    mean : ndarray of shape (n_visible + n_hidden,)
        Mean spins.
    correlation : ndarray of shape (n_visible, n_hidden)
        Means of v_i u_a.
    hidden_probabilities : ndarray of shape (2**n_hidden,)
        Law of the hidden units; bit ``a`` of the number is unit ``a``.

    References
    ----------
    Derived in docs/guide/boltzmann.md, with visible and hidden units exchanged.

    Examples
    --------
    >>> from qestim.testing import ExactRBM
    >>> rbm = ExactRBM([[1.0]], beta=1.0)
    >>> round(rbm.mean_energy, 6)
    -0.761594
    """

    def __init__(self, weights, visible_bias=None, hidden_bias=None, beta=1.0) -> None:
        W = np.asarray(weights, dtype=np.float64)
        if W.ndim != 2 or not np.isfinite(W).all():
            raise ValueError(
                "weights must be finite and of shape (n_visible, n_hidden). "
                f"Got shape {W.shape}."
            )
        n_visible, n_hidden = W.shape
        if n_hidden > LARGEST:
            raise ValueError(
                f"ExactRBM sums over at most {LARGEST} hidden units. Got {n_hidden}."
            )
        b = np.zeros(n_visible) if visible_bias is None else np.asarray(visible_bias)
        c = np.zeros(n_hidden) if hidden_bias is None else np.asarray(hidden_bias)
        for name, bias, size in (("visible", b, n_visible), ("hidden", c, n_hidden)):
            if bias.shape != (size,) or not np.isfinite(bias).all():
                raise ValueError(
                    f"{name}_bias must be finite and of shape ({size},). Got {bias!r}."
                )
        if not 0 <= beta < np.inf:
            raise ValueError(f"beta must be finite and not negative. Got {beta}.")
        self.beta, self._W, self._b = beta, W, b
        row, col = np.nonzero(np.ones_like(W))
        self.bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            np.concatenate([b, c]), (row, n_visible + col, W.ravel()), 0.0, dimod.SPIN
        )
        self._sum(b, c, n_visible, n_hidden)

    def _sum(self, b, c, n_visible, n_hidden):
        log_weight = np.empty(2**n_hidden)
        for codes in np.array_split(np.arange(2**n_hidden), 2 ** max(n_hidden - 8, 0)):
            u = self._hidden(codes)
            field = self.beta * (b + u @ self._W.T)
            log_weight[codes] = np.logaddexp(field, -field).sum(1) - self.beta * (u @ c)
        top = log_weight.max()
        p = np.exp(log_weight - top)
        self.log_z = float(top + np.log(p.sum()))
        self.hidden_probabilities = p / p.sum()
        visible, hidden = np.zeros(n_visible), np.zeros(n_hidden)
        self.correlation = np.zeros((n_visible, n_hidden))
        for codes in np.array_split(np.arange(2**n_hidden), 2 ** max(n_hidden - 8, 0)):
            u, q = self._hidden(codes), self.hidden_probabilities[codes]
            m = -np.tanh(self.beta * (b + u @ self._W.T))
            visible += q @ m
            hidden += q @ u
            self.correlation += (m * q[:, None]).T @ u
        self.mean = np.concatenate([visible, hidden])
        self.mean_energy = float(
            b @ visible + c @ hidden + (self._W * self.correlation).sum()
        )

    def _hidden(self, codes):
        n_hidden = self._W.shape[1]
        return 2.0 * ((np.asarray(codes)[:, None] >> np.arange(n_hidden)) & 1) - 1

    def draw(self, num_reads, random_state) -> np.ndarray:
        """Draw independent states.

        Parameters
        ----------
        num_reads : int
            Draws.
        random_state : numpy.random.Generator
            Source of the draws.

        Returns
        -------
        spins : ndarray of shape (num_reads, n_visible + n_hidden), dtype int8
            Values in {-1, 1}.
        """
        cumulative = np.cumsum(self.hidden_probabilities)
        u = random_state.random(num_reads) * cumulative[-1]
        hidden = self._hidden(np.searchsorted(cumulative, u, side="right"))
        up = 1 / (1 + np.exp(2 * self.beta * (self._b + hidden @ self._W.T)))
        visible = np.where(random_state.random(up.shape) < up, 1, -1)
        return np.concatenate([visible, hidden], axis=1).astype(np.int8)


def random_rbm(
    n_visible=500, n_hidden=12, seed=0, *, scale=0.09, field=0.1, beta=1.0
) -> ExactRBM:
    """Return an `ExactRBM` with normal weights and fields.

    Parameters
    ----------
    n_visible, n_hidden : int, default=500, 12
        Units.
    seed : int, default=0
        Seed of the weights.
    scale : float, default=0.09
        Standard deviation of the weights, in the units of the energy.
    field : float, default=0.1
        Standard deviation of the fields, in the units of the energy.
    beta : float, default=1.0
        Inverse temperature, in inverse units of the energy.

    Returns
    -------
    rbm : ExactRBM
        The machine with its exact expectations.

    Examples
    --------
    >>> from qestim.testing import random_rbm
    >>> random_rbm(20, 3).bqm.num_variables
    23
    """
    rng = np.random.default_rng(seed)
    return ExactRBM(
        scale * rng.standard_normal((n_visible, n_hidden)),
        field * rng.standard_normal(n_visible),
        field * rng.standard_normal(n_hidden),
        beta,
    )
