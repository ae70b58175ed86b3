# SPDX-License-Identifier: Apache-2.0
"""What a step of guidance costs, and what other engines make of the hidden units."""

import itertools

import _diffusion_guides
import numpy as np
import torch
from _diffusion_guides import BOLTZMANN, CANDIDATES, MLPGuide
from _diffusion_toy import LENGTH, SYMBOLS, denoiser_of, guide_of, law_of
from _measure import alternate, cpu_seconds, ratios, spread
from _paired import interval

from qestim.nn import AbsorbingDiffusion, EnergyGuide, draw_candidates
from qestim.samplers import CIMSampler, SimulatedAnnealingSampler

SEQUENCES, UNITS, COST_LENGTH, COST_TOKENS, COST_WIDTH = 64, 256, 32, 65, 64
ONE_BY_ONE = 16  # candidates of which single calls are timed


def cost(quick):
    """Return CPU milliseconds a step of 64 sequences and 8 candidates."""
    g = torch.Generator().manual_seed(0)
    sizes = {"n_visible": UNITS, "n_hidden": UNITS, "width": COST_WIDTH, "generator": g}
    boltzmann = EnergyGuide(COST_TOKENS, COST_LENGTH, **sizes)
    mlp = MLPGuide(COST_TOKENS, COST_LENGTH, **sizes)
    noisy = torch.full((SEQUENCES, COST_LENGTH), COST_TOKENS)
    logits = torch.randn(SEQUENCES, COST_LENGTH, COST_TOKENS, generator=g)
    candidates = draw_candidates(noisy, logits, COST_TOKENS, CANDIDATES, generator=g)
    visible = torch.rand(SEQUENCES * CANDIDATES, UNITS, generator=g) * 2 - 1
    coupled = EnergyGuide(COST_TOKENS, COST_LENGTH, graph="full", num_reads=16, **sizes)
    with torch.no_grad():
        coupled.machine.J.mul_(0.1)
    annealed, single = (
        EnergyGuide(
            COST_TOKENS,
            COST_LENGTH,
            sampler=SimulatedAnnealingSampler(num_sweeps=10, num_threads=1),
            num_reads=1,
            **sizes,
        )
        for _ in range(2)
    )

    def repeated(call, times):
        """Return milliseconds a call."""
        with torch.no_grad():
            seconds = cpu_seconds(lambda: [call() for _ in range(times)])[1]
        return 1000 * seconds / times

    def one_by_one():
        for row in visible[:ONE_BY_ONE]:
            single.free_energy(row[None])

    whole = (noisy, candidates, logits)
    scale = len(visible) / ONE_BY_ONE
    fast, slow = (2, 1) if quick else (10, 2)
    calls = {
        "step": lambda: repeated(lambda: boltzmann.energy(*whole), fast),
        "step, MLP": lambda: repeated(lambda: mlp.energy(*whole), fast),
        "head": lambda: repeated(lambda: boltzmann.free_energy(visible), 10 * fast),
        "head, MLP": lambda: repeated(lambda: mlp.head(visible), 10 * fast),
        "heat bath": lambda: repeated(lambda: coupled.free_energy(visible), slow),
        "one call": lambda: repeated(lambda: annealed.free_energy(visible), slow),
        "single": lambda: scale * repeated(one_by_one, slow),
    }
    measured = alternate(calls, 2 if quick else 9)
    step = measured["step, MLP"]
    head = measured["head, MLP"]
    names = [
        ("step", "Boltzmann energy, exact free energy", step),
        ("step, MLP", MLP_STEP, step),
        ("head", "Boltzmann energy without its features", head),
        ("head, MLP", "MLP energy without its features", head),
        ("heat bath", "coupled hidden units, batched block heat bath, 16 sweeps", head),
        ("one call", "one annealing call for all candidates, 10 sweeps", head),
        ("single", "one annealing call a candidate, 10 sweeps", head),
    ]
    rows = [
        {
            "energies of 512 candidates": name,
            "CPU ms": spread(measured[key]),
            "ratio to the MLP's": ratios(measured[key], against),
        }
        for key, name, against in names
    ]
    return {"rows": rows}


MLP_STEP = "MLP energy"


def enumerated(guide, visible):
    """Return free energies by all states of the hidden units."""
    states = itertools.product([-1.0, 1.0], repeat=guide.n_hidden)
    hidden = torch.tensor(list(states))
    machine, n = guide.machine, guide.n_visible
    J, h = machine.couplings(), machine.h
    inner = hidden @ h[n:] + 0.5 * ((hidden @ J[n:, n:]) * hidden).sum(1)
    joint = inner + visible @ J[:n, n:] @ hidden.T
    return visible @ h[:n] - (-joint).logsumexp(1)


def engines(quick):
    """Return how the engines' choices differ from those of the exact free energy."""
    choices = {
        "heat bath, 16 sweeps": None,
        "SimulatedAnnealingSampler": SimulatedAnnealingSampler(
            num_sweeps=20, num_threads=1
        ),
        "CIMSampler": CIMSampler(num_steps=200, num_threads=1),
    }
    seeds = 1 if quick else _diffusion_guides.SEEDS
    found = {(graph, name): [] for graph in ("rbm", "full") for name in choices}
    for graph, seed in itertools.product(("rbm", "full"), range(seeds)):
        guide = guide_of(
            BOLTZMANN,
            seed,
            quick,
            name=f"engine_{graph}",
            units=12,
            graph=graph,
            steps=150,
        )
        with torch.no_grad():
            visible = _visible(guide, seed, quick)
            exact = enumerated(guide, visible).view(-1, CANDIDATES)
            for name, sampler in choices.items():
                guide.sampler, guide.exact = sampler, False
                guide._is_matrix = False
                g = torch.Generator().manual_seed(5000 + seed)
                energy, seconds = cpu_seconds(
                    lambda guide=guide, visible=visible, g=g: guide.free_energy(
                        visible, generator=g
                    )
                )
                energy = energy.view(-1, CANDIDATES)
                error = (energy - exact) - (energy - exact).mean(1, keepdim=True)
                weights = (-energy).softmax(1) - (-exact).softmax(1)
                found[graph, name].append(
                    (
                        float(error.square().mean().sqrt()),
                        0.5 * float(weights.abs().sum(1).mean()),
                        1000 * seconds,
                    )
                )
    rows = []
    for (graph, name), runs in found.items():
        error, difference, milliseconds = np.array(runs).T
        rows.append(
            {
                "hidden units": "coupled" if graph == "full" else "not coupled",
                "means from": name,
                "seeds": seeds,
                "rms error of the energy": "{:.3f} ± {:.3f}".format(*interval(error)),
                "TV of the choice": "{:.3f} ± {:.3f}".format(*interval(difference)),
                "CPU ms for 512": float(milliseconds.mean()),
            }
        )
    return {"rows": rows}


def _visible(guide, seed, quick):
    """Return features of candidates of half masked sequences."""
    law, g = law_of(seed), torch.Generator().manual_seed(4000 + seed)
    noisy, t, _ = AbsorbingDiffusion(SYMBOLS).corrupt(law.draw(64, g), generator=g)
    logits = denoiser_of(seed, quick).logits(noisy, t)
    candidates = draw_candidates(noisy, logits, SYMBOLS, CANDIDATES, generator=g)
    assert candidates.shape == (64, CANDIDATES, LENGTH)
    return guide.features(noisy, candidates, logits).flatten(0, 1)
