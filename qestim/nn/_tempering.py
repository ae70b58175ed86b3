# SPDX-License-Identifier: Apache-2.0
"""Parallel tempering of a Boltzmann machine that may change between two calls."""

from typing import Any

import numpy as np
import torch

from qestim import _native

# Neighbours of a ladder: their distance times the spread of the energy, at which
# Gaussian energies exchange with probability 0.40.
_SPACING = 1.2
_TRIAL = 24


class Replicas:
    """Chains of replicas at inverse temperatures up to 1.

    Hot replicas cross the barriers that hold up the cold ones, and states are
    exchanged between neighbours; only those at beta 1 are returned.

    Parameters
    ----------
    n_chains : int
        Independent chains.
    rng : numpy.random.RandomState
        Source of the seeds.
    limit : int, default=64
        Greatest number of temperatures; the machine says how many it needs.

    References
    ----------
    .. [1] Desjardins, Courville, Bengio, Vincent and Delalleau, "Tempered Markov chain
           Monte Carlo for training of restricted Boltzmann machines", AISTATS 2010.
    """

    def __init__(self, n_chains, rng, limit=64):
        self.n_chains, self.rng = n_chains, rng
        self.limit = limit
        self.betas: Any = None
        self.swap_rates = np.zeros(0)
        self._last = None

    def set_ladder(self, machine):
        """Space the temperatures evenly in the spread of the machine's energy.

        Parameters
        ----------
        machine : BoltzmannMachine
            The machine as it is now.
        """
        model = machine.to_ising()
        norm = float(np.abs(machine.to_arrays()[1]).sum(1).max())
        trial = np.geomspace(min(0.5, 1 / norm) if norm > 0 else 0.5, 1.0, _TRIAL)
        energies = self._temper(model, trial, 4, 32, 64, 1, None)[1]
        spread = energies.std(axis=2).mean(axis=0)
        steps = np.diff(trial) * (spread[1:] + spread[:-1]) / 2
        length = np.concatenate([[0.0], np.cumsum(steps)])
        count = int(np.clip(np.ceil(length[-1] / _SPACING) + 1, 2, self.limit))
        before = self.betas
        self.betas = np.geomspace(trial[0], 1.0, count)
        if length[-1] > 0:
            self.betas = np.interp(np.linspace(0, length[-1], count), length, trial)
        if self._last is not None:  # each goes on from the nearest that there was
            nearest = np.abs(before[:, None] - self.betas).argmin(0)
            self._last = np.ascontiguousarray(self._last[:, nearest])

    def draw(self, machine, *, n_reads=1, burn_in=0, thin=1):
        """Continue the chains and return spins of the machine as it is now.

        Parameters
        ----------
        machine : BoltzmannMachine
            The machine.
        n_reads : int, default=1
            Reads of each chain.
        burn_in : int, default=0
            Sweeps before the first of them.
        thin : int, default=1
            Sweeps from one to the next. Neighbours exchange in turn, even ones and odd
            ones, so that a call should make an even number of sweeps.

        Returns
        -------
        spins : tensor of shape (n_reads * n_chains, n)
            Like the machine's fields in dtype and device.
        """
        if self.betas is None:
            self.set_ladder(machine)
        found = self._temper(
            machine.to_ising(),
            self.betas,
            self.n_chains,
            n_reads,
            burn_in,
            thin,
            self._last,
        )
        self._last = found[2]
        rates = found[3].mean(0) * 2 / max(burn_in + n_reads * thin, 1)
        if self.swap_rates.shape != rates.shape:
            self.swap_rates = rates
        self.swap_rates = 0.9 * self.swap_rates + 0.1 * rates
        spins = np.asarray(found[0]).reshape(-1, machine.n_units)
        return torch.as_tensor(spins).to(machine.h.detach())

    def _temper(self, model, betas, chains, reads, burn_in, thin, initial):
        return _native.temper(
            model.h,
            model.row,
            model.col,
            model.value,
            betas,
            chains,
            reads,
            burn_in,
            thin,
            int(self.rng.randint(2**31 - 1)),
            initial=initial,
            num_threads=1,
        )
