# SPDX-License-Identifier: Apache-2.0
"""The laws of a code that a Boltzmann machine must be compared with.

Both are normalised, so that log Z is zero and there is no negative phase.
"""

import math

import torch
from torch.nn.functional import softplus


class BernoulliMixture(torch.nn.Module):
    r"""Mixture of laws of independent spins.

    .. math:: p(s) = \sum_k \pi_k \prod_i
              \frac{e^{-h_{ki} s_i}}{2 \cosh h_{ki}}

    Parameters
    ----------
    n_units : int
        Number m of spins.
    n_parts : int
        Number K of laws; there are ``K * (m + 1) - 1`` free parameters.
    generator : torch.Generator, default=None
        Source of the fields the laws begin with.

    Attributes
    ----------
    h : torch.nn.Parameter of shape (K, m)
        Fields, in dimod's sign, dimensionless.
    weight_logits : torch.nn.Parameter of shape (K,)
        Logarithms of the weights, up to a constant.

    References
    ----------
    .. [1] Dilokthanakul et al., "Deep unsupervised clustering with Gaussian mixture
           variational autoencoders" (2016), for mixtures as priors. arXiv:1611.02648

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import BernoulliMixture
    >>> law = BernoulliMixture(3, 2, generator=torch.Generator().manual_seed(0))
    >>> law.sample(5).shape
    torch.Size([5, 3])
    """

    def __init__(self, n_units, n_parts, *, generator=None) -> None:
        super().__init__()
        self.n_units = n_units
        h = torch.empty(n_parts, n_units).normal_(0, 0.5, generator=generator)
        self.h = torch.nn.Parameter(h)
        self.weight_logits = torch.nn.Parameter(torch.zeros(n_parts))

    @staticmethod
    def parts_for(n_units, n_parameters) -> int:
        """Return the number of laws with about so many free parameters, at least 1.

        Parameters
        ----------
        n_units : int
            Spins m.
        n_parameters : int
            Free parameters wanted; k laws have ``k (m + 1) - 1``.

        Returns
        -------
        n_parts : int
            Number k of laws.
        """
        return max(1, round((n_parameters + 1) / (n_units + 1)))

    def energy(self, spins) -> torch.Tensor:
        """Return the energies ``-log p`` of states, or a bound for means.

        Parameters
        ----------
        spins : tensor of shape (batch, m)
            Spins; or means of independent spins, and then the value is not below
            their mean energy, because log-sum-exp is convex.

        Returns
        -------
        energy : tensor of shape (batch,)
            In nats.
        """
        log_2cosh = self.h.abs() + softplus(-2 * self.h.abs())
        log_laws = -spins @ self.h.T - log_2cosh.sum(1)
        return -torch.logsumexp(log_laws + torch.log_softmax(self.weight_logits, 0), 1)

    def contrast(self, data, model) -> torch.Tensor:
        """Return the mean energy of the data; there is no negative phase.

        Parameters
        ----------
        data : tensor of shape (batch, m)
            Spins of the data; no gradient goes into them.
        model : tensor or None
            Not used, present by convention.

        Returns
        -------
        contrast : tensor of shape ()
            Mean of ``-log p``, or its bound for means, in nats.
        """
        return self.energy(data.detach()).mean()

    @torch.no_grad()
    def sample(self, n_draws, *, generator=None) -> torch.Tensor:
        """Return independent spins of the law.

        Parameters
        ----------
        n_draws : int
            Draws.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        spins : tensor of shape (n_draws, m)
            Values in {-1, 1}, of the dtype of the parameters.
        """
        weights = torch.softmax(self.weight_logits, 0)
        part = torch.multinomial(weights, n_draws, True, generator=generator)
        up = torch.sigmoid(-2 * self.h[part])
        u = torch.rand(up.shape, generator=generator, dtype=up.dtype, device=up.device)
        return torch.where(u < up, 1.0, -1.0).to(up)


class StandardNormal(torch.nn.Module):
    """Independent standard normal values: the prior of an ordinary autoencoder.

    Parameters
    ----------
    n_units : int
        Number of values.

    References
    ----------
    Derived in docs/guide/qbm_vae.md, after

    .. [1] Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014.
       arXiv:1312.6114

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import StandardNormal
    >>> StandardNormal(2).energy(torch.zeros(1, 2)).item()  # log(2 pi)
    1.837877...
    """

    def __init__(self, n_units) -> None:
        super().__init__()
        self.h: torch.Tensor
        self.n_units = n_units
        self.register_buffer("h", torch.zeros(n_units))  # its device and precision

    def energy(self, mean, variance=None) -> torch.Tensor:
        """Return ``-log p`` of values, or its mean for independent Gaussian ones.

        Parameters
        ----------
        mean : tensor of shape (batch, m)
            Values, or their means.
        variance : tensor of shape (batch, m), default=None
            Their variances; None is zero.

        Returns
        -------
        energy : tensor of shape (batch,)
            In nats.
        """
        square = mean**2 if variance is None else mean**2 + variance
        return 0.5 * (square + math.log(2 * math.pi)).sum(1)

    @torch.no_grad()
    def sample(self, n_draws, *, generator=None) -> torch.Tensor:
        """Return independent values of the law.

        Parameters
        ----------
        n_draws : int
            Draws.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        values : tensor of shape (n_draws, m)
            Of the dtype of the parameters.
        """
        shape = (n_draws, self.n_units)
        return torch.randn(
            shape, generator=generator, dtype=self.h.dtype, device=self.h.device
        )
