# SPDX-License-Identifier: Apache-2.0
"""The exact QCBO of small quantized networks under the samplers of constraints."""

import numpy as np
from _quantized_constraints import solve

from qestim.qubo import FIPProblem
from qestim.samplers import (
    AdaptivePenaltySampler,
    ExactSampler,
    QCGDSampler,
    SimulatedAnnealingSampler,
)

LARGEST_EXACT = 22


def teacher_problem(seed, num_inputs, num_samples):
    """Return the training of two signs and a linear output on a teacher's answers."""
    rng = np.random.default_rng(seed)
    X = rng.choice([-1, 0, 1], (num_samples, num_inputs))
    hidden = rng.choice([-1, 1], (2, num_inputs + 1))
    output = rng.choice([-1, 1], 3)
    ones = np.ones((num_samples, 1), dtype=int)
    a = np.where(np.hstack([X, ones]) @ hidden.T >= 0, 1, -1)
    return FIPProblem(X, np.hstack([a, ones]) @ output, hidden_layer_sizes=(2,))


def exact_networks(quick):
    sizes = [(2, 2), (3, 6)] if quick else [(2, 2), (2, 3), (3, 6), (3, 12), (4, 16)]
    num_seeds, calls = (1, 10) if quick else (5, 60)
    annealer = SimulatedAnnealingSampler(num_reads=10, num_sweeps=1000, num_threads=1)
    options = {"max_iter": calls, "patience": None, "target_energy": 0.0}
    rows = []
    for num_inputs, num_samples in sizes:
        models = [
            teacher_problem(seed, num_inputs, num_samples).to_cqm()
            for seed in range(num_seeds)
        ]
        inner = {"annealing": annealer}
        if len(models[0].variables) <= LARGEST_EXACT:
            inner["exact"] = ExactSampler()
        for polish in (False, True):
            for oracle, sampler in inner.items():
                for cls in (QCGDSampler, AdaptivePenaltySampler):
                    solver = cls(sampler, polish=polish, **options)
                    answers = [
                        solve(solver.set_params(seed=seed), cqm)
                        for seed, cqm in enumerate(models)
                    ]
                    losses = np.array([loss for loss, _ in answers])
                    found = np.isfinite(losses)
                    rows.append(
                        {
                            "inputs": num_inputs,
                            "samples": num_samples,
                            "variables": len(models[0].variables),
                            "constraints": len(models[0].constraints),
                            "solver": cls.__name__ + (", polish" if polish else ""),
                            "oracle": oracle,
                            "feasible": f"{found.sum()} of {num_seeds}",
                            "optimal": f"{(losses <= 1e-9).sum()} of {num_seeds}",
                            "mean loss": losses[found].mean() if found.any() else "",
                            "median calls": float(
                                np.median([info["num_calls"] for _, info in answers])
                            ),
                        }
                    )
    return {
        "rows": rows,
        "note": f"Signs in one hidden layer of 2, weights of 1 bit, squared loss, "
        f"{num_seeds} teachers; at most {calls} calls of annealing (10 reads of 1000 "
        "sweeps) or of the exact sampler; stopped at loss 0, the optimum.",
    }


SECTIONS = {"Constraints: exact networks": exact_networks}
