# SPDX-License-Identifier: Apache-2.0
"""Evaporative cooling of a trapped gas: an experiment with a known best ramp."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy import constants

from qestim.datasets._truncated_gas import (
    depth_over_temperature,
    evaporation,
    mean_energy,
    occupations,
    spilling,
)

_BOHR_RADIUS = constants.physical_constants["Bohr radius"][0]
_CONDENSED = 2.612  # zeta(3/2): phase-space density at which a condensate forms
_LOST = (10.0, 1e-12)  # atoms and phase-space density where nothing is left


@dataclass(frozen=True)
class CoolingRun:
    """What a ramp does to the gas.

    Parameters
    ----------
    time : ndarray of shape (n_times,)
        Seconds since the ramp began.
    depth : ndarray of shape (n_times,)
        Trap depth over Boltzmann's constant, in kelvin.
    atoms : ndarray of shape (n_times,)
        Atoms left.
    temperature : ndarray of shape (n_times,)
        Kelvin.
    phase_space_density : ndarray of shape (n_times,)
        At the centre of the trap, dimensionless.

    Examples
    --------
    >>> from qestim.datasets import EvaporativeCooling
    >>> run = EvaporativeCooling().simulate([1.4, 1.2, 0.9, 0.8, 0.6, 0.4, 0.0, 10.0])
    >>> type(run).__name__, bool(run.temperature[-1] < run.temperature[0])
    ('CoolingRun', True)
    """

    time: np.ndarray
    depth: np.ndarray
    atoms: np.ndarray
    temperature: np.ndarray
    phase_space_density: np.ndarray


class EvaporativeCooling:
    r"""Evaporative cooling of rubidium 87 in an optical dipole trap, simulated.

    A ramp lowers the depth of the trap in ``n_segments`` pieces of equal time, the
    logarithm of the depth straight in each. The atoms keep a truncated Boltzmann law;
    they leave by evaporation, by spilling over the sinking barrier, by three-body
    recombination and by collisions with the background gas. The score is

    .. math:: \log_{10} N + \min(0, \log_{10}(D / 2.612)),

    the atoms at the end, less what their phase-space density is short of a condensate.

    Parameters
    ----------
    n_segments : int, default=7
        Pieces of the ramp; the experiment has one parameter more.
    atoms : float, default=2e6
        Atoms at the start.
    temperature : float, default=45e-6
        At the start, in kelvin.
    depth : float, default=400e-6
        Trap depth at the start over Boltzmann's constant, in kelvin.
    frequency : float, default=500.0
        Mean trap frequency at the start, in hertz.
    scattering_length : float, default=98.0
        In Bohr radii.
    three_body : float, default=4.3e-41
        Coefficient of three-body loss, in m^6/s.
    lifetime : float, default=30.0
        Against collisions with the background gas, in seconds.
    heating : float, default=5e-9
        Of the trap, in kelvin per second.
    spilling : bool, default=True
        False leaves out the atoms that a sinking barrier spills: wrong for fast
        ramps, but what scaling laws are derived for.
    noise : tuple of (float, float), default=(0.03, 0.06)
        Relative standard deviation of measured atoms and phase-space density.
    n_steps : int, default=300
        Steps of the integration (at least), shared by the segments.

    Attributes
    ----------
    space : dict
        The parameters as `ExperimentOptimizer` takes them: ``cut_1`` and so on, the
        e-folds by which the depth falls in a segment, 11.2 together at most, and
        ``duration``, 1 to 20 seconds, on a logarithmic scale.

    Notes
    -----
    Equations, their sources and the check against scaling laws are in
    docs/guide/experiments.md. The particular trap is this library's own.

    References
    ----------
    .. [1] Luiten, Reynolds and Walraven, "Kinetic theory of the evaporative cooling
       of a trapped gas", Phys. Rev. A 53, 381 (1996). doi:10.1103/PhysRevA.53.381
    .. [2] O'Hara, Gehm, Granade and Thomas, "Scaling laws for evaporative cooling in
       time-dependent optical traps", Phys. Rev. A 64, 051403 (2001).
       doi:10.1103/PhysRevA.64.051403

    Examples
    --------
    >>> from qestim.datasets import EvaporativeCooling
    >>> cooling = EvaporativeCooling()
    >>> run = cooling.simulate([1.4, 1.2, 0.9, 0.8, 0.6, 0.4, 0.0, 10.0])
    >>> bool(run.phase_space_density[-1] > 300 * run.phase_space_density[0])
    True
    """

    def __init__(
        self,
        *,
        n_segments=7,
        atoms=2e6,
        temperature=45e-6,
        depth=400e-6,
        frequency=500.0,
        scattering_length=98.0,
        three_body=4.3e-41,
        lifetime=30.0,
        heating=5e-9,
        spilling=True,
        noise=(0.03, 0.06),
        n_steps=300,
    ) -> None:
        for name, value in {"n_segments": n_segments, "n_steps": n_steps}.items():
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(
                    f"The '{name}' parameter of EvaporativeCooling must be an int of "
                    f"at least 1. Got {value!r}."
                )
        positive = {
            "atoms": atoms,
            "temperature": temperature,
            "depth": depth,
            "frequency": frequency,
            "scattering_length": scattering_length,
            "lifetime": lifetime,
        }
        others = {"three_body": three_body, "heating": heating}
        for name, value in {**positive, **others}.items():
            least = 0 if name in others else np.nextafter(0, 1)
            if not isinstance(value, Real) or not least <= float(value) < np.inf:
                raise ValueError(
                    f"The '{name}' parameter of EvaporativeCooling must be a finite "
                    f"number {'of at least' if name in others else 'above'} 0. "
                    f"Got {value!r}."
                )
        spread = np.asarray(noise, dtype=np.float64)
        if spread.shape != (2,) or not (np.isfinite(spread) & (spread >= 0)).all():
            raise ValueError(
                "The 'noise' parameter of EvaporativeCooling must be two finite "
                f"numbers of at least 0, for atoms and density. Got {noise!r}."
            )
        self.n_segments = n_segments
        self.atoms = atoms
        self.temperature = temperature
        self.depth = depth
        self.frequency = frequency
        self.scattering_length = scattering_length
        self.three_body = three_body
        self.lifetime = lifetime
        self.heating = heating
        self.spilling = spilling
        self.noise = noise
        self.n_steps = n_steps

    @property
    def space(self):
        """The parameters and their bounds."""
        cut = 11.2 / self.n_segments
        cuts = {f"cut_{i + 1}": (0.0, cut) for i in range(self.n_segments)}
        return {**cuts, "duration": (1.0, 20.0, "log")}

    def simulate(self, x) -> "CoolingRun":
        """Run a ramp without noise.

        Parameters
        ----------
        x : dict or array-like of shape (n_segments + 1,)
            E-folds of depth of each segment, and the duration in seconds.

        Returns
        -------
        run : CoolingRun
            The gas at every step, until fewer than 10 atoms are left.

        Raises
        ------
        ValueError
            If ``x`` has another shape, a cut is not finite or the duration is not
            positive.
        """
        cuts, duration = self._read(x)
        steps = -(-self.n_steps // self.n_segments)
        dt = duration / (steps * self.n_segments)
        depth = constants.k * self.depth
        eta = self.depth / self.temperature
        atoms, energy = float(self.atoms), self.atoms * depth * mean_energy(eta)
        states = [self._state(0.0, depth, atoms, eta)]
        for i, cut in enumerate(cuts):
            rate = -cut / (duration / self.n_segments)
            for j in range(steps):
                atoms, energy, depth, eta = self._step(
                    atoms, energy, depth, rate, dt, eta
                )
                if not (atoms > _LOST[0] and energy > 0):
                    states.append((*states[-1][:2], *_LOST, states[-1][-1]))
                    return _collect(states)
                states.append(self._state((i * steps + j + 1) * dt, depth, atoms, eta))
        return _collect(states)

    def score(self, x) -> float:
        """Return the score without noise.

        Parameters
        ----------
        x : dict or array-like of shape (n_segments + 1,)
            As in `simulate`.

        Returns
        -------
        score : float
            Decades; to be maximised.
        """
        run = self.simulate(x)
        return _score(run.atoms[-1], run.phase_space_density[-1])

    def measure(self, x, rng) -> float:
        """Run a ramp and measure its score with noise.

        Parameters
        ----------
        x : dict or array-like of shape (n_segments + 1,)
            As in `simulate`.
        rng : numpy.random.Generator
            Source of the noise.

        Returns
        -------
        score : float
            Decades.
        """
        run = self.simulate(x)
        factors = np.exp(np.asarray(self.noise) * rng.standard_normal(2))
        return _score(
            run.atoms[-1] * factors[0], run.phase_space_density[-1] * factors[1]
        )

    def _read(self, x):
        if isinstance(x, dict):
            names = list(self.space)
            if set(x) != set(names):
                raise ValueError(f"The parameters are {names}. Got {list(x)}.")
            x = [x[name] for name in names]
        x = np.asarray(x, dtype=np.float64)
        if x.shape != (self.n_segments + 1,) or not np.isfinite(x).all() or x[-1] <= 0:
            raise ValueError(
                f"A ramp is {self.n_segments} finite cuts and a positive duration. "
                f"Got {x.tolist()}."
            )
        return x[:-1].tolist(), float(x[-1])

    def _step(self, atoms, energy, depth, rate, dt, eta):
        """Take one step of the classical Runge-Kutta method of fourth order."""
        total, a, e, offset = (0.0, 0.0), 0.0, 0.0, 0.0
        for weight, reach in ((1, 0.5), (2, 0.5), (2, 1.0), (1, 0.0)):
            lowered = depth * math.exp(rate * offset)
            if not (atoms + a > 0 and energy + e > 0):
                return 0.0, 0.0, depth, eta
            da, de, eta = self._slopes(atoms + a, energy + e, lowered, rate, eta)
            total = (total[0] + weight * da, total[1] + weight * de)
            offset = reach * dt
            a, e = offset * da, offset * de
        atoms += dt / 6 * total[0]
        energy += dt / 6 * total[1]
        depth *= math.exp(rate * dt)
        if atoms > 0 and energy > 0:
            eta = depth_over_temperature(energy / (atoms * depth), eta)
        return atoms, energy, depth, eta

    def _slopes(self, atoms, energy, depth, rate, eta):
        """Return dN/dt, dE/dt and the eta of a state."""
        eta = depth_over_temperature(energy / (atoms * depth), eta)
        thermal = depth / eta  # k_B T
        density, _ = self._densities(atoms, thermal, depth, eta)
        evaporated, taken = evaporation(eta)
        area = 8 * math.pi * (self.scattering_length * _BOHR_RADIUS) ** 2
        speed = math.sqrt(8 * thermal / (math.pi * _MASS))
        evaporated *= density * area * speed
        spilled = max(0.0, -rate) * spilling(eta) if self.spilling else 0.0
        recombined = self.three_body * density**2 / 3**1.5
        background = 1 / self.lifetime
        lost = evaporated + spilled + recombined + background
        work = -atoms * thermal * (evaporated * taken + spilled * eta)
        work -= energy * (background + 2 / 3 * recombined - rate / 2)
        work += 3 * atoms * constants.k * self.heating
        return -lost * atoms, work, eta

    def _densities(self, atoms, thermal, depth, eta):
        """Return the density in the centre (1/m^3) and in phase space."""
        full = depth / (constants.k * self.depth)
        omega = 2 * math.pi * self.frequency * math.sqrt(full)
        wavelength = math.sqrt(2 * math.pi * constants.hbar**2 / (_MASS * thermal))
        p3 = occupations(eta)[0]
        phase_space = atoms / ((thermal / (constants.hbar * omega)) ** 3 * p3)
        return phase_space / wavelength**3, phase_space

    def _state(self, time, depth, atoms, eta):
        thermal = depth / eta
        _, phase_space = self._densities(atoms, thermal, depth, eta)
        kelvin = depth / constants.k, thermal / constants.k
        return time, kelvin[0], atoms, phase_space, kelvin[1]


_MASS = 86.909180520 * constants.atomic_mass


def _collect(states):
    time, depth, atoms, phase_space, temperature = np.array(states).T
    return CoolingRun(time, depth, atoms, temperature, phase_space)


def _score(atoms, phase_space):
    return math.log10(atoms) + min(0.0, math.log10(phase_space / _CONDENSED))
