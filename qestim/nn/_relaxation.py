# SPDX-License-Identifier: Apache-2.0
"""Spins that let the gradient of a reconstruction through to their log odds."""

import math
from collections.abc import Callable

import torch

_SHARPNESS = 10.0  # of the exponentials that overlap
_SPIKE_SHARPNESS = 5.0  # of the exponential beside the spike


def straight_through_spins(logits, *, temperature=0.5, generator=None) -> torch.Tensor:
    r"""Draw spins whose gradient is that of their relaxation.

    The value is a spin drawn with :math:`p(s = 1) = \sigma(l)`; the gradient is the
    one of :math:`2 \sigma((l + \operatorname{logit} u) / \tau) - 1`, of which the
    spin is the sign. The decoder sees true spins; the gradient is biased.

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
    noise = torch.logit(_uniform(logits, generator), eps=1e-6)
    soft = torch.tanh((logits + noise) / (2 * temperature))
    hard = torch.where(logits + noise > 0, 1.0, -1.0).to(soft)
    return hard + (soft - soft.detach())


def mixed_spins(logits, *, generator=None) -> torch.Tensor:
    r"""Draw spins for a random half of the rows, and give the others their means.

    The decoder learns both what drawn spins stand for and what it is given when rows
    are rebuilt or denoised, the means :math:`\tanh(l / 2)`; these carry more than a
    draw, so that finer differences of rows reach the code.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.
    generator : torch.Generator, default=None
        Source of randomness.

    Returns
    -------
    spins : tensor of shape (batch, m)
        Rows in {-1, 1}, as `straight_through_spins` gives them, or between -1 and 1.

    References
    ----------
    Derived in docs/guide/qbm_vae.md, measured in docs/guide/single_cell.md.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import mixed_spins
    >>> logits = torch.full((6, 1), 1.0)
    >>> spins = mixed_spins(logits, generator=torch.Generator().manual_seed(0))
    >>> sorted(set(spins.abs().ravel().tolist()))  # tanh(1 / 2), and spins
    [0.46211..., 1.0]
    """
    drawn = straight_through_spins(logits, generator=generator)
    rows = _uniform(logits[:, :1], generator) < 0.5
    return torch.where(rows, drawn, torch.tanh(logits / 2))


def mean_spins(logits, *, generator=None) -> torch.Tensor:
    r"""Return the means of the spins, :math:`\tanh(l / 2)`: nothing is drawn.

    The code is then that of an ordinary autoencoder which the prior shapes, the finest
    to compare rows by; but a decoder that saw means alone makes little of drawn spins,
    so that neither the bound nor rows drawn from the model are to be trusted.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.
    generator : torch.Generator, default=None
        Not used, present by convention.

    Returns
    -------
    means : tensor of shape (batch, m)
        Values between -1 and 1.

    References
    ----------
    Derived in docs/guide/qbm_vae.md, measured in docs/guide/single_cell.md.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import mean_spins
    >>> mean_spins(torch.zeros(1, 2)).tolist()
    [[0.0, 0.0]]
    """
    return torch.tanh(logits / 2)


def overlap_spins(logits, *, sharpness=_SHARPNESS, generator=None) -> torch.Tensor:
    r"""Draw smoothed spins: an exponential that falls from each of the two ends.

    With :math:`q = \sigma(l)` the value is :math:`2 \zeta - 1`, where :math:`\zeta`
    on [0, 1] has the density :math:`(1 - q) r_0 + q r_1`,
    :math:`r_0(\zeta) \propto e^{-\beta\zeta}`,
    :math:`r_1(\zeta) \propto e^{\beta(\zeta - 1)}`. Under fixed random numbers

    .. math:: \frac{d\zeta}{dq} =
              \frac{R_0(\zeta) - R_1(\zeta)}{(1 - q) r_0(\zeta) + q r_1(\zeta)}

    with R the distribution functions, so that the gradient is that of the mean over
    the smoothed law, without bias.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.
    sharpness : float, default=10.0
        Rate beta of the exponentials, dimensionless.
    generator : torch.Generator, default=None
        Source of randomness.

    Returns
    -------
    spins : tensor of shape (batch, m)
        Values between -1 and 1.

    References
    ----------
    .. [1] Vahdat et al., "DVAE++: Discrete variational autoencoders with overlapping
           transformations", ICML 2018. arXiv:1802.04920
    .. [2] Vahdat, Andriyash and Macready, "DVAE#: Discrete variational autoencoders
           with relaxed Boltzmann priors", NeurIPS 2018. arXiv:1805.07445

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import overlap_spins
    >>> spins = overlap_spins(torch.full((1000,), 90.0))
    >>> bool((spins > -1).all()), round(spins.mean().item(), 1)
    (True, 0.8)
    """
    q = torch.sigmoid(logits)
    with torch.no_grad():
        u, floor = _uniform(logits, generator), math.exp(-sharpness)
        whole = 1 - floor
        # The equation (1 - q) R0 + q R1 = u is quadratic in w = exp(-beta zeta).
        b = (1 - q) - q * floor - u * whole
        root = torch.sqrt(b**2 + 4 * (1 - q) * q * floor)
        w = torch.where(
            b > 0,
            (b + root) / (2 * (1 - q)).clamp(min=1e-12),
            2 * q * floor / (root - b).clamp(min=1e-12),
        ).clamp(floor, 1.0)
        density = sharpness * ((1 - q) * w + q * floor / w)
        slope = (1 + floor - w - floor / w) / density.clamp(min=1e-12)
        zeta = -torch.log(w) / sharpness
    return 2 * (zeta + slope * (q - q.detach())) - 1


def spike_exp_spins(
    logits, *, sharpness=_SPIKE_SHARPNESS, generator=None
) -> torch.Tensor:
    r"""Draw smoothed spins: a spike at -1 beside an exponential that rises to 1.

    With :math:`q = \sigma(l)` and :math:`\rho` uniform the value is
    :math:`2 \zeta - 1` with :math:`\zeta = 0` for :math:`\rho \le 1 - q`, else

    .. math:: \zeta = \frac1\beta \log\left(1 + \frac{\rho - 1 + q}{q}
              (e^\beta - 1)\right).

    The gradient is that of the mean over the smoothed law, without bias.

    Parameters
    ----------
    logits : tensor of shape (batch, m)
        Log odds of the spins.
    sharpness : float, default=5.0
        Rate beta of the exponential, dimensionless.
    generator : torch.Generator, default=None
        Source of randomness.

    Returns
    -------
    spins : tensor of shape (batch, m)
        Values between -1 and 1.

    References
    ----------
    .. [1] Rolfe, "Discrete variational autoencoders", ICLR 2017. arXiv:1609.02200

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import spike_exp_spins
    >>> spike_exp_spins(torch.full((1, 2), -90.0)).tolist()
    [[-1.0, -1.0]]
    """
    q = torch.sigmoid(logits)
    u = _uniform(logits, generator)
    # Above the spike the share is positive; the floor keeps the other branch finite.
    share = ((u - 1 + q) / q.clamp(min=1e-12)).clamp(min=0.0)
    zeta = torch.log1p(share * math.expm1(sharpness)) / sharpness
    return 2 * zeta - 1


def _uniform(like, generator):
    return torch.rand(
        like.shape, generator=generator, dtype=like.dtype, device=like.device
    )


RELAXATIONS: dict[str, Callable] = {
    "straight_through": straight_through_spins,
    "mixed": mixed_spins,
    "mean": mean_spins,
    "overlap": overlap_spins,
    "spike_exp": spike_exp_spins,
}
