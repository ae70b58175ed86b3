# SPDX-License-Identifier: Apache-2.0
"""Simulated coherent Ising machines."""

from numbers import Integral, Real

import numpy as np

from qestim import _native
from qestim._sklearn import Interval, StrOptions
from qestim.samplers._base import BaseSampler
from qestim.samplers._cim_models import machine_of
from qestim.samplers._dynamics import complete_reads, in_units_of_rows
from qestim.samplers._temperature import temperature_of


class CIMSampler(BaseSampler):
    r"""Minimise with a simulated coherent Ising machine.

    Each spin is the sign of the amplitude x of an optical mode that is pumped through
    its threshold and coupled to the others by the feedback
    :math:`f_i = \sum_j J_{ij} x_j + \zeta h_i`. The models differ in what they do about
    unequal amplitudes; `Notes` has the equations. The reads minimise; no temperature
    makes them a Boltzmann law (see ``boltzmann_beta``).

    Parameters
    ----------
    model : {"cac", "cfc", "sfc", "mean_field", "wigner"}, default="cac"
        Chaotic amplitude control, chaotic feedback control, separated feedback
        control, mean field with noise, or truncated Wigner.
    num_reads : int, default=None
        Independent runs; None means one for each of `initial_states`, or one.
    num_steps : int, default=1000
        Euler steps of a run.
    dt : "auto" or float, default="auto"
        Step in photon lifetimes. "auto" is the model's own, shortened where the
        spectrum of J asks for it.
    pump : "auto", float or pair of float, default="auto"
        Pump p, or its first and last value; 1 is the threshold without couplings.
    alpha : "auto", float or pair of float, default="auto"
        Target of :math:`x^2` (cac) or :math:`z^2` (cfc); in sfc the gain c.
    rate : "auto", float or pair of float, default="auto"
        Rate :math:`\beta` of the error variable, per photon lifetime.
    xi : "auto" or float, default="auto"
        Strength of the feedback in units of 1 / r, where r is the root mean square
        norm of a row of the symmetric J. Software that uses sqrt(2) / r has xi = 1.414
        here.
    noise : "auto" or float, default="auto"
        Standard deviation g per square root of time (mean_field), or 1 / A, the inverse
        of the saturation amplitude (wigner; the truncation holds for 1 / A well below
        1). The other models have no noise.
    ramp : float, default=0.9
        Share of the steps in which pump, alpha and rate go from first to last value.
    field_scaling : "auto", "target", "mean" or float, default="auto"
        Scale zeta of the fields: the square root of alpha ("target"), the read's mean
        :math:`|x|` ("mean"), or a number. "auto" is "target" for cac, else "mean".
    energy_interval : int, default=10
        Steps between looks at the energy; a look costs about as much as a step.
    return_best : bool, default=True
        Return the lowest state seen instead of the last.
    return_trajectory : bool, default=False
        Add the vector ``trajectory`` to the sample set: amplitudes of every read,
        float32 of shape (num_reads, k, n) with the k <= 200 steps of
        ``info["trajectory_steps"]``. Ask for few reads.
    boltzmann_beta : float, default=None
        Inverse temperature, in inverse units of the energy, of heat-bath sweeps that
        finish the reads; ``info`` then has ``beta_eff``, the temperature that fits
        best, ``misfit``, the nats a spin that it leaves, and the test's ``misfit_p``.
    post_sweeps : int, default=100
        Number of those sweeps.
    device : {"cpu", "cuda"}, default="cpu"
        Where to integrate. "cuda" takes torch; it has been tested with torch on a
        processor only, and there a read depends on ``num_reads`` too.
    initial_states : array-like, dict, list or dimod.SampleSet, default=None
        Signs of the first amplitudes; None means random. Below threshold the machine
        forgets them: start with a pump above it.
    interrupt_function : callable, default=None
        Called without arguments every 50 ms; the complete reads are returned as soon
        as it answers True.
    seed : int, default=None
        Non-negative seed; None draws one, stated in ``info["seed"]``. Read ``r``
        depends on the seed and ``r`` alone, not on threads or on other reads. The
        amplitudes are floats: another instruction set rounds otherwise.
    num_threads : int, default=None
        Threads; None means every core that the process may use.
    time_limit : float, default=None
        Seconds after which only the complete reads are returned.
    target_energy : float, default=None
        A group of at most 32 reads side by side ends when one of them gets down to
        this energy; of that group such reads alone are returned, and the later groups
        are left out. Not with ``boltzmann_beta``.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    See Also
    --------
    BoltzmannSampler : Reads that follow a Boltzmann law.
    SimulatedBifurcationSampler : The oscillators without dissipation.

    Notes
    -----
    With p the pump, e the error variable and all signs dimod's (f is the slope of the
    energy, so it enters with a minus):

    - cac: :math:`\dot x = (p-1-x^2)x - \xi e f`,
      :math:`\dot e = -\beta e(x^2-\alpha)`, :math:`|x| \le 1.5\sqrt\alpha`;
    - cfc: :math:`z = \xi e f`, :math:`\dot x = (p-1-x^2)x - z`,
      :math:`\dot e = -\beta e(z^2-\alpha)`, :math:`|x| \le 1.5`, :math:`e \ge 0.01`;
    - sfc: :math:`z = \xi f`, :math:`\dot x = (p-1-x^2)x - \tanh(cz) - k(z-e)`,
      :math:`\dot e = -\beta(e-z)`, k = 0.2;
    - mean_field: :math:`dx = [(p-1-x^2)x - \xi f]dt + g\,dW`;
    - wigner, both quadratures, in Ito's sense:
      :math:`dx = [(p-1-x^2-e^2)x - \xi f(x)]dt + A^{-1}\sqrt{x^2+e^2+1/2}\,dW_1`,
      :math:`de = [(-p-1-x^2-e^2)e - \xi f(e)]dt + A^{-1}\sqrt{x^2+e^2+1/2}\,dW_2`,
      from the vacuum (variance :math:`A^{-2}/4`).

    e is bounded by 32 and the amplitudes of the last three by a multiple of what the
    pump and the feedback can sustain, so that no step size leads to NaN.

    References
    ----------
    .. [1] Wang et al., "Coherent Ising machine based on degenerate optical parametric
       oscillators", Phys. Rev. A 88, 063853 (2013). doi:10.1103/PhysRevA.88.063853
    .. [2] Leleu et al., "Scaling advantage of chaotic amplitude control for
       high-performance combinatorial optimization", Commun. Phys. 4, 266 (2021).
    .. [3] Reifenstein et al., "Coherent Ising machines with optical error correction
       circuits", arXiv:2108.07369 (2021).
    .. [4] Inui et al., "Control of amplitude homogeneity in coherent Ising machines
       with artificial Zeeman terms", Commun. Phys. 5, 154 (2022).
    .. [5] Leleu et al., "Destabilization of local minima in analog spin systems by
       correction of amplitude heterogeneity", Phys. Rev. Lett. 122, 040607 (2019).

    Examples
    --------
    >>> from qestim.samplers import CIMSampler
    >>> sampler = CIMSampler(num_reads=10, num_steps=200, seed=0)
    >>> float(sampler.sample_ising({"a": 0.5}, {("a", "b"): 1.0}).first.energy)
    -1.5
    """

    _NUMBER_OR_PAIR = [StrOptions({"auto"}), Real, tuple, list, "array-like"]

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "model": [StrOptions({"cac", "cfc", "sfc", "mean_field", "wigner"})],
        "num_steps": [Interval(Integral, 1, None, closed="left")],
        "dt": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "pump": _NUMBER_OR_PAIR,
        "alpha": _NUMBER_OR_PAIR,
        "rate": _NUMBER_OR_PAIR,
        "xi": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "noise": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "ramp": [Interval(Real, 0, 1, closed="right")],
        "field_scaling": [
            StrOptions({"auto", "target", "mean"}),
            Interval(Real, 0, None, closed="left"),
        ],
        "energy_interval": [Interval(Integral, 1, None, closed="left")],
        "return_best": ["boolean"],
        "return_trajectory": ["boolean"],
        "boltzmann_beta": [Interval(Real, 0, None, closed="neither"), None],
        "post_sweeps": [Interval(Integral, 1, None, closed="left")],
        "device": [StrOptions({"cpu", "cuda"})],
        "interrupt_function": [callable, None],
    }

    def __init__(
        self,
        *,
        model="cac",
        num_reads=None,
        num_steps=1000,
        dt="auto",
        pump="auto",
        alpha="auto",
        rate="auto",
        xi="auto",
        noise="auto",
        ramp=0.9,
        field_scaling="auto",
        energy_interval=10,
        return_best=True,
        return_trajectory=False,
        boltzmann_beta=None,
        post_sweeps=100,
        device="cpu",
        initial_states=None,
        interrupt_function=None,
        seed=None,
        num_threads=None,
        time_limit=None,
        target_energy=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.model = model
        self.num_reads = num_reads
        self.num_steps = num_steps
        self.dt = dt
        self.pump = pump
        self.alpha = alpha
        self.rate = rate
        self.xi = xi
        self.noise = noise
        self.ramp = ramp
        self.field_scaling = field_scaling
        self.energy_interval = energy_interval
        self.return_best = return_best
        self.return_trajectory = return_trajectory
        self.boltzmann_beta = boltzmann_beta
        self.post_sweeps = post_sweeps
        self.device = device
        self.initial_states = initial_states
        self.interrupt_function = interrupt_function
        self.seed = seed
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.target_energy = target_energy
        self.aggregate = aggregate
        self.verbose = verbose

    def _sample_ising(self, model, initial, num_reads, seed):
        if self.boltzmann_beta is not None and self.target_energy is not None:
            raise ValueError(
                "The 'target_energy' parameter must be None with boltzmann_beta: "
                f"stopping at a good state biases the law. Got {self.target_energy}."
            )
        scaled, unit = in_units_of_rows(model)
        machine, facts = machine_of(self, scaled)
        moments = np.empty(0, dtype=np.int64)
        if self.return_trajectory:
            count = min(200, self.num_steps + 1)
            moments = np.linspace(0, self.num_steps, count).astype(np.int64)
            if num_reads * count * len(model) > 2**28:
                raise ValueError(
                    "The 'return_trajectory' parameter asks for "
                    f"{num_reads} x {count} x {len(model)} amplitudes; the limit is "
                    "2**28. Lower num_reads."
                )
        evolve = _native.evolve
        if self.device == "cuda":
            from qestim.samplers._cim_torch import evolve_on

            evolve = evolve_on("cuda")
        target = -np.inf if self.target_energy is None else self.target_energy
        spins, completed, kernel, reason, record = evolve(
            scaled.h,
            scaled.row,
            scaled.col,
            scaled.value,
            **machine,
            interval=self.energy_interval,
            moments=moments,
            num_reads=num_reads,
            seed=_native.stream_key(seed),
            initial=initial,
            keep_best=self.return_best,
            num_threads=self._resolve_num_threads(),
            time_limit=self.time_limit or 0.0,
            target_energy=(target - model.offset) / unit,
            interrupt=self.interrupt_function,
        )
        info = {
            "kernel": kernel,
            "model": self.model,
            "num_steps": self.num_steps,
            **facts,
            "num_reads_completed": int(completed.sum()),
            "stopped_by": reason,
        }
        kept = complete_reads(spins, completed, reason, self.num_steps)
        spins, vectors = spins[kept], {}
        if self.return_trajectory:
            info["trajectory_steps"] = moments.tolist()
            vectors["trajectory"] = record[kept]
        if self.boltzmann_beta is not None:
            spins = self._polish(model, spins, seed)
            info.update(
                temperature_of(model, spins), boltzmann_beta=self.boltzmann_beta
            )
        return spins, info, vectors

    def _polish(self, model, spins, seed):
        """Return the reads after heat-bath sweeps at one temperature."""
        return _native.anneal(
            model.h,
            model.row,
            model.col,
            model.value,
            betas=np.full(self.post_sweeps, float(self.boltzmann_beta)),
            num_reads=len(spins),
            # A stream of its own, so that the sweeps do not repeat the start's draws.
            seed=_native.stream_key([seed, 1]),
            initial=np.ascontiguousarray(spins),
            num_threads=self._resolve_num_threads(),
            gibbs=True,
        )[0]
