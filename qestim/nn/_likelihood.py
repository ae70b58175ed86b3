# SPDX-License-Identifier: Apache-2.0
"""Laws of a row given its code, as modules that hold a parameter for each feature."""

import math

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from qestim.nn._count_density import log_negative_binomial, negative_binomial_rows


class GaussianLaw(torch.nn.Module):
    """Independent normal features, each with a learned variance.

    Every law is called with the decoder's output ``out`` of shape
    ``(batch, outputs_per_feature * d)`` and, for counts, the rows' sizes.

    Parameters
    ----------
    n_features : int
        Number d of features.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import LIKELIHOODS
    >>> law = LIKELIHOODS["gaussian"](2)
    >>> law.log_prob(torch.zeros(1, 2), torch.zeros(1, 2)).item()  # -log(2 pi)
    -1.837877...
    """

    outputs_per_feature = 1
    counts = False

    # Below this the variance of a constant feature would run to zero.
    _least_log_variance = -8.0

    def __init__(self, n_features):
        super().__init__()
        self.log_variance = torch.nn.Parameter(torch.zeros(n_features))

    def variance(self):
        """Return the variances, tensor of shape (d,)."""
        return self.log_variance.clamp(min=self._least_log_variance).exp()

    def mean(self, out, size=None):
        """Return the means, tensor of shape (batch, d)."""
        return out

    def log_prob(self, out, x, size=None):
        """Return log p(x) of each row in nats, tensor of shape (batch,)."""
        log_variance = self.log_variance.clamp(min=self._least_log_variance)
        square = (x - out) ** 2 / log_variance.exp()
        return -0.5 * (square + log_variance + math.log(2 * math.pi)).sum(1)

    def draw(self, out, size=None, *, generator=None):
        """Return rows drawn from the law, tensor of shape (batch, d)."""
        noise = _like(torch.randn, out, generator)
        return out + self.variance().sqrt() * noise


class BernoulliLaw(torch.nn.Module):
    """Independent bits; a grey value in [0, 1] counts as the frequency of a bit.

    Parameters
    ----------
    n_features : int
        Number d of features.
    """

    outputs_per_feature = 1
    counts = False

    def __init__(self, n_features):
        super().__init__()

    def mean(self, out, size=None):
        """Return the means, tensor of shape (batch, d)."""
        return torch.sigmoid(out)

    def log_prob(self, out, x, size=None):
        """Return log p(x) of each row in nats, tensor of shape (batch,)."""
        return -binary_cross_entropy_with_logits(out, x, reduction="none").sum(1)

    def draw(self, out, size=None, *, generator=None):
        """Return rows drawn from the law, tensor of shape (batch, d)."""
        u = _like(torch.rand, out, generator)
        return (u < torch.sigmoid(out)).to(out)


class PoissonLaw(torch.nn.Module):
    r"""Counts with mean :math:`M = L \operatorname{softmax}(o)`, L the row's size.

    Parameters
    ----------
    n_features : int
        Number d of features.
    """

    outputs_per_feature = 1
    counts = True

    def __init__(self, n_features):
        super().__init__()

    def mean(self, out, size):
        """Return the means, tensor of shape (batch, d)."""
        return size * torch.softmax(out, 1)

    def log_prob(self, out, x, size):
        """Return log p(x) of each row in nats, tensor of shape (batch,)."""
        log_mean = torch.log_softmax(out, 1) + size.log()
        return (x * log_mean - log_mean.exp() - torch.lgamma(x + 1)).sum(1)

    def draw(self, out, size, *, generator=None):
        """Return rows drawn from the law, tensor of shape (batch, d)."""
        return torch.poisson(self.mean(out, size), generator=generator)


class NegativeBinomialLaw(torch.nn.Module):
    r"""Counts of mean :math:`M = L \operatorname{softmax}(o)`, variance M + M²/φ.

    .. math:: \log p(x) = \log\Gamma(x + \phi) - \log\Gamma(\phi) - \log x! +
              \phi \log\frac{\phi}{\phi + M} + x \log\frac{M}{\phi + M}

    with a learned inverse dispersion φ for each feature and the row's size L.

    Parameters
    ----------
    n_features : int
        Number d of features.

    References
    ----------
    .. [1] Lopez et al., "Deep generative modeling for single-cell transcriptomics",
           Nature Methods 15, 1053 (2018). doi:10.1038/s41592-018-0229-2
    """

    outputs_per_feature = 1
    counts = True

    # Beyond these the law is that of rare bursts, or a Poisson law.
    _range = (-7.0, 9.0)

    def __init__(self, n_features):
        super().__init__()
        self.log_phi = torch.nn.Parameter(torch.zeros(n_features))

    def mean(self, out, size):
        """Return the means, tensor of shape (batch, d)."""
        return size * torch.softmax(out, 1)

    def log_prob(self, out, x, size):
        """Return log p(x) of each row in nats, tensor of shape (batch,)."""
        return negative_binomial_rows(out, size, self.log_phi.clamp(*self._range), x)

    def draw(self, out, size, *, generator=None):
        """Return rows drawn from the law, tensor of shape (batch, d)."""
        phi = self.log_phi.clamp(*self._range).exp().expand(len(out), -1)
        rate = torch._standard_gamma(phi, generator=generator) / phi
        mean = NegativeBinomialLaw.mean(self, out, size)
        return torch.poisson(rate * mean, generator=generator)


class ZeroInflatedLaw(NegativeBinomialLaw):
    r"""Negative binomial counts, set to zero with probability :math:`\sigma(w)`.

    The decoder gives o and w for each feature.

    Parameters
    ----------
    n_features : int
        Number d of features.
    """

    outputs_per_feature = 2

    def mean(self, out, size):
        """Return the means, tensor of shape (batch, d)."""
        out, zero = out.chunk(2, 1)
        return torch.sigmoid(-zero) * super().mean(out, size)

    def log_prob(self, out, x, size):
        """Return log p(x) of each row in nats, tensor of shape (batch,)."""
        out, zero = out.chunk(2, 1)
        log_mean = torch.log_softmax(out, 1) + size.log()
        counted = log_negative_binomial(x, log_mean, self.log_phi.clamp(*self._range))
        log_p = torch.where(x > 0, counted, torch.logaddexp(zero, counted))
        return (log_p - softplus(zero)).sum(1)

    def draw(self, out, size, *, generator=None):
        """Return rows drawn from the law, tensor of shape (batch, d)."""
        out, zero = out.chunk(2, 1)
        kept = _like(torch.rand, zero, generator) >= torch.sigmoid(zero)
        return kept * super().draw(out, size, generator=generator)


def _like(draw, out, generator):
    return draw(out.shape, generator=generator, dtype=out.dtype, device=out.device)


LIKELIHOODS = {
    "gaussian": GaussianLaw,
    "bernoulli": BernoulliLaw,
    "poisson": PoissonLaw,
    "nb": NegativeBinomialLaw,
    "zinb": ZeroInflatedLaw,
}
