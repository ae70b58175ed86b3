# SPDX-License-Identifier: Apache-2.0
"""Runs an experiment that exchanges files in the way of M-LOOP.

``python -m qestim.experiment --config exp_config.txt`` writes the next setting to
``exp_input.txt`` and waits for ``exp_output.txt`` with ``cost`` and, if known,
``uncer`` and ``bad``. An answer is kept as ``exp_output.N.txt``, N the runs so far,
until the record has it: killed at any time and started again, the program goes on from
there, and no answer is lost or taken for another run's. See docs/guide/experiments.md.
"""

import argparse
import math
import os
import pathlib
import sys
import time

import numpy as np

from qestim.estimators import ExperimentOptimizer
from qestim.estimators._experiment_archive import read_mloop_text
from qestim.estimators._experiment_space import Space

_KNOWN = (
    "num_params",
    "min_boundary",
    "max_boundary",
    "param_names",
    "max_num_runs",
    "target_cost",
    "max_num_runs_without_better_params",
)
# Seconds without a change after which an answer counts as written: one that ends with
# its line, and any other.
_STILL, _SETTLED = 0.1, 1.0


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
        if not isinstance(found[key], list):
            raise ValueError(
                f"{path}: {key} must be a list with a number a parameter. Got "
                f"{found[key]!r}."
            )
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


def exchange(folder, values, timeout, number=0, poll=0.05):
    """Hand a setting to the experiment and wait for its answer.

    Parameters
    ----------
    folder : path-like
        Where ``exp_input.txt`` is written and ``exp_output.txt`` appears.
    values : sequence of float
        The setting.
    timeout : float
        Seconds to wait at most.
    number : int, default=0
        Runs before this one. Once read, the answer is kept as ``exp_output.N.txt``; one
        that is there already, from a program that was killed, is taken without asking.
    poll : float, default=0.05
        Seconds between two looks.

    Returns
    -------
    outcome : dict
        ``y`` (the cost, None if bad), ``sigma`` (None where not given) and ``bad``. A
        cost that is not finite means a bad run, as in archives.

    Raises
    ------
    TimeoutError
        If no answer came in time.
    ValueError
        If the answer has been there for a second and still makes no sense.
    """
    folder = pathlib.Path(folder)
    answer, kept = folder / "exp_output.txt", folder / f"exp_output.{number}.txt"
    if kept.exists():
        return _read_answer(kept.read_text(encoding="utf-8"))
    written = folder / "exp_input.txt.new"
    numbers = ", ".join(repr(float(value)) for value in values)
    written.write_text(f"params = array([{numbers}])\n", encoding="utf-8")
    os.replace(written, folder / "exp_input.txt")
    begun = since = time.monotonic()
    seen = None
    while True:
        data = answer.read_bytes() if answer.exists() else None
        now = time.monotonic()
        if data != seen:
            seen, since = data, now
        # The rest of it may be on its way, even where this much makes sense.
        needed = _STILL if data and data.endswith(b"\n") else _SETTLED
        if data is not None and now - since >= needed:
            try:
                outcome = _read_answer(data.decode("utf-8"))
            except ValueError:
                if now - since >= _SETTLED:
                    raise
            else:
                os.replace(answer, kept)
                return outcome
        if now - begun > timeout:
            raise TimeoutError(
                f"No whole {answer} within {timeout:g} s. The setting stays pending: "
                "start again with the same record, or raise --timeout."
            )
        time.sleep(poll)


def _read_answer(text):
    found = read_mloop_text(text, "exp_output.txt")
    bad, cost = bool(found.get("bad", False)), found.get("cost")
    sigma = found.get("uncer", 0.0)
    if not bad and not isinstance(cost, int | float):
        raise ValueError(
            "exp_output.txt must give 'cost = ...', a number, or 'bad = True'. Got "
            f"{cost!r}."
        )
    if not isinstance(sigma, int | float) or sigma < 0:
        raise ValueError(
            "exp_output.txt must give 'uncer' as a number of at least 0. Got "
            f"{sigma!r}."
        )
    bad = bad or not math.isfinite(cost)
    known = not bad and math.isfinite(sigma) and sigma > 0
    return {
        "y": None if bad else float(cost),
        "sigma": float(sigma) if known else None,
        "bad": bad,
    }


def run(optimizer, folder, limits, timeout, report=print):
    """Exchange files with the experiment until a limit is reached.

    Parameters
    ----------
    optimizer : ExperimentOptimizer
        It minimises; a pending setting of an earlier start is handed out first.
    folder : path-like
        Where the files are exchanged.
    limits : dict of str to float
        As of `read_config`; all runs of the record count, those of an archive too.
    timeout : float
        Seconds to wait for an answer at most.
    report : callable, default=print
        Takes a line of progress.
    """
    folder = pathlib.Path(folder)
    while not _reached(limits, _costs(optimizer)):
        number = len(optimizer.y_)
        if optimizer.pending_:
            x = optimizer.pending_[0]
        else:
            for name in ("exp_output.txt", f"exp_output.{number}.txt"):
                if (folder / name).exists():
                    os.replace(folder / name, folder / "exp_output.unasked.txt")
                    report(f"{name} answers nothing: kept as exp_output.unasked.txt")
            x = optimizer.ask()
        outcome = exchange(folder, x.values(), timeout, number)
        optimizer.tell(x, **outcome)
        (folder / f"exp_output.{number}.txt").unlink()
        cost = "bad" if outcome["bad"] else f"cost {outcome['y']:g}"
        report(f"run {number + 1}: {cost}, best {_costs(optimizer).min():g}")


def _costs(optimizer):
    return np.where(optimizer.bad_, np.inf, optimizer.y_)


def _reached(limits, costs):
    """Return whether a limit says that these costs are enough."""
    if len(costs) >= limits["max_num_runs"]:
        return True
    if len(costs) == 0:
        return False
    since = len(costs) - 1 - int(np.argmin(costs))
    return bool(
        costs.min() <= limits["target_cost"]
        or since >= limits["max_num_runs_without_better_params"]
    )


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

    Raises
    ------
    SystemExit
        If the arguments do not fit each other.
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
        if optimizer.maximize or optimizer.space != Space(space).specs:
            parser.error(
                f"{asked.record} is the record of another experiment: it "
                f"{'maximises' if optimizer.maximize else 'minimises'} over "
                f"{optimizer.space}, not the cost over {space}. Give another --record."
            )
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
