# SPDX-License-Identifier: Apache-2.0
"""The reads of one call as jobs of joblib: threads, processes or a cluster."""

from numbers import Integral

import dimod
import joblib
import numpy as np

from qestim._sklearn import Interval
from qestim.qubo import spins_of
from qestim.samplers._annealing import SimulatedAnnealingSampler
from qestim.samplers._base import BaseSampler


class ParallelSampler(BaseSampler, dimod.ComposedSampler):
    """Divide the reads of a call among the workers of joblib.

    The reads are cut into jobs of ``reads_per_job``, each with a seed of its own that
    follows from ``seed``. Where the jobs run is joblib's affair: in this process, in
    others, or on a cluster under ``joblib.parallel_config(backend="dask")``. The reads
    are the same everywhere.

    Parameters
    ----------
    sampler : dimod.Sampler, default=None
        The inner sampler; None means ``SimulatedAnnealingSampler()``. Its parameters
        are ``sampler__num_sweeps`` and so on.
    reads_per_job : int, default=64
        Reads of a job; the last one may have fewer. They depend on this number.
    n_jobs : int, default=None
        Jobs at a time, as in joblib; None is one, or what ``joblib.parallel_config``
        says, which is every worker of a cluster.
    num_reads : int, default=None
        Reads of all jobs; None means one for each of `initial_states`, or one.
    seed : int, default=None
        Non-negative seed; None draws one, stated in ``info["seed"]``. The reads of job
        ``k`` depend on the seed, ``k`` and ``reads_per_job``, not on who runs it.
    initial_states : array-like, dict, list or dimod.SampleSet, default=None
        Where the reads start; None leaves it to the inner sampler.
    num_threads : int, default=None
        Threads of each job; None leaves it to the inner sampler.
    time_limit, target_energy : None
        Refused: what ends a read early would depend on the workers. The inner
        sampler's own hold for each job by itself.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    Raises
    ------
    ValueError
        If `time_limit` or `target_energy` is set.

    See Also
    --------
    SimulatedAnnealingSampler : Uses every core of one machine without this.

    Notes
    -----
    ``info["jobs"]`` has the ``info`` of every job. A job takes the whole model along:
    let it have enough reads to be worth the way. What was measured and when to leave it
    is in docs/guide/scaling.md.

    Examples
    --------
    >>> from qestim.samplers import ParallelSampler, SimulatedAnnealingSampler
    >>> sampler = ParallelSampler(SimulatedAnnealingSampler(), num_reads=100, seed=0)
    >>> reads = sampler.sample_ising({"a": 0.5}, {("a", "b"): 1.0})
    >>> len(reads), len(reads.info["jobs"]), float(reads.first.energy)
    (100, 2, -1.5)
    """

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "sampler": [dimod.Sampler, None],
        "reads_per_job": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        sampler=None,
        *,
        reads_per_job=64,
        n_jobs=None,
        num_reads=None,
        seed=None,
        initial_states=None,
        num_threads=None,
        time_limit=None,
        target_energy=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.sampler = sampler
        self.reads_per_job = reads_per_job
        self.n_jobs = n_jobs
        self.num_reads = num_reads
        self.seed = seed
        self.initial_states = initial_states
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.target_energy = target_energy
        self.aggregate = aggregate
        self.verbose = verbose

    @property
    def children(self):
        """List of the one inner sampler, as dimod asks for it."""
        return [self._inner()]

    @property
    def properties(self):
        """Dict with the inner sampler's ``distribution`` and ``child_properties``."""
        inner = dict(getattr(self._inner(), "properties", {}))
        law = inner.get("distribution", self._distribution)
        return {"distribution": law, "child_properties": inner}

    def _inner(self):
        return SimulatedAnnealingSampler() if self.sampler is None else self.sampler

    def _sample_ising(self, model, initial, num_reads, seed):
        for name in ("time_limit", "target_energy"):
            if (value := getattr(self, name)) is not None:
                raise ValueError(
                    f"The {name!r} parameter of ParallelSampler must be None, as its "
                    f"jobs do not know of each other. Got {value!r}; set sampler__"
                    f"{name}, which holds for each job by itself."
                )
        bqm = model.to_bqm()
        starts = range(0, num_reads, self.reads_per_job)
        seeds = np.random.SeedSequence(seed).generate_state(len(starts)) >> 1
        calls = []
        for start, own in zip(starts, seeds.tolist(), strict=True):
            stop = min(start + self.reads_per_job, num_reads)
            call = {"num_reads": stop - start, "seed": own}
            if initial is not None:
                call["initial_states"] = (initial[start:stop], list(model.variables))
            if self.num_threads is not None:
                call["num_threads"] = self.num_threads
            calls.append(call)
        reads = joblib.Parallel(n_jobs=self.n_jobs)(
            joblib.delayed(self._inner().sample)(bqm, **call) for call in calls
        )
        spins = np.concatenate([spins_of(part, model.variables) for part in reads])
        vectors = {
            name: np.concatenate(
                [
                    np.repeat(part.record[name], part.record.num_occurrences, axis=0)
                    for part in reads
                ]
            )
            for name in reads[0].record.dtype.names
            if name not in ("sample", "energy", "num_occurrences")
        }
        return spins, {"jobs": [part.info for part in reads]}, vectors
