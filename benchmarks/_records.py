# SPDX-License-Identifier: Apache-2.0
"""The best cut of the K2000-like instance, by stated calls of the samplers."""

import numpy as np
from _annealing import as_bqm, complete_graph
from _measure import cpu_seconds, data_folder
from scipy.stats import beta as beta_law

from qestim.samplers import (
    CIMSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
)

BEST = 34240
CALLS = (
    SimulatedBifurcationSampler(dt=0.5, num_steps=40000, num_reads=384),
    SimulatedBifurcationSampler(dt=1.25, num_steps=10000, num_reads=384),
    SimulatedAnnealingSampler(beta_range=(0.01, 0.3), num_sweeps=50000, num_reads=256),
    CIMSampler(model="cfc", num_steps=16000, num_reads=32),
)


def k2000(quick):
    """Best cut, hits and time to solution of each call."""
    if quick or data_folder() is None:
        instance, best, share = complete_graph(100), None, 100
    else:
        instance, best, share = complete_graph(2000), BEST, 1
    bqm, total = as_bqm(instance), instance[3].sum()
    results = []
    for sampler in CALLS:
        steps = "num_sweeps" if "num_sweeps" in sampler.parameters else "num_steps"
        settings = {
            "num_reads": max(8, sampler.num_reads // share),
            steps: getattr(sampler, steps) // share,
        }
        answer, seconds = cpu_seconds(
            lambda sampler=sampler, settings=settings: sampler.sample(
                bqm, seed=1, num_threads=1, **settings
            )
        )
        results.append((sampler, (total - answer.record.energy) / 2, seconds))
    if best is None:
        best = max(cuts.max() for _, cuts, _ in results)
    rows = [_row(sampler, cuts, seconds, best) for sampler, cuts, seconds in results]
    return {
        "rows": rows,
        "note": f"n = {instance[0]}, each call with seed=1 and num_threads=1. Hits: "
        f"reads with a cut of at least {best:.0f}. TTS99: CPU seconds to a hit with 99 "
        "% chance at this length of run, 95 % interval of Clopper and Pearson; not "
        "given below ten hits.",
    }


def _row(sampler, cuts, seconds, best):
    hits, reads = int((cuts >= best).sum()), len(cuts)
    return {
        "call": repr(sampler).replace("\n", " ").replace("  ", ""),
        "best": float(cuts.max()),
        "mean": float(cuts.mean()),
        "hits": f"{hits} of {reads}",
        "cpu-s": seconds,
        "TTS99, cpu-s": _tts(hits, reads, seconds / reads) if hits > 9 else "",
    }


def _tts(hits, reads, seconds):
    low = beta_law.ppf(0.025, hits, reads - hits + 1)
    high = beta_law.ppf(0.975, hits + 1, reads - hits) if hits < reads else 1.0
    times = [
        seconds * max(1.0, np.log(0.01) / np.log1p(-p)) if p < 1 else seconds
        for p in (hits / reads, high, low)
    ]
    return "{:.3g} ({:.3g} to {:.3g})".format(*times)
