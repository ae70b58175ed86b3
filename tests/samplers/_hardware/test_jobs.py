# SPDX-License-Identifier: Apache-2.0
"""The fault table: a job that is killed or starved at each of its steps."""

import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from qestim.exceptions import (
    HardwareError,
    HardwareNetworkError,
    HardwarePendingError,
    HardwareQuotaError,
    HardwareResultError,
    HardwareSizeError,
    HardwareTimeoutError,
)
from qestim.samplers import Backend, CallableBackend, SimulatedAnnealingSampler
from qestim.samplers._hardware.backend import MachineTask
from qestim.samplers._hardware.jobs import JobRunner, check_reads
from qestim.samplers._hardware.store import FolderStore, MemoryStore

ROOM = pathlib.Path(__file__).with_name("machine_room.py")
ROOT = ROOM.parents[3]
PAIR = np.array([[0.0, 3.0], [3.0, 0.0]])


def program(folder, kind, number=0, action="none"):
    """Run the program: its exit status, and what it printed."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, ROOM, folder, kind, str(number), action],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    said = json.loads(done.stdout) if done.returncode == 0 else done.stderr
    return done.returncode, said


def tasks_asked(folder):
    ledger = folder / "ledger"
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


# The events of an undisturbed run, in order: the intent is written, the task
# submitted, the ticket written, two questions (a cloud's first finds nothing), the
# reads kept, the job marked as done.
EVENTS = {"cloud": 7, "callable": 6}


@pytest.mark.parametrize(
    ("kind", "number", "action"),
    [
        ("cloud", 2, "killed"),
        ("callable", 2, "killed"),
    ],
)
def test_the_steps_that_matter_most(tmp_path, kind, number, action):
    fault(tmp_path, kind, number, action)


@pytest.mark.slow
@pytest.mark.parametrize("action", ["kill", "killed", "full"])
@pytest.mark.parametrize(
    ("kind", "number"),
    [(kind, number) for kind, n in EVENTS.items() for number in range(1, n + 1)],
)
def test_every_step(tmp_path, kind, number, action):
    fault(tmp_path, kind, number, action)


def fault(folder, kind, number, action):
    """Disturb a run at one event, run it again, and look at ledger and reads."""
    status, said = program(folder, kind, number, action)
    if action == "full":
        # Before the task is out, nothing is; afterwards, the reads are returned.
        assert (status == 0) == (number > 1)
        assert status == 0 or "No space left" in said
    else:
        assert status == -9
    first = said["reads"] if status == 0 else None
    assert tasks_asked(folder) <= 1
    status, said = program(folder, kind)
    assert tasks_asked(folder) <= 1, "submitted twice"
    if status != 0:
        # A function gone with its process: said, and left to the user.
        assert kind == "callable"
        assert "HardwarePendingError" in said or "lost with the process" in said
        assert first is None or action == "full"
        return
    if first is not None:
        assert said["reads"] == first, "the resumed call returns other reads"
    again = program(folder, kind)[1]
    assert again["reads"] == said["reads"]
    assert tasks_asked(folder) == 1


def test_an_undisturbed_run_has_these_events(tmp_path):
    for kind, events in EVENTS.items():
        folder = tmp_path / kind
        folder.mkdir()
        assert program(folder, kind)[1]["events"] == events


def runner(backend, store=None, **options):
    options = {
        "poll_interval": 1e-4,
        "time_limit": None,
        "max_retries": 3,
        "wait": True,
        **options,
    }
    return JobRunner(backend, store or MemoryStore(), **options)


class Scripted(Backend):
    """Answers with what it is given, one a question; raises what is an exception."""

    max_spins, bits, idempotent = 10, 8, True

    def __init__(self, submits=(), collects=()):
        self.submits, self.collects = list(submits), list(collects)

    def submit(self, task):
        return self._next(self.submits, {})

    def collect(self, task, ticket):
        return self._next(self.collects, np.array([[1, 1]]))

    def _next(self, script, otherwise):
        answer = script.pop(0) if script else otherwise
        if isinstance(answer, Exception):
            raise answer
        return answer


TASK = MachineTask("job", PAIR, 1, 0)


def test_the_network_is_asked_again_and_its_error_chained():
    lost = ConnectionResetError("reset")
    assert runner(Scripted([lost], [lost, None, lost])).reads(TASK).tolist() == [[1, 1]]
    with pytest.raises(HardwareNetworkError, match="reset") as caught:
        runner(Scripted([], [lost] * 4)).reads(TASK)
    assert caught.value.__cause__ is lost
    assert caught.value.task_id == "job"
    once = Scripted([lost])
    once.idempotent = False
    with pytest.raises(HardwareNetworkError):
        runner(once).reads(TASK)


def test_the_cause_of_a_typed_error_stays():
    quota = HardwareQuotaError("none is left", "job")
    quota.__cause__ = lost = ValueError("402")
    with pytest.raises(HardwareQuotaError, match="none is left") as caught:
        runner(Scripted([quota])).submit(TASK)
    assert caught.value.__cause__ is lost


def test_what_is_refused_here_was_not_begun(tmp_path):
    store = FolderStore(tmp_path)
    machine = Scripted()
    machine.max_spins, machine.idempotent = 1, False
    with pytest.raises(HardwareSizeError, match="1 spins"):
        runner(machine, store).submit(TASK)
    machine.max_spins = 2
    assert runner(machine, store).reads(TASK).tolist() == [[1, 1]]


def test_time_ends_and_the_job_stays(tmp_path):
    store = FolderStore(tmp_path)
    start = time.monotonic()
    with pytest.raises(HardwareTimeoutError, match=r"time_limit=0\.2 s"):
        runner(Scripted([], [None] * 10**6), store, time_limit=0.2).reads(TASK)
    assert time.monotonic() - start < 2
    assert store.record("job")["status"] == "submitted"
    later = Scripted([RuntimeError("submitted twice")])
    assert runner(later, store).reads(TASK).tolist() == [[1, 1]]
    assert store.record("job")["status"] == "done"


def test_waiting_can_be_declined(tmp_path):
    with pytest.raises(HardwarePendingError, match="job"):
        runner(Scripted([], [None]), FolderStore(tmp_path), wait=False).reads(TASK)


def test_pauses_grow(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    runner(Scripted([], [None] * 40), poll_interval=1.0).reads(TASK)
    assert pauses[:3] == [1.0, 1.5, 2.25]
    assert pauses[-1] == 60.0


def test_a_foreign_record_is_not_taken(tmp_path):
    store = FolderStore(tmp_path)
    runner(Scripted(), store).submit(TASK)
    other = CallableBackend(lambda matrix, num_reads: None)
    with pytest.raises(HardwareError, match="belongs to Scripted"):
        runner(other, store).submit(TASK)
    store.write("job", {**store.record("job"), "version": 0})
    with pytest.raises(HardwareError, match="version 0"):
        runner(Scripted(), store).submit(TASK)


@pytest.mark.parametrize(
    ("reads", "word"),
    [
        ([[1, 1, 1]], "shape"),
        ([[1, 0]], "-1 and 1"),
        ([[1.0, np.nan]], "-1 and 1"),
        ([[1, 257]], "-1 and 1"),
        (np.zeros((0, 2)), "shape"),
        ([["a", "b"]], "shape"),
        ([[1, 1], [1]], "array"),
        (None, "shape"),
        ([[True, True]], "shape"),
        (np.ones((1, 1, 2)), "shape"),
    ],
)
def test_what_is_no_read_is_refused(reads, word):
    with pytest.raises(HardwareResultError, match=word):
        check_reads(TASK, reads)


def test_one_row_is_one_read():
    assert check_reads(TASK, [1, -1]).tolist() == [[1, -1]]


def test_the_other_sign_is_noticed():
    rng = np.random.default_rng(0)
    K = np.triu(rng.integers(-9, 10, (30, 30)), 1).astype(float)
    task = MachineTask("job", K + K.T, 20, 0)
    spins = np.sign(rng.standard_normal((20, 30)))
    check_reads(task, spins)
    annealer = SimulatedAnnealingSampler(num_reads=20, seed=0)
    worst = annealer.sample_arrays(task.matrix).record.sample
    with pytest.raises(HardwareResultError, match="sign"):
        check_reads(task, worst)


def _hold(folder, ready, go):
    with FolderStore(folder).lock("job", None):
        ready.set()
        go.wait()


def test_two_processes_do_not_share_a_job(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, ready, go))
    other.start()
    ready.wait()
    with pytest.raises(HardwareTimeoutError, match="Another process"):
        runner(Scripted(), FolderStore(tmp_path), time_limit=0.1).submit(TASK)
    with pytest.raises(HardwareTimeoutError, match="waited 0") as caught:
        runner(Scripted(), FolderStore(tmp_path), time_limit=-3.0).submit(TASK)
    assert "-" not in str(caught.value)
    other.kill()  # its lock falls
    other.join()
    runner(Scripted(), FolderStore(tmp_path), time_limit=5).submit(TASK)


def test_what_a_function_answered_is_said_again(tmp_path):
    def machine(matrix, num_reads):
        return np.zeros((num_reads, len(matrix)))

    def fresh():  # as in another process
        return runner(CallableBackend(machine), FolderStore(tmp_path))

    with pytest.raises(HardwareResultError, match="-1 and 1") as first:
        fresh().submit(TASK)
    for call in ("submit", "reads"):
        with pytest.raises(HardwareResultError, match=r"remove job\.json") as again:
            getattr(fresh(), call)(TASK)
        assert str(first.value) in str(again.value)
    (tmp_path / "job.json").unlink()
    mended = runner(CallableBackend(lambda m, k: [[1, 1]]), FolderStore(tmp_path))
    assert mended.reads(TASK).tolist() == [[1, 1]]
