# SPDX-License-Identifier: Apache-2.0
"""Quantized networks by QUBO: the exact form, constraints, accuracy, beside controls.

``python benchmarks/quantized.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/quantized.json`` and ``.md`` (``quantized_quick`` with ``--quick``,
which is not kept). Only ratios from one run are claims. A part is a file
``_quantized_*.py`` beside this one with a dict ``SECTIONS`` from title to a function of
one argument, whether to be quick, that returns ``{"rows": [...], "note": ...}``.
"""

import argparse
import importlib
import json
import os
import pathlib

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from _measure import RESULTS, machine, pin_core, write

PARTS = sorted(pathlib.Path(__file__).parent.glob("_quantized_*.py"))
SECTIONS = {
    title: run
    for part in PARTS
    for title, run in importlib.import_module(part.stem).SECTIONS.items()
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small instances, seconds")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, help="these sections")
    arguments = parser.parse_args()
    name = "quantized_quick" if arguments.quick else "quantized"
    sections = {}
    if arguments.only and (RESULTS / f"{name}.json").exists():
        sections = json.loads((RESULTS / f"{name}.json").read_text())["sections"]
    pin_core()
    for title in arguments.only or SECTIONS:
        print(f"{title} ...", flush=True)
        sections[title] = SECTIONS[title](arguments.quick)
        # Written after every section: a later one that dies loses nothing.
        report = {
            "title": "Quantized networks by QUBO",
            "machine": machine(),
            "sections": {key: sections[key] for key in SECTIONS if key in sections},
        }
        print(write(name, report))


if __name__ == "__main__":
    main()
