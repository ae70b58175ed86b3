# SPDX-License-Identifier: Apache-2.0
"""Any sampler as the oracle that minimises a weighted sum of functionals."""

import dimod
import numpy as np

from qestim import _native
from qestim.qubo import IsingArrays, spins_of
from qestim.samplers._dimod import DimodSampler
from qestim.samplers._exact import ExactSampler


class Oracle:
    """Minimise ``(q + G' multipliers) . v(x)`` over the bits with a sampler.

    Parameters
    ----------
    sampler : dimod.Sampler
        The sampler that is asked.
    arrays : ConstrainedArrays
        The problem.
    precision : int or None
        Bits, with the sign, of the integers to which the Ising coefficients are
        rounded; None leaves them as they are.
    noise : float
        Standard deviation of normal noise on the coefficients, in units of the
        greatest of them.
    keywords : dict
        What every call is told, where the sampler knows it.
    """

    def __init__(self, sampler, arrays, precision, noise, keywords):
        self.sampler = sampler
        self.arrays = arrays
        self.precision = precision
        self.noise = noise
        self.keywords = keywords

    def __call__(self, multipliers, seed, time_limit=None):
        """Ask once.

        Parameters
        ----------
        multipliers : ndarray of shape (k,)
            Weights of the functionals, in the units of the objective.
        seed : int
            Seed of this call.
        time_limit : float, default=None
            Seconds that are left, for samplers that know a limit.

        Returns
        -------
        bits : ndarray of shape (num_reads, n), dtype int8
            Values in {0, 1}, lowest energy first.
        energies : ndarray of shape (num_reads,), dtype float64
            The weighted sum, without noise or rounding, in the units of the objective.
        exact : bool
            Whether the first read is proven to be the minimum.
        """
        arrays, n = self.arrays, self.arrays.num_bits
        weights = arrays.q + arrays.G.T @ multipliers
        h, value, _ = _native.binary_to_spin(
            weights[:n], arrays.row, arrays.col, weights[n:]
        )
        rng = np.random.default_rng([seed, 2])
        asked_h, asked_value = self._distort(h, value, rng)
        model = IsingArrays(asked_h, arrays.row, arrays.col, asked_value)
        spins, proven = self._ask(model.to_bqm(), seed, time_limit)
        bits = (spins + 1) >> 1
        energies = (
            arrays.lift(bits) @ weights + arrays.q0 + float(arrays.g0 @ multipliers)
        )
        order = np.argsort(energies, kind="stable")
        unchanged = np.array_equal(h, asked_h) and np.array_equal(value, asked_value)
        return bits[order], energies[order], proven and unchanged

    def _distort(self, h, value, rng):
        greatest = max(np.abs(h).max(initial=0), np.abs(value).max(initial=0))
        if self.noise and greatest:
            h = h + self.noise * greatest * rng.standard_normal(len(h))
            value = value + self.noise * greatest * rng.standard_normal(len(value))
        if self.precision is None or not greatest:
            return h, value
        greatest = max(np.abs(h).max(), np.abs(value).max(initial=0))
        step = greatest / (2 ** (self.precision - 1) - 1)
        return np.rint(h / step) * step, np.rint(value / step) * step

    def _ask(self, bqm, seed, time_limit):
        sampler = self.sampler
        if isinstance(sampler, ExactSampler):
            # Its reads are draws at a temperature; the lowest states are the minima.
            number = self.keywords.get("num_reads") or sampler.num_reads or 1
            reads = sampler.lowest(bqm, int(number))
            return spins_of(reads, bqm.variables), True
        wanted = {**self.keywords, "seed": seed, "time_limit": time_limit}
        known = sampler.parameters
        reads = sampler.sample(
            bqm,
            **{k: v for k, v in wanted.items() if v is not None and k in known},
        )
        if len(reads) == 0:
            raise ValueError(
                f"{type(sampler).__name__} returned no read. Raise its num_reads or "
                "its time limit."
            )
        foreign = sampler.sampler if isinstance(sampler, DimodSampler) else sampler
        proven = isinstance(foreign, dimod.ExactSolver)
        proven = proven or bool(reads.info.get("proven_optimal", False))
        return spins_of(reads, bqm.variables), proven
