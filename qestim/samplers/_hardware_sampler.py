# SPDX-License-Identifier: Apache-2.0
"""A real machine, or one that behaves like it, as a sampler."""

import concurrent.futures
import pathlib
import re
import threading
import warnings
from numbers import Integral, Real

import dimod
import numpy as np

from qestim._sklearn import HasMethods, Interval, StrOptions
from qestim.exceptions import PrecisionWarning
from qestim.samplers._base import BaseSampler
from qestim.samplers._hardware.backend import MachineTask, fingerprint, submissions
from qestim.samplers._hardware.emulator import CIMEmulatorBackend
from qestim.samplers._hardware.encoding import encode
from qestim.samplers._hardware.jobs import JobRunner, costs, number_of_states
from qestim.samplers._hardware.store import FolderStore, MemoryStore
from qestim.samplers._temperature import temperature_of


class HardwareSampler(BaseSampler):
    r"""Sample with a machine: encode, submit, wait, decode, and say what it cost.

    The model is rounded to the machine's whole numbers, fields on auxiliary spins;
    energies and temperature are those of the model as it was given. A machine maps any
    model onto its own range, so scaling the biases does not change its temperature:
    ``info`` has the ``beta_eff`` that fits the reads best and its ``misfit``.

    With a `folder` each submission is remembered before, while and after it runs. A
    program that was killed is run again with the same seeds: it finds the reads that it
    has had, waits for those under way, and submits the rest. A job is known by
    `task_name`, the machine and its mode, the matrix, the number of reads and the seed:
    another machine or seed means new reads, and all the same means the same ones.

    Parameters
    ----------
    backend : Backend, default=None
        The machine: `CIMEmulatorBackend`, `KaiwuBackend`, `FileBackend`,
        `CallableBackend`, `DimodBackend`, or your own subclass of `Backend`. None
        means ``CIMEmulatorBackend()``.
    num_reads : int, default=None
        Reads; None means one. A machine that gives more at least is asked for that
        and the rest is left out; one that gives fewer at most is asked several times.
    folder : str or path-like, default=None
        Where jobs are remembered, under locks of a POSIX system; None forgets them
        with the call.
    task_name : str, default="qestim"
        First part of the names of jobs.
    num_auxiliary : "auto" or int, default="auto"
        Spins that stand for the fields of the model. Several share fields that are
        larger than the couplings, which would otherwise take the whole range; "auto"
        uses spins that are left for it.
    clip_quantile : float, default=None
        Cut the largest coefficients down to this quantile of the non-zero sizes, so
        that the others are rounded less; None does not.
    split_bits : int, default=None
        Round to so many bits instead of the machine's, and divide what is then too
        large over copies of spins; takes more spins, and is refused where the machine
        takes real numbers.
    num_gauges : int, default=1
        Spin-reversal transforms: the reads are divided over so many submissions, the
        second and later ones with a random half of the spins reversed.
    wait : bool, default=True
        Wait for reads that are not there yet, or raise `HardwarePendingError`.
    poll_interval : float, default=0.05
        Seconds before the second question; the pauses grow to a minute.
    max_retries : int, default=5
        How often a question that the network swallowed is asked again.
    seed : int, default=None
        Non-negative seed, the last part of the names of jobs; None draws one, stated in
        ``info["seed"]``. Only simulated machines repeat their reads by it alone; from
        others `folder` keeps them.
    num_threads : int, default=None
        Threads for the energies; None means every core that the process may use.
    time_limit : float, default=None
        Seconds of wall clock within which the reads must be there; then
        `HardwareTimeoutError`, and the job stays to be fetched. A machine that answers
        at once (`CallableBackend`, `DimodBackend`) is not interrupted: its call ends by
        itself, and what it answered late is returned.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    See Also
    --------
    CIMSampler : The simulated machine without a machine's limits.
    qestim.device_report : Whether a model fits a machine, before it is submitted.

    Notes
    -----
    ``info`` holds ``bits``, ``unit`` (energy of one integer step), ``max_rel_error``
    and ``rms_rel_error`` of the rounding (by the largest coefficient, and by the root
    mean square of the couplings or of the fields, whichever is worse), ``n_zeroed``
    and ``n_clipped`` of ``n_coefficients``, ``machine_spins``, ``auxiliary_spins``,
    ``calls``, ``resumed``, ``job_names``, ``modelled_seconds``,
    ``num_reads_completed``, ``unique_fraction``, ``broken_copies`` (share of the
    spins with copies), ``beta_eff``, ``misfit`` and ``misfit_p``. Models without
    couplings are answered here: ``calls`` is 0.

    Errors are `HardwareError` or one of its kinds, with the job's name as ``task_id``
    and the cause chained. Credentials are no parameters.

    References
    ----------
    Rounding and fields are derived in docs/guide/hardware.md. The inverse temperature
    is that of

    .. [1] Besag, "Statistical analysis of non-lattice data", The Statistician 24, 179
       (1975). doi:10.2307/2987782

    Examples
    --------
    >>> from qestim.samplers import CIMEmulatorBackend, HardwareSampler
    >>> sampler = HardwareSampler(CIMEmulatorBackend(bits=4), num_reads=20, seed=0)
    >>> reads = sampler.sample_ising({"a": 1.0}, {("a", "b"): 1.0, ("b", "c"): -1.0})
    >>> float(reads.first.energy), reads.info["machine_spins"], reads.info["bits"]
    (-3.0, 4, 4)
    """

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "backend": [HasMethods(["submit", "collect"]), None],
        "folder": [str, pathlib.Path, None],
        "task_name": [str],
        "num_auxiliary": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "clip_quantile": [Interval(Real, 0, 1, closed="right"), None],
        "split_bits": [Interval(Integral, 2, 53, closed="both"), None],
        "num_gauges": [Interval(Integral, 1, None, closed="left")],
        "wait": ["boolean"],
        "poll_interval": [Interval(Real, 0, None, closed="neither")],
        "max_retries": [Interval(Integral, 0, None, closed="left")],
    }

    # A machine starts where it does.
    initial_states = None

    def __init__(
        self,
        backend=None,
        *,
        num_reads=None,
        folder=None,
        task_name="qestim",
        num_auxiliary="auto",
        clip_quantile=None,
        split_bits=None,
        num_gauges=1,
        wait=True,
        poll_interval=0.05,
        max_retries=5,
        seed=None,
        num_threads=None,
        time_limit=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.backend = backend
        self.num_reads = num_reads
        self.folder = folder
        self.task_name = task_name
        self.num_auxiliary = num_auxiliary
        self.clip_quantile = clip_quantile
        self.split_bits = split_bits
        self.num_gauges = num_gauges
        self.wait = wait
        self.poll_interval = poll_interval
        self.max_retries = max_retries
        self.seed = seed
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.aggregate = aggregate
        self.verbose = verbose

    @property
    def properties(self):
        """Dict of what is known of the sampler and of its machine."""
        machine = CIMEmulatorBackend() if self.backend is None else self.backend
        limits = ("max_spins", "bits", "min_reads", "max_reads")
        return {
            "distribution": "ground_state",
            "scale_free": True,
            **{name: getattr(machine, name, None) for name in limits},
        }

    def sample_later(self, bqm, **parameters) -> dimod.SampleSet:
        """Sample in the background, like the clients of other machines.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model.
        **parameters
            Overrides of the constructor's parameters for this call.

        Returns
        -------
        sampleset : dimod.SampleSet
            ``sampleset.done()`` says whether the reads are there; using them waits.
        """
        call = self._for_call(parameters)
        future: concurrent.futures.Future = concurrent.futures.Future()

        def work():
            try:
                future.set_result(call.sample(bqm))
            except BaseException as error:  # noqa: BLE001, passed to who reads it
                future.set_exception(error)

        # A daemon, so that a job of hours does not hold the interpreter back.
        threading.Thread(target=work, daemon=True).start()
        return dimod.SampleSet.from_future(future, lambda future: future.result())

    def _for_call(self, parameters):
        for name in ("initial_states", "target_energy"):
            if parameters.get(name) is not None:
                raise ValueError(
                    f"The '{name}' parameter is not one of HardwareSampler: a machine "
                    "starts and stops by itself. Use SimulatedAnnealingSampler. "
                    f"Got {parameters[name]!r}."
                )
        return super()._for_call(parameters)

    def _sample_ising(self, model, initial, num_reads, seed):
        backend = CIMEmulatorBackend() if self.backend is None else self.backend
        if isinstance(backend, type):
            raise ValueError(
                "The 'backend' parameter must be an instance. Got the class "
                f"{backend.__name__}; write {backend.__name__}(...)."
            )
        if hasattr(backend, "_validate_params"):
            backend._validate_params()
        problem = encode(
            model,
            backend.max_spins,
            backend.bits,
            num_auxiliary=self.num_auxiliary,
            clip_quantile=self.clip_quantile,
            split_bits=self.split_bits,
        )
        info = {"kernel": type(backend).__name__, **problem.report}
        if not model.value.any():
            spins = _independent(model, num_reads, seed)
            return spins, {**info, "calls": 0, "num_reads_completed": num_reads}, {}
        self._warn_of_precision(problem.report)
        store = MemoryStore() if self.folder is None else FolderStore(self.folder)
        runner = JobRunner(
            backend,
            store,
            self.poll_interval,
            self.time_limit,
            self.max_retries,
            self.wait,
        )
        jobs = list(self._jobs(backend, problem, num_reads, seed))
        for _, task, _ in jobs:
            runner.submit(task)
        parts, broken = [], []
        for gauged, task, wanted in jobs:
            reads = runner.reads(task)
            _warn_of_pool(reads, task)
            spins, share = gauged.decode(reads[:wanted])
            if not problem.auxiliary:
                # Some machines fix a spin; both overall signs are equally likely.
                rng = np.random.default_rng([task.seed, 4])
                spins = spins * rng.choice(np.array([-1, 1], np.int8), (len(spins), 1))
            parts.append(spins)
            broken.append(share)
        spins = np.ascontiguousarray(np.concatenate(parts))
        modelled = getattr(backend, "modelled_seconds", lambda num_reads: 0.0)
        info |= {
            "calls": len(jobs),
            "resumed": int(runner.resumed),
            "job_names": [task.name for _, task, _ in jobs],
            "modelled_seconds": sum(modelled(task.num_reads) for _, task, _ in jobs),
            "num_reads_completed": len(spins),
            "unique_fraction": number_of_states(spins) / len(spins),
            "broken_copies": float(np.mean(broken)),
            **temperature_of(model, spins),
        }
        return spins, info, {}

    def _jobs(self, backend, problem, num_reads, seed):
        """Yield (problem in its gauge, task, reads to keep) of every submission."""
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", self.task_name)[:40]
        machine = getattr(backend, "identity", type(backend).__name__)
        gauges = [problem]
        for g in range(1, self.num_gauges):
            rng = np.random.default_rng([seed, 5, g])
            signs = rng.choice(np.array([-1, 1], np.int8), len(problem.matrix))
            gauges.append(problem.reversed(signs))
        calls = submissions(
            num_reads, self.num_gauges, backend.min_reads, backend.max_reads
        )
        for number, (g, wanted, asked) in enumerate(calls):
            matrix = gauges[g].matrix
            digest = fingerprint(matrix, machine)[:12]
            name = f"{stem}-{digest}-{asked}-{seed}-{number}"
            own = np.random.SeedSequence([seed, number]).generate_state(1)
            yield gauges[g], MachineTask(name, matrix, asked, int(own[0])), wanted

    def _warn_of_precision(self, report):
        lost = report["n_zeroed"] / report["n_coefficients"]
        if report["rms_rel_error"] <= 0.05 and lost <= 0.25:
            return
        warnings.warn(
            f"Rounding to {report['split_bits'] or report['bits']} bits changes the "
            f"coefficients by about {100 * report['rms_rel_error']:.0f} % (root mean "
            f"square) and makes {100 * lost:.0f} % of them zero. Set clip_quantile or "
            "split_bits, or take a machine of more bits.",
            PrecisionWarning,
            stacklevel=5,
        )


def _independent(model, num_reads, seed):
    """Return the ground states of a model without couplings."""
    rng = np.random.default_rng(seed)
    free = rng.choice(np.array([-1, 1], np.int8), (num_reads, len(model)))
    return np.where(model.h == 0, free, -np.sign(model.h)).astype(np.int8)


def _warn_of_pool(reads, task):
    """Warn where the reads are no sample but a list of the best states."""
    if len(reads) < 10 or number_of_states(reads) < len(reads):
        return
    cost = costs(task.matrix, reads)
    # Fewer levels than these come in order by chance.
    if (np.diff(cost) >= 0).all() and len(np.unique(cost)) >= 8:
        warnings.warn(
            f"The {len(reads)} reads of {task.name} are all distinct and sorted by "
            "energy: a pool of candidates, not a sample of a law. Ask the machine for "
            "its sampling mode to train a model with them.",
            UserWarning,
            stacklevel=5,
        )
