# SPDX-License-Identifier: Apache-2.0
"""The networks of a guided diffusion, and how their hidden units are summed out."""

from qestim.estimators._draw import clone_sampler, reads_of
from qestim.nn import EnergyGuide, TransformerDenoiser

_READS = 16  # of a sampler that does not say, or sweeps of the heat bath


def make_denoiser(model, generator):
    """Return the denoiser of a `QDiffusionGenerator` with its first weights.

    Parameters
    ----------
    model : QDiffusionGenerator
        Its parameters, vocabulary and lengths say the size.
    generator : torch.Generator
        Source of the weights.
    """
    return TransformerDenoiser(
        model.n_tokens_,
        int(model.lengths_.max()),
        width=model.width,
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        generator=generator,
    )


def make_guide(model, generator):
    """Return the guide with its first weights, None where the model has none.

    Parameters are those of `make_denoiser`; the guide has a copy of the sampler.
    """
    if model.guide is None:
        return None
    sampler = clone_sampler(model.sampler)
    return EnergyGuide(
        model.n_tokens_,
        int(model.lengths_.max()),
        n_visible=model.n_visible,
        n_hidden=model.n_hidden,
        graph=model.guide,
        width=model.width,
        sampler=sampler,
        num_reads=reads_of(sampler, _READS),
        generator=generator,
    )


def report_of(guide):
    """Return how a guide sums its hidden units out, with calls and reads so far."""
    if guide is None:
        return {"kind": "no guide", "calls": 0, "reads": 0}
    kind = "exact" if guide.exact else "heat bath"
    return {
        "kind": kind if guide.sampler is None else "sampler",
        "calls": guide.n_calls,
        "reads": guide.n_reads,
    }
