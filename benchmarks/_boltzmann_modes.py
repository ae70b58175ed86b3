# SPDX-License-Identifier: Apache-2.0
"""Far-apart modes at equal CPU time: who crosses what stops chains."""

import math
import time
import warnings

import numpy as np
import torch
from _boltzmann_law import SEEDS, RandomStarts
from _measure import spread
from _paired import bracketed
from sklearn.datasets import load_digits

from qestim.estimators._machine_training import positive_phase
from qestim.estimators._negative import make_phase
from qestim.exceptions import MixingWarning
from qestim.nn import BoltzmannMachine
from qestim.samplers import BoltzmannSampler, CIMSampler, SimulatedAnnealingSampler

CHAINS, RATE = 128, 0.02


def planted(rng):
    """Four patterns of 48 bits at pairwise distances of at least 16, flips of 2 %."""
    while True:
        modes = rng.randint(2, size=(4, 48))
        gaps = (modes[:, None] != modes[None]).sum(2)[np.triu_indices(4, 1)]
        if gaps.min() >= 16:
            break
    rows = modes[rng.choice(4, 3000, p=[0.4, 0.3, 0.2, 0.1])]
    rows = np.where(rng.uniform(size=rows.shape) < 0.02, 1 - rows, rows)
    return rows[:1500], rows[1500:], 8


def bars_and_stripes(rng):
    """All 4 x 4 pictures of whole rows or of whole columns."""
    bits = (np.arange(16)[:, None] >> np.arange(4)) & 1
    bars = np.repeat(bits, 4, axis=1)
    stripes = np.tile(bits, 4)
    pictures = np.unique(np.concatenate([bars, stripes]), axis=0)
    rows = pictures[rng.randint(len(pictures), size=3000)]
    return rows[:1500], rows[1500:], 14


def digits(rng):
    """Zeros and ones of the digits, whose pixels agree strongly within a class."""
    X, y = load_digits(return_X_y=True)
    rows = (X[y < 2] > 7).astype(int)
    rows = rows[rng.permutation(len(rows))]
    return rows[:240], rows[240:], 12


TASKS = {
    "planted modes": planted,
    "bars and stripes": bars_and_stripes,
    "digits 0 and 1": digits,
}


def build(name, machine, seed):
    """Return a negative phase by name."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    if name == "Gibbs, 10 sweeps from random":
        return RandomStarts(machine, CHAINS, 10, generator)
    kind, sampler, sweeps, every = {
        "CD-1": ("cd", None, 1, 1),
        "CD-10": ("cd", None, 10, 1),
        "PCD": ("pcd", None, 2, 1),
        "tempered": ("tempered", None, 2, 1),
        "BoltzmannSampler": (
            "sampler",
            BoltzmannSampler(num_temperatures=12, burn_in=50, thin=5, log_z=False),
            2,
            10,
        ),
        "SA + rescale + polish": (
            "sampler",
            SimulatedAnnealingSampler(num_sweeps=100),
            2,
            10,
        ),
        "CIM + rescale + polish": ("sampler", CIMSampler(), 2, 10),
        "hybrid, SA": ("hybrid", SimulatedAnnealingSampler(num_sweeps=100), 2, 2),
        "hybrid, CIM": ("hybrid", CIMSampler(), 2, 2),
        "hybrid, BoltzmannSampler": (
            "hybrid",
            BoltzmannSampler(num_temperatures=12, burn_in=50, thin=5, log_z=False),
            2,
            2,
        ),
    }[name]
    return make_phase(
        kind,
        machine,
        sampler,
        n_chains=CHAINS,
        n_sweeps=sweeps,
        resample_every=every,
        generator=generator,
        rng=rng,
    )


NAMES = (
    "PCD",
    "CD-1",
    "CD-10",
    "Gibbs, 10 sweeps from random",
    "tempered",
    "BoltzmannSampler",
    "SA + rescale + polish",
    "CIM + rescale + polish",
    "hybrid, SA",
    "hybrid, CIM",
    "hybrid, BoltzmannSampler",
)


def train(name, rows, hidden, seconds, seed):
    """Train an RBM for so many CPU seconds; return it and its number of steps."""
    data = torch.tensor(2.0 * rows - 1, dtype=torch.float32)
    n = data.shape[1]
    machine = BoltzmannMachine(n + hidden, "rbm", n_visible=n)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        machine.J.normal_(0, 0.01, generator=generator)
        machine.h[:n] = -torch.atanh(0.98 * data.mean(0))
    phase = build(name, machine, seed)
    optimizer = torch.optim.Adam(machine.parameters(), RATE)
    start, steps = time.process_time(), 0
    while (share := (time.process_time() - start) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * share))
        batch = data[torch.randint(len(data), (64,), generator=generator)]
        batch, spins = positive_phase(machine, batch, generator)
        loss = machine.contrast(batch, phase.step(spins))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    return machine, steps


def task(name, quick):
    """One table: held-out log-likelihood of every negative phase."""
    seconds, seeds = (0.2, 1) if quick else (1.0, SEEDS)
    scores, counts = {}, {}
    for seed in range(seeds):
        fit, test, hidden = TASKS[name](np.random.RandomState(seed))
        test = torch.tensor(2.0 * test - 1, dtype=torch.float64)
        for phase in NAMES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixingWarning)
                machine, steps = train(phase, fit, hidden, seconds, seed)
            machine.double()
            with torch.no_grad():
                log_z, _ = machine.log_partition()
                score = (-machine.free_energy(test)).mean().item() - log_z
            scores.setdefault(phase, []).append(score)
            counts.setdefault(phase, []).append(steps)
    pcd = np.array(scores["PCD"])
    rows = [
        {
            "negative phase": phase,
            "steps": int(np.mean(counts[phase])),
            "log-likelihood, nats": spread(values),
            "less that of PCD": bracketed(np.array(values) - pcd),
        }
        for phase, values in scores.items()
    ]
    return {
        "rows": rows,
        "note": f"{TASKS[name].__doc__} RBM, {hidden} hidden spins, {seconds:g} CPU "
        f"seconds of training each, {CHAINS} chains, Adam from {RATE} to 0, {seeds} "
        "seeds; held-out rows, log Z by enumeration. Samplers are called every 10 "
        "updates, or every 2 for a quarter of the chains (hybrid).",
    }
