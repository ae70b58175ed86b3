# SPDX-License-Identifier: Apache-2.0
"""Simulated annealing against dwave-samplers and openjij, and the front end's cost."""

import os
import subprocess
import sys
import time

import dimod
import numpy as np
import openjij
from _measure import alternate, cpu_seconds, data_folder, ratios, read_gset, spread
from dwave.samplers import SimulatedAnnealingSampler as DWaveSampler
from scipy.stats import beta as beta_law

from qestim import _native
from qestim.qubo import IsingArrays
from qestim.samplers import SimulatedAnnealingSampler

SCHEDULES = {"linear": (0.2, 3.0), "geometric": (0.0094, 6.1)}


def random_graph(n, num_edges, seed):
    """Draw distinct edges of weight 1."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(n * (n - 1) // 2, num_edges, replace=False)
    row, col = np.triu_indices(n, 1)
    return (
        n,
        row[codes].astype(np.int32),
        col[codes].astype(np.int32),
        np.ones(num_edges),
    )


def sparse_instances(quick):
    folder = data_folder()
    if quick or folder is None:
        return {"random (800, 6000)": random_graph(800, 6000, 0)}
    return {
        name: read_gset(folder / "gset" / f"{name}.txt")
        for name in ("G22", "G35", "G55")
    }


def complete_graph(n):
    row, col = np.triu_indices(n, 1)
    folder = data_folder()
    if n == 2000 and folder is not None:
        weights = np.load(folder / "gen" / "k2000_seed2000.npz")["w"].astype(float)
    else:
        weights = np.random.default_rng(n).choice([-1.0, 1.0], len(row))
    return n, row.astype(np.int32), col.astype(np.int32), weights


def as_bqm(instance):
    n, row, col, weights = instance
    return dimod.BQM.from_numpy_vectors(
        np.zeros(n), (row, col, weights), 0.0, dimod.SPIN
    )


def betas_of(kind, num_sweeps, beta_range):
    space = np.linspace if kind == "linear" else np.geomspace
    return space(*beta_range, num_sweeps)


def contestants(bqm, kind, beta_range, num_sweeps, reads, seeds):
    """Calls that anneal with one schedule: each gives (energies, CPU seconds)."""
    count = {"seed": 0}

    def seed():
        count["seed"] += 1
        return seeds + count["seed"]

    def ours(num_sweeps=num_sweeps["qestim"]):
        return SimulatedAnnealingSampler(
            beta_range=beta_range, beta_schedule_type=kind, num_threads=1
        ).sample(bqm, num_reads=reads["qestim"], num_sweeps=num_sweeps, seed=seed())

    def dwave(num_sweeps=num_sweeps["dwave-samplers"]):
        return DWaveSampler().sample(
            bqm,
            beta_range=beta_range,
            beta_schedule_type=kind,
            num_reads=reads["dwave-samplers"],
            num_sweeps=num_sweeps,
            seed=seed(),
        )

    def jij(num_sweeps=num_sweeps["openjij"]):
        schedule = [[beta, 1] for beta in betas_of(kind, num_sweeps, beta_range)]
        # openjij's own seed would make all reads alike: it is left out.
        return openjij.SASampler().sample(
            bqm, num_reads=reads["openjij"], schedule=schedule
        )

    def timed(call):
        # The sweeps alone: a call of two sweeps has the same fixed cost.
        _, fixed = cpu_seconds(lambda: call(num_sweeps=2))
        answer, total = cpu_seconds(call)
        return np.repeat(
            answer.record.energy, answer.record.num_occurrences
        ), total - fixed

    return {
        "qestim": lambda: timed(ours),
        "dwave-samplers": lambda: timed(dwave),
        "openjij": lambda: timed(jij),
    }


def attempts_row(name, instance, kind, beta_range, num_sweeps, reads, rounds):
    """One row: attempts per CPU second of each contestant on one schedule."""
    n, _, _, weights = instance
    calls = contestants(as_bqm(instance), kind, beta_range, num_sweeps, reads, 100)
    answers = alternate(calls, rounds)
    rate = {
        who: [
            n * num_sweeps[who] * reads[who] / seconds / 1e6 for _, seconds in results
        ]
        for who, results in answers.items()
    }
    row = {"instance": name, "schedule": f"{kind} {beta_range[0]}-{beta_range[1]}"}
    row["sweeps"] = num_sweeps["qestim"]
    for who in answers:
        row[f"{who} M attempts/s"] = spread(rate[who])
    for who in ("dwave-samplers", "openjij"):
        row[f"ratio to {who}"] = ratios(rate["qestim"], rate[who])
    for who, results in answers.items():
        energies = np.concatenate([energies for energies, _ in results])
        row[f"mean cut {who}"] = float((weights.sum() - energies.mean()) / 2)
        if who != "openjij":
            row[f"s.e. {who}"] = float(energies.std() / 2 / np.sqrt(len(energies)))
    return row


def sparse(quick):
    # openjij's fixed cost is large and uneven: it gets enough reads to drown it.
    reads = {"qestim": 64, "dwave-samplers": 8, "openjij": 32}
    sweeps = 300 if quick else 1000
    rounds = 1 if quick else 3
    rows = []
    for name, instance in sparse_instances(quick).items():
        for kind, beta_range in SCHEDULES.items():
            rows.append(
                attempts_row(
                    name,
                    instance,
                    kind,
                    beta_range,
                    dict.fromkeys(reads, sweeps),
                    reads,
                    rounds,
                )
            )
    return {
        "rows": rows,
        "note": "Same instance, schedule and number of sweeps for all, in turn in one "
        "process; equal sweeps give equal mean cuts, so the ratio of attempts is also "
        "the ratio of CPU time at equal mean cut. A call of two sweeps is subtracted "
        "everywhere.",
    }


def dense(quick):
    n = 300 if quick else 2000
    instance = complete_graph(n)
    reads = {"qestim": 16, "dwave-samplers": 4, "openjij": 4}
    sweeps = 300 if quick else 1000
    ranges = {"linear": (0.01, 0.3), "geometric": (0.00035, 1.0)}
    if quick:
        ranges = {"linear": (0.03, 0.8)}
    return {
        "rows": [
            attempts_row(
                f"complete +-1, {n}",
                instance,
                kind,
                beta_range,
                dict.fromkeys(reads, sweeps),
                reads,
                1 if quick else 3,
            )
            for kind, beta_range in ranges.items()
        ]
    }


def instruction_sets(quick):
    """Run the clones of the sparse and the dense kernel in turn on the same reads."""
    known, best = ("avx512", "avx2", "baseline"), _native.kernel_name.split("-")[-1]
    if best not in known:
        return {"rows": [], "note": "Not measured: the kernels are not compiled."}
    instances = {
        "sparse": (next(iter(sparse_instances(quick).values())), (0.2, 3.0), 64),
        "dense": (complete_graph(300 if quick else 2000), (0.01, 0.3), 16),
    }
    rows = []
    for instance, beta_range, num_reads in instances.values():
        model = IsingArrays.from_bqm(as_bqm(instance))

        def call(isa, model=model, beta_range=beta_range, num_reads=num_reads):
            def run(sweeps):
                return cpu_seconds(
                    lambda: _native.anneal(
                        model.h,
                        model.row,
                        model.col,
                        model.value,
                        betas=np.linspace(*beta_range, sweeps),
                        num_reads=num_reads,
                        seed=1,
                        isa=isa,
                    )
                )

            def measure():
                (_, fixed), (answer, total) = run(2), run(302)
                rate = len(model) * num_reads * 300 / (total - fixed) / 1e6
                return rate, answer[0], answer[2]

            return measure

        answers = alternate(
            {isa: call(isa) for isa in known[known.index(best) :]},
            1 if quick else 3,
        )
        reads = [spins for results in answers.values() for _, spins, _ in results]
        kernels = [results[0][2] for results in answers.values()]
        row = {"kernel": ", ".join(dict.fromkeys(kernels))}
        for isa, results in answers.items():
            row[f"{isa} M attempts/s"] = spread([rate for rate, _, _ in results])
        row["same reads"] = all(np.array_equal(reads[0], other) for other in reads)
        rows.append(row)
    return {"rows": rows}


def threads(quick):
    """Wall time of two threads against one, in turn."""
    if len(os.sched_getaffinity(0)) < 2:
        return {"rows": [], "note": "Not measured: one core only."}
    rows = []
    instances = {
        "sparse": (next(iter(sparse_instances(quick).values())), 1024),
        "dense": (complete_graph(300 if quick else 2000), 256),
    }
    for name, (instance, reads) in instances.items():
        bqm = as_bqm(instance)

        def call(num_threads, bqm=bqm, reads=reads):
            def run(sweeps):
                start = time.perf_counter()
                SimulatedAnnealingSampler(
                    num_reads=reads, num_sweeps=sweeps, num_threads=num_threads, seed=3
                ).sample(bqm)
                return time.perf_counter() - start

            long = 52 if quick else 1002
            return lambda: run(long) - run(2)

        times = alternate({"1": call(1), "2": call(2)}, 2 if quick else 5)
        rows.append(
            {"kernel": name, "speed-up of two threads": ratios(times["1"], times["2"])}
        )
    return {"rows": rows, "note": "Wall clock, sweeps alone, in turn."}


def front_end(quick):
    """Cost of a call beyond its sweeps, automatic range on both sides."""
    n = 300 if quick else 2000
    bqm = as_bqm(complete_graph(n))
    rows = []
    for vartype in (dimod.SPIN, dimod.BINARY):
        model = bqm.change_vartype(vartype, inplace=False)
        calls = {
            "qestim": lambda model=model: SimulatedAnnealingSampler(
                num_threads=1
            ).sample(model, num_sweeps=1, num_reads=1, seed=1),
            "dwave-samplers": lambda model=model: DWaveSampler().sample(
                model, num_sweeps=1, num_reads=1, seed=1
            ),
        }
        times = alternate(
            {
                who: lambda call=call: cpu_seconds(call)[1]
                for who, call in calls.items()
            },
            1 if quick else 3,
        )
        rows.append(
            {
                "model": f"{vartype.name}, {len(model.quadratic)} couplings",
                **{f"{who} cpu-s": spread(seconds) for who, seconds in times.items()},
                "ratio": ratios(times["qestim"], times["dwave-samplers"]),
            }
        )
    return {"rows": rows, "note": "One read of one sweep."}


def time_to_quality(quick):
    """CPU time to a mean cut of 13350 on G22, and to the best known cut."""
    folder = data_folder()
    if folder is None or quick:
        return {"rows": [], "note": "Not measured: needs G22 and the full run."}
    instance = read_gset(folder / "gset" / "G22.txt")
    bqm, total = as_bqm(instance), instance[3].sum()
    rows = []

    def run(sampler, **parameters):
        answer, seconds = cpu_seconds(lambda: sampler.sample(bqm, **parameters))
        return (total - answer.record.energy) / 2, seconds

    ours, dwave = SimulatedAnnealingSampler(num_threads=1), DWaveSampler()
    schedule = {"beta_schedule_type": "linear", "beta_range": (0.2, 3.0)}
    contest = {
        "qestim, 10000 linear 0.2-3": lambda: run(
            ours, num_reads=64, num_sweeps=10000, **schedule
        ),
        "dwave-samplers, 10000 linear 0.2-3": lambda: run(
            dwave, num_reads=64, num_sweeps=10000, **schedule
        ),
        "qestim, 10000 default range": lambda: run(
            ours, num_reads=64, num_sweeps=10000
        ),
        "dwave-samplers, 5000 default range": lambda: run(
            dwave, num_reads=64, num_sweeps=5000
        ),
    }
    answers = alternate(contest, 3)
    base = [seconds for _, seconds in answers["dwave-samplers, 10000 linear 0.2-3"]]
    for who, results in answers.items():
        cuts = np.concatenate([cuts for cuts, _ in results])
        rows.append(
            {
                "64 reads": who,
                "mean cut": float(cuts.mean()),
                "s.e.": float(cuts.std() / np.sqrt(len(cuts))),
                "best": float(cuts.max()),
                "cpu-s": spread([seconds for _, seconds in results]),
                "cpu over dwave-samplers' best": ratios(
                    [seconds for _, seconds in results], base
                ),
            }
        )
    rows.append(best_known_row(run, ours, schedule))
    return {"rows": rows}


def best_known_row(run, sampler, schedule, best=13359, sweeps=20000):
    """TTS99 of the best known cut, from at least ten hits, with its 95 % interval."""
    hits = reads = 0
    seconds = 0.0
    while hits < 10 and reads < 8192:
        cuts, cost = run(
            sampler, num_reads=256, num_sweeps=sweeps, seed=1000 + reads, **schedule
        )
        hits, reads = hits + int((cuts >= best).sum()), reads + 256
        seconds += cost
    # Clopper-Pearson interval of the success probability of one read.
    low = beta_law.ppf(0.025, hits, reads - hits + 1) if hits else 0.0
    high = beta_law.ppf(0.975, hits + 1, reads - hits)

    def tts(p):
        return seconds / reads * np.log(0.01) / np.log1p(-p) if 0 < p < 1 else np.inf

    return {
        "64 reads": f"qestim, {sweeps} linear 0.2-3: {hits} of {reads} reads reach "
        f"{best}; TTS99 {tts(hits / reads):.2f} cpu-s, 95 % interval "
        f"{tts(high):.2f} to {tts(low):.2f}",
        "best": float(best),
        "cpu-s": seconds,
    }


def import_cost(quick):
    """Milliseconds that `import qestim.samplers` adds to its dependencies."""
    code = (
        "import dimod, sklearn.base, sys, time; t = time.perf_counter()\n"
        "import qestim.samplers\n"
        "print((time.perf_counter() - t) * 1e3, 'torch' in sys.modules)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(3 if quick else 7)
    ]
    return {
        "rows": [
            {
                "import qestim.samplers after dimod and sklearn.base, ms": spread(
                    [float(ms) for ms, _ in runs]
                ),
                "torch imported": str(any(flag == "True" for _, flag in runs)),
            }
        ]
    }
