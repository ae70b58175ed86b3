# SPDX-License-Identifier: Apache-2.0
"""The Kaiwu SDK's local solvers, out of process, against enumeration."""

import os
import subprocess
import tempfile
import time

import numpy as np

from qestim.exceptions import HardwareLicenseError
from qestim.qubo import IsingArrays
from qestim.samplers import HardwareSampler, KaiwuBackend
from qestim.testing import ExactLaw


def sdk(quick):
    """Agreement of brute force and tabu search, and what a missing licence does."""
    python = os.environ.get("QESTIM_KAIWU_PYTHON")
    ask = "import importlib.metadata as m, kaiwu; print(m.version('kaiwu'))"
    tried = None
    if python is not None:
        tried = subprocess.run(
            [python, "-c", ask],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    if tried is None or tried.returncode != 0:
        note = "Skipped: QESTIM_KAIWU_PYTHON names no Python that has the Kaiwu SDK."
        return {"rows": [], "note": note}
    version = tried.stdout.split()[-1]
    rows = []
    for solver, number in (("brute_force", 100), ("tabu", 20)):
        rng = np.random.default_rng(0)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            machine = KaiwuBackend(
                folder, solver=solver, python=python, bits=14, idle_seconds=3.0
            )
            sampler = HardwareSampler(machine, num_reads=10, seed=0)
            right, number = 0, 3 if quick else number
            start = time.perf_counter()
            for _ in range(number):
                n = int(rng.integers(3, 11))
                J = np.triu(rng.integers(-99, 100, (n, n)), 1).astype(float)
                h = rng.integers(-99, 100, n).astype(float) * (rng.random() < 0.7)
                exact = ExactLaw(IsingArrays.from_matrix(J + J.T, h)).energies.min()
                right += bool(sampler.sample_arrays(J + J.T, h).first.energy == exact)
            seconds = time.perf_counter() - start
        rows.append(
            {
                "SDK": version,
                "solver": solver,
                "problems": number,
                "agree with enumeration": right,
                "seconds": seconds,
                "ends as": "",
            }
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        machine = KaiwuBackend(folder, python=python, idle_seconds=3.0)
        start = time.perf_counter()
        try:
            HardwareSampler(machine, num_reads=10).sample_arrays(np.eye(2)[::-1])
            end = "an answer"
        except HardwareLicenseError:
            end = "HardwareLicenseError"
        rows.append(
            {
                "SDK": version,
                "solver": "cim, no licence",
                "problems": 1,
                "agree with enumeration": "",
                "seconds": time.perf_counter() - start,
                "ends as": end,
            }
        )
    note = (
        "Wall seconds, the start of the worker's interpreter and of the SDK included."
    )
    return {"rows": rows, "note": note}


SECTIONS = {"sdk": sdk}
