# SPDX-License-Identifier: Apache-2.0
"""Boltzmann machines: gradients, laws, far-apart modes, log Z, depth and features.

``python benchmarks/boltzmann.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/boltzmann.json`` and ``.md`` (``boltzmann_quick`` with ``--quick``,
which is not kept). Differences are paired over seeds, with 95 % intervals of Student.
"""

import os

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from functools import partial

import _boltzmann_features
import _boltzmann_law
import _boltzmann_modes
from _measure import run_sections

SECTIONS = {
    "Gradient against enumeration": (_boltzmann_law.gradient, False),
    "Six spins": (_boltzmann_law.six_units, False),
    **{
        f"Far-apart modes: {name}": (
            partial(_boltzmann_modes.task, name),
            False,
        )
        for name in _boltzmann_modes.TASKS
    },
    "Gaussian visible units": (_boltzmann_law.gaussian, False),
    "log Z bracket": (_boltzmann_law.brackets, False),
    "A thousand spins": (_boltzmann_features.thousand, False),
    "Depth": (_boltzmann_features.depth, False),
    "Digits, nudged": (_boltzmann_features.nudged, False),
}


if __name__ == "__main__":
    run_sections(
        "boltzmann",
        "Boltzmann machines against enumeration, peers and controls",
        SECTIONS,
        (),
    )
