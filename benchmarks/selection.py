# SPDX-License-Identifier: Apache-2.0
"""Choosing samples and features, beside the strategies of others in one run.

``python benchmarks/selection.py [--quick] [--only SECTION ...] [--corpus PATH]`` writes
``benchmarks/results/selection.json`` and ``.md`` (``selection_quick`` with ``--quick``,
which is not kept). ``--corpus`` runs the text section on a text file of your own.
"""

import argparse
import functools
import json
import os
import pathlib

# Before numpy: CPU seconds are those of one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _choices
import _pruning
import _queries
from _measure import RESULTS, machine, write

SECTIONS = {
    "Learning curves: digits": _queries.run(_queries.digits),
    "Learning curves: digits, scikit-activeml": _queries.run(
        _queries.digits, table=_queries.THEIRS
    ),
    "Learning curves: digits, every row five times": _queries.run(_queries.duplicated),
    "Learning curves: digits, wrong labels and outliers": _queries.run(
        _queries.spoiled, note="20 % wrong labels, 5 % outliers in the pool."
    ),
    "Learning curves: Fashion-MNIST": _queries.run(
        _queries.fashion, needs_data=True, note="10,000 rows, 50 principal components."
    ),
    "Learning curves: BANKING77": _queries.run(
        _queries.banking,
        C=20.0,
        needs_data=True,
        note="10,003 sentences, TF-IDF in 100 dimensions.",
    ),
    "Solver": _choices.solver,
    "A large pool": _choices.large_pool,
    "Features": _choices.features,
    "Pruning: Fashion-MNIST": _pruning.images,
    "Pruning: text": _pruning.text,
}
# What the quick mode leaves out to stay within 30 seconds.
SLOW = (
    "Learning curves: digits, scikit-activeml",
    "Learning curves: Fashion-MNIST",
    "Learning curves: BANKING77",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, half a minute")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, help="these sections")
    parser.add_argument("--corpus", type=pathlib.Path, help="a text file of your own")
    arguments = parser.parse_args()
    name = "selection_quick" if arguments.quick else "selection"
    sections = {}
    if arguments.only and (RESULTS / f"{name}.json").exists():
        sections = json.loads((RESULTS / f"{name}.json").read_text())["sections"]
    for title, run in SECTIONS.items():
        left_out = arguments.quick and not arguments.only and title in SLOW
        if left_out or (arguments.only and title not in arguments.only):
            continue
        print(f"{title} ...", flush=True)
        if run is _pruning.text:
            run = functools.partial(run, corpus=arguments.corpus)
        sections[title] = run(arguments.quick)
        # Written after every section: a later one that dies loses nothing.
        report = {
            "title": "Choosing samples and features",
            "machine": machine(),
            "sections": {key: sections[key] for key in SECTIONS if key in sections},
        }
        table = write(name, report)
    print(table)


if __name__ == "__main__":
    main()
