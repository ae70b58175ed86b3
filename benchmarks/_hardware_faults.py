# SPDX-License-Identifier: Apache-2.0
"""A thousand faults of a machine, one kind after the other, and what came of them."""

import collections

import numpy as np

from qestim.exceptions import HardwareError
from qestim.qubo import IsingArrays
from qestim.samplers import CIMEmulatorBackend, HardwareSampler
from qestim.testing import FaultyBackend


def outcome(sampler, model, seed):
    """Return what a call ended as: the error's kind, or whether its answer is right."""
    try:
        found = sampler.sample_arrays(model.dense, model.h, seed=seed)
    except HardwareError as error:
        return type(error).__name__
    spins = found.record.sample
    right = np.isin(spins, (-1, 1)).all() and 1 <= len(spins) <= 20
    right = right and np.allclose(model.energies(spins), found.record.energy)
    return "right answer" if right and found.record.energy.mean() < 0 else "WRONG"


def faults(quick):
    """Inject every kind of fault into every question of many calls."""
    rng = np.random.default_rng(0)
    J = np.triu(rng.standard_normal((16, 16)), 1)
    model = IsingArrays.from_matrix(J + J.T, 0.7 * rng.standard_normal(16))
    calls = 3 if quick else 50
    rows = []
    for kind in FaultyBackend.FAULTS:
        machine = FaultyBackend(
            CIMEmulatorBackend(num_steps=60), faults=(kind,), rate=1.0
        )
        sampler = HardwareSampler(
            machine, num_reads=20, poll_interval=1e-3, max_retries=1, time_limit=0.02
        )
        ends = collections.Counter(outcome(sampler, model, s) for s in range(calls))
        rows.append(
            {
                "fault": kind,
                "injected": len(machine.injected),
                "outcomes": ", ".join(f"{n} {end}" for end, n in sorted(ends.items())),
                "wrong": ends["WRONG"],
            }
        )
    total = sum(row["injected"] for row in rows)
    note = (
        f"{total} faults, {sum(row['wrong'] for row in rows)} wrong answers. A right "
        "answer to half of the reads or to reads in another order has fewer reads or "
        "the same in that order."
    )
    return {"rows": rows, "note": note}


SECTIONS = {"faults": faults}
