# SPDX-License-Identifier: Apache-2.0
"""Boltzmann sampling: parallel tempering that says whether its chains have mixed."""

import warnings
from numbers import Integral, Real

import numpy as np

from qestim import _native
from qestim._sklearn import Interval, StrOptions
from qestim.exceptions import MixingWarning, TimeLimitWarning
from qestim.samplers._base import BaseSampler
from qestim.samplers._tempering import Tempering


class BoltzmannSampler(BaseSampler):
    r"""Sample from the Boltzmann law :math:`p(s) \propto e^{-\beta E(s)}`.

    Independent chains of heat-bath sweeps, each a ladder of inverse temperatures that
    exchange their states (parallel tempering). With the defaults a short pilot chooses
    everything: a model that one temperature mixes gets one, a harder one gets a ladder
    with healthy exchange rates; sweeps before the first read and between reads follow
    from the measured autocorrelation time. What was measured is in ``info``, and chains
    that did not mix raise a `MixingWarning`.

    Parameters
    ----------
    num_reads : int, default=None
        Reads; None means one for each of `initial_states`, or one.
    beta : float, default=1.0
        Inverse temperature of the reads, in units of 1 / energy.
    num_temperatures : "auto" or int, default="auto"
        Temperatures of a ladder; 1 is plain heat bath.
    num_sweeps : "auto" or int, default="auto"
        Sweeps of each chain from its start to its last read. A number replaces what
        "auto" would choose for `burn_in` (a fifth of it) and `thin` (the rest).
    burn_in : "auto" or int, default="auto"
        Sweeps before the first read.
    thin : "auto" or int, default="auto"
        Sweeps from one read of a chain to its next.
    num_chains : "auto" or int, default="auto"
        Independent chains, over which the reads are divided in turn; "auto" is
        ``num_reads``, at least 4 and at most 16.
    log_z : bool, default=True
        Estimate :math:`\log Z`, at the cost of a further short run. Switch it off in
        a training loop.
    initial_states : array-like, dict, list or dimod.SampleSet, default=None
        Where the chains start; None means random.
    initial_states_generator : {"random", "tile", "none"}, default="random"
        What fills up `initial_states` that are fewer than ``num_reads``; "none"
        raises.
    interrupt_function : callable, default=None
        Called without arguments every 50 ms; the complete reads are returned as soon
        as it answers True.
    seed : int, default=None
        Non-negative seed; None draws one, stated in ``info["seed"]``. Results do not
        depend on the number of threads.
    num_threads : int, default=None
        Threads; None means every core that the process may use.
    time_limit : float, default=None
        Seconds after which only the complete reads are returned.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    See Also
    --------
    ExactSampler : The same law exactly, up to 26 variables.
    SimulatedAnnealingSampler : For the lowest energy instead of a law.

    Notes
    -----
    ``info`` holds ``betas``, ``swap_rates`` between neighbours, ``round_trips`` of all
    chains between the hottest and the coldest temperature, ``burn_in``, ``thin``,
    ``autocorrelation_time`` (in sweeps, of the slowest observable), ``ess`` (effective
    number of the reads), ``r_hat`` (split, largest), ``mixed``, and ``log_z`` with its
    standard error ``log_z_error`` (None where not asked for or not reached). When a
    limit ended the call early, ``stopped_by`` is ``"time_limit"`` or ``"interrupt"``,
    and ``num_reads_completed`` says how far it came.
    The observables are the energy and the overlaps with the two lowest eigenvectors of
    the coupling matrix, along which a model of this kind orders first.

    The warning comes when ``r_hat`` exceeds 1.05, when two neighbours of a ladder
    exchange less than one time in 50, or when the chains stay longer than 2^14 sweeps
    from their goal. A probability is off by at most about 1e-6 by rounding; reads of a
    chain are about 1.5 autocorrelation times apart.

    There is no ``target_energy``: to stop at a low energy would bias the law.

    References
    ----------
    .. [1] Hukushima and Nemoto, "Exchange Monte Carlo method and application to spin
       glass simulations", J. Phys. Soc. Jpn. 65, 1604 (1996). doi:10.1143/JPSJ.65.1604
    .. [2] Katzgraber, Trebst, Huse and Troyer, "Feedback-optimized parallel tempering
       Monte Carlo", J. Stat. Mech. P03018 (2006). doi:10.1088/1742-5468/2006/03/P03018

    Examples
    --------
    >>> from qestim.samplers import BoltzmannSampler
    >>> sampler = BoltzmannSampler(num_reads=2000, beta=0.5, seed=0)
    >>> reads = sampler.sample_ising({"a": 0.0}, {("a", "b"): -1.0})
    >>> product = reads.record.sample.prod(axis=1)
    >>> bool(abs(product.mean() - 0.4621) < 0.08)  # tanh(0.5)
    True
    >>> reads.info["mixed"], len(reads.info["betas"])
    (True, 1)
    """

    _distribution = "boltzmann"
    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="left")],
        "num_temperatures": [
            StrOptions({"auto"}),
            Interval(Integral, 1, 256, closed="both"),
        ],
        "num_sweeps": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "burn_in": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "thin": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "num_chains": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "log_z": ["boolean"],
        "initial_states_generator": [StrOptions({"random", "tile", "none"})],
        "interrupt_function": [callable, None],
    }

    def __init__(
        self,
        *,
        num_reads=None,
        beta=1.0,
        num_temperatures="auto",
        num_sweeps="auto",
        burn_in="auto",
        thin="auto",
        num_chains="auto",
        log_z=True,
        initial_states=None,
        initial_states_generator="random",
        interrupt_function=None,
        seed=None,
        num_threads=None,
        time_limit=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.num_reads = num_reads
        self.beta = beta
        self.num_temperatures = num_temperatures
        self.num_sweeps = num_sweeps
        self.burn_in = burn_in
        self.thin = thin
        self.num_chains = num_chains
        self.log_z = log_z
        self.initial_states = initial_states
        self.initial_states_generator = initial_states_generator
        self.interrupt_function = interrupt_function
        self.seed = seed
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.aggregate = aggregate
        self.verbose = verbose

    def _for_call(self, parameters):
        if parameters.get("target_energy") is not None:
            raise ValueError(
                "The 'target_energy' parameter is not one of BoltzmannSampler: to stop "
                "at a low energy would bias the law. Use SimulatedAnnealingSampler. "
                f"Got {parameters['target_energy']!r}."
            )
        return super()._for_call(parameters)

    def _sample_ising(self, model, initial, num_reads, seed):
        chains = self.num_chains
        if chains == "auto":
            chains = min(16, max(4, num_reads))
        chains = int(chains)
        per_chain = -(-num_reads // chains)
        burn_in, thin = self._schedule(per_chain)
        run = Tempering(
            model,
            float(self.beta),
            chains,
            initial,
            seed,
            self._resolve_num_threads(),
            self.time_limit,
            self.interrupt_function,
        )
        burn_in, thin = run.prepare(self.num_temperatures, burn_in, thin)
        spins = run.produce(per_chain, burn_in, thin)
        info = {
            "kernel": f"{_native.kernel_name}-{run.layout}",
            "beta": run.beta,
            "betas": run.betas.tolist(),
            "num_chains": chains,
            "burn_in": run.burnt,
            "thin": thin,
            "num_sweeps_done": run.sweeps,
            "num_reads_completed": min(int(run.done.sum()), num_reads),
            "stopped_by": run.stopped_by,
            **run.diagnose(),
        }
        # Reads go round the chains, so that any first part of them is spread too.
        if run.done.min() == per_chain:
            reads = spins.reshape(-1, len(model))[:num_reads]
        else:
            reads = spins[np.arange(per_chain)[:, None] < run.done][:num_reads]
        info["ess"] = info["ess"] * len(reads) / max(int(run.done.sum()), 1)
        info["log_z"], info["log_z_error"] = run.log_z() if self.log_z else (None, None)
        if info["log_z"] is not None:
            info["log_z"] -= run.beta * model.offset
        if len(reads) == 0:
            warnings.warn(
                f"The call was stopped before any of its {num_reads} reads was "
                "complete; states that do not follow the law yet are returned. Raise "
                f"time_limit, now {self.time_limit}, or lower num_sweeps.",
                TimeLimitWarning,
                stacklevel=4,
            )
            reads = run.last[:, -1][:num_reads]
        elif run.complaints:
            warnings.warn(
                "The chains have not mixed, so the reads do not follow the Boltzmann "
                f"law at beta={run.beta:g} yet: {'; '.join(run.complaints)}. Raise "
                "num_sweeps or num_temperatures, or lower beta.",
                MixingWarning,
                stacklevel=4,
            )
        return np.ascontiguousarray(reads), info, {}

    def _schedule(self, per_chain):
        """Return burn_in and thin, None where the pilot is to choose."""
        burn_in = None if self.burn_in == "auto" else int(self.burn_in)
        thin = None if self.thin == "auto" else int(self.thin)
        if self.num_sweeps == "auto":
            return burn_in, thin
        sweeps = int(self.num_sweeps)
        if burn_in is None:
            burn_in = sweeps // 5 if thin is None else sweeps - thin * per_chain
        if thin is None:
            thin = (sweeps - burn_in) // per_chain
        if thin < 1 or burn_in < 0 or burn_in + thin * per_chain > sweeps:
            least = max(1, thin) * per_chain
            least += -(-per_chain // 4) if self.burn_in == "auto" else max(0, burn_in)
            raise ValueError(
                f"The 'num_sweeps' parameter must hold burn_in and {per_chain} reads a "
                f"chain. Got num_sweeps={sweeps}, burn_in={self.burn_in!r}, "
                f"thin={self.thin!r}; raise num_sweeps, {least} are enough, or "
                "num_chains."
            )
        return burn_in, thin
