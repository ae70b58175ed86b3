# SPDX-License-Identifier: Apache-2.0
"""Constrained models: conditional gradient beside escalation and fixed penalties."""

import time
import warnings
from functools import partial

import dimod
import numpy as np
from sklearn.base import BaseEstimator

from qestim.exceptions import InfeasibleWarning
from qestim.samplers import (
    AdaptivePenaltySampler,
    ExactSampler,
    QCGDSampler,
    SimulatedAnnealingSampler,
)
from qestim.samplers._constraints import ConstrainedArrays
from qestim.samplers._oracle import Oracle
from qestim.samplers._polish import Polisher

# Of the greatest coefficient of the objective: ten, a factor of 2.15 apart.
PENALTIES = np.geomspace(0.3, 300, 10)


def dense_objective(rng, n):
    row, col = np.triu_indices(n, 1)
    return dimod.BQM.from_numpy_vectors(
        rng.normal(size=n), (row, col, rng.normal(size=len(row))), 0.0, "BINARY"
    )


def sparse_objective(rng, n, degree=10):
    ends = rng.integers(0, n, (n * degree // 2, 2))
    ends = np.unique(np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1), axis=0)
    return dimod.BQM.from_numpy_vectors(
        rng.normal(size=n), (*ends.T, rng.normal(size=len(ends))), 0.0, "BINARY"
    )


def add(cqm, members, coefficients, sense, rhs, label):
    terms = [(int(i), int(a)) for i, a in zip(members, coefficients, strict=True) if a]
    cqm.add_constraint(terms, sense, rhs=int(rhs), label=label)


def one_hot(seed, groups=4, size=3):
    rng = np.random.default_rng(seed)
    cqm = dimod.CQM.from_bqm(dense_objective(rng, groups * size))
    for g in range(groups):
        members = range(g * size, (g + 1) * size)
        add(cqm, members, [1] * size, "==", 1, f"group{g}")
    return cqm


def equalities(seed, n=12, rows=3):
    rng = np.random.default_rng(seed)
    cqm = dimod.CQM.from_bqm(dense_objective(rng, n))
    planted = rng.integers(0, 2, n)
    for r in range(rows):
        a = rng.integers(-3, 4, n)
        add(cqm, range(n), a, "==", a @ planted, f"row{r}")
    return cqm


def groups_and_knapsacks(seed, n):
    """One-hot fours, and knapsacks of eight with two units of room at the planted."""
    rng = np.random.default_rng(seed)
    cqm = dimod.CQM.from_bqm(sparse_objective(rng, n))
    planted = np.zeros(n, dtype=int)
    for g in range(n // 4):
        members = np.arange(4 * g, 4 * g + 4)
        planted[rng.choice(members)] = 1
        add(cqm, members, [1] * 4, "==", 1, f"group{g}")
    for k in range(max(100, n // 2) - n // 4):
        members = rng.choice(n, 8, replace=False)
        a = rng.integers(1, 4, 8)
        add(cqm, members, a, "<=", a @ planted[members] + 2, f"knapsack{k}")
    return cqm


def sparse_equalities(seed, n):
    """Rows of four variables with coefficients -2, -1, 1, 2, planted."""
    rng = np.random.default_rng(seed)
    cqm = dimod.CQM.from_bqm(sparse_objective(rng, n))
    planted = rng.integers(0, 2, n)
    for r in range(max(100, n // 3)):
        members = rng.choice(n, 4, replace=False)
        a = rng.choice([-2, -1, 1, 2], 4)
        add(cqm, members, a, "==", a @ planted[members], f"row{r}")
    return cqm


def least_feasible(cqm):
    """Return the optimum of a small model by listing, with dimod's arithmetic."""
    n = len(cqm.variables)
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    labelled = (bits, list(cqm.variables))
    feasible = np.ones(len(bits), dtype=bool)
    for comparison in cqm.constraints.values():
        feasible &= comparison.lhs.energies(labelled) == comparison.rhs
    return float(cqm.objective.energies(labelled)[feasible].min())


def solve(sampler, cqm):
    """Return the best feasible objective (inf where there is none) and the info."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfeasibleWarning)
        reads = sampler.sample_cqm(cqm)
    energies = reads.record.energy[reads.record.is_feasible]
    return float(energies.min(initial=np.inf)), reads.info


def exact_oracle(quick):
    seeds = range(5 if quick else 50)
    options = {"max_iter": 60, "polish": False}
    solvers = {
        "QCGD, beta0 auto": QCGDSampler(ExactSampler(), **options),
        **{
            f"QCGD, beta0 {beta0}": QCGDSampler(ExactSampler(), beta0=beta0, **options)
            for beta0 in (0.1, 0.3, 1.0, 3.0, 10.0)
        },
        "escalation, auto": AdaptivePenaltySampler(ExactSampler(), **options),
        "escalation, from 1": AdaptivePenaltySampler(
            ExactSampler(), initial_penalty=1.0, **options
        ),
        "QCGD, beta0 auto, polish": QCGDSampler(ExactSampler(), max_iter=60),
    }
    rows = []
    for family in (one_hot, equalities):
        models = [family(seed) for seed in seeds]
        optima = [least_feasible(cqm) for cqm in models]
        for name, sampler in solvers.items():
            answers = [solve(sampler, cqm) for cqm in models]
            right = [
                abs(energy - optimum) < 1e-9
                for (energy, info), optimum in zip(answers, optima, strict=True)
                if info["feasible"]
            ]
            solved = [info for _, info in answers if info["proven_optimal"]]
            calls = [info["num_calls"] for info in solved]
            rows.append(
                {
                    "family": family.__name__,
                    "solver": name,
                    "solved": len(solved) / len(models),
                    "feasible == brute force": f"{sum(right)} of {len(right)}",
                    "median calls": float(np.median(calls)) if calls else "",
                    "most calls": max(calls, default=""),
                }
            )
    return {
        "rows": rows,
        "note": f"{len(seeds)} instances of 12 variables each; at most 60 calls. "
        "one_hot: four groups of three; equalities: three rows of integers -3..3. "
        "Without polish a feasible read of an exact oracle must be the optimum.",
    }


class StuckSampler(dimod.Sampler, BaseEstimator):
    """The exact minimum, but the first ten bits always come out as 1."""

    parameters = {}
    properties = {}

    def sample(self, bqm):
        reads = ExactSampler().lowest(bqm)
        spins = reads.record.sample.copy()
        spins[:, :10] = 1
        return dimod.SampleSet.from_samples_bqm((spins, reads.variables), bqm)


class UnprovenSampler(StuckSampler):
    """The exact minimum without its certificate, so that the search goes on."""

    def sample(self, bqm):
        return ExactSampler().lowest(bqm)


def convergence(quick):
    seeds, calls = (range(2), 100) if quick else (range(4), 600)
    oracles = {
        "exact, beta0 0.003": {"beta0": 0.003},
        "exact": {},
        "noise 0.02": {"noise": 0.02},
        "noise 0.2": {"noise": 0.2},
        **{f"{bits} bits": {"precision": bits} for bits in (4, 6, 8, 16)},
        "stuck bits (biased)": {"sampler": StuckSampler()},
    }
    t = np.arange(1, calls)
    late = t >= calls // 20
    rows = []
    for family in (one_hot, equalities):
        models = [family(seed) for seed in seeds]
        optima = [least_feasible(cqm) for cqm in models]
        for name, options in oracles.items():
            residuals, gaps = [], []
            for seed, cqm, optimum in zip(seeds, models, optima, strict=True):
                sampler = QCGDSampler(
                    UnprovenSampler(),
                    beta0=0.1,
                    max_iter=calls,
                    patience=None,
                    polish=False,
                    seed=seed,
                ).set_params(**options)
                history = solve(sampler, cqm)[1]["history"]
                residuals.append(np.array(history["mean_residual"])[: calls - 1])
                gaps.append(
                    np.abs(np.array(history["mean_objective"])[: calls - 1] - optimum)
                )
            residual, gap = (
                np.exp(np.mean(np.log(np.maximum(values, 1e-12)), axis=0))
                for values in (residuals, gaps)
            )
            rows.append(
                {
                    "family": family.__name__,
                    "oracle": name,
                    "residual, t = 10": float(residual[9]),
                    f"residual, t = {calls - 1}": float(residual[-1]),
                    "slope of residual": slope(t[late], residual[late]),
                    "gap, t = 10": float(gap[9]),
                    f"gap, t = {calls - 1}": float(gap[-1]),
                    "slope of gap": slope(t[late], gap[late]),
                    "slope of the bound": THEOREM[name.split()[-1]],
                }
            )
    return {
        "rows": rows,
        "note": f"beta0 = 0.1 unless stated; geometric means over {len(seeds)} "
        f"instances; slopes of log figure against log t from t = {calls // 20}. "
        "Residual: norm of the mean functionals. Gap: |mean objective - optimum|. The "
        "theorem bounds both by a multiple of t^-1/2 with an exact oracle; a slope of "
        "-2 says that every atom is the optimum by then, so that the mixture only "
        "forgets its first atoms. With an error that does not vanish it allows a "
        "constant gap and, for relative errors, a constant residual.",
    }


THEOREM = {
    "exact": "-1/2",
    "0.003": "-1/2",
    "0.02": "0 (floor)",
    "0.2": "0 (floor)",
    "bits": "0 (floor)",
    "(biased)": "0 (stalls)",
}


def slope(t, figure):
    return float(np.polyfit(np.log(t), np.log(np.maximum(figure, 1e-12)), 1)[0])


def fixed_penalty(cqm, annealer, calls, seed, polish):
    """Share the calls among the ten penalties; return the best feasible objective."""
    arrays = ConstrainedArrays.from_cqm(cqm)
    oracle = Oracle(annealer, arrays, None, 0.0, {})
    polisher = Polisher(arrays) if polish else None
    best = np.inf
    for k in range(calls):
        penalty = PENALTIES[k % len(PENALTIES)] * arrays.objective_scale
        bits = oracle(np.where(arrays.signed, 0.0, penalty), 1000 * seed + k)[0]
        if polisher is not None:
            bits = np.vstack([bits, polisher(bits[0])])
        best = min(best, lowest_feasible(arrays, bits))
    return best


def converted(cqm, annealer, calls, seed):
    """dimod's own conversion with its default multiplier, and as many calls."""
    bqm, invert = dimod.cqm_to_bqm(cqm)
    best = np.inf
    for k in range(calls):
        reads = annealer.sample(bqm, seed=1000 * seed + k)
        states = [invert(state) for state in reads.samples(sorted_by=None)]
        answer = dimod.SampleSet.from_samples_cqm(states, cqm)
        energies = answer.record.energy[answer.record.is_feasible]
        best = min(best, float(energies.min(initial=np.inf)))
    return best


def lowest_feasible(arrays, bits):
    lifted = arrays.lift(bits)
    feasible = (arrays.violations(lifted) == 0).all(axis=1)
    objectives = lifted @ arrays.q + arrays.q0
    return float(objectives[feasible].min(initial=np.inf))


def many_constraints(family, quick):
    sizes = {100: 2} if quick else {100: 5, 300: 5, 1000: 2}
    calls, sweeps = (10, 200) if quick else (40, 1000)
    rows = []
    for n, num_seeds in sizes.items():
        models = [family(seed, n) for seed in range(num_seeds)]
        results = {}
        for seed, cqm in enumerate(models):
            for name, call in contestants(cqm, calls, sweeps, seed).items():
                start = time.process_time()
                best = call()
                seconds = time.process_time() - start
                results.setdefault(name, []).append((best, seconds))
        table = {name: np.array(runs)[:, 0] for name, runs in results.items()}
        reference = np.min(list(table.values()), axis=0)
        close = 1e-9 * np.abs(reference)
        for name, best in table.items():
            found = np.isfinite(best)
            gaps = (best - reference)[found] / np.abs(reference[found])
            gaps[gaps < 1e-9] = 0.0
            rows.append(
                {
                    "variables": n,
                    "constraints": len(models[0].constraints),
                    "solver": name,
                    "feasible": f"{found.sum()} of {num_seeds}",
                    "gap %": 100 * float(gaps.mean()) if found.any() else "",
                    "best of all": f"{(best <= reference + close)[found].sum()}",
                    "cpu s": float(np.mean([s for _, s in results[name]])),
                }
            )
    return {
        "rows": rows,
        "note": f"{calls} calls of simulated annealing each (10 reads of {sweeps} "
        "sweeps, one thread). Gap: to the best of all solvers on the instance, mean "
        "over the instances where the solver found a feasible read. The grid shares "
        "its calls among ten penalties, 0.3 to 300 times the greatest coefficient.",
    }


def contestants(cqm, calls, sweeps, seed):
    annealer = SimulatedAnnealingSampler(num_reads=10, num_sweeps=sweeps, num_threads=1)
    options = {"max_iter": calls, "patience": None, "seed": seed}

    def composed(cls, polish):
        sampler = cls(annealer, polish=polish, **options)
        return lambda: solve(sampler, cqm)[0]

    return {
        "QCGD": composed(QCGDSampler, False),
        "escalation": composed(AdaptivePenaltySampler, False),
        "penalty grid": lambda: fixed_penalty(cqm, annealer, calls, seed, False),
        "cqm_to_bqm": lambda: converted(cqm, annealer, calls, seed),
        "QCGD, polish": composed(QCGDSampler, True),
        "escalation, polish": composed(AdaptivePenaltySampler, True),
        "penalty grid, polish": lambda: fixed_penalty(cqm, annealer, calls, seed, True),
    }


SECTIONS = {
    "Constraints: an exact oracle": exact_oracle,
    "Constraints: convergence": convergence,
    "Constraints: groups and knapsacks": partial(
        many_constraints, groups_and_knapsacks
    ),
    "Constraints: sparse equalities": partial(many_constraints, sparse_equalities),
}
