# SPDX-License-Identifier: Apache-2.0
"""Simulated bifurcation: classical oscillators that fall to one side or the other."""

from numbers import Integral, Real

import numpy as np

from qestim import _native
from qestim._sklearn import Interval, StrOptions
from qestim.samplers._base import BaseSampler
from qestim.samplers._dynamics import (
    complete_reads,
    extreme_eigenvalues,
    in_units_of_rows,
)


class SimulatedBifurcationSampler(BaseSampler):
    r"""Minimise by simulated bifurcation, discrete or ballistic.

    Each spin is the sign of an oscillator with position x and momentum y, stepped by

    .. math:: y \leftarrow y - dt\,[(a_0 - a(t))\,x + c_0 f], \qquad
              x \leftarrow x + dt\,a_0\,y,

    while the pump a(t) rises from 0 to :math:`a_0`; where :math:`|x|` reaches 1, x
    stays there and y becomes 0. The force f is :math:`J\,\mathrm{sign}(x) + h` in the
    discrete and :math:`J x + \langle|x|\rangle h` in the ballistic mode. The reads
    minimise; they follow no Boltzmann law.

    Parameters
    ----------
    mode : {"discrete", "ballistic"}, default="discrete"
        The force. Discrete runs only touch the rows of spins whose sign changed, and
        find better states in long runs.
    num_reads : int, default=None
        Independent runs; None means one for each of `initial_states`, or one.
    num_steps : int, default=2000
        Steps of a run.
    dt : "auto" or float, default="auto"
        Step, dimensionless. "auto" is 0.5, or 0.9 of the largest stable step where
        that is smaller.
    a0 : float, default=1.0
        Stiffness, dimensionless.
    c0 : "auto" or float, default="auto"
        Strength of the couplings, in inverse units of the energy. "auto" is 0.5 / r
        with r the root mean square norm of a row of J: then the first bifurcation of a
        dense random model begins with the ramp.
    amplitude : float, default=0.1
        The first x and y are uniform in +-amplitude.
    return_best : bool, default=True
        Return the lowest state that a read passed through instead of its last.
    initial_states : array-like, dict, list or dimod.SampleSet, default=None
        Signs of the first x; None means random.
    interrupt_function : callable, default=None
        Called without arguments every 50 ms; the complete reads are returned as soon
        as it answers True.
    seed : int, default=None
        Non-negative seed; None draws one, stated in ``info["seed"]``. Read ``r``
        depends on the seed and ``r`` alone, not on threads or on other reads.
    num_threads : int, default=None
        Threads; None means every core that the process may use.
    time_limit : float, default=None
        Seconds after which only the complete reads are returned. The ramp is not
        shortened: a read that is cut off in mid-ramp would be a bad one.
    target_energy : float, default=None
        A group of at most 32 reads side by side ends when one of them gets down to
        this energy; of that group such reads alone are returned, and the later groups
        are left out.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    Raises
    ------
    ValueError
        If ``dt`` is too large to be stable: a mode of stiffness
        :math:`k = a_0 + c_0\lambda_{\max}(J)` needs :math:`dt^2 a_0 k < 4`. The walls
        would hide the instability.

    See Also
    --------
    SimulatedAnnealingSampler : The first thing to compare with.

    References
    ----------
    .. [1] Goto, Tatsumura and Dixon, "Combinatorial optimization by simulating
       adiabatic bifurcations in nonlinear Hamiltonian systems", Science Advances 5,
       eaav2372 (2019). doi:10.1126/sciadv.aav2372
    .. [2] Goto et al., "High-performance combinatorial optimization based on classical
       mechanics", Science Advances 7, eabe7953 (2021). doi:10.1126/sciadv.abe7953

    Examples
    --------
    >>> from qestim.samplers import SimulatedBifurcationSampler
    >>> sampler = SimulatedBifurcationSampler(num_reads=10, seed=0)
    >>> float(sampler.sample_ising({"a": 0.5}, {("a", "b"): 1.0}).first.energy)
    -1.5
    """

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "mode": [StrOptions({"discrete", "ballistic"})],
        "num_steps": [Interval(Integral, 1, None, closed="left")],
        "dt": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "a0": [Interval(Real, 0, None, closed="neither")],
        "c0": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "amplitude": [Interval(Real, 0, 1, closed="right")],
        "return_best": ["boolean"],
        "interrupt_function": [callable, None],
    }

    def __init__(
        self,
        *,
        mode="discrete",
        num_reads=None,
        num_steps=2000,
        dt="auto",
        a0=1.0,
        c0="auto",
        amplitude=0.1,
        return_best=True,
        initial_states=None,
        interrupt_function=None,
        seed=None,
        num_threads=None,
        time_limit=None,
        target_energy=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.mode = mode
        self.num_reads = num_reads
        self.num_steps = num_steps
        self.dt = dt
        self.a0 = a0
        self.c0 = c0
        self.amplitude = amplitude
        self.return_best = return_best
        self.initial_states = initial_states
        self.interrupt_function = interrupt_function
        self.seed = seed
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.target_energy = target_energy
        self.aggregate = aggregate
        self.verbose = verbose

    def _sample_ising(self, model, initial, num_reads, seed):
        scaled, unit = in_units_of_rows(model)
        strength = 0.5 if self.c0 == "auto" else self.c0 * unit
        dt = self._step(scaled, strength)
        target = -np.inf if self.target_energy is None else self.target_energy
        pump = np.linspace(0.0, self.a0, self.num_steps)
        common = {
            "num_reads": num_reads,
            "seed": _native.stream_key(seed),
            "initial": initial,
            "keep_best": self.return_best,
            "num_threads": self._resolve_num_threads(),
            "time_limit": self.time_limit or 0.0,
            "target_energy": (target - model.offset) / unit,
            "interrupt": self.interrupt_function,
        }
        arrays = scaled.h, scaled.row, scaled.col, scaled.value
        if self.mode == "discrete":
            spins, completed, kernel, reason = _native.bifurcate(
                *arrays,
                pump=pump,
                strength=strength,
                dt=dt,
                a0=self.a0,
                amplitude=self.amplitude,
                **common,
            )
        else:
            schedule = np.ones((self.num_steps, 5))
            schedule[:, 0] = pump
            spins, completed, kernel, reason, _ = _native.evolve(
                *arrays,
                model="ballistic",
                schedule=schedule,
                dt=dt,
                xi=strength,
                noise=0.0,
                k=self.a0,
                least_error=0.0,
                most_error=0.0,
                first_error=0.0,
                amplitude=self.amplitude,
                uniform=True,
                mean_amplitude=bool(model.value.any()),
                interval=10,
                moments=np.empty(0, dtype=np.int64),
                **common,
            )
        info = {
            "kernel": kernel,
            "mode": self.mode,
            "num_steps": self.num_steps,
            "dt": dt,
            "c0": strength / unit,
            "num_reads_completed": int(completed.sum()),
            "stopped_by": reason,
        }
        kept = complete_reads(spins, completed, reason, self.num_steps)
        return spins[kept], info, {}

    def _step(self, scaled, strength):
        """Return dt, within what is stable at the start of the ramp."""
        stiffness = self.a0 + strength * max(extreme_eigenvalues(scaled)[1], 0.0)
        largest = 2 / np.sqrt(self.a0 * stiffness)
        if self.dt == "auto":
            return float(min(0.5, 0.9 * largest))
        if self.dt >= largest:
            raise ValueError(
                f"The 'dt' parameter must be below {largest:.4g} for this model, the "
                f"largest stable step. Got {self.dt}; lower dt or use dt='auto'."
            )
        return float(self.dt)
