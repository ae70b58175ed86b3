# SPDX-License-Identifier: Apache-2.0
"""Whether a model fits a machine, what rounding loses and how long it takes."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from qestim.exceptions import HardwareSizeError
from qestim.qubo import IsingArrays
from qestim.samplers import (
    BaseSampler,
    CIMEmulatorBackend,
    HardwareSampler,
    SimulatedAnnealingSampler,
)
from qestim.samplers._hardware.backend import submissions
from qestim.samplers._hardware.encoding import encode

_ENCODING = ("num_auxiliary", "clip_quantile", "split_bits")


@dataclass(frozen=True, repr=False)
class DeviceReport:
    """What a machine would make of a model or of a whole fit; it prints as three lines.

    Attributes
    ----------
    fits : bool
        Whether every model is within the machine's spins.
    machine_spins : int
        Spins of the largest model, auxiliary ones and copies included; where it does
        not fit, that it needs at least.
    max_spins : int
        Spins of the machine.
    bits : int or None
        Its bits; None means real numbers.
    rms_rel_error, max_rel_error : float
        Rounding errors of the coefficients, by the root mean square and by the largest
        coefficient; the worst model's.
    share_zeroed : float
        Share of the coefficients that rounding makes zero; the worst model's.
    calls : int
        Submissions.
    reads : int
        Reads of them all.
    seconds : float
        Machine time as the backend models it; 0 where it assumes nothing.
    """

    fits: bool
    machine_spins: int
    max_spins: int
    bits: int | None
    rms_rel_error: float
    max_rel_error: float
    share_zeroed: float
    calls: int
    reads: int
    seconds: float

    def __repr__(self):
        calls = "1 call" if self.calls == 1 else f"{self.calls} calls"
        hours = f"{self.seconds / 3600:.1f} h" if self.seconds >= 3600 else ""
        return "\n".join(
            [
                f"{'fits' if self.fits else 'DOES NOT FIT'}: {self.machine_spins} of "
                f"{self.max_spins} spins",
                f"precision: {self.bits or 'no limit of'} bits, coefficients off by "
                f"{100 * self.rms_rel_error:.2g} % (rms), {100 * self.share_zeroed:.2g}"
                " % become zero",
                f"machine: {calls}, {self.reads} reads, "
                f"{hours or f'{self.seconds:.0f} s'} as modelled",
            ]
        )


class _Recorder(BaseSampler):
    """Answers like an annealer and notes what a machine would have been asked."""

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "backend": "no_validation",
        "seen": "no_validation",
        "settings": "no_validation",
    }
    initial_states = time_limit = target_energy = num_threads = None
    aggregate = False

    def __init__(
        self, backend=None, *, seen=None, settings=None, num_reads=None, seed=None
    ):
        self.backend = backend
        self.seen = seen
        self.settings = settings
        self.num_reads = num_reads
        self.seed = seed

    def __sklearn_clone__(self):
        return type(self)(**self.get_params(deep=False))

    @property
    def properties(self):
        return {"distribution": "ground_state", "scale_free": True}

    def _sample_ising(self, model, initial, num_reads, seed):
        self.seen.append(_examine(model, self.backend, num_reads, self.settings))
        inner = SimulatedAnnealingSampler(num_sweeps=10, num_threads=1)
        return inner._sample_ising(model, None, num_reads, seed)


def _examine(model, backend, num_reads, settings):
    """Return spins, errors, calls, reads and seconds of one call's model."""
    found = {
        "spins": len(model) + bool(np.any(model.h)),
        "rms": 0.0,
        "max": 0.0,
        "zeroed": 0.0,
    }
    limits = backend.min_reads, backend.max_reads
    calls = submissions(num_reads, settings.num_gauges, *limits)
    # A model without couplings is answered without the machine.
    asked = [reads for _, _, reads in calls] if model.value.any() else []
    model_time = getattr(backend, "modelled_seconds", lambda reads: 0.0)
    found |= {"calls": len(asked), "reads": num_reads}
    found["seconds"] = sum(model_time(reads) for reads in asked)
    options = {name: getattr(settings, name) for name in _ENCODING}
    try:
        report = encode(model, backend.max_spins, backend.bits, **options).report
    except HardwareSizeError:
        # Copies and auxiliary spins that were asked for may be what is too much.
        found["spins"] = max(found["spins"], backend.max_spins + 1)
        return found
    found["spins"] = report["machine_spins"]
    found["rms"], found["max"] = report["rms_rel_error"], report["max_rel_error"]
    found["zeroed"] = report["n_zeroed"] / max(report["n_coefficients"], 1)
    return found


def device_report(
    estimator_or_bqm, backend=None, X=None, y=None, *, num_reads=100
) -> DeviceReport:
    """Say before a job is submitted whether it fits a machine, and what it costs.

    A model is encoded as the `HardwareSampler` at hand would encode it. An
    estimator is cloned and fitted to the data with a quick annealer in the place of its
    `sampler`, and the calls, their models and their reads are noted; nothing is
    submitted. The rehearsal takes as long as such a fit does.

    Parameters
    ----------
    estimator_or_bqm : dimod.BinaryQuadraticModel, Problem or estimator
        A model, an object with ``to_bqm``, or an estimator with a parameter `sampler`.
    backend : Backend or HardwareSampler, default=None
        The machine; None is that of the estimator's own `HardwareSampler`, else the
        emulator. Of a `HardwareSampler` its machine, and its `num_auxiliary`,
        `clip_quantile`, `split_bits` and `num_gauges`; beside a bare machine those of
        the estimator's own `HardwareSampler`, else the defaults.
    X : array-like of shape (n_samples, n_features), default=None
        The data that the estimator is to be fitted to.
    y : array-like, default=None
        Their targets, where it takes any.
    num_reads : int, default=100
        Reads of the one call for a model; an estimator asks for its own number.

    Returns
    -------
    report : DeviceReport
        Prints as three lines.

    Raises
    ------
    TypeError
        If the model or the machine is none.
    ValueError
        If an estimator comes without data or has no parameter ``sampler``.

    References
    ----------
    Derived in docs/guide/hardware.md.

    Examples
    --------
    >>> import dimod, qestim
    >>> bqm = dimod.BinaryQuadraticModel({"a": 0.5}, {("a", "b"): 1.0}, "SPIN")
    >>> print(qestim.device_report(bqm))
    fits: 3 of 550 spins
    precision: 8 bits, coefficients off by 0.79 % (rms), 0 % become zero
    machine: 1 call, 100 reads, 60 s as modelled
    """
    model = estimator_or_bqm
    settings = HardwareSampler()
    if isinstance(backend, HardwareSampler):
        settings, backend = backend, backend.backend
    elif isinstance(getattr(model, "sampler", None), HardwareSampler):
        settings = model.sampler
    if backend is None:
        backend = settings.backend or CIMEmulatorBackend()
    if not hasattr(backend, "max_spins"):
        raise TypeError(
            "backend must be a Backend or a HardwareSampler. Got "
            f"{type(backend).__name__}; data go in as X=..."
        )
    if not hasattr(model, "fit"):
        bqm = model.to_bqm() if hasattr(model, "to_bqm") else model
        seen = [_examine(IsingArrays.from_bqm(bqm), backend, num_reads, settings)]
    else:
        name = type(model).__name__
        if "sampler" not in model.get_params():
            raise ValueError(
                f"device_report needs an estimator with a parameter 'sampler'. Got "
                f"{name}; of a Pipeline give the step, and its input as X."
            )
        if X is None:
            raise ValueError(
                f"device_report counts the calls of {name} by a rehearsal, which needs "
                "the data. Got X=None."
            )
        seen = []
        own = getattr(model.sampler, "num_reads", None)
        rehearsal = clone(model).set_params(
            sampler=_Recorder(backend, seen=seen, settings=settings, num_reads=own)
        )
        rehearsal.fit(X) if y is None else rehearsal.fit(X, y)
        if not seen:
            raise ValueError(
                f"{name} asked its sampler for nothing, so there is nothing to report. "
                "Check the parameters that choose between sampler and other methods."
            )
    spins = max(one["spins"] for one in seen)
    return DeviceReport(
        fits=spins <= backend.max_spins,
        machine_spins=spins,
        max_spins=backend.max_spins,
        bits=backend.bits,
        rms_rel_error=max(one["rms"] for one in seen),
        max_rel_error=max(one["max"] for one in seen),
        share_zeroed=max(one["zeroed"] for one in seen),
        calls=sum(one["calls"] for one in seen),
        reads=sum(one["reads"] for one in seen),
        seconds=float(sum(one["seconds"] for one in seen)),
    )
