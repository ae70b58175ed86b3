# SPDX-License-Identifier: Apache-2.0
"""Why feedback models fall behind on a torus: they start before their pump does.

Below threshold x is small, so e grows like exp(rate alpha t) until the feedback alone
starts the machine, whatever the pump. A colder pump, a lower rate or a lower target
delays this. The instances are drawn; none is one of the league.
"""

import dimod
import numpy as np
from _annealing import as_bqm, random_graph
from _measure import cpu_seconds
from scipy.spatial import Delaunay

from qestim.samplers import CIMSampler, SimulatedAnnealingSampler

LAST_PUMP = {"cac": 0.5, "cfc": 0.0}
STARTS = (-1.0, -2.0, -3.0, -4.0, -6.0)


def settings(machine):
    """Return the settings to compare; the first is the default."""
    pumps = {f"pump from {p:g}": {"pump": (p, LAST_PUMP[machine])} for p in STARTS}
    return {
        "defaults": {},
        **pumps,
        "rate 0.1": {"rate": 0.1},
        "alpha 0.5": {"alpha": 0.5},
    }


def torus(height, width, seed):
    """Draw couplings of +1 and -1 between neighbours on a torus."""
    rng = np.random.default_rng(seed)
    site = np.arange(height * width).reshape(height, width)
    row = np.concatenate([site.ravel(), site.ravel()])
    col = np.concatenate([np.roll(site, -1, axis).ravel() for axis in (0, 1)])
    weight = rng.choice([-1.0, 1.0], len(row))
    return dimod.BQM.from_numpy_vectors(
        np.zeros(site.size), (row, col, weight), 0.0, dimod.SPIN
    )


def planar(n, seed):
    """Draw the union of two planar triangulations of n points, weights 1."""
    rng, edges = np.random.default_rng(seed), set()
    for _ in range(2):
        corners = Delaunay(rng.random((n, 2))).simplices
        for a, b in ((0, 1), (1, 2), (0, 2)):
            edges |= {tuple(sorted(pair)) for pair in corners[:, [a, b]].tolist()}
    row, col = np.array(sorted(edges)).T
    return as_bqm((n, row, col, np.ones(len(row))))


def run(quick):
    """Measure; quick takes short reads."""
    models = {
        "torus 25 x 40, +-1": torus(25, 40, 7),
        "planar union, 800": planar(800, 8),
        "dense graph (200, 9950)": as_bqm(random_graph(200, 9950, 4)),
        "random graph (1000, 10000)": as_bqm(random_graph(1000, 10000, 7)),
    }
    num_steps, rows = 500 if quick else 10_000, []
    for name, bqm in models.items():
        annealing = SimulatedAnnealingSampler(
            num_reads=64, num_sweeps=10 * num_steps, num_threads=1, seed=1
        )
        lowest = annealing.sample(bqm).first.energy
        for machine in LAST_PUMP:
            for text, changes in settings(machine).items():
                sampler = CIMSampler(
                    model=machine,
                    num_reads=32,
                    num_steps=num_steps,
                    num_threads=1,
                    seed=3,
                    **changes,
                )
                reads, seconds = cpu_seconds(lambda s=sampler, b=bqm: s.sample(b))
                gaps = 100 * (1 - reads.record.energy / lowest)
                rows.append(
                    {
                        "instance": name,
                        "model": machine,
                        "settings": text,
                        "mean gap, % of the energy": float(gaps.mean()),
                        "s.e.": float(gaps.std(ddof=1) / len(gaps) ** 0.5),
                        "CPU s": seconds,
                    }
                )
    return {
        "rows": rows,
        "note": f"32 reads of {num_steps} steps; gaps to the lowest energy of 64 long "
        "anneals. One change to the defaults at a time.",
    }
