# SPDX-License-Identifier: Apache-2.0
"""Machines that answer at once: a laboratory's function, any dimod sampler."""

from numbers import Integral

import numpy as np

from qestim._sklearn import HasMethods, Interval
from qestim.exceptions import HardwareResultError
from qestim.qubo import IsingArrays, spins_of
from qestim.samplers._hardware.backend import Backend


class _AtOnce(Backend):
    """Runs in submit and holds the reads until they are collected."""

    idempotent = False
    at_once = True

    def submit(self, task) -> dict:
        """Run the machine; see `Backend.submit`.

        Parameters
        ----------
        task : MachineTask
            The task.

        Returns
        -------
        ticket : dict
            Empty: the answer is in this process.

        Raises
        ------
        InvalidParameterError
            If a parameter is not as stated.
        """
        self._validate_params()
        reads = self._run(task)
        self._machine.setdefault("answers", {})[task.name] = reads
        return {}

    def collect(self, task, ticket) -> np.ndarray:
        """Return what the machine answered; see `Backend.collect`.

        Parameters
        ----------
        task : MachineTask
            The task.
        ticket : dict
            Not used.

        Returns
        -------
        reads : ndarray of shape (k, N)
            What the machine answered.

        Raises
        ------
        HardwareResultError
            If another process ran the task.
        """
        answers = self._machine.get("answers", {})
        if task.name not in answers:
            raise HardwareResultError(
                f"The answer to {task.name} was lost with the process that ran it. To "
                f"run it again remove {task.name}.json from the folder.",
                task.name,
            )
        return answers.pop(task.name)

    def _run(self, task):
        raise TypeError(f"{type(self).__name__} does not define _run.")


class CallableBackend(_AtOnce):
    """A machine behind a function: the one in your own laboratory.

    Parameters
    ----------
    function : callable
        ``function(matrix, num_reads) -> reads``: takes a symmetric float64 matrix of
        shape (N, N) with zero diagonal and whole entries within the bits, and returns
        an array of shape (k, N) in {-1, 1} that minimises ``-s @ matrix @ s``. A
        positive entry favours equal spins. It is never called twice for one job.
    max_spins : int, default=550
        Spins of the machine, the auxiliary one included.
    bits : int or None, default=8
        Bits of an entry with its sign; None means real numbers in [-1, 1].
    min_reads, max_reads : int, default=1, 10000
        Reads of one call.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers import CallableBackend, HardwareSampler
    >>> def machine(matrix, num_reads):  # it knows one answer
    ...     return np.ones((num_reads, len(matrix)), dtype=int)
    >>> sampler = HardwareSampler(CallableBackend(machine), num_reads=2)
    >>> float(sampler.sample_ising({}, {("a", "b"): -1.0}).first.energy)
    -1.0
    """

    _parameter_constraints: dict = {
        "function": [callable],
        "max_spins": [Interval(Integral, 2, None, closed="left")],
        "bits": [Interval(Integral, 2, 53, closed="both"), None],
        "min_reads": [Interval(Integral, 1, None, closed="left")],
        "max_reads": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self, function, *, max_spins=550, bits=8, min_reads=1, max_reads=10_000
    ) -> None:
        self.function = function
        self.max_spins = max_spins
        self.bits = bits
        self.min_reads = min_reads
        self.max_reads = max_reads

    def _run(self, task):
        return self.function(task.matrix.copy(), task.num_reads)


class DimodBackend(_AtOnce):
    """A dimod sampler treated as a machine: integers in, reads out.

    For D-Wave's machines wrap the composite that embeds. Where a sampler needs no
    rounding, `DimodSampler` is the shorter way.

    Parameters
    ----------
    sampler : dimod.Sampler
        Any object with dimod's ``sample(bqm, **parameters)``.
    sample_params : dict, default=None
        Keywords of every call; None means none. ``num_reads`` and ``seed`` are passed
        where the sampler knows them.
    max_spins : int, default=550
        Spins, the auxiliary one included.
    bits : int or None, default=None
        Bits of an entry with its sign; None means real numbers in [-1, 1].
    min_reads, max_reads : int, default=1, 10000
        Reads of one call.

    Examples
    --------
    >>> import dimod
    >>> from qestim.samplers import DimodBackend, HardwareSampler
    >>> sampler = HardwareSampler(DimodBackend(dimod.ExactSolver()))
    >>> float(sampler.sample_ising({"a": 0.5}, {("a", "b"): 1.0}).first.energy)
    -1.5
    """

    _parameter_constraints: dict = {
        **CallableBackend._parameter_constraints,
        "sampler": [HasMethods("sample")],
        "sample_params": [dict, None],
    }
    del _parameter_constraints["function"]

    def __init__(
        self,
        sampler,
        *,
        sample_params=None,
        max_spins=550,
        bits=None,
        min_reads=1,
        max_reads=10_000,
    ) -> None:
        self.sampler = sampler
        self.sample_params = sample_params
        self.max_spins = max_spins
        self.bits = bits
        self.min_reads = min_reads
        self.max_reads = max_reads

    @property
    def identity(self):
        """See `Backend.identity`."""
        return f"{type(self).__name__} {type(self.sampler).__name__}"

    def _run(self, task):
        known = getattr(self.sampler, "parameters", {})
        wanted = {"num_reads": task.num_reads, "seed": task.seed}
        call = {name: value for name, value in wanted.items() if name in known}
        # Each pair counts twice in -s @ matrix @ s; half of it is as good a cost.
        bqm = IsingArrays.from_matrix(-task.matrix).to_bqm()
        found = self.sampler.sample(bqm, **{**call, **(self.sample_params or {})})
        found = found.truncate(task.num_reads) if len(found) > task.num_reads else found
        return np.ascontiguousarray(spins_of(found, range(len(task.matrix))))
