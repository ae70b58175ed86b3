# SPDX-License-Identifier: Apache-2.0
"""The part of the Kaiwu SDK's interface that qestim uses, with a cloud in a folder.

The environment variable FAKE_CLOUD names the folder: ``ledger`` has a line a task that
was submitted, ``busy`` makes tasks unfinished, ``kill`` kills the process that submits,
``fail`` holds the text of an error, ``modes`` the names of the task modes.
"""

import hashlib
import itertools
import os
import pathlib
import signal
import sys
import types

import numpy as np

CLOUD = pathlib.Path(os.environ["FAKE_CLOUD"])


class CheckpointManager:
    save_dir = None


def _optima(matrix):
    states = np.array(list(itertools.product((-1, 1), repeat=len(matrix))))
    cost = -((states @ matrix) * states).sum(axis=1)
    return states[cost <= cost.min() + 1e-9]


class BruteForceOptimizer:
    def solve(self, ising_matrix=None):
        return _optima(ising_matrix)


def init(user_id, sdk_code):
    print("signing in", user_id, sdk_code)
    if sdk_code != "a secret code":
        raise ValueError(f"License download failed for {user_id} {sdk_code}")
    CheckpointManager.licensed = True


class CIMOptimizer:
    def __init__(
        self,
        task_name,
        wait=False,
        interval=1,
        project_no=None,
        task_mode="optimization",
        sample_number=10,
    ):
        known = (CLOUD / "modes").read_text().split()
        assert task_mode in known, task_mode
        if not 10 <= sample_number <= 2000:
            raise ValueError("sample_number must be between 10 and 2000 inclusive")
        if CheckpointManager.save_dir is None:
            raise ValueError("The save directory is required")
        if not getattr(CheckpointManager, "licensed", False):
            input("Please enter user ID:")
        self.task_name, self.sample_number = task_name, sample_number

    def solve(self, ising_matrix=None, negtail_flip=True, sort_solutions=False):
        fail = CLOUD / "fail"
        if fail.exists():
            raise ValueError(fail.read_text())
        assert ising_matrix.dtype == np.float64
        assert ising_matrix.flags.c_contiguous
        digest = hashlib.md5(ising_matrix.tobytes()).hexdigest()
        task = CLOUD / f"{self.task_name}-{digest}"
        if not task.exists():
            with open(CLOUD / "ledger", "a") as ledger:
                ledger.write(f"{self.task_name} {self.sample_number}\n")
            task.touch()
            kill = CLOUD / "kill"
            if kill.exists():
                kill.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        if (CLOUD / "busy").exists():
            return None
        optima = _optima(ising_matrix)
        # Raw, as the machine gives it: either overall sign.
        number = len((CLOUD / "ledger").read_text().splitlines())
        rng = np.random.default_rng(number)
        reads = optima[rng.integers(len(optima), size=self.sample_number)]
        return (reads * rng.choice([-1, 1], (len(reads), 1))).astype(np.int8)


common = types.SimpleNamespace(CheckpointManager=CheckpointManager)
classical = types.SimpleNamespace(BruteForceOptimizer=BruteForceOptimizer)
license = types.SimpleNamespace(init=init)
cim = types.SimpleNamespace(CIMOptimizer=CIMOptimizer)
if "sampling" in (CLOUD / "modes").read_text():
    cim.TaskMode = types.SimpleNamespace(
        SAMPLING="sampling", OPTIMIZATION="optimization"
    )
for _name in ("common", "classical", "license", "cim"):
    sys.modules[f"kaiwu.{_name}"] = globals()[_name]
