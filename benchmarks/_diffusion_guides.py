# SPDX-License-Identifier: Apache-2.0
"""The controls of the energy guide, the judge of texts, and how all of them are fitted.

Fitted weights and figures of single seeds are kept in build/diffusion: a run that is
cut off goes on where it stopped. Remove the folder to start anew.
"""

import json
import pathlib

import safetensors.torch
import torch
from torch import nn

from qestim.estimators._descent import descend
from qestim.nn import (
    AbsorbingDiffusion,
    CandidateFeatures,
    CandidateGuide,
    EnergyGuide,
    log_likelihood,
)

KEPT = pathlib.Path(__file__).parent.parent / "build" / "diffusion"
CANDIDATES = 8
SEEDS = 5
BOLTZMANN, MLP = "Boltzmann energy", "MLP energy"
UNGUIDED, RANDOM, OWN = "unguided", "random candidate", "denoiser's likelihood"


class MLPGuide(CandidateGuide):
    """The same features under a two-layer network with as many parameters."""

    def __init__(self, n_tokens, length, *, n_visible, n_hidden, width, generator):
        super().__init__(n_tokens)
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = CandidateFeatures(n_tokens, length, n_visible, width=width)
            self.hidden = nn.Linear(n_visible, n_hidden)
            self.out = nn.Linear(n_hidden, 1, bias=False)
            self.linear = nn.Linear(n_visible, 1)

    def head(self, visible):
        """Return the energies of features."""
        inner = self.out(nn.functional.gelu(self.hidden(visible)))
        return (inner + self.linear(visible))[..., 0]

    def energy(self, noisy, candidates, logits, *, generator=None):
        """Return the energies of candidates."""
        return self.head(self.features(noisy, candidates, logits))


class RandomGuide(CandidateGuide):
    """Any candidate: unguided sampling by another way."""

    def energy(self, noisy, candidates, logits, *, generator=None):
        """Return zeros."""
        return torch.zeros(candidates.shape[:2])


class LikelihoodGuide(CandidateGuide):
    """The candidate that the denoiser itself finds likely."""

    def energy(self, noisy, candidates, logits, *, generator=None):
        """Return minus the log-likelihood of the new tokens."""
        return -log_likelihood(noisy, candidates, logits, self.mask_token)


class Judge(nn.Module):
    """A transformer that reads from left to right and knows nothing of the denoiser."""

    def __init__(self, n_tokens, length, width=128, n_layers=3):
        super().__init__()
        self.start = n_tokens
        self.token = nn.Embedding(n_tokens + 1, width)
        self.position = nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_tokens)
        nn.init.normal_(self.token.weight, 0, 0.02)
        future = nn.Transformer.generate_square_subsequent_mask(length)
        self.register_buffer("future", future)

    def losses(self, tokens):
        """Return -log p of each token given those before, in nats."""
        before = torch.cat([torch.full_like(tokens[:, :1], self.start), tokens], 1)
        stream = self.token(before[:, :-1]) + self.position
        stream = self.layers(stream, mask=self.future, is_causal=True)
        logits = self.head(self.norm(stream)).float()
        return nn.functional.cross_entropy(
            logits.transpose(1, 2), tokens, reduction="none"
        )


def fit(module, loss_of, steps, batch_size, learning_rate, generator):
    """Fit a module by a number of steps; ``loss_of(n_rows)`` draws its own rows."""
    return descend(
        module,
        lambda rows: loss_of(len(rows)),
        steps * batch_size,
        learning_rate=learning_rate,
        batch_size=batch_size,
        max_iter=1,
        generator=generator,
    )[0][-1]


def fit_denoiser(denoiser, draw, steps, batch_size, learning_rate, generator):
    """Fit a denoiser to rows that ``draw(n_rows)`` gives."""
    process = AbsorbingDiffusion(denoiser.n_tokens)

    def loss_of(n_rows):
        tokens = draw(n_rows)
        nelbo = process.nelbo(denoiser, tokens, generator=generator)
        return nelbo.mean() / tokens.shape[1]

    return fit(denoiser, loss_of, steps, batch_size, learning_rate, generator)


def fit_guide(guide, denoiser, draw, steps, batch_size, learning_rate, generator):
    """Fit a guide against a denoiser's candidates."""
    process = AbsorbingDiffusion(denoiser.n_tokens)

    def loss_of(n_rows):
        tokens = draw(n_rows)
        noisy, t, _ = process.corrupt(tokens, generator=generator)
        with torch.no_grad():
            logits = denoiser.logits(noisy, t)
        losses = guide.contrast(noisy, tokens, logits, CANDIDATES, generator=generator)
        return losses.mean()

    return fit(guide, loss_of, steps, batch_size, learning_rate, generator)


def make_guide(kind, n_tokens, length, generator, *, units, width, **more):
    """Return one of the contestants, or None for unguided sampling."""
    if kind == UNGUIDED:
        return None
    if kind == RANDOM:
        return RandomGuide(n_tokens)
    if kind == OWN:
        return LikelihoodGuide(n_tokens)
    size = {"n_visible": units, "n_hidden": units, "width": width}
    made = {BOLTZMANN: EnergyGuide, MLP: MLPGuide}[kind]
    return made(n_tokens, length, generator=generator, **size, **more)


def kept_weights(name, module, train):
    """Load a module's weights, or train and keep them."""
    path = KEPT / f"{name}.safetensors"
    if path.exists():
        module.load_state_dict(safetensors.torch.load_file(path))
    else:
        train(module)
        KEPT.mkdir(parents=True, exist_ok=True)
        state = {k: v.contiguous() for k, v in module.state_dict().items()}
        safetensors.torch.save_file(state, path)
    return module.requires_grad_(False).eval()


def kept_figures(name, measure):
    """Load the figures of one seed, or measure and keep them."""
    path = KEPT / f"{name}.json"
    if not path.exists():
        figures = measure()
        KEPT.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures))
    return json.loads(path.read_text())
