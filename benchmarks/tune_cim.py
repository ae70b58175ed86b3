# SPDX-License-Identifier: Apache-2.0
"""Find the defaults of CIMSampler's models on drawn instances.

The instances are random graphs like G22 and G39, sparse graphs with signs and
complete graphs with signs, all from seeds of their own: none is an instance on which
figures are reported. ``python benchmarks/tune_cim.py [--models cac cfc] [--trials 100]
[--refinements 100]`` searches at random, then around the best, by the mean relative
distance of the reads' energies to the lowest that annealing found; the best of them
and the present defaults are then judged once more on fresh instances and seeds, in
short and in long runs, and written to ``benchmarks/results/tune_cim.json``.
"""

import argparse
import json

import dimod
import numpy as np
from _measure import RESULTS, cpu_seconds, machine, pin_core

from qestim.samplers import CIMSampler, SimulatedAnnealingSampler

# What is searched: one interval for a number, two for the first and the last value.
SPACE = {
    "cac": {
        "dt": [(0.06, 0.2)],
        "pump": [(-3.0, 0.5), (-1.0, 1.5)],
        "alpha": [(0.3, 2.0), (0.5, 4.0)],
        "rate": [(0.1, 1.5), (0.1, 1.5)],
        "xi": [(0.25, 2.0)],
    },
    "cfc": {
        "dt": [(0.06, 0.2)],
        "pump": [(-3.0, 0.5), (-1.0, 1.5)],
        "alpha": [(0.3, 3.0), (0.3, 3.0)],
        "rate": [(0.1, 1.2), (0.0, 1.2)],
        "xi": [(0.2, 2.0)],
    },
    "sfc": {
        "dt": [(0.06, 0.4)],
        "pump": [(-6.0, 1.0), (-3.0, 1.5)],
        "alpha": [(0.1, 4.0), (0.5, 10.0)],
        "rate": [(0.0, 1.5), (0.0, 1.5)],
        "xi": [(0.2, 3.0)],
    },
    "mean_field": {
        "dt": [(0.01, 0.3)],
        "pump": [(-15.0, 1.0), (-3.0, 2.0)],
        "xi": [(0.5, 12.0)],
        "noise": [(0.0, 4.0)],
        "ramp": [(0.6, 1.0)],
    },
    "wigner": {
        "dt": [(0.03, 0.3)],
        "pump": [(-1.5, 1.0), (0.0, 2.0)],
        "xi": [(0.2, 3.0)],
        "noise": [(0.0, 1.2)],
        "ramp": [(0.6, 1.0)],
    },
}


def graph(n, num_edges, signs, seed):
    """Draw a graph with weights 1 or +-1 as an Ising model whose ground is a cut."""
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    kept = rng.choice(len(row), num_edges, replace=False)
    weights = rng.choice([-1.0, 1.0], num_edges) if signs else np.ones(num_edges)
    return dimod.BQM.from_numpy_vectors(
        np.zeros(n), (row[kept], col[kept], weights), 0.0, dimod.SPIN
    )


def instances(quick, seed):
    """Draw the models, by name."""
    n = 200 if quick else 800
    half = n // 2
    return {
        "graph": graph(n, n * 10, False, seed),
        "sparse graph with signs": graph(n, n * 3, True, seed + 1),
        "complete graph with signs": graph(
            half, half * (half - 1) // 2, True, seed + 2
        ),
    }


def lowest_energies(models):
    """Anneal long: the yardstick of each model."""
    sampler = SimulatedAnnealingSampler(num_reads=64, num_sweeps=4000, seed=1)
    return {name: sampler.sample(bqm).first.energy for name, bqm in models.items()}


def settings_of(space, point):
    """Map a point of the unit cube to settings."""
    settings, at = {}, 0
    for name, intervals in space.items():
        values = [
            round(float(low + (high - low) * point[at + k]), 3)
            for k, (low, high) in enumerate(intervals)
        ]
        at += len(intervals)
        settings[name] = values[0] if len(values) == 1 else tuple(values)
    return settings


def judge(kind, settings, models, lowest, steps, seed):
    """Return the relative distances to the lowest energies and the CPU seconds."""
    sampler = CIMSampler(
        model=kind, num_reads=32, num_steps=steps, seed=seed, num_threads=1, **settings
    )
    gaps, seconds = {}, 0.0
    for name, bqm in models.items():
        reads, cpu = cpu_seconds(lambda bqm=bqm: sampler.sample(bqm))
        gaps[name] = float(1 - reads.record.energy.mean() / lowest[name])
        seconds += cpu
    return gaps, seconds


def search(kind, asked):
    """Return the best settings of a random search and of steps around its best."""
    models = instances(asked.quick, 9001)
    lowest = lowest_energies(models)
    space = SPACE[kind]
    size = sum(len(intervals) for intervals in space.values())
    rng = np.random.default_rng(5)
    found = []
    for trial in range(asked.trials + asked.refinements):
        point = rng.random(size)
        if trial >= asked.trials:
            found.sort(key=lambda row: row[0])
            centre = found[rng.integers(min(4, len(found)))][1]
            moved = rng.random(size) < 0.5
            point = np.clip(centre + 0.12 * moved * rng.standard_normal(size), 0, 1)
        try:
            gaps, _ = judge(
                kind, settings_of(space, point), models, lowest, asked.steps, 2
            )
        except ValueError:  # dt beyond the stable one
            continue
        found.append((float(np.mean(list(gaps.values()))), point))
    found.sort(key=lambda row: row[0])
    return [settings_of(space, point) for _, point in found[:3]]


def confirm(kind, candidates, asked):
    """Judge the present defaults and the candidates on fresh instances and seeds."""
    models = instances(asked.quick, 9101)
    lowest = lowest_energies(models)
    rows = []
    for settings in ({}, *candidates):
        for steps in (asked.steps, 5 * asked.steps):
            gaps, seconds = judge(kind, settings, models, lowest, steps, 3)
            rows.append(
                {
                    "settings": settings or "present defaults",
                    "steps": steps,
                    "mean gap": float(np.mean(list(gaps.values()))),
                    **gaps,
                    "cpu-s": seconds,
                }
            )
            print(kind, rows[-1], flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--refinements", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--models", nargs="*", choices=SPACE, default=list(SPACE))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    pin_core()
    path = RESULTS / ("tune_cim_quick.json" if asked.quick else "tune_cim.json")
    report = json.loads(path.read_text()) if path.exists() else {"models": {}}
    report["machine"] = machine(())
    for kind in asked.models:
        report["models"][kind] = confirm(kind, search(kind, asked), asked)
        path.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
