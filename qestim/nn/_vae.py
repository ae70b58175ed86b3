# SPDX-License-Identifier: Apache-2.0
"""Parts of a variational autoencoder with a code of spins."""

import math

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


def straight_through_spins(logits, *, temperature=0.5, generator=None):
    r"""Draw spins whose gradient is that of their relaxation.

    The value is a spin drawn with :math:`p(s = 1) = \sigma(l)`; the gradient is the
    one of :math:`2 \sigma((l + \operatorname{logit} u) / \tau) - 1`, of which the
    spin is the sign.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.
    temperature : float, default=0.5
        Temperature of the relaxation, dimensionless.
    generator : torch.Generator, default=None
        Source of randomness.

    Returns
    -------
    spins : tensor of shape (batch, m)
        Values in {-1, 1}.

    References
    ----------
    .. [1] Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax",
           ICLR 2017. arXiv:1611.01144

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import straight_through_spins
    >>> straight_through_spins(torch.tensor([[-90.0, 90.0]])).tolist()
    [[-1.0, 1.0]]
    """
    u = torch.rand(
        logits.shape, generator=generator, dtype=logits.dtype, device=logits.device
    )
    noise = torch.logit(u, eps=1e-6)
    soft = torch.tanh((logits + noise) / (2 * temperature))
    hard = torch.where(logits + noise > 0, 1.0, -1.0).to(soft)
    return hard + (soft - soft.detach())


def spin_entropy(logits):
    """Return the entropy of independent spins, in nats.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.

    Returns
    -------
    entropy : tensor of shape (batch,)
        Summed over the spins.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import spin_entropy
    >>> spin_entropy(torch.zeros(1, 3)).item() / 3  # log 2
    0.693147...
    """
    return (softplus(logits) - logits * torch.sigmoid(logits)).sum(1)


class SpinVAE(torch.nn.Module):
    r"""Encoder, factorised posterior of spins, decoder.

    .. math:: x \to l(x) \in R^m, \quad q(s|x) = \prod_i \sigma(s_i l_i), \quad
              s \to p(x|s)

    Each network has one hidden layer, linear - layer norm - ReLU - linear.

    Parameters
    ----------
    n_features : int
        Number d of observed values.
    n_units : int
        Number m of spins.
    n_hidden : int, default=256
        Width of the hidden layers.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        Law p(x|s): ``"gaussian"`` with one learned variance a feature, or
        ``"bernoulli"`` for values in [0, 1].
    input_noise : float, default=0.8
        Standard deviation of the Gaussian noise that `noisy_logits` adds to what the
        encoder sees, in the units of its input.
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

    # Below this the variance of a constant feature would run to zero.
    _least_log_variance = -8.0

    def __init__(
        self,
        n_features,
        n_units,
        *,
        n_hidden=256,
        likelihood="gaussian",
        input_noise=0.8,
        generator=None,
    ):
        super().__init__()
        if likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(
                f"likelihood must be 'gaussian' or 'bernoulli'. Got {likelihood!r}."
            )
        self.likelihood = likelihood
        self.input_noise = input_noise
        self.encoder = _network(n_features, n_hidden, n_units, generator)
        self.decoder = _network(n_units, n_hidden, n_features, generator)
        self.log_variance = torch.nn.Parameter(
            torch.zeros(n_features), requires_grad=likelihood == "gaussian"
        )

    def noisy_logits(self, x, *, generator=None):
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
        noise = torch.randn(
            x.shape, generator=generator, dtype=x.dtype, device=x.device
        )
        return self.encoder(x + self.input_noise * noise)

    def mean(self, spins):
        """Return the mean of p(x|s).

        Parameters
        ----------
        spins : tensor of shape (batch, m)
            Spins, or means of spins.

        Returns
        -------
        mean : tensor of shape (batch, d)
            In the units of x.
        """
        out = self.decoder(spins)
        return out if self.likelihood == "gaussian" else torch.sigmoid(out)

    def variance(self):
        """Return the variances of the Gaussian likelihood, tensor of shape (d,)."""
        return self.log_variance.clamp(min=self._least_log_variance).exp()

    def log_likelihood(self, spins, x):
        """Return log p(x|s) in nats.

        Parameters
        ----------
        spins : tensor of shape (batch, m)
            Values in {-1, 1}.
        x : tensor of shape (batch, d)
            Data.

        Returns
        -------
        log_likelihood : tensor of shape (batch,)
            Summed over the features; of a Bernoulli law, the mean over the bits
            that a grey value in [0, 1] is the frequency of.
        """
        out = self.decoder(spins)
        if self.likelihood == "bernoulli":
            return -binary_cross_entropy_with_logits(out, x, reduction="none").sum(1)
        log_variance = self.log_variance.clamp(min=self._least_log_variance)
        square = (x - out) ** 2 / log_variance.exp()
        return -0.5 * (square + log_variance + math.log(2 * math.pi)).sum(1)


def _network(n_in, n_hidden, n_out, generator):
    return torch.nn.Sequential(
        _linear(n_in, n_hidden, generator),
        torch.nn.LayerNorm(n_hidden),
        torch.nn.ReLU(),
        _linear(n_hidden, n_out, generator),
    )


def _linear(n_in, n_out, generator):
    """Return a linear layer drawn from the generator, not from the global one."""
    layer = torch.nn.utils.skip_init(torch.nn.Linear, n_in, n_out)
    bound = 1 / math.sqrt(n_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
