# SPDX-License-Identifier: Apache-2.0
"""Every instance by every sampler at equal CPU time: the rows of the league."""

import numpy as np
import scipy.stats
from _league_instances import BEST_KNOWN, drawn, instances
from _league_samplers import ANNEALING, contestants
from _measure import cpu_seconds, data_folder

from qestim._success import FEW_HITS, success_interval, time_to_solution

MINUS = "mean gap minus annealing's [95 %]"


def play(contestant, bqm, seconds):
    """Return (length, energies, CPU seconds); None where the method does not fit.

    The seconds are those beyond the fixed cost, that of a call of the shortest length:
    reading the model and writing the reads, which other rows compare.
    """
    if len(bqm) > contestant.most_spins:
        return None

    def call(length, seed=100):
        return cpu_seconds(lambda: contestant.call(bqm, length, contestant.reads, seed))

    length = contestant.shortest
    call(length)  # the first call of all pays for imports
    fixed, spent = call(length)[1], 0.0
    while spent < seconds / 12:
        length *= 4
        spent = call(length, seed=1)[1] - fixed
    # Once more where the time of a step was not that of the short calls.
    for _ in range(3):
        length = max(contestant.shortest, round(length * seconds / spent))
        if length < contestant.least:
            return None
        energies, total = call(length)
        spent = max(total - fixed, 1e-3)
        if 0.8 < spent / seconds < 1.25 or length == contestant.shortest:
            break
    return length, energies, spent


def relative_gaps(values, best):
    """Return the gaps in percent; those of rounding become zero."""
    return np.round(100 * (best - values) / abs(best), 9)


def interval(value, low, high):
    """An estimate and the ends of its interval, in the form of a spread."""
    return {"mean": float(value), "min": float(low), "max": float(high)}


def difference(gaps, reference):
    """Return the difference of two means with Welch's 95 % interval."""
    samples = gaps, reference
    gap = gaps.mean() - reference.mean()
    parts = np.array([sample.var(ddof=1) / len(sample) for sample in samples])
    if parts.sum() == 0:
        return interval(gap, gap, gap)
    freedom = parts.sum() ** 2 / sum(parts**2 / (np.array([*map(len, samples)]) - 1))
    half = scipy.stats.t.ppf(0.975, freedom) * parts.sum() ** 0.5
    return interval(gap, gap - half, gap + half)


def row_of(instance, name, result, best, annealed):
    """One row of the table; the gaps are in percent of the best value."""
    row = {"instance": instance.name, "spins": len(instance.bqm), "sampler": name}
    if result is None:
        return row
    length, energies, seconds = result
    values = instance.values(energies)
    gaps = relative_gaps(values, best)
    reads = len(values)
    hits = int((gaps <= 0).sum())
    time = "not reached" if hits == 0 else f"too few hits ({hits})"
    if hits >= FEW_HITS:
        time = interval(*time_to_solution(hits, reads, seconds))
    return {
        **row,
        "reads": reads,
        "length": length,
        "CPU s": round(seconds, 2),
        "best": float(values.max()),
        "mean": float(values.mean()),
        "gap of best, %": float(gaps.min()),
        "gap of mean, %": float(gaps.mean()),
        "success [95 %]": interval(hits / reads, *success_interval(hits, reads)),
        "TTS99, s [95 %]": time,
        MINUS: "" if name == ANNEALING else difference(gaps, annealed),
    }


def compete(instance, everyone, seconds):
    """Return the rows of one instance."""
    played = {one.name: play(one, instance.bqm, seconds) for one in everyone}
    values = {
        name: instance.values(result[1]) for name, result in played.items() if result
    }
    seen = max(value.max() for value in values.values())
    best = float(max(BEST_KNOWN.get(instance.name, -np.inf), seen))
    annealed = relative_gaps(values[ANNEALING], best)
    print(f"  {instance.name}: {seen:g} of {best:g}", flush=True)
    return [
        {**row_of(instance, name, result, best, annealed), "best known": best}
        for name, result in played.items()
    ]


def run(quick):
    """Measure; quick takes small drawn instances and little time a cell."""
    folder = data_folder()
    seconds = 0.1 if quick else 2.0
    field = drawn() if quick or folder is None else instances(folder)
    everyone = contestants()
    return {
        "rows": [row for one in field for row in compete(one, everyone, seconds)],
        "note": "Each sampler with its own defaults; the length of its reads (sweeps, "
        "steps, for tabu milliseconds) is fitted so that all of them take "
        f"{seconds:g} CPU seconds together, within a quarter, beyond a call of the "
        "shortest length (tabu goes by the wall clock and took up to twice the time). "
        "Larger values are better: cuts, minus the energies of SK512, the objectives "
        "of the binary programmes. Gaps in percent of the best known value (the best "
        "seen where this run beat it, and for SK512). Success: reads at the best "
        "value, with Clopper and Pearson's interval. TTS99 from "
        f"{FEW_HITS} hits on. Differences of mean gaps in percentage points, Welch's "
        "interval over the reads. An empty row: the method does not finish its ramp "
        "in the time, or the model is too large for it.",
    }


def longer(quick):
    """Measure once more where the time above is too short for the bounds."""
    folder = data_folder()
    seconds = 0.2 if quick else 20.0
    field = drawn() if quick or folder is None else instances(folder)
    field = [one for one in field if one.name in ("G22", "G81", "drawn graph")]
    names = (ANNEALING, "dSB", "cac", "cfc")
    everyone = [one for one in contestants() if one.name in names]
    return {
        "rows": [row for one in field for row in compete(one, everyone, seconds)],
        "note": f"As above, {seconds:g} CPU seconds a row.",
    }
