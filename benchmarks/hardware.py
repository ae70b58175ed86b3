# SPDX-License-Identifier: Apache-2.0
"""From simulator to machine: rounding, faults, the SDK, drift, calibration, models.

``python benchmarks/hardware.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/hardware.json`` and ``.md`` (``hardware_quick`` with ``--quick``,
which is not kept). A part is a file ``_hardware_*.py`` beside this one with a dict
``SECTIONS`` from title to a function of one argument, whether to be quick, that returns
``{"rows": [...], "note": ...}``. No machine is asked: in its place is an emulator or,
where QESTIM_KAIWU_PYTHON names a Python that has it, the Kaiwu SDK's local solvers.
"""

import os
import pathlib

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from _measure import gathered, run_sections

PARTS = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("_hardware_*.py"))


if __name__ == "__main__":
    run_sections("hardware", "From simulator to machine", gathered(*PARTS), ())
