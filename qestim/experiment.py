# SPDX-License-Identifier: Apache-2.0
"""Runs an experiment that exchanges files in the way of M-LOOP.

``python -m qestim.experiment --config exp_config.txt`` writes the next setting to
``exp_input.txt`` and waits for ``exp_output.txt`` with ``cost`` and, if known,
``uncer`` and ``bad``. Every outcome is kept in a record at once; started again, it goes
on from there. See docs/guide/experiments.md.
"""

import argparse
import os
import pathlib
import sys
import time

import numpy as np

from qestim.estimators import ExperimentOptimizer
from qestim.estimators._experiment_archive import read_mloop_text

_KNOWN = (
    "num_params",
    "min_boundary",
    "max_boundary",
    "param_names",
    "max_num_runs",
    "target_cost",
    "max_num_runs_without_better_params",
)
_SETTLED = 1.0  # seconds without a change after which a file counts as written


def read_config(path):
    """Read M-LOOP's configuration file as far as it concerns the experiment.

    Parameters
    ----------
    path : str or path-like
        The file, lines of ``key = value``.

    Returns
    -------
    space : dict of str to (float, float)
        Parameters and bounds.
    limits : dict of str to float
        ``max_num_runs``, ``target_cost`` and ``max_num_runs_without_better_params``,
        infinite where not given.
    ignored : list of str
        Other keys of the file; they are M-LOOP's own affair.

    Raises
    ------
    ValueError
        If the bounds are missing or do not fit together.
    """
    found = read_mloop_text(pathlib.Path(path).read_text(encoding="utf-8"), str(path))
    for key in ("min_boundary", "max_boundary"):
        if key not in found:
            raise ValueError(f"{path} needs {key}, a list with a number a parameter.")
    low, high = found["min_boundary"], found["max_boundary"]
    names = found.get("param_names") or [f"x{i}" for i in range(len(low))]
    if not len(low) == len(high) == len(names) == found.get("num_params", len(low)):
        raise ValueError(
            f"{path}: num_params, min_boundary, max_boundary and param_names must have "
            f"one length. Got {found.get('num_params', len(low))}, {len(low)}, "
            f"{len(high)} and {len(names)}."
        )
    limits = {
        "max_num_runs": found.get("max_num_runs", np.inf),
        "target_cost": found.get("target_cost", -np.inf),
        "max_num_runs_without_better_params": found.get(
            "max_num_runs_without_better_params", np.inf
        ),
    }
    space = dict(zip(names, zip(low, high, strict=True), strict=True))
    return space, limits, [key for key in found if key not in _KNOWN]


def exchange(folder, values, timeout, poll=0.05):
    """Hand a setting to the experiment and wait for its answer.

    Parameters
    ----------
    folder : path-like
        Where ``exp_input.txt`` is written and ``exp_output.txt`` appears; the latter
        is removed once read.
    values : sequence of float
        The setting.
    timeout : float
        Seconds to wait at most.
    poll : float, default=0.05
        Seconds between two looks.

    Returns
    -------
    outcome : dict
        ``y`` (the cost, None if bad), ``sigma`` (None where not given) and ``bad``.

    Raises
    ------
    TimeoutError
        If no answer came in time.
    ValueError
        If the answer has been there for a second and still makes no sense.
    """
    folder = pathlib.Path(folder)
    answer = folder / "exp_output.txt"
    written = folder / "exp_input.txt.new"
    numbers = ", ".join(repr(float(value)) for value in values)
    written.write_text(f"params = array([{numbers}])\n", encoding="utf-8")
    os.replace(written, folder / "exp_input.txt")
    end = time.monotonic() + timeout
    while True:
        if answer.exists():
            try:
                outcome = _read_answer(answer.read_text(encoding="utf-8"))
            except ValueError:
                # Perhaps half written: an error only once it no longer changes.
                if time.time() - answer.stat().st_mtime > _SETTLED:
                    raise
            else:
                answer.unlink()
                return outcome
        if time.monotonic() > end:
            raise TimeoutError(
                f"No {answer} within {timeout:g} s. The setting stays pending: start "
                "again with the same record, or raise --timeout."
            )
        time.sleep(poll)


def _read_answer(text):
    found = read_mloop_text(text, "exp_output.txt")
    bad = bool(found.get("bad", False))
    if not bad and "cost" not in found:
        raise ValueError("exp_output.txt must give 'cost = ...', or 'bad = True'.")
    sigma = None if bad else found.get("uncer")
    return {"y": None if bad else found["cost"], "sigma": sigma or None, "bad": bad}


def run(optimizer, folder, limits, timeout, report=print):
    """Exchange files with the experiment until a limit is reached.

    Parameters
    ----------
    optimizer : ExperimentOptimizer
        It minimises; a pending setting of an earlier start is handed out first.
    folder : path-like
        Where the files are exchanged.
    limits : dict of str to float
        As of `read_config`.
    timeout : float
        Seconds to wait for an answer at most.
    report : callable, default=print
        Takes a line of progress.
    """
    while len(optimizer.y_) < limits["max_num_runs"]:
        x = optimizer.pending_[0] if optimizer.pending_ else optimizer.ask()
        outcome = exchange(folder, x.values(), timeout)
        optimizer.tell(x, **outcome)
        costs = np.where(optimizer.bad_, np.inf, optimizer.y_)
        report(f"run {len(costs)}: cost {outcome['y']}, best {costs.min():g}")
        since = len(costs) - 1 - int(np.argmin(costs))
        if costs.min() <= limits["target_cost"]:
            break
        if since >= limits["max_num_runs_without_better_params"]:
            break


def main(arguments=None):
    """Read the command line and run.

    Parameters
    ----------
    arguments : list of str, default=None
        The command line; None takes the program's.

    Returns
    -------
    status : int
        0 after a limit was reached, 1 if the experiment did not answer.
    """
    parser = argparse.ArgumentParser(
        prog="python -m qestim.experiment", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--config", default="exp_config.txt", help="M-LOOP's file")
    parser.add_argument("--folder", default=".", help="where files are exchanged")
    parser.add_argument("--record", default="experiment.json", help="kept after a run")
    parser.add_argument("--archive", help="archive of M-LOOP with runs to begin from")
    parser.add_argument("--surrogate", choices=("gp", "ensemble"), default="gp")
    parser.add_argument("--seed", type=int, help="of the queries")
    parser.add_argument(
        "--timeout", type=float, default=3600.0, help="seconds to wait for an answer"
    )
    asked = parser.parse_args(arguments)
    space, limits, ignored = read_config(asked.config)
    if ignored:
        print(f"Not used from {asked.config}: {', '.join(ignored)}.")
    if pathlib.Path(asked.record).exists():
        optimizer = ExperimentOptimizer.load(asked.record)
        print(f"Going on from {asked.record}: {len(optimizer.y_)} runs.")
    else:
        options = {
            "surrogate": asked.surrogate,
            "random_state": asked.seed,
            "maximize": False,
            "path": asked.record,
        }
        if asked.archive:
            optimizer = ExperimentOptimizer.from_mloop(
                asked.archive, space=space, **options
            )
        else:
            optimizer = ExperimentOptimizer(space, **options)
    try:
        run(optimizer, asked.folder, limits, asked.timeout)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 1
    if not optimizer.bad_.all():
        best = optimizer.best_
        print(f"Best: {best.x}, cost {best.mean:g} +/- {best.std:g}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
