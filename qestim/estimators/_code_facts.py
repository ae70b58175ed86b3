# SPDX-License-Identifier: Apache-2.0
"""What a fitted autoencoder's bound is made of, and how well the prior fits."""

import torch

from qestim.nn import BoltzmannMachine, StandardNormal, bound_parts

_SWEEPS = 200  # from the negative phase's last spins, before they are compared


@torch.no_grad()
def code_facts(vae, prior, bounds, minibatches, chains, generator, seed):
    """Return facts about a fitted model as plain numbers.

    Parameters
    ----------
    vae : SpinVAE
        The networks.
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The prior.
    bounds : tuple of float
        Lower and upper bound of log Z.
    minibatches : iterable of Minibatch
        Rows.
    chains : tensor of shape (reads, m) or None
        Spins of the negative phase.
    generator : torch.Generator
        Source of the spins that the prior is compared by.
    seed : int
        Seed of the draws of the reconstruction.

    Returns
    -------
    facts : dict
        ``diagnostics_`` of `QBMVAETransformer`.
    """
    parts, outputs = [], []
    for rows in minibatches:
        terms = bound_parts(
            vae, prior, rows.inputs, rows.targets, *rows.given, n_draws=8, seed=seed
        )
        parts.append(torch.stack(terms))
        outputs.append(vae.encoder(rows.inputs))
    reconstruction, energy, entropy = torch.cat(parts, 1).mean(1).tolist()
    code = vae.code.mean(torch.cat(outputs))
    lower, upper = bounds
    divergence = energy - entropy + upper
    facts = {
        "n_rows": len(code),
        "elbo": reconstruction - divergence,
        "reconstruction": reconstruction,
        "divergence": divergence,
        "entropy": entropy,
        "energy": energy,
        "log_partition_lower": lower,
        "log_partition_upper": upper,
    }
    if isinstance(prior, StandardNormal):
        return {**facts, "active_units": int((code.std(0) > 0.05).sum())}
    up = (1 + code) / 2
    mean = up.mean(0)
    factorised = torch.special.entr(mean) + torch.special.entr(1 - mean)
    alone = factorised.sum().item() - entropy
    active = (mean > 0.02) & (mean < 0.98) & (up.std(0, correction=0) > 0.05)
    spins = _draws(prior, chains, generator)
    pairs = (_products(spins) - _products(code))[~torch.eye(len(mean)).bool()]
    return {
        **facts,
        "active_units": int(active.sum()),
        "sharpness": ((up < 0.1) | (up > 0.9)).double().mean().item(),
        "divergence_best_factorised": alone,
        "couplings_worth": alone - divergence,
        "marginal_gap": (spins.mean(0) - code.mean(0)).abs().max().item(),
        "correlation_gap": pairs.square().mean().sqrt().item() if len(pairs) else 0.0,
    }


def _draws(prior, chains, generator):
    """Return spins of the prior, tensor of shape (reads, m)."""
    if not isinstance(prior, BoltzmannMachine):
        return prior.sample(1024, generator=generator)
    if chains is None:
        chains = prior.random_spins(1024, generator=generator)
    return prior.sweep(chains.to(prior.h), _SWEEPS, generator=generator)


def _products(spins):
    return spins.T @ spins / len(spins)
