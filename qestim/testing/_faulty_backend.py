# SPDX-License-Identifier: Apache-2.0
"""A machine that fails on purpose."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np

from qestim._sklearn import HasMethods, Interval
from qestim.exceptions import HardwareNetworkError
from qestim.samplers import Backend


class FaultyBackend(Backend):
    """Inject faults into another backend, to test what uses it.

    Parameters
    ----------
    backend : Backend
        The machine that answers.
    faults : tuple of str, default=None
        Which of `FaultyBackend.FAULTS` may happen; None means all.
    rate : float, default=0.5
        Chance of a fault in each question.
    seed : int, default=0
        Seed of the faults.

    Attributes
    ----------
    injected : list of str
        The faults so far, shared by clones.

    Examples
    --------
    >>> from qestim.samplers import CIMEmulatorBackend, HardwareSampler
    >>> from qestim.testing import FaultyBackend
    >>> machine = FaultyBackend(CIMEmulatorBackend(), faults=("network",), seed=3)
    >>> sampler = HardwareSampler(machine, num_reads=10, seed=0)
    >>> reads = sampler.sample_ising({}, {("a", "b"): 1})
    >>> float(reads.first.energy), sorted(set(machine.injected))
    (-1.0, ['network'])
    """

    FAULTS = (
        "network",
        "refused connection",
        "never",
        "half",
        "half a row",
        "wrong shape",
        "transposed",
        "one read",
        "empty",
        "zeros",
        "not a number",
        "doubled",
        "fraction",
        "text",
        "ragged",
        "out of order",
        "upside down",
        "wrong sign",
        "quota",
        "licence",
        "crash",
    )

    _parameter_constraints: dict = {
        "backend": [HasMethods(["submit", "collect"])],
        "faults": [tuple, list, None],
        "rate": [Interval(Real, 0, 1, closed="both")],
        "seed": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, backend, *, faults=None, rate=0.5, seed=0) -> None:
        self.backend = backend
        self.faults = faults
        self.rate = rate
        self.seed = seed

    max_spins = property(lambda self: self.backend.max_spins)
    bits = property(lambda self: self.backend.bits)
    min_reads = property(lambda self: self.backend.min_reads)
    max_reads = property(lambda self: self.backend.max_reads)
    idempotent = property(lambda self: self.backend.idempotent)
    identity = property(lambda self: self.backend.identity)

    @property
    def injected(self):
        """List of the faults so far."""
        return self._machine.setdefault("injected", [])

    def submit(self, task) -> dict:
        """Submit; see `Backend.submit`.

        Parameters
        ----------
        task : MachineTask
            The task.

        Returns
        -------
        ticket : dict
            Of the backend that answers.
        """
        return self.backend.submit(task)

    def collect(self, task, ticket) -> np.ndarray | None:
        """Collect, perhaps with a fault; see `Backend.collect`.

        Parameters
        ----------
        task : MachineTask
            The task.
        ticket : dict
            What `submit` returned for it.

        Returns
        -------
        reads : ndarray of shape (k, N) or None
            Values in {-1, 1}; None while the machine has not finished. A fault may have
            spoilt them.

        Raises
        ------
        HardwareNetworkError, ConnectionRefusedError, ValueError, TypeError
            If the fault is one of "network", "refused connection", "quota", "licence"
            and "crash", or the backend raises.
        InvalidParameterError
            If a parameter is not as stated.
        """
        self._validate_params()
        rng = self._machine.setdefault("rng", np.random.default_rng(self.seed))
        fault = None
        if rng.random() < self.rate:
            fault = str(rng.choice(self.faults or self.FAULTS))
            self.injected.append(fault)
        if fault == "network":
            raise HardwareNetworkError("The connection was lost.", task.name)
        if fault == "refused connection":
            raise ConnectionRefusedError("[Errno 111] Connection refused")
        if fault == "quota":
            raise ValueError("insufficient resources (资源不足)")
        if fault == "licence":
            raise ValueError("License download failed, please log in")
        if fault == "crash":
            raise TypeError("'NoneType' object is not subscriptable")
        if fault == "never":
            return None
        if fault == "wrong sign":
            task = replace(task, matrix=-task.matrix)
        reads = self.backend.collect(task, ticket)
        return reads if fault is None or reads is None else _spoil(fault, reads, rng)


def _spoil(fault, reads, rng):
    """Return an answer with a fault in it."""
    reads = np.array(reads)
    values = {"zeros": 0, "not a number": np.nan, "doubled": 2, "fraction": 0.5}
    if fault in values:
        reads = reads.astype(float)
        reads[rng.integers(len(reads)), rng.integers(reads.shape[1])] = values[fault]
        return reads
    match fault:
        case "half":
            return reads[: max(1, len(reads) // 2)]
        case "half a row":
            return reads[:, : reads.shape[1] // 2]
        case "wrong shape":
            return np.hstack([reads, reads[:, :1]])
        case "transposed":
            return np.vstack([reads, reads[:1]]).T
        case "one read":
            return reads[0]
        case "empty":
            return reads[:0]
        case "text":
            return [["+", "-"], ["-", "+"]]
        case "ragged":
            return [reads[0].tolist(), reads[0, :-1].tolist()]
        case "out of order":
            return reads[rng.permutation(len(reads))]
        case "upside down":
            return -reads
    return reads  # of the wrong sign already
