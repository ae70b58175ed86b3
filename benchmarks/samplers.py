# SPDX-License-Identifier: Apache-2.0
"""The samplers and the first estimator against their peers, side by side in one run.

``python benchmarks/samplers.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/samplers.json`` and ``.md`` (``samplers_quick`` with ``--quick``,
which is not kept). Only ratios from one run are claims.
"""

import argparse
import json
import os

# Before numpy and torch: every section but the first has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _annealing
import _boltzmann
import _digits
from _measure import RESULTS, machine, pin_core, write

# title: (function, whether it needs more than one core)
SECTIONS = {
    "Two threads over one": (_annealing.threads, True),
    "Simulated annealing, sparse": (_annealing.sparse, False),
    "Simulated annealing, dense": (_annealing.dense, False),
    "Instruction sets": (_annealing.instruction_sets, False),
    "From model to sample set": (_annealing.front_end, False),
    "G22: time to quality": (_annealing.time_to_quality, False),
    "Boltzmann sampling": (_boltzmann.run, False),
    "Import": (_annealing.import_cost, False),
    "Digits, 16 components": (_digits.run, False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small instances, minutes")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, help="these sections")
    arguments = parser.parse_args()
    name = "samplers_quick" if arguments.quick else "samplers"
    sections = {}
    if arguments.only and (RESULTS / f"{name}.json").exists():
        sections = json.loads((RESULTS / f"{name}.json").read_text())["sections"]
    cores = os.sched_getaffinity(0)
    for title, (run, needs_cores) in SECTIONS.items():
        if arguments.only and title not in arguments.only:
            continue
        print(f"{title} ...", flush=True)
        if not needs_cores:
            pin_core()
        sections[title] = run(arguments.quick)
        os.sched_setaffinity(0, cores)
        # Written after every section: a later one that dies loses nothing.
        report = {
            "title": "Samplers and the first estimator against their peers",
            "machine": machine(),
            "sections": {key: sections[key] for key in SECTIONS if key in sections},
        }
        table = write(name, report)
    print(table)


if __name__ == "__main__":
    main()
