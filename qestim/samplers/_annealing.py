# SPDX-License-Identifier: Apache-2.0
"""Simulated annealing: many reads in lockstep, one vector of thresholds at a time."""

import warnings
from numbers import Integral

import numpy as np

from qestim import _native
from qestim._sklearn import Interval, StrOptions
from qestim.exceptions import TimeLimitWarning
from qestim.qubo import IsingArrays
from qestim.samplers._base import BaseSampler


class SimulatedAnnealingSampler(BaseSampler):
    r"""Minimise by single-spin flips at a falling temperature.

    Each sweep visits every spin once and flips it with the Metropolis probability
    :math:`\min(1, e^{-\beta \Delta E})` (or the heat-bath one), while ``beta`` rises
    along the schedule. The reads are candidates for the ground state; they do not
    follow a Boltzmann law (use `BoltzmannSampler` for that).

    Parameters
    ----------
    num_reads : int, default=None
        Independent anneals; None means one for each of `initial_states`, or one.
    num_sweeps : int, default=1000
        Sweeps of a read; 0 returns the initial states.
    beta_range : "auto" or pair of float, default="auto"
        First and last inverse temperature, in units of 1 / energy. "auto" is
        `default_beta_range`; None means "auto" too, as in dwave-samplers.
    beta_schedule_type : {"auto", "linear", "geometric", "custom"}, default="auto"
        How ``beta`` rises. "auto" is linear, and geometric where the range spans
        more than a factor of 300.
    beta_schedule : array-like of shape (n_betas,), default=None
        Inverse temperatures of the "custom" schedule, in units of 1 / energy.
    num_sweeps_per_beta : int, default=1
        Sweeps at each inverse temperature; must divide ``num_sweeps``.
    proposal_acceptance_criteria : {"Metropolis", "Gibbs"}, default="Metropolis"
        Rule by which a flip is accepted.
    randomize_order : bool, default=False
        Visit the spins of each sweep in a random order instead of one after another.
    initial_states : array-like, dict, list or dimod.SampleSet, default=None
        Where the reads start; None means random.
    initial_states_generator : {"random", "tile", "none"}, default="random"
        What fills up `initial_states` that are fewer than ``num_reads``; "none"
        raises.
    interrupt_function : callable, default=None
        Called without arguments every 50 ms; the complete reads are returned as soon
        as it answers True.
    seed : int, default=None
        Non-negative seed; None draws one, stated in ``info["seed"]``. Read ``r``
        depends on the seed and ``r`` alone, not on threads or on other reads.
    num_threads : int, default=None
        Threads; None means every core that the process may use.
    time_limit : float, default=None
        Seconds after which only the complete reads are returned.
    target_energy : float, default=None
        Stop after the first read, in the order of reads, of at most this energy.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    See Also
    --------
    BoltzmannSampler : Reads that follow a Boltzmann law.

    Notes
    -----
    The keywords of dwave-samplers' sampler of this name are understood, so that its
    examples run with the import changed. Integer models are annealed in integers.

    References
    ----------
    .. [1] Kirkpatrick, Gelatt and Vecchi, "Optimization by simulated annealing",
       Science 220, 671 (1983). doi:10.1126/science.220.4598.671

    Examples
    --------
    >>> from qestim.samplers import SimulatedAnnealingSampler
    >>> sampler = SimulatedAnnealingSampler(num_reads=10, seed=0)
    >>> reads = sampler.sample_ising({"a": 0.5}, {("a", "b"): 1.0})
    >>> {name: int(spin) for name, spin in reads.first.sample.items()}
    {'a': -1, 'b': 1}
    >>> float(reads.first.energy)
    -1.5
    """

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "num_sweeps": [Interval(Integral, 0, None, closed="left")],
        "beta_range": [StrOptions({"auto"}), tuple, list, "array-like", None],
        "beta_schedule_type": [StrOptions({"auto", "linear", "geometric", "custom"})],
        "beta_schedule": ["array-like", None],
        "num_sweeps_per_beta": [Interval(Integral, 1, None, closed="left")],
        "proposal_acceptance_criteria": [StrOptions({"Metropolis", "Gibbs"})],
        "randomize_order": ["boolean"],
        "initial_states_generator": [StrOptions({"random", "tile", "none"})],
        "interrupt_function": [callable, None],
    }

    def __init__(
        self,
        *,
        num_reads=None,
        num_sweeps=1000,
        beta_range="auto",
        beta_schedule_type="auto",
        beta_schedule=None,
        num_sweeps_per_beta=1,
        proposal_acceptance_criteria="Metropolis",
        randomize_order=False,
        initial_states=None,
        initial_states_generator="random",
        interrupt_function=None,
        seed=None,
        num_threads=None,
        time_limit=None,
        target_energy=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.num_reads = num_reads
        self.num_sweeps = num_sweeps
        self.beta_range = beta_range
        self.beta_schedule_type = beta_schedule_type
        self.beta_schedule = beta_schedule
        self.num_sweeps_per_beta = num_sweeps_per_beta
        self.proposal_acceptance_criteria = proposal_acceptance_criteria
        self.randomize_order = randomize_order
        self.initial_states = initial_states
        self.initial_states_generator = initial_states_generator
        self.interrupt_function = interrupt_function
        self.seed = seed
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.target_energy = target_energy
        self.aggregate = aggregate
        self.verbose = verbose

    def _sample_ising(self, model, initial, num_reads, seed):
        schedule, betas = self._betas(model)
        target = -np.inf if self.target_energy is None else self.target_energy
        spins, completed, kernel, reason = _native.anneal(
            model.h,
            model.row,
            model.col,
            model.value,
            betas=betas,
            num_reads=num_reads,
            seed=_native.stream_key(seed),
            initial=initial,
            num_threads=self._resolve_num_threads(),
            time_limit=self.time_limit or 0.0,
            target_energy=target - model.offset,
            interrupt=self.interrupt_function,
            gibbs=self.proposal_acceptance_criteria == "Gibbs",
            random_order=self.randomize_order,
        )
        info = {
            "kernel": kernel,
            "beta_range": [float(betas[0]), float(betas[-1])] if len(betas) else [],
            "beta_schedule_type": schedule,
            "num_sweeps": len(betas),
            "num_reads_completed": int(completed.sum()),
            "stopped_by": reason,
        }
        if completed.all():
            return spins, info, {}
        if completed.any():
            return spins[completed], info, {}
        warnings.warn(
            f"The call was stopped ({reason}) before any of its {num_reads} reads was "
            "complete; unfinished states are returned. Raise the limit or lower "
            f"num_sweeps, now {len(betas)}.",
            TimeLimitWarning,
            stacklevel=4,
        )
        return spins, info, {}

    def _betas(self, model):
        """Return the schedule's kind and the inverse temperature of every sweep."""
        kind = self.beta_schedule_type
        if (kind == "custom") != (self.beta_schedule is not None):
            raise ValueError(
                "The 'beta_schedule' parameter goes with beta_schedule_type='custom', "
                f"and only with it. Got {kind!r} and {self.beta_schedule!r}."
            )
        if kind == "custom":
            betas = np.asarray(self.beta_schedule, dtype=np.float64)
            if betas.ndim != 1 or not (np.isfinite(betas) & (betas >= 0)).all():
                raise ValueError(
                    "The 'beta_schedule' parameter must be a list of finite, "
                    f"non-negative numbers. Got {self.beta_schedule!r}."
                )
            return kind, np.repeat(betas, self.num_sweeps_per_beta)
        if self.num_sweeps % self.num_sweeps_per_beta:
            raise ValueError(
                "The 'num_sweeps_per_beta' parameter must divide num_sweeps="
                f"{self.num_sweeps}. Got {self.num_sweeps_per_beta}."
            )
        if self.beta_range is None or isinstance(self.beta_range, str):
            hot, cold = _field_beta_range(model)
        else:
            hot, cold = _checked_range(self.beta_range)
        num_betas = self.num_sweeps // self.num_sweeps_per_beta
        if kind == "auto":
            kind = "geometric" if cold > 300 * hot > 0 else "linear"
        if kind == "geometric":
            if hot <= 0 or cold <= 0:
                raise ValueError(
                    "The 'beta_range' parameter must be positive for a geometric "
                    f"schedule. Got {(hot, cold)}; use beta_schedule_type='linear'."
                )
            betas = np.geomspace(hot, cold, num_betas)
        else:
            betas = np.linspace(hot, cold, num_betas)
        return kind, np.repeat(betas, self.num_sweeps_per_beta)


def default_beta_range(bqm) -> tuple[float, float]:
    r"""Return the inverse temperatures between which "auto" anneals.

    In units of the root mean square :math:`r_i` of the field on a spin,
    :math:`r_i^2 = (h_i + m \sum_j J_{ij})^2 + \sum_j J_{ij}^2`: hot enough for the
    strongest, :math:`0.45 / \max r_i`, and cold enough for the weakest,
    :math:`13.4 / \min r_i`; but never colder than leaves a flip against the smallest
    non-zero bias one chance in a thousand. m is the mean spin whose field cancels the
    h best. It is zero without fields and next to zero where the signs of J are random;
    a penalty for the number of ones has large fields that cancel.

    Parameters
    ----------
    bqm : dimod.BinaryQuadraticModel
        The model, SPIN or BINARY.

    Returns
    -------
    beta_range : tuple of two float
        First and last inverse temperature, in units of 1 / energy; (0.1, 1.0) for a
        model without biases.

    References
    ----------
    Derived in docs/guide/samplers.md; the numbers 0.45 and 13.4 were measured.

    Examples
    --------
    >>> import dimod
    >>> from qestim.samplers import default_beta_range
    >>> hot, cold = default_beta_range(dimod.BQM.from_ising({}, {"ab": 1, "bc": 1}))
    >>> round(hot, 3), round(cold, 3)
    (0.318, 3.454)
    """
    return _field_beta_range(IsingArrays.from_bqm(bqm))


def _field_beta_range(model):
    biases = np.abs(np.concatenate([model.h, model.value]))
    scale = biases.max(initial=0.0)
    # An inverse temperature for less would leave the range of floats.
    if scale < 1e-300:
        return 0.1, 1.0
    h, value = model.h / scale, model.value / scale

    def by_spin(weights):
        n = len(model)
        return np.bincount(model.row, weights, n) + np.bincount(model.col, weights, n)

    sums, squares = by_spin(value), by_spin(value**2)
    total = sums @ sums
    mean = 0.0
    # Sums of random signs have the squares' total by chance; only the rest counts.
    if total > squares.sum():
        mean = np.clip((squares.sum() / total - 1) * (h @ sums) / total, -1, 1)
    rms = np.sqrt((h + mean * sums) ** 2 + squares)
    # Below 1e-9 of the largest, a bias is rounding noise of the model's maker.
    hot = 0.45 / rms.max()
    cold = min(
        13.4 / rms[rms > 1e-9].min(),
        np.log(1000) / (2 * (biases / scale)[biases > 1e-9 * scale].min()),
    )
    return float(hot / scale), float(max(cold, 2 * hot) / scale)


def _checked_range(beta_range):
    try:
        hot, cold = (float(beta) for beta in beta_range)
    except (TypeError, ValueError):
        hot = cold = np.nan
    if not (0 <= hot < np.inf and 0 <= cold < np.inf):
        raise ValueError(
            "The 'beta_range' parameter must be 'auto' or two finite, non-negative "
            f"numbers (hot, cold). Got {beta_range!r}."
        )
    return hot, cold
