# SPDX-License-Identifier: Apache-2.0
"""A law that can be enumerated: how far samples are from it, and why."""

import functools

import _diffusion_guides
import numpy as np
import torch
from _diffusion_guides import (
    BOLTZMANN,
    CANDIDATES,
    MLP,
    OWN,
    RANDOM,
    UNGUIDED,
    fit_denoiser,
    fit_guide,
    kept_figures,
    kept_weights,
    make_guide,
)
from _paired import interval

from qestim.datasets import make_tokens
from qestim.nn import CandidateGuide, TransformerDenoiser, decode

SYMBOLS, LENGTH, COUPLING = 4, 8, 4.0
WEIGHED, COUNTS = (1.0, 2.0, 4.0), (2, 8, 32, 128)
STEPS = (4, 8, 16)
SAMPLES, QUICK_SAMPLES = 4000, 200
UNITS, WIDTH = 64, 32
EXACT, FLOOR = "exact energy, all candidates", "draws from the law itself"
LEARNED = (BOLTZMANN, MLP)
# (candidates, rounds) of dearer choices, measured at the fewest steps alone.
DEARER = ((CANDIDATES, 8),)


class Law:
    """The law of a seed: draws, posteriors, and the distance of samples from it."""

    def __init__(self, seed, coupling=COUPLING):
        law = make_tokens(1, coupling=coupling, random_state=seed)
        self.states = torch.from_numpy(law.states)
        self.p = torch.from_numpy(law.probabilities)
        self.grid = self.p.float().view((SYMBOLS,) * LENGTH)

    def draw(self, n, generator):
        """Return n sequences."""
        return self.states[torch.multinomial(self.p, n, True, generator=generator)]

    def posteriors(self, noisy):
        """Yield (rows, masked positions, joint laws of them) for each set of masks.

        A law has the shape (rows, 4 ** masks) and sums to one.
        """
        masked = noisy == SYMBOLS
        patterns, which = masked.unique(dim=0, return_inverse=True)
        for k, pattern in enumerate(patterns.tolist()):
            rows = (which == k).nonzero()[:, 0]
            known = [i for i in range(LENGTH) if not pattern[i]]
            hidden = [i for i in range(LENGTH) if pattern[i]]
            table = self.grid.permute(*known, *hidden)
            table = table.reshape(SYMBOLS ** len(known), -1)
            p = table[number(noisy[rows][:, known])]
            yield rows, hidden, p / p.sum(1, keepdim=True)

    def logits(self, tokens, t):
        """Return the exact conditionals of single tokens."""
        p = torch.full((*tokens.shape, SYMBOLS), 1 / SYMBOLS)
        for rows, hidden, joint in self.posteriors(tokens):
            joint = joint.view(-1, *(SYMBOLS,) * len(hidden))
            for k, i in enumerate(hidden):
                others = [axis + 1 for axis in range(len(hidden)) if axis != k]
                p[rows, i] = joint.sum(others) if others else joint
        return p.clamp_min(1e-30).log()

    def distance(self, tokens):
        """Return the total variation between samples and the law."""
        found = torch.bincount(number(tokens), minlength=len(self.p)) / len(tokens)
        return 0.5 * float((found - self.p).abs().sum())


class ExactGuide(CandidateGuide):
    """All candidates at once, weighted by the denoiser and the exact energy."""

    def __init__(self, law):
        super().__init__(SYMBOLS)
        self.law = law

    def choose(self, noisy, logits, n_candidates, *, n_rounds=1, generator=None):
        """Draw from mu exp(-E) over all candidates."""
        tokens = noisy.clone()
        for rows, hidden, log_mu, energy in self.energies(noisy, logits):
            weights = (log_mu - energy).exp()
            index = torch.multinomial(weights, 1, generator=generator)[:, 0]
            for k, i in enumerate(reversed(hidden)):
                tokens[rows, i] = index // SYMBOLS**k % SYMBOLS
        return tokens

    def energies(self, noisy, logits):
        """Yield (rows, masked positions, log mu, energy) for each set of masks."""
        log_p = logits.log_softmax(2)
        for rows, hidden, joint in self.law.posteriors(noisy):
            if hidden:
                log_mu = torch.zeros(len(rows), 1)
                for i in hidden:
                    log_mu = (log_mu[:, :, None] + log_p[rows, i][:, None]).flatten(1)
                yield rows, hidden, log_mu, log_mu - joint.log()


def number(tokens):
    """Return the number whose digits are tokens, int64 of shape (batch,)."""
    return (tokens * SYMBOLS ** torch.arange(tokens.shape[1] - 1, -1, -1)).sum(1)


@functools.cache
def law_of(seed):
    return Law(seed)


def denoiser_of(seed, quick):
    """Return the denoiser fitted to a seed's law."""
    law, g = law_of(seed), torch.Generator().manual_seed(seed)
    denoiser = TransformerDenoiser(SYMBOLS, LENGTH, width=48, generator=g)
    return kept_weights(
        f"toy{'_quick' if quick else ''}_denoiser_{seed}",
        denoiser,
        lambda module: fit_denoiser(
            module, lambda n: law.draw(n, g), 10 if quick else 1000, 256, 5e-3, g
        ),
    )


def guide_of(kind, seed, quick, *, name="toy", units=UNITS, steps=350, **more):
    """Return a contestant, fitted if it can be."""
    law, g = law_of(seed), torch.Generator().manual_seed(1000 + seed)
    guide = make_guide(kind, SYMBOLS, LENGTH, g, units=units, width=WIDTH, **more)
    if kind not in LEARNED:
        return guide
    denoiser = denoiser_of(seed, quick)
    steps = 5 if quick else steps
    return kept_weights(
        f"{name}{'_quick' if quick else ''}_{kind.split()[0]}_{seed}",
        guide,
        lambda module: fit_guide(
            module, denoiser, lambda n: law.draw(n, g), steps, 128, 4e-3, g
        ),
    )


def distances(kind, seed, quick, n_candidates=CANDIDATES, n_rounds=1):
    """Return the distance at each number of steps, of dearer choices at the fewest."""
    law, n = law_of(seed), QUICK_SAMPLES if quick else SAMPLES
    g = torch.Generator().manual_seed(2000 + seed)
    if kind == FLOOR:
        return [law.distance(law.draw(n, g)) for _ in STEPS]
    exact = kind == EXACT
    backbone = law if exact else denoiser_of(seed, quick)
    guide = ExactGuide(law) if exact else guide_of(kind, seed, quick)
    batch = 500 if exact else 2500
    found = []
    dearer = n_candidates * n_rounds > CANDIDATES
    for n_steps in STEPS[:1] if exact or dearer else STEPS:
        drawn = [
            decode(
                backbone,
                torch.full((min(batch, n - start), LENGTH), SYMBOLS),
                mask_token=SYMBOLS,
                n_steps=n_steps,
                guide=guide,
                n_candidates=n_candidates,
                n_rounds=n_rounds,
                generator=g,
            )[-1]
            for start in range(0, n, batch)
        ]
        found.append(law.distance(torch.cat(drawn)))
    return found + [float("nan")] * (len(STEPS) - len(found))


def toy(quick):
    """Return the distance of every contestant at every number of steps."""
    seeds = 1 if quick else _diffusion_guides.SEEDS
    cheap = [(kind, CANDIDATES, 1) for kind in (UNGUIDED, RANDOM, OWN, MLP, BOLTZMANN)]
    dearer = [(kind, *how) for how in DEARER for kind in (OWN, MLP, BOLTZMANN)]
    ends = [(kind, CANDIDATES, 1) for kind in (EXACT, FLOOR)]
    runs = {contest: [] for contest in cheap + dearer + ends}
    for seed in range(seeds):
        for (kind, n_candidates, n_rounds), run in runs.items():
            how = f"_{n_candidates}x{n_rounds}" * ((n_candidates, n_rounds) in DEARER)
            run.append(
                kept_figures(
                    f"toy{'_quick' if quick else ''}_tv_{kind.split()[0]}{how}_{seed}",
                    functools.partial(
                        distances, kind, seed, quick, n_candidates, n_rounds
                    ),
                )
            )
            print(f"  {seed}, {kind}{how}: {run[-1]}", flush=True)
    found = {contest: np.array(run) for contest, run in runs.items()}
    rows = []
    for contest, distance in found.items():
        row = {"candidates chosen by": _name(*contest), "seeds": seeds}
        for k, n_steps in enumerate(STEPS):
            ours = distance[:, k]
            row[f"TV, {n_steps} steps"] = "" if np.isnan(ours).any() else _figure(ours)
        cut = 1 - distance[:, 0] / found[UNGUIDED, CANDIDATES, 1][:, 0]
        row["cut at 4 steps"] = _figure(cut, "{:+.0%} ± {:.0%}")
        rows.append(row)
    return {"rows": rows}


def _name(kind, n_candidates, n_rounds):
    """Return what a row is called: what differs from one choice among eight."""
    if n_rounds > 1:
        return f"{kind}, {n_rounds} rounds of {n_candidates}"
    return kind


def _figure(values, form="{:.3f} ± {:.3f}"):
    return form.format(*interval(values))


def weights(quick):
    """Return bias of unnormalised and self-normalised weights against k."""
    repeats, n_contexts = (500, 3) if quick else (20000, 10)
    rows = []
    for coupling in WEIGHED:
        g = torch.Generator().manual_seed(0)
        law, rng = Law(0, coupling), np.random.default_rng(0)
        contexts = [_context(law, g) for _ in range(n_contexts)]
        for k in COUNTS:
            found = [_biases(*context, k, repeats, rng) for context in contexts]
            plain, biased = np.array(found).T
            bias = float(np.abs(biased).mean())
            rows.append(
                {
                    "coupling": coupling,
                    "k": k,
                    "unnormalised: rms of bias / standard error": float(
                        np.sqrt(np.mean(plain**2))
                    ),
                    "self-normalised: mean absolute bias": bias,
                    "k times it": k * bias,
                }
            )
    return {"rows": rows}


def _context(law, generator):
    """Return the denoiser's law and the weights of the candidates of some masks."""
    noisy = law.draw(1, generator)
    noisy[0, torch.randperm(LENGTH, generator=generator)[:3]] = SYMBOLS
    logits = law.logits(noisy, None)
    ((_, _, log_mu, energy),) = ExactGuide(law).energies(noisy, logits)
    mu = log_mu[0].double().exp().numpy()
    mu /= mu.sum()
    ratio = np.exp(-energy[0].double().numpy())
    return mu, ratio / (mu @ ratio)


def _biases(mu, ratio, k, repeats, rng):
    """Return bias / error of the plain estimate, and the self-normalised bias."""
    p = mu * ratio
    f = (p > p.max() / 2).astype(float)  # being one of the likeliest
    truth = float(p @ f)
    drawn = rng.choice(len(p), (repeats, k), p=mu)
    w, fs = ratio[drawn], f[drawn]
    plain = (w * fs).mean(1)
    error = plain.std(ddof=1) / repeats**0.5
    # What has mean zero and varies along takes most of the noise away.
    control = plain - truth * w.mean(1)
    biased = (w * fs).sum(1) / w.sum(1) - control
    return (plain.mean() - truth) / error, biased.mean() - truth
