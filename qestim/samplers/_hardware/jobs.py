# SPDX-License-Identifier: Apache-2.0
"""One submission from intent to reads: never twice, never lost, never for ever."""

import time
import warnings

import numpy as np

from qestim.exceptions import (
    HardwareError,
    HardwareNetworkError,
    HardwarePendingError,
    HardwareResultError,
    HardwareTimeoutError,
)
from qestim.samplers._hardware.failures import typed

_VERSION = 1
_GROWTH = 1.5
_LONGEST = 60.0  # seconds between two questions


class JobRunner:
    """Brings tasks to a backend and their reads back.

    A job's record goes through ``"intended"`` (before the machine hears of it),
    ``"submitted"`` (with its ticket) and ``"done"`` (the reads are kept), or
    ``"refused"`` (a machine that answers once gave no reads). After a crash the record
    says where to go on.

    Parameters
    ----------
    backend : Backend
        The machine.
    store : MemoryStore or FolderStore
        Where records and reads are.
    poll_interval : float
        Seconds before the second question; the pauses grow to a minute.
    time_limit : float or None
        Seconds of wall clock, from now on, within which the reads must be there.
    max_retries : int
        How often a question that the network swallowed is asked again.
    wait : bool
        Whether to wait for what has not finished.
    """

    def __init__(self, backend, store, poll_interval, time_limit, max_retries, wait):
        self.backend, self.store = backend, store
        self.poll_interval, self.time_limit = poll_interval, time_limit
        self.max_retries, self.wait = max_retries, wait
        self.start = time.monotonic()
        self._tickets = {}
        self._unkept = {}  # reads that could not be written down
        self.resumed = 0  # jobs that an earlier call had begun

    def submit(self, task):
        """Submit a task unless that has been done."""
        with self.store.lock(task.name, self._left()):
            kept = self.store.reads(task.name) is not None
            self.resumed += kept or self.store.record(task.name) is not None
            if not kept:
                ticket = self._submit(task)
                if self.backend.at_once:
                    # Kept before the next job runs, which might end the process.
                    self._collect(task, ticket)

    def reads(self, task):
        """Return the reads of a submitted task, int8 of shape (k, N)."""
        with self.store.lock(task.name, self._left()):
            kept = self.store.reads(task.name)
            if kept is not None:
                return kept
            if task.name in self._unkept:
                return self._unkept[task.name]
            return self._collect(task, self._submit(task))

    def _collect(self, task, ticket):
        """Wait for the reads and keep them."""
        answer = self._poll(task, ticket)
        try:
            reads = check_reads(task, answer)
        except HardwareResultError as error:
            if self.backend.at_once:
                # Gone with this call: a later one is to hear what it was.
                record = self._record(task, "refused", ticket) | {"reason": str(error)}
                self._remember(task, "refused", self.store.write, record)
            raise
        if not self._remember(task, "done", self.store.keep, reads):
            self._unkept[task.name] = reads
        record = self._record(task, "done", ticket)
        self._remember(task, "done", self.store.write, record)
        return reads

    def _submit(self, task):
        """Return the ticket: the one of an earlier submission where there is one."""
        if task.name in self._tickets:  # whether or not it could be written down
            return self._tickets[task.name]
        record = self.store.record(task.name)
        if record is not None:
            self._check_record(task, record)
            if record["status"] == "refused":
                raise HardwareResultError(
                    f"{record['reason']} That was its answer in an earlier call; to "
                    f"run it again remove {task.name}.json.",
                    task.name,
                )
            if record["status"] != "intended":
                return record["ticket"]
            if not self.backend.idempotent:
                raise HardwarePendingError(
                    f"The job {task.name} was begun and never confirmed, so the "
                    "machine may or may not have it. Look there; to submit it again "
                    f"remove {task.name}.json.",
                    task.name,
                )
        self.backend.check(task)
        # Nothing is submitted that could not be remembered.
        self.store.write(task.name, self._record(task, "intended"))
        ticket = self._patiently(self.backend.submit, task)
        self._tickets[task.name] = ticket
        record = self._record(task, "submitted", ticket)
        self._remember(task, "submitted", self.store.write, record)
        return ticket

    def _poll(self, task, ticket):
        pause = self.poll_interval
        while True:
            reads = self._patiently(self.backend.collect, task, ticket)
            if reads is not None:
                return reads
            if not self.wait:
                raise HardwarePendingError(
                    f"The job {task.name} has not finished. The same call later "
                    "fetches it, without submitting again, where 'folder' is given.",
                    task.name,
                )
            left = self._left()
            if left is not None and left <= 0:
                raise HardwareTimeoutError(
                    f"The job {task.name} has not finished within time_limit="
                    f"{self.time_limit:g} s. The same call later fetches it, without "
                    "submitting again, where 'folder' is given.",
                    task.name,
                )
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * _GROWTH, _LONGEST)

    def _patiently(self, question, task, *rest):
        """Ask, and ask again when only the network failed."""
        again = self.max_retries
        if question == self.backend.submit and not self.backend.idempotent:
            again = 0
        pause = self.poll_interval
        while True:
            try:
                return question(task, *rest)
            except Exception as error:
                failure = typed(error, task)
                left = self._left()
                late = left is not None and left <= 0
                if not isinstance(failure, HardwareNetworkError) or again == 0 or late:
                    if failure is error:
                        raise  # with the cause that it has
                    raise failure from error
                again -= 1
                time.sleep(pause if left is None else min(pause, left))
                pause = min(pause * _GROWTH, _LONGEST)

    def _left(self):
        if self.time_limit is None:
            return None
        return self.start + self.time_limit - time.monotonic()

    def _record(self, task, status, ticket=None):
        return {
            "version": _VERSION,
            "name": task.name,
            "status": status,
            "backend": type(self.backend).__name__,
            "matrix": task.fingerprint,
            "num_reads": task.num_reads,
            "seed": task.seed,
            "ticket": ticket,
        }

    def _remember(self, task, status, keep, what):
        """Write what the machine has already been paid for; say whether that worked."""
        try:
            keep(task.name, what)
            return True
        except OSError as error:
            warnings.warn(
                f"The job {task.name} is {status}, which could not be written down: "
                f"{error}. This call goes on; a later one may not find it.",
                RuntimeWarning,
                stacklevel=6,
            )
            return False

    def _check_record(self, task, record):
        if record["version"] != _VERSION:
            raise HardwareError(
                f"The record of job {task.name} has version {record['version']}; this "
                f"qestim reads {_VERSION}. Use another folder or task_name.",
                task.name,
            )
        backend = type(self.backend).__name__
        if record["backend"] != backend:
            raise HardwareError(
                f"The job {task.name} belongs to {record['backend']}. Got {backend}; "
                "use another folder or task_name.",
                task.name,
            )


def check_reads(task, reads):
    """Return reads as int8 of shape (k, N), or raise.

    Parameters
    ----------
    task : MachineTask
        What was asked.
    reads : array-like
        What came.

    Raises
    ------
    HardwareResultError
        If these are not reads of spins of the task, or if their cost is so far above
        that of random spins that they belong to another matrix or the other sign.
    """
    n = len(task.matrix)
    try:
        array = np.asarray(reads)
        array = array[None, :] if array.ndim == 1 else array
        numbers = array.dtype.kind in "iuf"
    except ValueError as error:
        raise HardwareResultError(
            f"The answer to {task.name} is no array of reads: {error}.", task.name
        ) from error
    if not numbers or array.ndim != 2 or array.shape[1] != n or len(array) == 0:
        raise HardwareResultError(
            f"The answer to {task.name} must have shape (k, {n}) with k >= 1, a row a "
            f"read. Got {array.shape} of {array.dtype}.",
            task.name,
        )
    if not np.isin(array, (-1, 1)).all():
        raise HardwareResultError(
            f"The answer to {task.name} must hold -1 and 1. Got values "
            f"{np.unique(array)[:5].tolist()}.",
            task.name,
        )
    spins = np.ascontiguousarray(array, dtype=np.int8)
    cost = costs(task.matrix, spins)
    typical = np.sqrt(2.0) * np.linalg.norm(task.matrix)
    distinct = number_of_states(spins)
    if cost.mean() > 5 * typical / np.sqrt(distinct):
        raise HardwareResultError(
            f"The reads of {task.name} cost {cost.mean():.4g} on average, far above 0, "
            "which random spins cost: they answer another matrix, or the sign of the "
            "couplings differs. The machine must minimise -s @ matrix @ s.",
            task.name,
        )
    return spins


def costs(matrix, spins):
    """Return the machine's cost ``-s @ matrix @ s`` of each read, shape (k,)."""
    values = spins.astype(np.float64)
    return -((values @ matrix) * values).sum(axis=1)


def number_of_states(spins):
    """Return how many of the reads differ."""
    return len({read.tobytes() for read in spins})
