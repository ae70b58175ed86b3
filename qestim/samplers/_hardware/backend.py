# SPDX-License-Identifier: Apache-2.0
"""What a machine is to `HardwareSampler`: limits, submit and collect."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.base import BaseEstimator, clone

from qestim.exceptions import HardwarePrecisionError, HardwareSizeError


def submissions(num_reads, num_gauges, min_reads, max_reads):
    """Yield (gauge, reads to keep, reads to ask for) of every submission of a call.

    Parameters
    ----------
    num_reads : int
        Reads of the call, divided evenly over the gauges.
    num_gauges : int
        Gauges.
    min_reads, max_reads : int
        Reads of one submission.
    """
    base, more = divmod(num_reads, num_gauges)
    for g in range(num_gauges):
        left = base + (g < more)
        while left > 0:
            wanted = min(left, max_reads)
            left -= wanted
            yield g, wanted, max(wanted, min_reads)


@dataclass(frozen=True, eq=False)
class MachineTask:
    """One submission.

    Parameters
    ----------
    name : str
        Name that is the same whenever the same reads are asked for; letters, digits,
        ``_``, ``.`` and ``-``, at most 80.
    matrix : ndarray of shape (N, N), dtype float64
        Symmetric, zero diagonal, C-contiguous; whole numbers within the machine's
        range. The machine minimises ``-s @ matrix @ s``: a positive entry favours
        equal spins.
    num_reads : int
        Reads wanted.
    seed : int
        For machines that are simulated; a real one has no use for it.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers import MachineTask
    >>> task = MachineTask("equal", np.array([[0.0, 3.0], [3.0, 0.0]]), 5, seed=0)
    >>> len(task.fingerprint)
    40
    """

    name: str
    matrix: np.ndarray
    num_reads: int
    seed: int

    @cached_property
    def fingerprint(self):
        """Hexadecimal digits that tell matrices apart."""
        return fingerprint(self.matrix)


def fingerprint(matrix, machine=""):
    """Return 40 hexadecimal digits that tell matrices apart.

    Parameters
    ----------
    matrix : ndarray of shape (N, N)
        Whole or real numbers.
    machine : str, default=""
        What tells machines apart, too.
    """
    small = matrix.astype(np.int16)
    exact = small if np.array_equal(small, matrix) else np.ascontiguousarray(matrix)
    data = machine.encode() + exact.tobytes()
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


class Backend(BaseEstimator):
    """A machine that takes symmetric matrices of small integers and returns spins.

    A subclass has the four limits as parameters or attributes and defines `submit` and
    `collect`. Clones share what the object knows of the machine (``self._machine``, a
    dict), because they speak to the same one; a pickled copy starts without it.

    Attributes
    ----------
    max_spins : int
        Spins that the machine has, the auxiliary one included.
    bits : int or None
        Bits of an entry with its sign: whole numbers up to ``2**(bits - 1) - 1``. None
        means real numbers in [-1, 1].
    min_reads, max_reads : int
        Reads of one submission.
    idempotent : bool
        Whether a name that is submitted again costs nothing and gives the same task.
        Where it is False, a submission whose fate is unknown is never repeated.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers import Backend, HardwareSampler
    >>> class OneAnswer(Backend):
    ...     max_spins, bits = 10, 8
    ...
    ...     def submit(self, task):
    ...         return {}
    ...
    ...     def collect(self, task, ticket):
    ...         return np.ones((task.num_reads, len(task.matrix)), dtype=int)
    >>> sampler = HardwareSampler(OneAnswer(), num_reads=2, seed=0)
    >>> float(sampler.sample_ising({}, {("a", "b"): -1.0}).first.energy)
    -1.0
    """

    _parameter_constraints: dict = {}

    max_spins: int
    bits: int | None
    min_reads: int = 1
    max_reads: int = 10_000
    idempotent = True
    # Whether the reads are in this process' memory once submit has returned.
    at_once = False

    @property
    def identity(self):
        """Text that tells this machine's reads from another's in the same folder."""
        return type(self).__name__

    def submit(self, task) -> dict:
        """Hand a task to the machine.

        Parameters
        ----------
        task : MachineTask
            The task.

        Returns
        -------
        ticket : dict
            JSON-able; what `collect` needs, in another process too.

        Raises
        ------
        HardwareError
            If the machine refuses.
        """
        raise TypeError(f"{type(self).__name__} does not define submit.")

    def collect(self, task, ticket) -> np.ndarray | None:
        """Ask for the reads of a task.

        Parameters
        ----------
        task : MachineTask
            The task.
        ticket : dict
            What `submit` returned for it.

        Returns
        -------
        reads : ndarray of shape (k, N) or None
            Values in {-1, 1}; None while the machine has not finished.

        Raises
        ------
        HardwareError
            If the task failed.
        """
        raise TypeError(f"{type(self).__name__} does not define collect.")

    def modelled_seconds(self, num_reads) -> float:
        """Return the machine seconds that one submission is assumed to take.

        Parameters
        ----------
        num_reads : int
            Reads of the submission.

        Returns
        -------
        seconds : float
            0 where nothing is assumed.
        """
        return 0.0

    def check(self, task) -> None:
        """Raise if a task is beyond the machine's limits.

        Parameters
        ----------
        task : MachineTask
            The task.

        Raises
        ------
        HardwareSizeError, HardwarePrecisionError
            Naming the limit and the value.
        """
        n = len(task.matrix)
        if n > self.max_spins:
            raise HardwareSizeError(
                f"{type(self).__name__} has {self.max_spins} spins. Got {n}.", task.name
            )
        top = float(np.abs(task.matrix).max())
        limit = 1.0 if self.bits is None else 2 ** (self.bits - 1) - 1
        whole = self.bits is None or np.array_equal(task.matrix, np.rint(task.matrix))
        if top > limit or not whole:
            raise HardwarePrecisionError(
                f"{type(self).__name__} takes entries up to {limit:g}"
                f"{'' if self.bits is None else ', whole numbers'}. Got {top:g}.",
                task.name,
            )

    @property
    def _machine(self):
        return self.__dict__.setdefault("_machine_state", {})

    def __sklearn_clone__(self):
        params = self.get_params(deep=False)
        for name, value in params.items():
            if isinstance(value, BaseEstimator):
                params[name] = clone(value)
        copy = type(self)(**params)
        copy.__dict__["_machine_state"] = self._machine
        return copy

    def __getstate__(self):
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k != "_machine_state"}
