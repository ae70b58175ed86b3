# SPDX-License-Identifier: Apache-2.0
"""The evidence lower bound of an autoencoder with a Boltzmann prior."""

import torch

from qestim.nn._vae import spin_entropy


@torch.no_grad()
def evidence_bound(vae, prior, log_z, inputs, targets, *, n_draws=32, seed=0):
    r"""Return a lower bound of log p(x), a row each.

    .. math:: E_{q(s|x)}[\log p(x|s)] - E_{q(s|x)}[E_\theta(s)] + H(q(s|x))
              - \log Z_\theta

    The last three terms are exact; the first is a mean over quasi-random draws of the
    spins, the same for every row, so that a row's value depends on that row alone.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    prior : BoltzmannMachine
        The law of the spins.
    log_z : float
        Logarithm of its partition function.
    inputs, targets : tensor of shape (n_rows, d)
        What the encoder sees and what the likelihood is of.
    n_draws : int, default=32
        Draws of the spins.
    seed : int, default=0
        Seed of the draws.

    Returns
    -------
    bound : tensor of shape (n_rows,)
        In nats.

    References
    ----------
    .. [1] Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014.
           arXiv:1312.6114
    """
    logits = vae.encoder(inputs)
    bound = spin_entropy(logits) - prior.energy(torch.tanh(logits / 2)) - log_z
    sobol = torch.quasirandom.SobolEngine(prior.n_units, scramble=True, seed=seed)
    draws = sobol.draw(n_draws, dtype=torch.float64).to(logits)
    up = torch.sigmoid(logits)
    for u in draws:
        spins = torch.where(u < up, 1.0, -1.0).to(logits)
        bound = bound + vae.log_likelihood(spins, targets) / n_draws
    return bound
