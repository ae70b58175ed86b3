# SPDX-License-Identifier: Apache-2.0
"""The shared mask on Ising machines: time to solution, and the spectral-gap bound."""

import math
import time

import numpy as np
from _measure import spread

from qestim._native._cardinality import select_k
from qestim._success import time_to_solution
from qestim.qubo import AttentionProblem, IsingArrays, spins_of
from qestim.samplers import (
    CIMSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
)
from qestim.testing import ExactLaw

HEADS, WIDTH = 4, 16
MACHINES = {
    "SA": SimulatedAnnealingSampler(num_sweeps=1000, num_threads=1),
    "CIM (cac)": CIMSampler(num_steps=1000, num_threads=1),
    "dSB": SimulatedBifurcationSampler(num_steps=2000, num_threads=1),
}


def instance(keys, seed, heads=HEADS):
    """Return a shared-mask problem whose keys and heads resemble each other.

    Keys lie around keys / 4 centres, and heads see a common relevance beside their
    own, so that both joint terms have something to say.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(keys // 4, 1), WIDTH))
    member = rng.integers(len(centres), size=keys)
    common = centres[member] + 0.5 * rng.normal(size=(keys, WIDTH))
    key = common + 0.5 * rng.normal(size=(heads, keys, WIDTH))
    query = rng.normal(size=(1, 8, WIDTH)) + 0.5 * rng.normal(size=(heads, 8, WIDTH))
    return AttentionProblem.from_attention(
        query, key, mode="shared", k=max(keys // 4, 1), redundancy=1.0, cross_head=4.0
    )


def dense_form(problem):
    """Return the energy of masks over bits: linear, symmetric quadratic, offset."""
    bqm = problem.to_bqm(penalty=0.0)
    order = {label: i for i, label in enumerate(problem.variables)}
    linear = np.array([bqm.linear[label] for label in problem.variables])
    quadratic = np.zeros((len(order),) * 2)
    for (u, v), value in bqm.quadratic.items():
        quadratic[order[u], order[v]] = quadratic[order[v], order[u]] = value
    return linear, quadratic, bqm.offset


def best_known(problem, anneals, sweeps):
    """Return the lowest energy of masks of exactly k keys that a long search finds."""
    linear, quadratic, offset = dense_form(problem)
    _, energy = select_k(
        linear,
        quadratic,
        problem.k,
        groups=problem.scores.shape[0],
        num_reads=anneals,
        num_sweeps=sweeps,
        num_threads=1,
    )
    _, greedy = select_k(
        linear,
        quadratic,
        problem.k,
        groups=problem.scores.shape[0],
        num_threads=1,
    )
    return float(energy) + offset, float(greedy) + offset


def reads_of(sampler, problem, bqm, num_reads, seed):
    """Return decoded energies, the share of raw feasible reads and the seconds."""
    start = time.process_time()
    sampleset = sampler.sample(bqm, num_reads=num_reads, seed=seed)
    seconds = time.process_time() - start
    bits = spins_of(sampleset, problem.variables) > 0
    counts = bits.reshape(num_reads, *problem.scores.shape).sum(-1)
    feasible = float((counts == problem.k).all(-1).mean())
    energies = [
        problem.objective(
            problem.decode(dict(zip(problem.variables, row, strict=True)))
        )
        for row in bits
    ]
    return np.array(energies), feasible, seconds


def time_to_mask(quick):
    """TTS99 against the number of keys; a read counts after its repair to k keys."""
    sizes = (8, 16) if quick else (8, 16, 24, 32, 48, 64)
    instances, num_reads = (1, 20) if quick else (5, 500)
    rows = []
    for keys in sizes:
        times = {name: [] for name in MACHINES}
        feasible = {name: [] for name in MACHINES}
        rates = {name: [] for name in MACHINES}
        descent, excess = [], []
        for seed in range(instances):
            problem = instance(keys, seed)
            bqm = problem.to_bqm()
            found = {
                name: reads_of(sampler, problem, bqm, num_reads, seed)
                for name, sampler in MACHINES.items()
            }
            target, greedy = best_known(problem, 5 if quick else 20, 500)
            target = min(target, *(energies.min() for energies, _, _ in found.values()))
            close = 1e-6 * max(1.0, abs(target))
            descent.append(greedy <= target + close)
            excess.append((greedy - target) / abs(target))
            for name, (energies, share, seconds) in found.items():
                hits = int((energies <= target + close).sum())
                times[name].append(time_to_solution(hits, num_reads, seconds).value)
                feasible[name].append(share)
                rates[name].append(hits / num_reads)
        for name in MACHINES:
            rows.append(
                {
                    "keys N": keys,
                    "spins H N": HEADS * keys,
                    "machine": name,
                    "TTS99, cpu ms, median": milliseconds(np.median(times[name])),
                    "least": milliseconds(min(times[name])),
                    "greatest": milliseconds(max(times[name])),
                    "success of a read": spread(rates[name]),
                    "raw reads with exactly k keys": spread(feasible[name]),
                    "greedy + swap at the optimum": f"{sum(descent)} of {instances}",
                    "its excess energy %": round(100 * float(np.mean(excess)), 6),
                }
            )
    return {"rows": rows}


def milliseconds(seconds):
    return 1e3 * float(seconds) if math.isfinite(seconds) else "no hit"


def transition_matrix(law, beta):
    """Return the chain that resamples one spin, drawn at random, from its law."""
    n = len(law.model)
    p = law.probabilities(beta)
    states = np.arange(len(law))
    matrix = np.zeros((len(law),) * 2)
    for i in range(n):
        other = states ^ (1 << i)
        move = p[other] / (p + p[other]) / n
        matrix[states, other] = move
        matrix[states, states] += 1 / n - move
    return matrix, p


def mixing_time(matrix, p, epsilon, longest):
    """Return the first t at which no start is further than epsilon from the law."""

    def distance(power):
        return np.abs(power - p).sum(1).max() / 2

    powers = [matrix]
    while distance(powers[-1]) > epsilon:
        if 2 ** len(powers) > longest:
            return math.inf
        powers.append(powers[-1] @ powers[-1])
    if len(powers) == 1:
        return 1
    # The answer lies above 2^(m-1) steps: add powers as long as they do not suffice.
    time, so_far = 2 ** (len(powers) - 2), powers[-2]
    for exponent in range(len(powers) - 3, -1, -1):
        longer = so_far @ powers[exponent]
        if distance(longer) > epsilon:
            time, so_far = time + 2**exponent, longer
    return time + 1


def simulate(law, beta, num_steps, num_chains, start, seed):
    """Return the share of chains in a ground state after each number of steps."""
    rng = np.random.default_rng(seed)
    n, p = len(law.model), law.probabilities(beta)
    ground = ground_states(law)
    code, share = np.full(num_chains, start), np.empty(num_steps)
    for step in range(num_steps):
        other = code ^ (1 << rng.integers(n, size=num_chains))
        flips = rng.random(num_chains) < p[other] / (p[code] + p[other])
        code = np.where(flips, other, code)
        share[step] = ground[code].mean()
    return share


def ground_states(law):
    return law.energies <= law.energies.min() + 1e-9


def spectral_gap(quick):
    """Bound mixing by log(1 / (epsilon pi_min)) / gap, in single flips, and TTS99."""
    epsilon, rows = 0.05, []
    for heads, keys in ((2, 3), (2, 4)) if quick else ((2, 3), (2, 4), (2, 5), (3, 3)):
        for beta in (1.0, 3.0):
            problem = instance(keys, 0, heads)
            law = ExactLaw(IsingArrays.from_bqm(problem.to_bqm()))
            matrix, p = transition_matrix(law, beta)
            root = np.sqrt(p)
            symmetric = root[:, None] * matrix / root
            gap = 1 - float(np.linalg.eigvalsh((symmetric + symmetric.T) / 2)[-2])
            bound = math.log(1 / (epsilon * p.min())) / gap
            measured = mixing_time(matrix, p, epsilon, 2**24)
            # A read of so many flips is in a ground state at least half as often as
            # the law is.
            half = float(p[ground_states(law)].sum()) / 2
            read = math.log(1 / (half * p.min())) / gap
            worst = int(np.argmax(law.energies))
            shares = simulate(law, beta, min(measured, 4000), 2000, worst, 1)
            shortest = min(time_of(share, t) for t, share in enumerate(shares, 1))
            rows.append(
                {
                    "heads": heads,
                    "keys": keys,
                    "beta": beta,
                    "gap": gap,
                    "mixing, flips": measured,
                    "its bound": bound,
                    "TTS99, flips": shortest,
                    "the bound on it": time_of(half, read),
                    "both hold": bool(
                        bound >= measured and time_of(half, read) >= shortest
                    ),
                }
            )
    return {"rows": rows}


def time_of(success, steps):
    """Return the flips after which 99 % of repeated reads have succeeded once."""
    if success <= 0:
        return math.inf
    return steps * max(1.0, math.log(0.01) / math.log1p(-min(success, 1 - 1e-12)))
