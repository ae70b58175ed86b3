# SPDX-License-Identifier: Apache-2.0
"""The two fits of a guided diffusion: the denoiser, then the guide."""

import torch

from qestim.estimators._descent import descend
from qestim.nn import AbsorbingDiffusion

_HELD_OUT_DRAWS = 4
_CHUNK = 256


def fit_denoiser(model, tokens, held_out, generator):
    """Fit the denoiser to the bound, in nats a token.

    Parameters
    ----------
    model : QDiffusionGenerator
        With its networks made.
    tokens : tensor of shape (n_sequences, length), dtype int64
        Sequences, filled up.
    held_out : tensor or None
        Sequences that tell when to stop.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    losses, held_out_losses : list of float
        One an epoch.
    """
    process = AbsorbingDiffusion(model.n_tokens_)
    denoiser = model.denoiser_

    def bound(rows, generator, n_draws=1):
        nelbo = process.nelbo(denoiser, rows, n_draws=n_draws, generator=generator)
        return nelbo.sum() / (rows < model.n_tokens_).sum()

    @torch.no_grad()
    def validate():
        fixed = torch.Generator().manual_seed(model._score_seed)
        return bound(held_out, fixed, _HELD_OUT_DRAWS).item()

    return descend(
        denoiser,
        lambda rows: bound(tokens[rows], generator),
        len(tokens),
        max_iter=model.max_iter,
        validate=None if held_out is None else validate,
        generator=generator,
        name="denoiser",
        **_shared(model),
    )


def fit_guide(model, tokens, held_out, generator):
    """Fit the guide to tell true sequences from candidates, in nats a sequence.

    Parameters and answer are those of `fit_denoiser`.
    """
    process = AbsorbingDiffusion(model.n_tokens_)

    def loss_of(rows):
        return _contrast(model, process, tokens[rows], generator).mean()

    def validate():
        return measure_guide(model, held_out, model._score_seed)

    return descend(
        model.guide_,
        loss_of,
        len(tokens),
        max_iter=model.guide_max_iter,
        validate=None if held_out is None else validate,
        generator=generator,
        name="guide",
        **_shared(model),
    )


@torch.no_grad()
def measure_guide(model, tokens, seed):
    """Return the mean loss of the guide on sequences, in nats a sequence."""
    process = AbsorbingDiffusion(model.n_tokens_)
    fixed = torch.Generator().manual_seed(seed)
    losses = [
        _contrast(model, process, rows, fixed)
        for rows in tokens.repeat(_HELD_OUT_DRAWS, 1).split(_CHUNK)
    ]
    return torch.cat(losses).double().mean().item()


def _contrast(model, process, rows, generator):
    noisy, t, _ = process.corrupt(rows, generator=generator)
    with torch.no_grad():
        logits = model.denoiser_.logits(noisy, t)
    return model.guide_.contrast(
        noisy, rows, logits, model.n_candidates, generator=generator
    )


def _shared(model):
    return {
        "learning_rate": model.learning_rate,
        "batch_size": model.batch_size,
        "patience": model.n_iter_no_change,
        "verbose": model.verbose,
    }
