# SPDX-License-Identifier: Apache-2.0
"""Find the defaults of CIMSampler's models on drawn instances.

The instances are random graphs like G22 and G39, sparse graphs with signs and
complete graphs with signs, all from seeds of their own: none is an instance on which
figures are reported. ``python benchmarks/tune_cim.py [--trials 40] [--models cac cfc]``
prints the present defaults and the best settings of a random search, by the mean
relative distance of the reads' energies to the lowest that annealing found.
"""

import argparse

import dimod
import numpy as np
from _measure import cpu_seconds, pin_core

from qestim.samplers import CIMSampler, SimulatedAnnealingSampler

# What is searched: (low, high) of the last pump, xi, rate, dt and so on.
SPACE = {
    "cac": {
        "dt": (0.06, 0.2),
        "pump": [(-0.5, 1.0), (-1.0, 0.5), (-1.0, 0.0), (-0.5, 0.5), (-2.0, 0.0)],
        "alpha": [1.0, (1.0, 2.0), (1.0, 3.0), (0.5, 2.0)],
        "rate": (0.1, 1.2),
        "xi": (0.25, 1.5),
    },
    "cfc": {
        "dt": (0.06, 0.2),
        "pump": [(-1.0, 1.0), (-1.0, 0.5), (-1.0, 0.0), (-0.5, 0.5), (-2.0, 0.0)],
        "alpha": [0.5, 1.0, 2.0],
        "rate": (0.1, 1.0),
        "xi": (0.2, 1.5),
    },
    "sfc": {
        "dt": (0.06, 0.25),
        "pump": [(-1.0, 1.0), (-1.0, 0.0), (-1.0, 0.5), (-2.0, 0.0), (-3.0, -1.0)],
        "alpha": [(1.0, 3.0), (0.5, 3.0), (1.0, 1.0), (2.0, 4.0)],
        "rate": [(0.3, 0.0), (0.1, 0.0), (0.6, 0.0), (0.2, 0.2), (0.05, 0.05)],
        "xi": (0.3, 1.5),
    },
    "mean_field": {
        "dt": (0.05, 0.4),
        "pump": [(-0.5, 1.5), (0.0, 1.0), (-1.0, 1.0), (-1.0, 0.5), (-2.0, 0.0)],
        "xi": (0.5, 2.0),
        "noise": (0.02, 1.0),
    },
    "wigner": {
        "dt": (0.05, 0.25),
        "pump": [(0.0, 1.0), (0.2, 1.2), (-0.2, 0.8), (0.0, 0.5)],
        "xi": (0.3, 2.0),
        "noise": (0.02, 1.0),
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


def instances(quick):
    """Return the drawn models by name."""
    n = 200 if quick else 800
    half = n // 2
    return {
        "graph": graph(n, n * 10, False, 9001),
        "sparse graph with signs": graph(n, n * 3, True, 9002),
        "complete graph with signs": graph(half, half * (half - 1) // 2, True, 9003),
    }


def draw(space, rng):
    """Draw settings: intervals by their logarithm, lists by lot."""
    return {
        name: choice[rng.integers(len(choice))]
        if isinstance(choice, list)
        else float(np.exp(rng.uniform(np.log(max(choice[0], 1e-3)), np.log(choice[1]))))
        for name, choice in space.items()
    }


def judge(sampler, models, lowest):
    """Return the mean relative distance to the lowest energy and the CPU seconds."""
    gaps, seconds = [], []
    for name, bqm in models.items():
        reads, cpu = cpu_seconds(lambda bqm=bqm: sampler.sample(bqm))
        gaps.append(1 - reads.record.energy.mean() / lowest[name])
        seconds.append(cpu)
    return gaps, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--models", nargs="*", default=list(SPACE))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    pin_core()
    models = instances(asked.quick)
    lowest = {
        name: SimulatedAnnealingSampler(num_reads=64, num_sweeps=4000, seed=1)
        .sample(bqm)
        .first.energy
        for name, bqm in models.items()
    }
    for kind in asked.models:
        rng = np.random.default_rng(5)
        found = []
        for trial in range(asked.trials + 1):
            settings = draw(SPACE[kind], rng) if trial else {}
            sampler = CIMSampler(
                model=kind, num_reads=32, num_steps=asked.steps, seed=2, **settings
            )
            try:
                gaps, seconds = judge(sampler, models, lowest)
            except ValueError:  # dt beyond the stable one
                continue
            row = (
                float(np.mean(gaps)),
                [round(float(gap), 4) for gap in gaps],
                settings,
            )
            found.append(row)
            if not trial:
                print(f"{kind} as it is: {row}, CPU {np.round(seconds, 2)}", flush=True)
        for row in sorted(found, key=lambda row: row[0])[:4]:
            print(f"{kind}: {row}", flush=True)


if __name__ == "__main__":
    main()
