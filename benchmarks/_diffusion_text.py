# SPDX-License-Identifier: Apache-2.0
"""Characters of a text: what a judge thinks of samples, at equal denoiser calls."""

import functools
import math
import os
import pathlib

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
    Judge,
    fit,
    fit_denoiser,
    fit_guide,
    kept_figures,
    kept_weights,
    make_guide,
)
from _measure import cpu_seconds, data_folder
from _paired import interval

from qestim.nn import AbsorbingDiffusion, TransformerDenoiser, decode

LENGTH, WIDTH, LAYERS = 32, 64, 2
BATCH, RATE = 64, 4e-3
STEPS = (4, 8, 16)
UNITS, GUIDE_WIDTH, GUIDE_BATCH = 128, 48, 16
TRUTH = "held-out text"


class Budget:
    """How much is trained and drawn."""

    def __init__(self, quick):
        self.prefix = "text_quick" if quick else "text"
        self.denoiser, self.judge, self.guide = (20, 20, 10) if quick else SIZES
        self.samples, self.seeds = (32, 1) if quick else (256, _diffusion_guides.SEEDS)


SIZES = (2000, 1500, 300)  # steps of denoiser, judge and guide


class Corpus:
    """A text as tokens: windows of the first nine tenths, and of the last."""

    def __init__(self, text):
        if len(text) < 20 * LENGTH:
            raise SystemExit(
                f"A text must have at least {20 * LENGTH} characters, of which a tenth "
                f"is held out. Got {len(text)}."
            )
        self.characters = sorted(set(text))
        index = {c: k for k, c in enumerate(self.characters)}
        tokens = torch.tensor([index[c] for c in text])
        cut = len(tokens) * 9 // 10
        self.training = tokens[:cut]
        rest = tokens[cut:]
        self.held_out = rest[: len(rest) // LENGTH * LENGTH].view(-1, LENGTH)[:1000]

    def draw(self, n, generator):
        """Return n windows of the training part."""
        last = len(self.training) - LENGTH
        start = torch.randint(last, (n,), generator=generator)
        return self.training[start[:, None] + torch.arange(LENGTH)]


def corpus_path():
    """Return the text to learn: ``--corpus``, or tiny Shakespeare."""
    given = os.environ.get("QESTIM_CORPUS")
    if given:
        return pathlib.Path(given)
    folder = data_folder()
    return None if folder is None else folder / "text" / "tinyshakespeare.txt"


@functools.cache
def corpus():
    return Corpus(corpus_path().read_text(encoding="utf-8"))


def denoiser_of(budget):
    """Return the denoiser, one for all seeds of the guides."""
    text, g = corpus(), torch.Generator().manual_seed(0)
    denoiser = TransformerDenoiser(
        len(text.characters), LENGTH, width=WIDTH, n_layers=LAYERS, generator=g
    )
    return kept_weights(
        f"{budget.prefix}_denoiser",
        denoiser,
        lambda module: fit_denoiser(
            module, lambda n: text.draw(n, g), budget.denoiser, BATCH, RATE, g
        ),
    )


def judge_of(budget):
    """Return the judge, fitted with a seed of its own."""
    text, g = corpus(), torch.Generator().manual_seed(77)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(77)
        judge = Judge(len(text.characters), LENGTH, WIDTH, LAYERS)

    def loss_of(n):
        return judge.losses(text.draw(n, g)).mean()

    return kept_weights(
        f"{budget.prefix}_judge",
        judge,
        lambda module: fit(module, loss_of, budget.judge, BATCH, RATE, g),
    )


def guide_of(kind, seed, budget):
    """Return a contestant, fitted if it can be."""
    text, g = corpus(), torch.Generator().manual_seed(1000 + seed)
    guide = make_guide(
        kind, len(text.characters), LENGTH, g, units=UNITS, width=GUIDE_WIDTH
    )
    if kind not in (BOLTZMANN, MLP):
        return guide
    denoiser = denoiser_of(budget)
    return kept_weights(
        f"{budget.prefix}_{kind.split()[0]}_{seed}",
        guide,
        lambda module: fit_guide(
            module,
            denoiser,
            lambda n: text.draw(n, g),
            budget.guide,
            GUIDE_BATCH,
            RATE,
            g,
        ),
    )


def bits(quick):
    """Return bits a character of the held-out text, of denoiser and judge."""
    budget = Budget(quick)
    held_out, g = corpus().held_out, torch.Generator().manual_seed(5)
    process = AbsorbingDiffusion(len(corpus().characters))
    denoiser, judge = denoiser_of(budget), judge_of(budget)
    with torch.no_grad():
        nelbo = process.nelbo(
            denoiser, held_out, n_draws=2 if quick else 16, generator=g
        )
        judged = judge.losses(held_out)
    rows = [
        ("denoiser (bound)", nelbo.mean() / LENGTH),
        ("judge", judged.mean()),
    ]
    return {
        "rows": [
            {"model": name, "bits a character": float(nats) / math.log(2)}
            for name, nats in rows
        ]
    }


def figures(tokens, judge):
    """Return what the judge thinks of samples, and how varied they are."""
    with torch.no_grad():
        nats = float(judge.losses(tokens).mean())
    own = [np.unique(row, return_counts=True)[1] / LENGTH for row in tokens.numpy()]
    grams = tokens.unfold(1, 4, 1).flatten(0, 1)
    return {
        "nats": nats,
        "entropy": float(np.mean([-(p * np.log(p)).sum() for p in own])),
        "pooled": _entropy(tokens.flatten()),
        "grams": len(grams.unique(dim=0)) / len(grams),
    }


def _entropy(tokens):
    p = torch.bincount(tokens).double() / len(tokens)
    return float(-torch.xlogy(p, p).sum())


def sampled(kind, n_steps, seed, budget):
    """Return the figures of one contestant's samples."""
    denoiser, n_tokens = denoiser_of(budget), len(corpus().characters)
    guide = guide_of(kind, seed, budget)
    masks = torch.full((budget.samples, LENGTH), n_tokens)
    g = torch.Generator().manual_seed(3000 + seed)
    states, seconds = cpu_seconds(
        lambda: decode(
            denoiser,
            masks,
            mask_token=n_tokens,
            n_steps=n_steps,
            guide=guide,
            n_candidates=CANDIDATES,
            generator=g,
        )
    )
    milliseconds = 1000 * seconds / budget.samples
    return {**figures(states[-1], judge_of(budget)), "milliseconds": milliseconds}


def text(quick):
    """Return every contestant at every number of steps, paired by seed."""
    budget = Budget(quick)
    kinds = (UNGUIDED, RANDOM, OWN, MLP, BOLTZMANN)
    steps = STEPS[:1] if quick else STEPS
    found = {(n, kind): [] for n in steps for kind in kinds}
    for seed in range(budget.seeds):
        for n_steps, kind in found:
            run = kept_figures(
                f"{budget.prefix}_{n_steps}_{kind.split()[0]}_{seed}",
                lambda kind=kind, n=n_steps, seed=seed: sampled(kind, n, seed, budget),
            )
            print(f"  {seed}, {n_steps} steps, {kind}: {run}", flush=True)
            found[n_steps, kind].append(run)
    rows = []
    for n_steps in steps:
        against = {name: found[n_steps, name] for name in (UNGUIDED, MLP)}
        for kind in kinds:
            runs = found[n_steps, kind]
            rows.append(
                {
                    "steps": n_steps,
                    "candidates chosen by": kind,
                    "seeds": len(runs),
                    **_row(runs),
                    "nats minus unguided": _difference(runs, against[UNGUIDED]),
                    "nats minus MLP": _difference(runs, against[MLP]),
                }
            )
    truth = figures(corpus().held_out[: budget.samples], judge_of(budget))
    rows.append(
        {
            "steps": "",
            "candidates chosen by": TRUTH,
            "seeds": "",
            **_row([{**truth, "milliseconds": float("nan")}]),
            "nats minus unguided": "",
            "nats minus MLP": "",
        }
    )
    return {"rows": rows}


def _row(runs):
    mean = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
    return {
        "perplexity a character": float(np.exp(mean["nats"])),
        "entropy of a sample, nats": mean["entropy"],
        "of all samples": mean["pooled"],
        "different 4-grams": mean["grams"],
        "ms a sample": "" if np.isnan(mean["milliseconds"]) else mean["milliseconds"],
    }


def _difference(ours, theirs):
    if ours is theirs:
        return ""
    values = [a["nats"] - b["nats"] for a, b in zip(ours, theirs, strict=True)]
    return "{:+.3f} ± {:.3f}".format(*interval(values))
