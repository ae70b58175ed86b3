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

from qestim.samplers import CIMSampler, SimulatedAnnealingSampler

SETTINGS = {
    "defaults": {},
    "pump from -4": {"pump": (-4.0, 0.0)},
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


def run(quick):
    """Measure; quick takes short reads."""
    models = {
        "torus 25 x 40, +-1": torus(25, 40, 7),
        "random graph (1000, 10000)": as_bqm(random_graph(1000, 10000, 7)),
    }
    num_steps, rows = 500 if quick else 10_000, []
    for name, bqm in models.items():
        annealing = SimulatedAnnealingSampler(
            num_reads=64, num_sweeps=10 * num_steps, num_threads=1, seed=1
        )
        lowest = annealing.sample(bqm).first.energy
        for machine in ("cac", "cfc"):
            for text, settings in SETTINGS.items():
                sampler = CIMSampler(
                    model=machine,
                    num_reads=32,
                    num_steps=num_steps,
                    num_threads=1,
                    seed=3,
                    **settings,
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
