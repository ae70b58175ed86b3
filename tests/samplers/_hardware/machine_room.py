# SPDX-License-Identifier: Apache-2.0
"""A program that samples on a machine with a ledger, and dies where it is told to.

``python machine_room.py FOLDER KIND EVENT ACTION`` counts what happens (files written,
tasks submitted, answers collected) and at event number EVENT kills itself (``kill``,
before it, or ``killed``, after it) or finds the disk full (``full``). It prints the
reads as JSON. The machine keeps a ledger of what it was asked for, and honours names.
"""

import errno
import json
import os
import pathlib
import signal
import sys
import warnings

import numpy as np

from qestim.samplers import Backend, CallableBackend, HardwareSampler
from qestim.samplers._hardware import store

FOLDER, KIND, EVENT, ACTION = (*sys.argv[1:3], int(sys.argv[3]), sys.argv[4])
LEDGER = pathlib.Path(FOLDER) / "ledger"
happened = 0


def event(writes, call, *args):
    """Do something, or die just before or just after it, or find the disk full."""
    global happened
    happened += 1
    if happened == EVENT and ACTION == "full" and writes:
        raise OSError(errno.ENOSPC, "No space left on device")
    if happened == EVENT and ACTION == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = call(*args)
    if happened == EVENT and ACTION == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


def ask_machine(matrix, num_reads):
    """The machine itself: another answer to each task in its ledger."""
    with open(LEDGER, "a") as ledger:
        ledger.write("task\n")
    number = len(LEDGER.read_text().splitlines())
    rng = np.random.default_rng(number)
    return rng.choice([-1, 1], (num_reads, len(matrix)))


class Cloud(Backend):
    """A cloud: the same name is the same task."""

    max_spins, bits = 20, 8

    def submit(self, task):
        answer = LEDGER.with_name(f"{task.name}.cloud.npy")
        if not answer.exists():
            np.save(answer, ask_machine(task.matrix, task.num_reads))
        return {"number": task.name}

    def collect(self, task, ticket):
        asked = self._machine["asked"] = self._machine.get("asked", 0) + 1
        answer = LEDGER.with_name(f"{ticket['number']}.cloud.npy")
        return np.load(answer) if asked > 1 else None


backend = Cloud() if KIND == "cloud" else CallableBackend(ask_machine, max_spins=20)
write = store.write_atomically
for module in (store,):
    module.write_atomically = lambda path, data: event(True, write, path, data)
for name in ("submit", "collect"):
    before = getattr(type(backend), name)
    setattr(
        type(backend),
        name,
        lambda self, *args, before=before: event(False, before, self, *args),
    )
sampler = HardwareSampler(backend, folder=FOLDER, num_reads=5, seed=1, num_threads=1)
warnings.simplefilter("ignore")
found = sampler.sample_ising({"a": 0.5, "b": 0.1, "c": 0.2}, {("a", "b"): 1.0})
print(json.dumps({"reads": found.record.sample.tolist(), "events": happened}))
