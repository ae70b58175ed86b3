# SPDX-License-Identifier: Apache-2.0
"""A Boltzmann machine whose visible units are real numbers."""

import math
from typing import Any

import numpy as np
import torch

from qestim.nn._boltzmann import BoltzmannMachine
from qestim.nn._hidden import free_energy, mean_field
from qestim.qubo import IsingArrays


class GaussianBoltzmannMachine(torch.nn.Module):
    r"""Gaussian visible units and hidden spins, in dimod's sign.

    .. math:: E(x, s) = \sum_i \frac{(x_i - \mu_i)^2}{2 \sigma_i^2}
              + \sum_{ia} \frac{(x_i - \mu_i) W_{ia} s_a}{\sigma_i^2} + E_J(s)

    with the fields and couplings of the hidden spins in :math:`E_J`. Given the spins,
    the visible units are independent with means :math:`\mu - W s`. With them integrated
    out the hidden spins are a Boltzmann machine of the couplings
    :math:`J_{ab} - \sum_i W_{ia} W_{ib} / \sigma_i^2` (derived in
    docs/guide/boltzmann.md), which any sampler takes: `to_arrays`, `to_ising` and
    `sweep` are those of this hidden law.

    Parameters
    ----------
    n_visible, n_hidden : int
        Units.
    graph : {"bernoulli", "full"}, networkx.Graph or iterable of pairs, \
            default="bernoulli"
        Which hidden spins are coupled besides; ``"bernoulli"``, none, is the
        restricted machine.

    Attributes
    ----------
    mean : torch.nn.Parameter of shape (n_visible,)
        :math:`\mu`, in the units of the data.
    log_variance : torch.nn.Parameter of shape (n_visible,)
        :math:`\log \sigma^2`.
    W : torch.nn.Parameter of shape (n_visible, n_hidden)
        Weights, in the units of the data.
    hidden : BoltzmannMachine
        The law of fields and couplings of the hidden spins, without the visible ones.

    References
    ----------
    .. [1] Cho, Ilin and Raiko, "Improved learning of Gaussian-Bernoulli restricted
           Boltzmann machines", ICANN 2011. doi:10.1007/978-3-642-21735-7_2

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import GaussianBoltzmannMachine
    >>> machine = GaussianBoltzmannMachine(2, 3)
    >>> round(machine.log_partition_bracket().lower, 4)  # log(2 pi) + 3 log 2
    3.9173
    >>> machine.free_energy(torch.zeros(1, 2)).shape
    torch.Size([1])
    """

    coupled = True

    def __init__(self, n_visible, n_hidden, graph="bernoulli") -> None:
        super().__init__()
        self.n_visible, self.n_units = n_visible, n_hidden
        self.mean = torch.nn.Parameter(torch.zeros(n_visible))
        self.log_variance = torch.nn.Parameter(torch.zeros(n_visible))
        self.W = torch.nn.Parameter(torch.zeros(n_visible, n_hidden))
        self.hidden = BoltzmannMachine(n_hidden, graph)

    @property
    def h(self):
        """Fields of the hidden spins, tensor of shape (n_hidden,)."""
        return self.hidden.h

    def energy(self, visible, spins) -> torch.Tensor:
        """Return energies of visible units and hidden spins.

        Parameters
        ----------
        visible : tensor of shape (batch, n_visible)
            Real numbers.
        spins : tensor of shape (batch, n_hidden)
            Hidden spins or their means.

        Returns
        -------
        energy : tensor of shape (batch,)
            Dimensionless; the law is exp(-energy).
        """
        x = (visible - self.mean) * torch.exp(-self.log_variance)
        own = 0.5 * (x * (visible - self.mean)).sum(1)
        return own + ((x @ self.W) * spins).sum(1) + self.hidden.energy(spins)

    def hidden_means(self, visible) -> torch.Tensor:
        """Return the means of the hidden spins.

        Exact where no two hidden spins are coupled, mean-field values otherwise.

        Parameters
        ----------
        visible : tensor of shape (batch, n_visible)
            Real numbers.

        Returns
        -------
        means : tensor of shape (batch, n_hidden)
            Values in [-1, 1].
        """
        J = self.hidden.couplings()
        return mean_field(self._fields(visible) + self.h, J, self.hidden.colours)

    def visible_means(self, spins) -> torch.Tensor:
        """Return the means of the visible units, given hidden spins.

        Parameters
        ----------
        spins : tensor of shape (batch, n_hidden)
            Hidden spins or their means.

        Returns
        -------
        means : tensor of shape (batch, n_visible)
            In the units of the visible ones.
        """
        return self.mean - spins @ self.W.T

    def free_energy(self, visible) -> torch.Tensor:
        r"""Return :math:`-\log \sum_s e^{-E(x, s)}`.

        Exact where no two hidden spins are coupled, the mean-field upper bound
        otherwise.

        Parameters
        ----------
        visible : tensor of shape (batch, n_visible)
            Real numbers.

        Returns
        -------
        free_energy : tensor of shape (batch,)
            In nats, with a gradient.
        """
        x = visible - self.mean
        own = 0.5 * (x**2 * torch.exp(-self.log_variance)).sum(1)
        fields, J = self._fields(visible) + self.h, self.hidden.couplings()
        means = mean_field(fields.detach(), J.detach(), self.hidden.colours)
        return own + free_energy(fields, J, means)

    def contrast(self, data, model) -> torch.Tensor:
        r"""Return the scalar whose gradient is that of the mean of :math:`-\log p`.

        Parameters
        ----------
        data : tensor of shape (batch, n_visible)
            Rows of the data.
        model : tensor of shape (reads, n_hidden)
            Hidden spins drawn from this machine; no gradient reaches them.

        Returns
        -------
        contrast : tensor of shape ()
            Dimensionless; its value means nothing, as log Z is not in it.
        """
        return self.free_energy(data).mean() - self._marginal(model.detach()).mean()

    def _fields(self, visible):
        """Return the fields of the hidden spins from the visible units."""
        return ((visible - self.mean) * torch.exp(-self.log_variance)) @ self.W

    def _marginal(self, spins):
        """Return energies of hidden states, the visible units integrated out."""
        pull = (spins @ self.W.T) ** 2 * torch.exp(-self.log_variance)
        volume = 0.5 * (self.log_variance + math.log(2 * math.pi))
        return self.hidden.energy(spins) - 0.5 * pull.sum(1) - volume.sum()

    @torch.no_grad()
    def hidden_marginal(self) -> Any:
        """Return the law of the hidden spins.

        Returns
        -------
        machine : BoltzmannMachine
            All spins coupled.
        constant : float
            What its log Z lacks to that of this machine.
        """
        J = self._hidden_form()
        machine = BoltzmannMachine(self.n_units, "full").to(self.W)
        machine.h.copy_(self.h)
        machine.J.copy_(J[machine.row, machine.col])
        volume = 0.5 * (self.log_variance + math.log(2 * math.pi)).sum()
        return machine, (volume - 0.5 * J.trace()).item()

    @torch.no_grad()
    def _hidden_form(self):
        """Return couplings of the hidden law; on the diagonal, twice a constant."""
        pulled = (self.W.T * torch.exp(-self.log_variance)) @ self.W
        return self.hidden.couplings() - pulled

    def log_partition_bracket(self, **settings) -> Any:
        """Return bounds of log Z, of which those of the hidden law are estimated.

        Parameters
        ----------
        **settings
            As of `BoltzmannMachine.log_partition_bracket`.

        Returns
        -------
        bounds : LogPartition
            In nats.
        """
        machine, constant = self.hidden_marginal()
        bounds = machine.log_partition_bracket(**settings)
        return bounds._replace(
            lower=bounds.lower + constant, upper=bounds.upper + constant
        )

    @torch.no_grad()
    def draw_visible(self, spins, generator=None) -> torch.Tensor:
        """Draw visible units given hidden spins.

        Parameters
        ----------
        spins : tensor of shape (reads, n_hidden)
            Hidden spins.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        visible : tensor of shape (reads, n_visible)
            Independent draws, in the units of the visible ones.
        """
        means = self.visible_means(spins)
        noise = torch.randn(
            means.shape, generator=generator, dtype=means.dtype, device=means.device
        )
        return means + noise * torch.exp(0.5 * self.log_variance)

    @torch.no_grad()
    def sweep(self, spins, n_sweeps=1, *, generator=None) -> torch.Tensor:
        """Update hidden spins: visible units are drawn given them, then they anew.

        Parameters
        ----------
        spins : tensor of shape (reads, n_hidden)
            Values in {-1, 1}; not changed.
        n_sweeps : int, default=1
            Rounds.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        spins : tensor of shape (reads, n_hidden)
            The states after the rounds.
        """
        for _ in range(n_sweeps):
            fields = self._fields(self.draw_visible(spins, generator))
            spins = self.hidden.sweep(spins, fields=fields, generator=generator)
        return spins

    def random_spins(self, n_reads, *, generator=None) -> torch.Tensor:
        """Return uniform random hidden spins.

        Parameters
        ----------
        n_reads : int
            Draws.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        spins : tensor of shape (n_reads, n_hidden)
            Values in {-1, 1}.
        """
        return self.hidden.random_spins(n_reads, generator=generator)

    def to_ising(self) -> IsingArrays:
        """Return the hidden law as `qestim.qubo.IsingArrays`.

        Returns
        -------
        model : qestim.qubo.IsingArrays
            Labels ``0 .. n_hidden - 1``, float64, dimensionless.
        """
        h, J = self.to_arrays()
        row, col = np.triu_indices(self.n_units, 1)
        return IsingArrays(h, row.astype(np.int32), col.astype(np.int32), J[row, col])

    def to_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return fields and couplings of the hidden law, as `BoltzmannMachine` does.

        Returns
        -------
        h : ndarray of shape (n_hidden,), dtype float64
            Fields, dimensionless.
        J : ndarray of shape (n_hidden, n_hidden), dtype float64
            Couplings, symmetric with a zero diagonal.
        """
        # One triangle for both: products of matrices are symmetric up to rounding.
        J = self._hidden_form().triu(1).cpu().double().numpy()
        return self.h.detach().cpu().double().numpy(), J + J.T
