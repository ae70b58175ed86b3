# SPDX-License-Identifier: Apache-2.0
"""An emulator calibrated on another simulator: the statistics of held-out problems."""

import time

import numpy as np

from qestim.samplers import CIMEmulatorBackend
from qestim.samplers._hardware.calibration import answers, fresh, statistics

MACHINES = {
    "truncated Wigner, weak noise": {"model": "wigner", "noise": 0.36},
    "truncated Wigner, noisy, 3 % read wrongly": {
        "model": "wigner",
        "noise": 0.8,
        "read_noise": 0.03,
    },
    "mean field, noisy, couplings off by 20 %": {
        "noise": 1.2,
        "num_steps": 400,
        "coupling_error": 0.2,
        "machine_seed": 9,
    },
}


def problems(number, seed, n=40):
    """Return matrices of 40 spins in 8 bits, dense or sparse in turn."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(number):
        K = np.triu(rng.integers(-127, 128, (n, n)), 1).astype(float)
        K *= rng.random((n, n)) < (1.0 if i % 2 else 0.2)
        found.append(K + K.T)
    return found


def calibration(quick):
    """Fit to reads of some problems, compare on others, beside the default."""
    shown, held_out = problems(4, 1), problems(2 if quick else 8, 2)
    rows = []
    machines = list(MACHINES.items())[:1] if quick else MACHINES.items()
    for name, theirs in machines:
        machine = CIMEmulatorBackend(**theirs)
        default = CIMEmulatorBackend(num_steps=100)
        start = time.process_time()
        ours = default.calibrate(shown, answers(machine, shown, [200] * 4))
        seconds = time.process_time() - start
        counts = [500] * len(held_out)
        wanted = answers(fresh(machine), held_out, counts, 1000)
        again = answers(fresh(machine), held_out, counts, 2000)
        found = {
            "itself, other reads": again,
            "calibrated": answers(fresh(ours), held_out, counts, 3000),
            "default": answers(default, held_out, counts, 3000),
        }
        for which, reads in found.items():
            pairs = [
                (statistics(m, a), statistics(m, b))
                for m, a, b in zip(held_out, wanted, reads, strict=True)
            ]
            row = {"machine": name, "emulator": which} | {
                key: f"{np.mean([abs(b[key] - a[key]) for a, b in pairs]):.3f} of "
                f"{np.mean([abs(a[key]) for a, _ in pairs]):.3f}"
                for key in pairs[0][0]
            }
            row["CPU s"] = seconds if which == "calibrated" else ""
            rows.append(row)
    note = (
        "Mean absolute difference of each statistic on held-out problems, 40 spins, of "
        "its mean size. energy, spread: cost a spin; against: share of spins against "
        "their field, and what those pay; overlap: mean squared, of two reads. Units: "
        "rms row norm. Fitted to 200 reads of four other problems."
    )
    return {"rows": rows, "note": note}


SECTIONS = {"calibration": calibration}
