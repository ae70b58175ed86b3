# SPDX-License-Identifier: Apache-2.0
"""A machine that is booked, not called: problems as files, answers as files."""

import io
import json
import pathlib
import time
from numbers import Integral, Real

import numpy as np

from qestim._sklearn import Interval
from qestim.exceptions import HardwareResultError
from qestim.samplers._hardware.backend import Backend
from qestim.samplers._hardware.store import read_array, write_atomically


class FileBackend(Backend):
    """Write problems into a folder and read answers from it.

    For a machine whose time is booked: a program runs until its reads are needed and
    ends with `HardwarePendingError` (or waits); somebody runs the machine over the
    folder; the program, run again with the same seeds, goes on. A job NAME is

    - ``NAME.problem.csv``: the symmetric matrix, one row a line, whole numbers; the
      machine minimises ``-s @ matrix @ s``, a positive entry favours equal spins;
    - ``NAME.problem.json``: ``{"num_reads": ..., "spins": ...}``;
    - ``NAME.answer.csv`` or ``NAME.answer.npy``, put there: a row a read, -1 and 1.

    A table with as many rows as were asked for is taken at once. One with fewer, or one
    that cannot be read, may still be on its way: it counts only once it has not changed
    for `settle_seconds`.

    Parameters
    ----------
    folder : str or path-like
        The folder; it is made if it is not there.
    max_spins : int, default=550
        Spins of the machine, the auxiliary one included.
    bits : int or None, default=8
        Bits of an entry with its sign; None means real numbers in [-1, 1].
    min_reads, max_reads : int, default=1, 10000
        Reads of one job.
    settle_seconds : float, default=10.0
        Seconds without a change after which an answer with fewer reads than were
        asked for is whole, and one that cannot be read is an error. Raise it where
        files are copied over a slow line.

    Examples
    --------
    >>> import tempfile
    >>> from qestim.exceptions import HardwarePendingError
    >>> from qestim.samplers import FileBackend, HardwareSampler
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     machine = FileBackend(folder)
    ...     sampler = HardwareSampler(machine, folder=folder, seed=1, wait=False)
    ...     try:
    ...         sampler.sample_ising({}, {("a", "b"): 1.0})
    ...     except HardwarePendingError as pending:
    ...         print(pending.task_id)
    qestim-...
    """

    _parameter_constraints: dict = {
        "folder": [str, pathlib.Path],
        "max_spins": [Interval(Integral, 2, None, closed="left")],
        "bits": [Interval(Integral, 2, 53, closed="both"), None],
        "min_reads": [Interval(Integral, 1, None, closed="left")],
        "max_reads": [Interval(Integral, 1, None, closed="left")],
        "settle_seconds": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        folder,
        *,
        max_spins=550,
        bits=8,
        min_reads=1,
        max_reads=10_000,
        settle_seconds=10.0,
    ) -> None:
        self.folder = folder
        self.max_spins = max_spins
        self.bits = bits
        self.min_reads = min_reads
        self.max_reads = max_reads
        self.settle_seconds = settle_seconds

    def submit(self, task) -> dict:
        """Write the problem; see `Backend.submit`.

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
        folder = pathlib.Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"num_reads": task.num_reads, "spins": len(task.matrix)}
        path = folder / f"{task.name}.problem.json"
        write_atomically(path, (json.dumps(facts) + "\n").encode())
        table = io.StringIO()
        whole = "%d" if self.bits else "%.17g"
        np.savetxt(table, task.matrix, fmt=whole, delimiter=",")
        # Last, since it is what the machine's side looks for.
        path = folder / f"{task.name}.problem.csv"
        write_atomically(path, table.getvalue().encode())
        return {}

    def collect(self, task, ticket) -> np.ndarray | None:
        """Read the answer if it is there; see `Backend.collect`.

        Parameters
        ----------
        task : MachineTask
            The task.
        ticket : dict
            Not used.

        Returns
        -------
        reads : ndarray of shape (k, N) or None
            Numbers as the file has them; None while there is no whole answer.

        Raises
        ------
        HardwareResultError
            If the file cannot be read, `settle_seconds` after its last write.
        """
        answer = pathlib.Path(self.folder) / f"{task.name}.answer.csv"
        if not answer.exists():
            answer = answer.with_suffix(".npy")
            if not answer.exists():
                return None
        # The time of the last write here; copies may keep an older one of the content.
        settled = time.time() - answer.stat().st_ctime >= self.settle_seconds
        try:
            if answer.suffix == ".npy":
                return read_array(answer)  # which knows its own size
            reads = _read_table(answer)
        except ValueError as error:
            if not settled:
                return None
            raise HardwareResultError(
                f"The answer {answer} cannot be read: {error}. Put the whole file "
                "there, a row a read, -1 and 1.",
                task.name,
            ) from error
        return reads if settled or len(reads) >= task.num_reads else None


def _read_table(path):
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        raise ValueError("it is empty")
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
