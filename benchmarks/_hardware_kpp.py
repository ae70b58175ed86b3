# SPDX-License-Identifier: Apache-2.0
"""kaiwu-torch-plugin's restricted machine, trained with each negative phase."""

import itertools

import numpy as np
import torch

from qestim.samplers import (
    BoltzmannSampler,
    CIMEmulatorBackend,
    HardwareSampler,
    KaiwuSolver,
    SimulatedAnnealingSampler,
)

STATES = np.array(list(itertools.product((0.0, 1.0), repeat=6)))


class Unlicensed:
    """The lowest distinct states only, as minimisers with a pool return them."""

    def __init__(self, number):
        self.number = number

    def solve(self, matrix):
        M = np.asarray(matrix, dtype=np.float64)
        spins = np.array(list(itertools.product((-1, 1), repeat=len(M) - 1)))
        spins = np.hstack([spins, np.ones((len(spins), 1))])
        cost = -((spins @ M) * spins).sum(axis=1)
        return spins[np.argsort(cost, kind="stable")[: self.number]].astype(np.int8)


def divergence(model, truth):
    """KL of the model's law over all 64 states from the true one."""
    with torch.no_grad():
        energy = model(torch.tensor(STATES, dtype=torch.float32)).double().numpy()
    learned = np.exp(-(energy - energy.min()))
    learned /= learned.sum()
    return float((truth * np.log(truth / learned)).sum())


def negative_phases(quick):
    """KL of a machine of 3 + 3 units after 150 steps, by what draws its spins."""
    try:
        from kaiwu.torch_plugin import RestrictedBoltzmannMachine
    except ImportError:
        note = (
            "Skipped: kaiwu-torch-plugin is not installed (pip install --no-deps "
            "kaiwu-torch-plugin)."
        )
        return {"rows": [], "note": note}
    steps, seeds = (10, 1) if quick else (150, 3)
    annealer = SimulatedAnnealingSampler(num_threads=1)
    machine = HardwareSampler(CIMEmulatorBackend(noise=2.0, num_steps=60))
    solvers = {
        "BoltzmannSampler, 100 reads": lambda seed: KaiwuSolver(
            BoltzmannSampler(log_z=False, num_threads=1), seed=1000 * seed
        ),
        "SimulatedAnnealingSampler, 100 reads": lambda seed: KaiwuSolver(
            annealer, seed=1000 * seed
        ),
        "emulated machine, 100 reads": lambda seed: KaiwuSolver(
            machine, seed=1000 * seed
        ),
        "lowest 10 distinct states": lambda seed: Unlicensed(10),
        "lowest 64 distinct states": lambda seed: Unlicensed(64),
    }
    rows = []
    for name, make in solvers.items():
        curves = [
            learn(RestrictedBoltzmannMachine, make(s), s, steps) for s in range(seeds)
        ]
        least = [min(curve) for curve in curves]
        last = [float(np.mean(curve[-20:])) for curve in curves]
        rows.append(
            {
                "negative phase": name,
                "seeds": seeds,
                "KL at zero weights": curves[0][0],
                "KL, least": float(np.mean(least)),
                "KL, mean of the last 20": float(np.mean(last)),
            }
        )
    note = (
        "kaiwu-torch-plugin's RestrictedBoltzmannMachine and its objective, gradient "
        "steps of 0.1, the data phase exact; the truth is a machine of the same shape "
        "with normal weights. Only the solver differs, in one line."
    )
    return {"rows": rows, "note": note}


def learn(RestrictedBoltzmannMachine, solver, seed, steps):
    """Return the KL after every step."""
    rng = np.random.default_rng(seed)
    W, b = 1.2 * rng.standard_normal((3, 3)), 0.6 * rng.standard_normal(6)
    energy = -STATES @ b - ((STATES[:, :3] @ W) * STATES[:, 3:]).sum(axis=1)
    truth = np.exp(-(energy - energy.min()))
    truth /= truth.sum()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = RestrictedBoltzmannMachine(3, 3, device=torch.device("cpu"))
    data = torch.tensor(STATES, dtype=torch.float32)
    weight = torch.tensor(truth, dtype=torch.float32)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    curve = [divergence(model, truth)]
    for _ in range(steps):
        optimiser.zero_grad()
        negative = model.sample(solver)
        loss = (weight * model(data)).sum() - model(negative).mean()
        loss.backward()
        optimiser.step()
        curve.append(divergence(model, truth))
    return curve


SECTIONS = {"negative phases": negative_phases}
