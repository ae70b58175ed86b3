# SPDX-License-Identifier: Apache-2.0
"""The missing part of rows, given the part that is there."""

import torch
from torch.nn.functional import logsigmoid


@torch.no_grad()
def conditional_mean(vae, spins, x) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return rows with their NaN replaced by the mean given the other features.

    With spins :math:`s_k` drawn from the prior,

    .. math:: E[x_{miss} | x_{seen}] \approx \sum_k w_k\, E[x_{miss} | s_k], \qquad
              w_k \propto p(x_{seen} | s_k)

    because a likelihood that factorises over the features has no memory of those that
    were not seen. The mean is exact in the limit of many draws.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    spins : tensor of shape (n_draws, m)
        Draws from the prior.
    x : tensor of shape (n_rows, d)
        Rows, NaN where a value is missing.

    Returns
    -------
    x : tensor of shape (n_rows, d)
        Rows without NaN; values that were there are unchanged.
    ess : tensor of shape (n_rows,)
        Effective number of draws behind each row, ``1 / sum(w ** 2)``: near 1 one draw
        speaks for the row and more draws would help.

    References
    ----------
    .. [1] Mattei and Frellsen, "MIWAE: Deep generative modelling and imputation of
           incomplete data sets", ICML 2019, for single imputation by importance
           weights; there the encoder proposes, here the prior. arXiv:1812.02633

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import SpinVAE, conditional_mean
    >>> vae = SpinVAE(2, 3, generator=torch.Generator().manual_seed(0))
    >>> row = torch.tensor([[0.5, float("nan")]])
    >>> filled, ess = conditional_mean(vae, torch.ones(4, 3), row)
    >>> bool(filled.isnan().any()), filled[0, 0].item(), round(ess.item(), 4)
    (False, 0.5, 4.0)
    """
    seen = ~torch.isnan(x)
    value = torch.where(seen, x, 0.0)
    seen = seen.to(x)
    out = vae.decoder(spins)
    if vae.likelihood == "bernoulli":
        log_w = value @ logsigmoid(out).T + (seen - value) @ logsigmoid(-out).T
    else:  # the square of x - out, multiplied out; what does not depend on s is left
        precision = seen / vae.variance()
        log_w = (value * precision) @ out.T - 0.5 * precision @ (out**2).T
    weights = torch.softmax(log_w, 1)
    mean = torch.sigmoid(out) if vae.likelihood == "bernoulli" else out
    filled = torch.where(torch.isnan(x), weights @ mean, x)
    return filled, 1 / (weights**2).sum(1)
