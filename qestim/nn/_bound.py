# SPDX-License-Identifier: Apache-2.0
"""The evidence lower bound of an autoencoder with a prior on its code."""

import torch

from qestim.nn._control_priors import BernoulliMixture


def evidence_bound(
    vae,
    prior,
    log_z,
    inputs,
    targets,
    covariates=None,
    size=None,
    *,
    n_draws=32,
    seed=0,
) -> torch.Tensor:
    r"""Return a lower bound of log p(x), a row each.

    .. math:: E_{q(s|x)}[\log p(x|s)] - E_{q(s|x)}[E_\theta(s)] + H(q(s|x))
              - \log Z_\theta

    The last three terms are exact for a Boltzmann machine; the first is a mean over
    quasi-random draws of the spins, the same for every row, so that a row's value
    depends on that row alone.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The law of the code.
    log_z : float
        Logarithm of its partition function.
    inputs, targets : tensor of shape (n_rows, d)
        What the encoder sees and what the likelihood is of.
    covariates : tensor of shape (n_rows, c), default=None
        Covariates of the decoder.
    size : tensor of shape (n_rows, 1), default=None
        Sizes of rows of counts.
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
    Derived in docs/guide/qbm_vae.md. The bound is that of

    .. [1] Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014.
           arXiv:1312.6114

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import NormalCode, SpinVAE, StandardNormal, evidence_bound
    >>> seed = torch.Generator().manual_seed(0)
    >>> vae = SpinVAE(5, 3, code=NormalCode(), generator=seed)
    >>> x = torch.zeros(2, 5)
    >>> bound = evidence_bound(vae, StandardNormal(3), 0.0, x, x)
    >>> bool(abs(bound[0] - bound[1]) < 1e-5)  # equal rows, equal values
    True
    """
    reconstruction, energy, entropy = bound_parts(
        vae,
        prior,
        inputs,
        targets,
        covariates,
        size,
        n_draws=n_draws,
        seed=seed,
    )
    return reconstruction - energy + entropy - log_z


@torch.no_grad()
def bound_parts(
    vae, prior, inputs, targets, covariates=None, size=None, *, n_draws=32, seed=0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the three terms of the bound that differ between rows.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The law of the code.
    inputs, targets : tensor of shape (n_rows, d)
        What the encoder sees and what the likelihood is of.
    covariates : tensor of shape (n_rows, c), default=None
        Covariates of the decoder.
    size : tensor of shape (n_rows, 1), default=None
        Sizes of rows of counts.
    n_draws : int, default=32
        Draws of the spins.
    seed : int, default=0
        Seed of the draws.

    Returns
    -------
    reconstruction, energy, entropy : tensor of shape (n_rows,)
        Mean of log p(x|s), mean energy of the prior and entropy of the posterior, in
        nats.

    References
    ----------
    Derived in docs/guide/qbm_vae.md. The bound is that of

    .. [1] Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014.
           arXiv:1312.6114

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import BoltzmannMachine, SpinVAE, bound_parts
    >>> vae = SpinVAE(5, 3, generator=torch.Generator().manual_seed(0))
    >>> x = torch.zeros(2, 5)
    >>> reconstruction, energy, entropy = bound_parts(vae, BoltzmannMachine(3), x, x)
    >>> energy.tolist()  # the machine begins without fields and couplings
    [0.0, 0.0]
    """
    code = vae.code
    outputs = vae.encoder(inputs)
    sobol = torch.quasirandom.SobolEngine(prior.n_units, scramble=True, seed=seed)
    draws = sobol.draw(n_draws, dtype=torch.float64).to(outputs)
    # A mixture's energy is not linear in each spin: its mean needs the draws as well.
    drawn = isinstance(prior, BernoulliMixture)
    reconstruction = energy = torch.zeros(len(inputs)).to(outputs)
    if not drawn:
        energy = prior.energy(*code.moments(outputs))
    for u in draws:
        spins = code.at(outputs, u)
        log_p = vae.log_likelihood(spins, targets, covariates, size)
        reconstruction = reconstruction + log_p / n_draws
        if drawn:
            energy = energy + prior.energy(spins) / n_draws
    return reconstruction, energy, code.entropy(outputs)
