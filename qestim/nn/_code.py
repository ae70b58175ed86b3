# SPDX-License-Identifier: Apache-2.0
"""What a row is coded in: independent spins, or independent Gaussian values."""

import math

import torch
from torch.nn.functional import softplus

from qestim.nn._relaxation import RELAXATIONS


def spin_entropy(logits) -> torch.Tensor:
    """Return the entropy of independent spins, in nats.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.

    Returns
    -------
    entropy : tensor of shape (batch,)
        Summed over the spins.

    References
    ----------
    Derived in docs/guide/qbm_vae.md.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import spin_entropy
    >>> spin_entropy(torch.zeros(1, 3)).item() / 3  # log 2
    0.693147...
    """
    return (softplus(logits) - logits * torch.sigmoid(logits)).sum(1)


class SpinCode:
    r"""Posteriors of independent spins, :math:`q(s) = \prod_i \sigma(s_i l_i)`.

    Parameters
    ----------
    relaxation : {"straight_through", "mixed", "mean", "overlap", "spike_exp"}, \
            default="straight_through"
        How the gradient of a reconstruction passes the draw of the spins.

    References
    ----------
    Derived in docs/guide/qbm_vae.md.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import SpinCode
    >>> SpinCode().mean(torch.tensor([[0.0, 90.0]])).tolist()
    [[0.0, 1.0]]
    """

    outputs_per_unit = 1

    def __init__(self, relaxation="straight_through") -> None:
        if relaxation not in RELAXATIONS:
            raise ValueError(
                f"relaxation must be one of {', '.join(RELAXATIONS)}. Got "
                f"{relaxation!r}."
            )
        self.relaxation = relaxation

    def draw(self, logits, *, generator=None) -> torch.Tensor:
        """Return draws with a gradient.

        Parameters
        ----------
        logits : tensor of shape (batch, m)
            Log odds of the spins.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        spins : tensor of shape (batch, m)
            One draw a row, relaxed as `relaxation` says.
        """
        return RELAXATIONS[self.relaxation](logits, generator=generator)

    def at(self, logits, uniform) -> torch.Tensor:
        """Return the spins that uniform numbers select.

        Parameters
        ----------
        logits : tensor of shape (batch, m)
            Log odds of the spins.
        uniform : tensor of shape (m,) or (batch, m)
            Numbers in [0, 1).

        Returns
        -------
        spins : tensor of shape (batch, m)
            Values in {-1, 1}.
        """
        return torch.where(uniform < torch.sigmoid(logits), 1.0, -1.0).to(logits)

    def mean(self, logits) -> torch.Tensor:
        """Return the means of the spins.

        Parameters
        ----------
        logits : tensor of shape (batch, m)
            Log odds of the spins.

        Returns
        -------
        mean : tensor of shape (batch, m)
            Values in [-1, 1].
        """
        return torch.tanh(logits / 2)

    def moments(self, logits) -> tuple[torch.Tensor, ...]:
        """Return what a prior's energy needs: the means alone.

        Parameters
        ----------
        logits : tensor of shape (batch, m)
            Log odds of the spins.

        Returns
        -------
        moments : tuple of a tensor of shape (batch, m)
            The means, in [-1, 1].
        """
        return (self.mean(logits),)

    def entropy(self, logits) -> torch.Tensor:
        """Return the entropies of the posteriors.

        Parameters
        ----------
        logits : tensor of shape (batch, m)
            Log odds of the spins.

        Returns
        -------
        entropy : tensor of shape (batch,)
            In nats, summed over the spins.
        """
        return spin_entropy(logits)


class NormalCode:
    r"""Posteriors of independent Gaussian values, of an ordinary autoencoder.

    The encoder gives means and logarithms of standard deviations.

    References
    ----------
    Derived in docs/guide/qbm_vae.md, after

    .. [1] Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014.
       arXiv:1312.6114

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import NormalCode
    >>> NormalCode().mean(torch.tensor([[0.5, -1.0]])).tolist()
    [[0.5]]
    """

    outputs_per_unit = 2

    def draw(self, outputs, *, generator=None) -> torch.Tensor:
        """Return draws with a gradient.

        Parameters
        ----------
        outputs : tensor of shape (batch, 2 m)
            Means and logarithms of standard deviations.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        values : tensor of shape (batch, m)
            One draw a row.
        """
        mean, log_deviation = self._parts(outputs)
        noise = torch.randn(
            mean.shape, generator=generator, dtype=mean.dtype, device=mean.device
        )
        return mean + log_deviation.exp() * noise

    def at(self, outputs, uniform) -> torch.Tensor:
        """Return the values that uniform numbers select.

        Parameters
        ----------
        outputs : tensor of shape (batch, 2 m)
            Means and logarithms of standard deviations.
        uniform : tensor of shape (m,) or (batch, m)
            Numbers in [0, 1).

        Returns
        -------
        values : tensor of shape (batch, m)
            The quantiles; the numbers are kept 1e-6 away from 0 and 1.
        """
        mean, log_deviation = self._parts(outputs)
        quantile = torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))
        return mean + log_deviation.exp() * quantile

    def mean(self, outputs) -> torch.Tensor:
        """Return the means.

        Parameters
        ----------
        outputs : tensor of shape (batch, 2 m)
            Means and logarithms of standard deviations.

        Returns
        -------
        mean : tensor of shape (batch, m)
            Dimensionless.
        """
        return self._parts(outputs)[0]

    def moments(self, outputs) -> tuple[torch.Tensor, ...]:
        """Return what a prior's energy needs: means and variances.

        Parameters
        ----------
        outputs : tensor of shape (batch, 2 m)
            Means and logarithms of standard deviations.

        Returns
        -------
        mean, variance : tensor of shape (batch, m)
            Dimensionless.
        """
        mean, log_deviation = self._parts(outputs)
        return mean, (2 * log_deviation).exp()

    def entropy(self, outputs) -> torch.Tensor:
        """Return the entropies of the posteriors.

        Parameters
        ----------
        outputs : tensor of shape (batch, 2 m)
            Means and logarithms of standard deviations.

        Returns
        -------
        entropy : tensor of shape (batch,)
            In nats, summed over the values.
        """
        constant = 0.5 * math.log(2 * math.pi * math.e)
        return (self._parts(outputs)[1] + constant).sum(1)

    def _parts(self, outputs):
        mean, log_deviation = outputs.chunk(2, 1)
        return mean, log_deviation.clamp(-7.0, 3.0)
