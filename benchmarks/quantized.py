# SPDX-License-Identifier: Apache-2.0
"""Quantized networks by QUBO: the exact form, constraints, accuracy, beside controls.

``python benchmarks/quantized.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/quantized.json`` and ``.md`` (``quantized_quick`` with ``--quick``,
which is not kept). Only ratios from one run are claims. A part is a file
``_quantized_*.py`` beside this one with a dict ``SECTIONS`` from title to a function of
one argument, whether to be quick, that returns ``{"rows": [...], "note": ...}``.
"""

import os
import pathlib

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from _measure import gathered, run_sections

PARTS = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("_quantized_*.py"))


if __name__ == "__main__":
    run_sections("quantized", "Quantized networks by QUBO", gathered(*PARTS), ())
