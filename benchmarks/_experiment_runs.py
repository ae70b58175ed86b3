# SPDX-License-Identifier: Apache-2.0
"""Every contestant on a task, seed by seed, and what that comes to."""

import json
import time

import numpy as np
from _experiment_players import PLAYERS, ours
from _experiment_tasks import TASKS
from _measure import RESULTS
from _paired import plus_minus

REFERENCE = "ours, gp"


def figures(play, task, seeds, n_runs):
    """Return the figure after each run, shape (seeds, n_runs), and seconds a run."""
    begun, found = time.process_time(), []
    for seed in range(seeds):
        points = play(task, seed, n_runs)
        found.append(task.figure([task.true(u) for u in points]))
    return np.array(found), (time.process_time() - begun) / seeds / n_runs


def archived(kind, n_runs):
    """Return what M-LOOP did, from `_mloop_peer.py`; None where it did not run."""
    path = RESULTS / "experiments_mloop.json"
    if not path.exists():
        return None
    runs = json.loads(path.read_text())["runs"]
    task = TASKS["cooling, 8 parameters"]
    # By seed: differences to ours are paired.
    theirs = sorted((r for r in runs if r["kind"] == kind), key=lambda r: r["seed"])
    found = np.array([task.figure(run["true"])[:n_runs] for run in theirs])
    return found, sum(run["cpu_seconds"] for run in theirs) / found.size


def first_at(found, share):
    """Return the median number of runs to a share of the best, "more than" if never."""
    reached = np.where(
        (found >= share).any(1), (found >= share).argmax(1) + 1.0, np.inf
    )
    median = float(np.median(reached))
    return median if np.isfinite(median) else f"over {found.shape[1]}"


def paired(found, reference, at):
    """Write the difference of the contestant to ours after so many runs."""
    n = min(len(found), len(reference))
    return plus_minus(found[:n, at] - reference[:n, at])


def row(name, found, reference, seconds, marks):
    last = min(found.shape[1], reference.shape[1]) - 1
    middle = min(59, last)
    return {
        "contestant": name,
        "seeds": len(found),
        "runs to 0.9": first_at(found, 0.9),
        **{f"at {mark}": float(found[:, mark - 1].mean()) for mark in marks},
        f"minus ours, gp, at {middle + 1}": paired(found, reference, middle),
        f"minus ours, gp, at {last + 1}": paired(found, reference, last),
        "CPU s a run": seconds,
    }


def play(title):
    """Return a section: all contestants on one task."""
    cooling = title.startswith("cooling")
    mloop = title == "cooling, 8 parameters"

    def section(quick):
        task = TASKS[title]
        seeds, length = (1, task.d + 6) if quick else (10, 100 if cooling else 60)
        shown = [mark for mark in (20, 40, 60, 100) if mark <= length] or [length]
        results = {
            name: figures(player, task, seeds, length)
            for name, player in PLAYERS.items()
        }
        if mloop and not quick:
            for kind in ("gp", "nn"):
                results[f"M-LOOP, {kind}"] = archived(kind, length)
        reference = results[REFERENCE][0]
        rows = [
            row(name, found, reference, seconds, shown)
            for name, (found, seconds) in results.items()
        ]
        note = (
            "The share of the best atoms, by the noiseless score of the best setting "
            "run so far. "
            if cooling
            else "The share of the way from the median of uniform points to the best, "
            "by the noiseless value of the best setting run so far. "
        )
        note += "Differences are paired by seed, with 95 % intervals."
        if mloop:
            note += (
                " M-LOOP ran in its own environment; its seconds hold the simulator."
            )
        return {"rows": rows, "note": note}

    return section


def long_run(quick):
    """Ours on the cooling experiment to 300 runs."""
    task = TASKS["cooling, 8 parameters"]
    seeds, length = (1, 20) if quick else (5, 300)
    found, seconds = figures(ours("gp"), task, seeds, length)
    marks = [mark for mark in (20, 100, 200, 300) if mark <= length]
    return {
        "rows": [
            {
                "contestant": REFERENCE,
                "seeds": seeds,
                "runs to 0.9": first_at(found, 0.9),
                "runs to 0.95": first_at(found, 0.95),
                "runs to 0.99": first_at(found, 0.99),
                **{f"at {mark}": float(found[:, mark - 1].mean()) for mark in marks},
                **{
                    f"median at {mark}": float(np.median(found[:, mark - 1]))
                    for mark in marks[-1:]
                },
                "CPU s a run": seconds,
            }
        ],
        "note": "",
    }


def ablation(quick):
    """Return whether the queries of the ensemble do the work."""
    task = TASKS["cooling, 8 parameters"]
    seeds, length = (1, 20) if quick else (10, 60)
    results = {
        name: figures(ours("ensemble", how, batch=4), task, seeds, length)
        for name, how in {
            "mean + kappa disagreement": "auto",
            "disagreement": "explore",
            "exploit only": "exploit",
            "random": "random",
        }.items()
    }
    reference = results["mean + kappa disagreement"][0]
    rows = [
        {
            "queries": name,
            "seeds": seeds,
            "at 20": float(found[:, 19].mean()),
            f"at {length}": float(found[:, -1].mean()),
            "minus the first": paired(found, reference, length - 1),
        }
        for name, (found, _) in results.items()
    ]
    return {"rows": rows, "note": "The same ensemble, in batches of four."}
