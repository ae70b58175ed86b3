# SPDX-License-Identifier: Apache-2.0
"""Coherent Ising machines through the Kaiwu SDK, in this process or beside it."""

import contextlib
import importlib
import io
import json
import os
import pathlib
import time
import traceback
from numbers import Integral, Real

import numpy as np

from qestim import exceptions
from qestim._sklearn import Interval, StrOptions
from qestim.samplers._hardware import kaiwu_worker
from qestim.samplers._hardware.backend import Backend
from qestim.samplers._hardware.failures import KINDS
from qestim.samplers._hardware.store import read_array, write_atomically
from qestim.samplers._hardware.worker_process import WorkerProcess, is_served

_CURES = {
    "license": "Set KAIWU_USER_ID and KAIWU_SDK_CODE, or name a credentials_file.",
    "quota": "Buy quota, or take CIMEmulatorBackend.",
    "import": "Name in 'python' a Python 3.10 that has the SDK (pip install kaiwu).",
    "network": "Ask again later; nothing is submitted twice.",
    "other": "The SDK's message is above.",
}
_MOST_STARTS = 3


class KaiwuBackend(Backend):
    """A coherent Ising machine of the Kaiwu cloud, or the SDK's local solvers.

    The SDK has wheels for Python 3.10 only. Under another Python it runs in a worker,
    a process of the interpreter named by `python`, which outlives this one: it goes on
    when the program that asked is killed, and the program finds the answer when it is
    run again. Worker and program speak through the files of `folder`; they need a POSIX
    system (Linux, macOS).

    The cloud path was tested with the SDK's local solvers and with a copy of its
    interface, not on a machine.

    Parameters
    ----------
    folder : str or path-like
        Where requests, answers and the SDK's checkpoints are; the same folder again
        means the same tasks.
    solver : {"cim", "brute_force", "tabu", "annealing"}, default="cim"
        The machine, or one of the SDK's local solvers that need no licence.
    mode : {"sampling", "optimization"}, default="sampling"
        The machine's mode; "optimization" returns a pool of the best states.
    python : str or path-like, default=None
        A Python 3.10 that has the SDK. None means this process if the SDK is installed
        in it, else the environment variable QESTIM_KAIWU_PYTHON.
    project_no : str, default=None
        The cloud project that pays.
    profile : str, default=None
        Section of `credentials_file`; None means ``[kaiwu]``.
    credentials_file : str or path-like, default=None
        An INI file with ``user_id`` and ``sdk_code``, read when a task is submitted.
        None means the environment variables KAIWU_USER_ID and KAIWU_SDK_CODE. Neither
        is kept, shown or written anywhere.
    max_spins : int, default=550
        Spins of the machine, the auxiliary one included.
    bits : int or None, default=8
        Bits of an entry with its sign; None means real numbers in [-1, 1].
    min_reads, max_reads : int, default=10, 2000
        Reads of one task.
    again_after : float, default=60.0
        Seconds between two questions to the cloud about an unfinished task.
    idle_seconds : float, default=60.0
        How long a worker without requests waits before it ends.
    call_seconds : float, default=60.0
        Assumed seconds of a task, for `modelled_seconds`.

    Examples
    --------
    >>> from qestim.samplers import HardwareSampler, KaiwuBackend
    >>> machine = KaiwuBackend("jobs", python="/opt/python3.10/bin/python")
    >>> sampler = HardwareSampler(machine, folder="jobs", num_reads=100, seed=1)
    """

    _parameter_constraints: dict = {
        "folder": [str, pathlib.Path],
        "solver": [StrOptions({"cim", "brute_force", "tabu", "annealing"})],
        "mode": [StrOptions({"sampling", "optimization"})],
        "python": [str, pathlib.Path, None],
        "project_no": [str, None],
        "profile": [str, None],
        "credentials_file": [str, pathlib.Path, None],
        "max_spins": [Interval(Integral, 2, None, closed="left")],
        "bits": [Interval(Integral, 2, 53, closed="both"), None],
        "min_reads": [Interval(Integral, 1, None, closed="left")],
        "max_reads": [Interval(Integral, 1, None, closed="left")],
        "again_after": [Interval(Real, 0, None, closed="left")],
        "idle_seconds": [Interval(Real, 0, None, closed="neither")],
        "call_seconds": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        folder,
        *,
        solver="cim",
        mode="sampling",
        python=None,
        project_no=None,
        profile=None,
        credentials_file=None,
        max_spins=550,
        bits=8,
        min_reads=10,
        max_reads=2000,
        again_after=60.0,
        idle_seconds=60.0,
        call_seconds=60.0,
    ) -> None:
        self.folder = folder
        self.solver = solver
        self.mode = mode
        self.python = python
        self.project_no = project_no
        self.profile = profile
        self.credentials_file = credentials_file
        self.max_spins = max_spins
        self.bits = bits
        self.min_reads = min_reads
        self.max_reads = max_reads
        self.again_after = again_after
        self.idle_seconds = idle_seconds
        self.call_seconds = call_seconds

    @property
    def identity(self):
        """See `Backend.identity`: a local solver's reads are not the machine's."""
        return f"{type(self).__name__} {self.solver} {self.mode}"

    def modelled_seconds(self, num_reads) -> float:
        """Return the assumed seconds; see `Backend.modelled_seconds`.

        Parameters
        ----------
        num_reads : int
            Reads of the submission.

        Returns
        -------
        seconds : float
            `call_seconds`, for any number of reads.
        """
        return self.call_seconds

    def submit(self, task) -> dict:
        """Hand the task to the worker, if there is one; see `Backend.submit`.

        Parameters
        ----------
        task : MachineTask
            The task.

        Returns
        -------
        ticket : dict
            Empty: the name of the task is enough.

        Raises
        ------
        InvalidParameterError
            If a parameter is not as stated.
        """
        self._validate_params()
        spool = pathlib.Path(self.folder)
        (spool / "checkpoints").mkdir(parents=True, exist_ok=True)
        if self._interpreter() is not None:
            self._write_request(spool, task)
            self._start_worker(spool, task)
        return {}

    def collect(self, task, ticket) -> np.ndarray | None:
        """Return the answer if it is there; see `Backend.collect`.

        Parameters
        ----------
        task : MachineTask
            The task.
        ticket : dict
            Not used.

        Returns
        -------
        reads : ndarray of shape (k, N) or None
            Values in {-1, 1}; None while the machine has not finished.

        Raises
        ------
        HardwareError
            If the task failed, or the worker's files cannot be read.
        """
        spool = pathlib.Path(self.folder)
        if self._interpreter() is None:
            return self._ask_here(spool, task)
        answer = spool / f"{task.name}.reads.npy"
        if answer.exists():
            try:
                return read_array(answer)
            except ValueError as error:
                raise exceptions.HardwareResultError(
                    f"The answer {answer} cannot be read: {error}. Remove that file to "
                    "ask the machine again.",
                    task.name,
                ) from error
        failure = spool / f"{task.name}.error.json"
        if failure.exists():
            try:
                said = json.loads(failure.read_text(encoding="utf-8"))
            except ValueError as error:
                raise exceptions.HardwareError(
                    f"The worker's message {failure} cannot be read: {error}. Remove "
                    "that file to ask the machine again.",
                    task.name,
                ) from error
            # In this order, so that the worker tries again only when asked again.
            (spool / f"{task.name}.request.npz").unlink(missing_ok=True)
            failure.unlink()
            self._fail(said["kind"], said["message"], task)
        if not (spool / f"{task.name}.request.npz").exists():
            self._write_request(spool, task)
        self._start_worker(spool, task)
        return None

    def _interpreter(self):
        """Return the worker's Python, None where the SDK runs in this process."""
        if self.python is not None:
            return os.fspath(self.python)
        with contextlib.suppress(ImportError):
            # The plugin for torch is a package of the same name, without machines.
            importlib.import_module("kaiwu.cim")
            return None
        named = os.environ.get("QESTIM_KAIWU_PYTHON")
        if named:
            return named
        raise exceptions.HardwareError(
            "The Kaiwu SDK is not installed in this Python; it has wheels for Python "
            "3.10 only. Name in 'python' or in QESTIM_KAIWU_PYTHON an interpreter that "
            "has it."
        )

    def _request(self, task):
        path = self.credentials_file
        return {
            "protocol": kaiwu_worker.PROTOCOL,
            "name": task.name,
            "solver": self.solver,
            "num_reads": task.num_reads,
            "mode": self.mode,
            "project_no": self.project_no,
            "profile": self.profile,
            "credentials_file": None if path is None else os.path.abspath(path),
            "again_after": self.again_after,
        }

    def _write_request(self, spool, task):
        data = io.BytesIO()
        text = json.dumps(self._request(task))
        np.savez_compressed(data, request=text, matrix=task.matrix)
        write_atomically(spool / f"{task.name}.request.npz", data.getvalue())

    def _start_worker(self, spool, task):
        """Start a worker unless the folder has one."""
        starts = self._machine.setdefault("starts", {})
        worker = self._machine.get("worker")
        status = None if worker is None else worker.status()
        if worker is not None and status is None:
            return
        if status:
            starts[task.name] = starts.get(task.name, 0) + 1
            if starts[task.name] >= _MOST_STARTS:
                del starts[task.name], self._machine["worker"]
                raise exceptions.HardwareError(
                    f"The worker of {self._interpreter()} has died {_MOST_STARTS} "
                    f"times over {task.name}, the last time with status {status}. Run "
                    f"{kaiwu_worker.__file__} by hand.",
                    task.name,
                )
        if is_served(spool):
            return
        python = self._interpreter()
        try:
            self._machine["worker"] = WorkerProcess(
                python, os.path.abspath(spool), self.idle_seconds
            )
        except OSError as error:
            raise exceptions.HardwareError(
                f"The interpreter {python!r} cannot be run: {error}. Name another one "
                "in 'python'.",
                task.name,
            ) from error

    def _ask_here(self, spool, task):
        # The SDK's answers about unfinished tasks come from the cloud: not too often.
        asked = self._machine.setdefault("asked", {})
        if time.monotonic() < asked.get(task.name, 0.0):
            return None
        request = self._request(task)
        failure = None
        try:
            reads = kaiwu_worker.solve(request, task.matrix, spool / "checkpoints")
        except Exception as error:  # noqa: BLE001, raised by its kind
            failure = error
        if failure is not None:
            kind, message = kaiwu_worker.describe(failure, request)
            # The cause is chained unless it, or its own cause, says a credential aloud.
            told = "".join(traceback.format_exception(failure))
            clean = kaiwu_worker.scrub(told, request) == told
            self._fail(kind, message, task, failure if clean else RuntimeError(message))
        if reads is None:
            asked[task.name] = time.monotonic() + self.again_after
        return reads

    def _fail(self, kind, message, task, cause=None):
        raise KINDS.get(kind, exceptions.HardwareError)(
            f"The Kaiwu SDK failed in {task.name}: {message}. {_CURES[kind]}",
            task.name,
        ) from cause
