# SPDX-License-Identifier: Apache-2.0
"""Encoder and decoder of a variational autoencoder with a code of spins."""

import math
from numbers import Integral
from typing import Any

import torch

from qestim.nn._code import NormalCode, SpinCode
from qestim.nn._likelihood import LIKELIHOODS


class SpinVAE(torch.nn.Module):
    r"""Encoder, factorised posterior, decoder with covariates.

    .. math:: x \to l(x) \in R^m, \quad q(s|x) = \prod_i \sigma(s_i l_i), \quad
              (s, c, L) \to p(x|s, c, L)

    Each hidden layer is linear - layer norm - ReLU - dropout. Covariates c (such as
    a one-hot batch) and the size L of a row of counts reach the decoder alone, so that
    the code of a row does not need them.

    Parameters
    ----------
    n_features : int
        Number d of observed values.
    n_units : int
        Number m of spins.
    n_hidden : int or tuple of int, default=256
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    likelihood : {"gaussian", "bernoulli", "poisson", "nb", "zinb"}, \
            default="gaussian"
        Law p(x|s): ``"gaussian"`` with one learned variance a feature,
        ``"bernoulli"`` for values in [0, 1], the others for counts of mean L times a
        softmax: Poisson, negative binomial, and this with inflated zeros.
    n_covariates : int, default=0
        Number of covariates of the decoder.
    code : SpinCode or NormalCode, default=None
        Family of posteriors; None is ``SpinCode()``. `NormalCode` makes an ordinary
        autoencoder of it.
    input_noise : float, default=0.8
        Standard deviation of the Gaussian noise that `noisy_logits` adds to what the
        encoder sees, in the units of its input.
    dropout : float, default=0.0
        Share of hidden values set to zero in training, with torch's global generator.
    generator : torch.Generator, default=None
        Source of the initial weights.

    References
    ----------
    .. [1] Im et al., "Denoising criterion for variational auto-encoding framework",
           AAAI 2017. arXiv:1511.06406

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import SpinVAE
    >>> vae = SpinVAE(5, 3, generator=torch.Generator().manual_seed(0))
    >>> vae.encoder(torch.zeros(2, 5)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features,
        n_units,
        *,
        n_hidden=256,
        likelihood="gaussian",
        n_covariates=0,
        code=None,
        input_noise=0.8,
        dropout=0.0,
        generator=None,
    ) -> None:
        super().__init__()
        if likelihood not in LIKELIHOODS:
            raise ValueError(
                f"likelihood must be one of {', '.join(LIKELIHOODS)}. Got "
                f"{likelihood!r}."
            )
        widths = (n_hidden,) if isinstance(n_hidden, Integral) else tuple(n_hidden)
        self.likelihood = likelihood
        self.n_hidden = widths
        self.law: Any = LIKELIHOODS[likelihood](n_features)
        self.code: SpinCode | NormalCode = SpinCode() if code is None else code
        self.n_covariates = n_covariates
        self.input_noise = input_noise
        self.encoder = _network(
            n_features,
            widths,
            n_units * self.code.outputs_per_unit,
            dropout,
            generator,
        )
        self.decoder = _network(
            n_units + n_covariates,
            widths[::-1],
            n_features * self.law.outputs_per_feature,
            dropout,
            generator,
        )

    def noisy_logits(self, x, *, generator=None) -> torch.Tensor:
        """Return the log odds of the spins for inputs with noise, as in training.

        Parameters
        ----------
        x : tensor of shape (batch, d)
            Inputs.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        logits : tensor of shape (batch, m)
            Of posteriors that depend on the noise.
        """
        if self.input_noise == 0:
            return self.encoder(x)
        noise = torch.randn(
            x.shape, generator=generator, dtype=x.dtype, device=x.device
        )
        return self.encoder(x + self.input_noise * noise)

    def decode(self, spins, covariates=None) -> torch.Tensor:
        """Return what the law of the features is given.

        Parameters
        ----------
        spins : tensor of shape (batch, m)
            Spins, or means of spins.
        covariates : tensor of shape (batch, c), default=None
            Covariates; None where the decoder has none.

        Returns
        -------
        outputs : tensor of shape (batch, o)
            As the likelihood takes them: ``o`` is its number of outputs.
        """
        if self.n_covariates:
            spins = torch.cat([spins, covariates], 1)
        return self.decoder(spins)

    def mean(self, spins, covariates=None, size=None) -> torch.Tensor:
        """Return the mean of p(x|s).

        Parameters
        ----------
        spins : tensor of shape (batch, m)
            Spins, or means of spins.
        covariates : tensor of shape (batch, c), default=None
            Covariates; None where the decoder has none.
        size : tensor of shape (batch, 1), default=None
            Sizes of rows of counts.

        Returns
        -------
        mean : tensor of shape (batch, d)
            In the units of x.
        """
        return self.law.mean(self.decode(spins, covariates), size)

    def variance(self) -> torch.Tensor:
        """Return the variances of the Gaussian likelihood.

        Returns
        -------
        variance : tensor of shape (d,)
            In the squared units of the features.
        """
        return self.law.variance()

    def log_likelihood(self, spins, x, covariates=None, size=None) -> torch.Tensor:
        """Return log p(x|s) in nats.

        Parameters
        ----------
        spins : tensor of shape (batch, m)
            Values in {-1, 1}.
        x : tensor of shape (batch, d)
            Data.
        covariates : tensor of shape (batch, c), default=None
            Covariates; None where the decoder has none.
        size : tensor of shape (batch, 1), default=None
            Sizes of rows of counts.

        Returns
        -------
        log_likelihood : tensor of shape (batch,)
            Summed over the features; of a Bernoulli law, the mean over the bits
            that a grey value in [0, 1] is the frequency of.
        """
        return self.law.log_prob(self.decode(spins, covariates), x, size)


def _network(n_in, widths, n_out, dropout, generator):
    layers = []
    for width in widths:
        layers += [
            _linear(n_in, width, generator),
            torch.nn.LayerNorm(width),
            torch.nn.ReLU(),
        ]
        if dropout:
            layers.append(torch.nn.Dropout(dropout))
        n_in = width
    return torch.nn.Sequential(*layers, _linear(n_in, n_out, generator))


def _linear(n_in, n_out, generator):
    """Return a linear layer drawn from the generator, not from the global one."""
    layer = torch.nn.utils.skip_init(torch.nn.Linear, n_in, n_out)
    bound = 1 / math.sqrt(n_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
