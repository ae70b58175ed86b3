# SPDX-License-Identifier: Apache-2.0
"""The league table: annealing, bifurcation and Ising machines against their peers.

``python benchmarks/league.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/league.json`` and ``.md`` (``league_quick`` with ``--quick``, which
is not kept). Only ratios from one run are claims. MindQuantum needs an interpreter of
its own: name it in the environment variable ``QESTIM_MINDQUANTUM_PYTHON``.
"""

import os

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _league_start
import _league_table
import _league_vae
import _mindquantum
import _peers
import _records
import _scaling
from _measure import run_sections

# title: (function, whether it needs more than one core)
SECTIONS = {
    "Simulated bifurcation: CPU to a cut": (_peers.bifurcation, False),
    "Simulated bifurcation: steps": (_peers.bifurcation_steps, False),
    "Ising machines: MindQuantum": (_mindquantum.run, False),
    "K2000-like instance": (_records.k2000, False),
    "Cost as sparse models grow": (_scaling.sparse_growth, False),
    "Cost as dense models grow": (_scaling.dense_growth, False),
    "Cost as reads grow": (_scaling.reads_growth, False),
    "Every instance, every sampler": (_league_table.run, False),
    "G22 and G81 with more time": (_league_table.longer, False),
    "Feedback models on a torus": (_league_start.run, False),
    "QBM-VAE on digits": (_league_vae.run, False),
}


if __name__ == "__main__":
    run_sections(
        "league",
        "The league table of samplers",
        SECTIONS,
        ("dwave-samplers", "openjij", "simulated-bifurcation"),
    )
