# SPDX-License-Identifier: Apache-2.0
"""A simulated coherent Ising machine behind the limits and faults of a real one."""

import time
from numbers import Integral, Real
from typing import Self

import numpy as np

from qestim._sklearn import Interval, StrOptions
from qestim.exceptions import HardwareNetworkError
from qestim.qubo import IsingArrays
from qestim.samplers._cim import CIMSampler
from qestim.samplers._cim_models import DEFAULTS
from qestim.samplers._hardware.backend import Backend
from qestim.samplers._hardware.calibration import fit
from qestim.samplers._hardware.jobs import costs

PRESETS: dict[str, dict] = {
    # Spins, bits and reads as public code uses them; a minute a call, see the guide.
    "cim-550": dict(max_spins=550, bits=8, min_reads=10, max_reads=2000),
    "cim-1000": dict(max_spins=1000, bits=14, min_reads=10, max_reads=2000),
    # Only the size: what the rest costs is the difference to this one.
    "exact-550": dict(max_spins=550, bits=None, min_reads=1, max_reads=2000),
}


class CIMEmulatorBackend(Backend):
    r"""Emulate a coherent Ising machine with its limits, noise, drift and faults.

    The reads come from `CIMSampler` on the matrix that a machine would get, so they
    show what size, bits and noise do to a model before anything is booked. Reads
    depend on the matrix, the seed, `machine_seed` and the number of calls since the
    start, the last of these only where something drifts. Clones share that number.

    Parameters
    ----------
    max_spins : int, default=550
        Spins, the auxiliary one included.
    bits : int or None, default=8
        Bits of an entry with its sign; None means real numbers in [-1, 1].
    min_reads, max_reads : int, default=10, 2000
        Reads of one call.
    model : {"mean_field", "cac", "cfc", "sfc", "wigner"}, default="mean_field"
        The equations; see `CIMSampler`.
    mode : {"sampling", "optimization"}, default="sampling"
        What a read is: the state at the end of a run, or the lowest that it passed.
    num_steps : int, default=200
        Steps of a run.
    noise : "auto" or float, default="auto"
        Noise of the equations; see `CIMSampler`.
    pump : "auto" or float, default="auto"
        Pump at the end of its rise from -0.6; "auto" is the model's own schedule.
    coupling_error : float, default=0.0
        Standard deviation of each coupling's fixed relative error.
    read_noise : float, default=0.0
        Chance that a spin is read wrongly.
    drift : float, default=0.0
        Standard deviation, long after the start, of the slow wandering of every
        spin's offset, in units of the matrix' rms row norm, and of the relative gain.
    drift_period : float, default=1000.0
        Calls in which it wanders through its range.
    restart_after : int or None, default=None
        After so many calls the machine restarts once: the call is lost, and what had
        drifted begins anew.
    drop_rate, duplicate_rate : float, default=0.0
        Chance that a read is left out, or replaced by another one of the call.
    unique_pool : bool, default=False
        Return each state once and the lowest first, as machines in an optimisation
        mode do: a pool of candidates, not a sample.
    queue_seconds : float, default=0.0
        Real seconds that a call waits.
    call_seconds, read_seconds : float, default=60.0, 0.001
        Assumed machine time of a call and of a read, for `modelled_seconds`.
    machine_seed : int, default=0
        Which machine it is: its coupling errors and its drift.

    References
    ----------
    Errors and drift are derived in docs/guide/hardware.md; for the equations see
    `CIMSampler`.

    Examples
    --------
    >>> from qestim.samplers import CIMEmulatorBackend, HardwareSampler
    >>> machine = CIMEmulatorBackend.preset("cim-550", read_noise=0.01)
    >>> sampler = HardwareSampler(machine, num_reads=10, seed=0)
    >>> float(sampler.sample_ising({"a": 0.5}, {("a", "b"): 1.0}).first.energy)
    -1.5
    """

    _parameter_constraints: dict = {
        "max_spins": [Interval(Integral, 2, None, closed="left")],
        "bits": [Interval(Integral, 2, 53, closed="both"), None],
        "min_reads": [Interval(Integral, 1, None, closed="left")],
        "max_reads": [Interval(Integral, 1, None, closed="left")],
        "model": [StrOptions({"mean_field", "cac", "cfc", "sfc", "wigner"})],
        "mode": [StrOptions({"sampling", "optimization"})],
        "num_steps": [Interval(Integral, 1, None, closed="left")],
        "noise": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "pump": [StrOptions({"auto"}), Real],
        "coupling_error": [Interval(Real, 0, None, closed="left")],
        "read_noise": [Interval(Real, 0, 0.5, closed="left")],
        "drift": [Interval(Real, 0, None, closed="left")],
        "drift_period": [Interval(Real, 0, None, closed="neither")],
        "restart_after": [Interval(Integral, 1, None, closed="left"), None],
        "drop_rate": [Interval(Real, 0, 1, closed="left")],
        "duplicate_rate": [Interval(Real, 0, 1, closed="left")],
        "unique_pool": ["boolean"],
        "queue_seconds": [Interval(Real, 0, None, closed="left")],
        "call_seconds": [Interval(Real, 0, None, closed="left")],
        "read_seconds": [Interval(Real, 0, None, closed="left")],
        "machine_seed": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        max_spins=550,
        bits=8,
        min_reads=10,
        max_reads=2000,
        model="mean_field",
        mode="sampling",
        num_steps=200,
        noise="auto",
        pump="auto",
        coupling_error=0.0,
        read_noise=0.0,
        drift=0.0,
        drift_period=1000.0,
        restart_after=None,
        drop_rate=0.0,
        duplicate_rate=0.0,
        unique_pool=False,
        queue_seconds=0.0,
        call_seconds=60.0,
        read_seconds=0.001,
        machine_seed=0,
    ) -> None:
        self.max_spins = max_spins
        self.bits = bits
        self.min_reads = min_reads
        self.max_reads = max_reads
        self.model = model
        self.mode = mode
        self.num_steps = num_steps
        self.noise = noise
        self.pump = pump
        self.coupling_error = coupling_error
        self.read_noise = read_noise
        self.drift = drift
        self.drift_period = drift_period
        self.restart_after = restart_after
        self.drop_rate = drop_rate
        self.duplicate_rate = duplicate_rate
        self.unique_pool = unique_pool
        self.queue_seconds = queue_seconds
        self.call_seconds = call_seconds
        self.read_seconds = read_seconds
        self.machine_seed = machine_seed

    @classmethod
    def preset(cls, name, **parameters) -> Self:
        """Return an emulator with the limits of a kind of machine.

        Parameters
        ----------
        name : {"cim-550", "cim-1000", "exact-550"}
            550 spins of 8 bits, 1000 spins of 14 bits, or 550 spins of real numbers.
        **parameters
            Further parameters of the constructor; they win.

        Returns
        -------
        backend : CIMEmulatorBackend
            The emulator.
        """
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {sorted(PRESETS)}. Got {name!r}.")
        return cls(**{**PRESETS[name], **parameters})

    def calibrate(self, problems, reads) -> Self:
        """Fit noise, pump, precision, reading errors and drift to a machine's reads.

        Parameters
        ----------
        problems : list of ndarray of shape (N, N)
            Matrices as the machine had them: symmetric, zero diagonal, cost
            ``-s @ matrix @ s``. Drift is fitted only if the list is in the order of
            the calls and a matrix comes up again in it.
        reads : list of ndarray of shape (k, N)
            What it answered to each, in {-1, 1}.

        Returns
        -------
        backend : CIMEmulatorBackend
            A new emulator with the fitted parameters, otherwise this one's.

        Raises
        ------
        ValueError
            If the two lists do not fit each other or there is too little to fit.
        """
        self._validate_params()
        return fit(self, problems, reads)

    @property
    def identity(self):
        """See `Backend.identity`: whatever the reads depend on."""
        params = self.get_params(deep=False)
        times = ("queue_seconds", "call_seconds", "read_seconds")
        facts = {name: value for name, value in params.items() if name not in times}
        return f"{type(self).__name__} {sorted(facts.items())}"

    def modelled_seconds(self, num_reads) -> float:
        """Return the assumed machine time; see `Backend.modelled_seconds`.

        Parameters
        ----------
        num_reads : int
            Reads of the submission.

        Returns
        -------
        seconds : float
            `call_seconds`, and `read_seconds` for each read.
        """
        return self.call_seconds + num_reads * self.read_seconds

    def submit(self, task) -> dict:
        """Enter the queue; see `Backend.submit`.

        Parameters
        ----------
        task : MachineTask
            The task.

        Returns
        -------
        ticket : dict
            ``ready``, the end of the queue in seconds of Unix time.

        Raises
        ------
        InvalidParameterError
            If a parameter is not as stated.
        """
        self._validate_params()
        return {"ready": time.time() + self.queue_seconds}

    def collect(self, task, ticket) -> np.ndarray | None:
        """Run the machine once the queue is through; see `Backend.collect`.

        Parameters
        ----------
        task : MachineTask
            The task.
        ticket : dict
            What `submit` returned for it.

        Returns
        -------
        reads : ndarray of shape (k, N) or None
            Values in {-1, 1}, int8; None before the queue is through.

        Raises
        ------
        HardwareNetworkError
            If this is the call in which the machine restarts.
        """
        if time.time() < ticket["ready"]:
            return None
        clock = self._tick()
        rng = np.random.default_rng([self.machine_seed, task.seed, 1])
        reads = self._measure(task, clock)
        if self.read_noise:
            wrong = rng.random(reads.shape) < self.read_noise
            reads = np.where(wrong, -reads, reads).astype(np.int8)
        if self.duplicate_rate:
            source = np.arange(len(reads))
            again = rng.random(len(reads)) < self.duplicate_rate
            source[again] = rng.integers(len(reads), size=int(again.sum()))
            reads = reads[source]
        if self.drop_rate:
            kept = rng.random(len(reads)) >= self.drop_rate
            kept[rng.integers(len(reads))] = True
            reads = reads[kept]
        if self.unique_pool:
            reads = np.unique(reads, axis=0)
            reads = reads[np.argsort(costs(task.matrix, reads), kind="stable")]
        return reads

    def _tick(self):
        """Count the call; return the calls since the last start, and the starts."""
        machine = self._machine
        calls, starts = machine.get("calls", 0), machine.get("starts", 0)
        if starts == 0 and calls == self.restart_after:
            machine.update(calls=0, starts=1)
            raise HardwareNetworkError(
                f"The machine restarted after {calls} calls and lost this one. Ask "
                "again."
            )
        machine["calls"] = calls + 1
        return calls, starts

    def _measure(self, task, clock):
        matrix = task.matrix
        row, col = np.nonzero(matrix != 0)
        above = row < col
        row, col = row[above], col[above]
        value = -matrix[row, col]
        if self.coupling_error:
            value = (
                value * (1 + self.coupling_error * self._errors(len(matrix)))[row, col]
            )
        offset, gain = self._drifted(len(matrix), *clock)
        norm = float(np.sqrt(2 * np.dot(value, value) / len(matrix)))
        model = IsingArrays(
            norm * offset, row.astype(np.int32), col.astype(np.int32), value
        )
        sampler = CIMSampler(
            model=self.model,
            num_steps=self.num_steps,
            noise=self.noise,
            pump="auto" if self.pump == "auto" else (-0.6, float(self.pump)),
            xi="auto" if gain == 1 else gain * DEFAULTS[self.model].xi,
            return_best=self.mode == "optimization",
            num_threads=1,
        )
        seed = np.random.SeedSequence([self.machine_seed, task.seed]).generate_state(1)
        return sampler._sample_ising(model, None, task.num_reads, int(seed[0]))[0]

    def _errors(self, n):
        """Return this machine's fixed relative errors, symmetric of shape (n, n)."""
        known = self._machine.setdefault("errors", {})
        key = (self.machine_seed, n)
        if key not in known:
            known.clear()
            errors = np.random.default_rng([self.machine_seed, 2]).standard_normal(
                (n, n)
            )
            known[key] = np.triu(errors, 1) + np.triu(errors, 1).T
        return known[key]

    def _drifted(self, n, calls, starts):
        """Return every spin's offset and the gain, so many calls after a start."""
        if self.drift == 0 or calls == 0:
            return np.zeros(n), 1.0
        rng = np.random.default_rng([self.machine_seed, starts, 3])
        phase = 2 * np.pi * rng.random((3, n + 1))
        # Three waves of unlike lengths each; 0 at the start, variance 1 long after.
        pace = 2 * np.pi / self.drift_period / np.array([[1.0], [0.618], [2.414]])
        wave = np.sin(pace * calls + phase) - np.sin(phase)
        wandered = self.drift * wave.sum(axis=0) / np.sqrt(3)
        return wandered[:-1], float(max(0.1, 1 + wandered[-1]))
