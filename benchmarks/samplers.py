# SPDX-License-Identifier: Apache-2.0
"""The samplers and the first estimator against their peers, side by side in one run.

``python benchmarks/samplers.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/samplers.json`` and ``.md`` (``samplers_quick`` with ``--quick``,
which is not kept). Only ratios from one run are claims.
"""

import os

# Before numpy and torch: every section but the first has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _annealing
import _boltzmann
import _digits
from _measure import run_sections

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


if __name__ == "__main__":
    run_sections(
        "samplers",
        "Samplers and the first estimator against their peers",
        SECTIONS,
        ("dwave-samplers", "openjij"),
    )
