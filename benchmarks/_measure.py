# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: one pinned core, CPU seconds, rounds, and the files."""

import argparse
import importlib
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import platform
import statistics
import time

import numpy as np

import qestim
from qestim import _native

RESULTS = pathlib.Path(__file__).parent / "results"


def pin_core():
    """Keep this process on one core, so that CPU seconds compare."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def cpu_seconds(call):
    """Run call once: its answer and the CPU seconds of this process for it."""
    start = time.process_time()
    answer = call()
    return answer, time.process_time() - start


def alternate(contestants, rounds):
    """Run every contestant once a round, in turn: {name: list of answers}."""
    answers = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            answers[name].append(call())
    return answers


def spread(values):
    """Mean, least and greatest of some figures."""
    values = [float(value) for value in values]
    return {
        "mean": statistics.fmean(values),
        "min": min(values),
        "max": max(values),
    }


def ratios(ours, theirs):
    """Spread of ours / theirs, round by round."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def data_folder():
    """Return the folder of real benchmark data, or None where there is none."""
    folder = os.environ.get("QESTIM_DATA")
    return pathlib.Path(folder) if folder and pathlib.Path(folder).is_dir() else None


def read_gset(path):
    """Read a Max-Cut instance: (n, row, col, weight)."""
    tokens = path.read_text().split("\n", 1)
    n, num_edges = (int(token) for token in tokens[0].split()[:2])
    table = np.array(tokens[1].split(), dtype=float).reshape(-1, 3)
    if len(table) != num_edges:
        raise ValueError(f"{path} has {len(table)} edges, its header says {num_edges}.")
    ends = table[:, :2].astype(np.int32) - 1
    return n, ends[:, 0], ends[:, 1], table[:, 2]


def machine(peers):
    """Return what the figures depend on: processor, kernels, versions of packages."""
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    cpu = line.split(":", 1)[1].strip()
                    break
    packages = ("numpy", "scipy", "torch", "dimod", "scikit-learn")
    return {
        "cpu": cpu,
        "kernels": _native.kernel_name,
        "qestim": qestim.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in (*packages, *peers)},
    }


def write(name, report):
    """Write a report as JSON and as a Markdown table; return the table.

    ``report["sections"]`` maps a title to ``{"rows": [...], "note": ...}``; the rows
    are flat dicts that share their keys.
    """
    RESULTS.mkdir(exist_ok=True)
    lines = [f"# {report['title']}", ""]
    lines += [f"{key}: {value}  " for key, value in report["machine"].items()]
    for title, section in report["sections"].items():
        lines += ["", f"## {title}", ""]
        rows = section["rows"]
        if rows:
            keys = list(rows[0])
            lines += ["| " + " | ".join(keys) + " |", "|-" * len(keys) + "|"]
            for row in rows:
                cells = (format_figure(row.get(key, "")) for key in keys)
                lines.append("| " + " | ".join(cells) + " |")
        if section.get("note"):
            lines += ["", section["note"]]
    table = "\n".join(lines) + "\n"
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(table)
    return table


def format_figure(value):
    """Write a figure for the table: a spread as mean (min to max)."""
    if isinstance(value, dict) and set(value) == {"mean", "min", "max"}:
        return "{} ({} to {})".format(*(format_figure(value[k]) for k in value))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.1f}"
    return str(value)


def within(seconds, run, quick):
    """Return the section, or None if it takes longer.

    It runs in a process of its own, which can be ended anywhere.
    """
    fork = multiprocessing.get_context("fork")
    receive, send = fork.Pipe(duplex=False)
    worker = fork.Process(target=lambda: send.send(run(quick)))
    worker.start()
    send.close()
    try:
        return receive.recv() if receive.poll(seconds) else None
    except EOFError:
        raise SystemExit("The section ended with an error.") from None
    finally:
        worker.terminate()
        worker.join()


def gathered(*names):
    """Return the sections of the modules beside this one, as `run_sections` takes them.

    Each has a dict ``SECTIONS`` from title to a function of one argument, whether to be
    quick, that returns ``{"rows": [...], "note": ...}``.
    """
    return {
        title: (run, False)
        for name in names
        for title, run in importlib.import_module(name).SECTIONS.items()
    }


def run_sections(name, title, sections, peers, parents=()):
    """Run a benchmark's command line: its sections, written one by one.

    ``sections`` maps a title to its function of ``quick`` and whether it needs more
    than one core; ``parents`` are parsers of further options. Sections that are not
    run keep their figures from the file.
    """
    parser = argparse.ArgumentParser(description=title, parents=parents)
    parser.add_argument("--only", nargs="*", choices=sections, help="these sections")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small, a minute")
    size.add_argument(
        "--minutes",
        type=float,
        help="end the section that runs then, and start no more",
    )
    size.add_argument(
        "--full", action="store_true", help="whole, in hours; the default"
    )
    asked = parser.parse_args()
    if asked.quick:
        name += "_quick"
    found, merge = {}, bool(asked.only or asked.minutes)
    cores = os.sched_getaffinity(0)
    end = time.monotonic() + 60 * asked.minutes if asked.minutes else None
    table = ""
    for key, (run, needs_cores) in sections.items():
        if asked.only and key not in asked.only:
            continue
        print(f"{key} ...", flush=True)
        if not needs_cores:
            pin_core()
        if end is None:
            section = run(asked.quick)
        else:
            section = within((end - time.monotonic()) / 2, run, asked.quick)
        os.sched_setaffinity(0, cores)
        if section is None:
            print(f"{key} takes longer: --only {key!r} measures it.", flush=True)
            continue
        # Read here: another run may have measured other sections meanwhile.
        if merge and (RESULTS / f"{name}.json").exists():
            found = json.loads((RESULTS / f"{name}.json").read_text())["sections"]
        found[key] = section
        # Written after every section: a later one that dies loses nothing.
        report = {
            "title": title,
            "machine": machine(peers),
            "sections": {key: found[key] for key in sections if key in found},
        }
        table = write(name, report)
    print(table)
