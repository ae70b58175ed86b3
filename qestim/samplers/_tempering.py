# SPDX-License-Identifier: Apache-2.0
"""The course of one Boltzmann run: ladder, burn-in, reads, diagnostics, log Z."""

import time
from typing import Any

import numpy as np

from qestim import _native
from qestim.samplers._diagnostics import (
    autocorrelation_time,
    log_ratios,
    split_r_hat,
)

# What counts as mixed, and how long to try for it.
_R_HAT = 1.05
_SWAP_RATE = 0.02
_MAX_SWEEPS = 2**14
# A ladder's neighbours: (beta_k - beta_l) times the standard deviation of the energy.
# Gaussian energies then exchange with probability erfc(1.2 / 2) = 0.40.
_SPACING = 1.2
_MAX_TEMPERATURES = 256
# Diagnostics look at the last reads of each chain, so that they stay cheap.
_MAX_RECORDS = 1024


class Tempering:
    """One run of parallel tempering, from random spins to reads and diagnostics."""

    def __init__(
        self, model, beta, chains, initial, seed, num_threads, time_limit, interrupt
    ):
        self.model = model
        self.beta = beta
        self.betas = np.array([beta])
        self.chains = chains
        self.complaints = []
        self.layout = "unused"
        self.stopped_by = ""
        self.burnt = self.sweeps = 0
        self.done = np.zeros(chains, dtype=np.int64)
        self.last: Any = None
        self._initial = initial
        self._keys = np.random.SeedSequence([seed, 7]).generate_state(256, np.uint64)
        self._num_threads = num_threads
        self._interrupt = interrupt
        self._deadline = time.monotonic() + time_limit if time_limit else np.inf
        self._stopped = False
        self._records: list = []
        self._ladder_energies = None
        self._rates = np.zeros(0)
        self._trips = np.zeros(chains, dtype=np.int64)
        self._production_thin = 1
        self._norm, self._modes = _slow_modes(model)

    def prepare(self, num_temperatures, burn_in, thin):
        """Choose the ladder and burn the chains in; return what is left to choose."""
        scheduled = burn_in is not None and thin is not None
        if num_temperatures == "auto":
            single = self.beta * self._norm <= 1
            if not single and not self._stopped:
                single = self._pilot(64, 3) or self._pilot(512, 25)
            if not single:
                self._make_ladder(None)
        elif num_temperatures > 1:
            self._make_ladder(int(num_temperatures))
        if scheduled:
            return burn_in, thin
        return self._settle(burn_in, thin)

    def produce(self, reads, burn_in, thin):
        """Run the chains and return spins of shape (reads, chains, n)."""
        if self._stopped:
            return np.zeros((reads, self.chains, len(self.model)), dtype=np.int8)
        self.burnt += burn_in
        # A run that may end early needs every energy, any other those of the records.
        endless = self._deadline == np.inf and self._interrupt is None
        spins = self._advance(reads, burn_in, thin, _MAX_RECORDS if endless else -1)
        self.done = self._done
        if self.done.min() >= 16 or not self._records:
            kept = int(self.done.min())
            self._observe(spins[:kept], self._energies[:, :, :kept], thin)
            self._rates = self._exchanged
        self._production_thin = thin
        return spins

    def diagnose(self):
        """Return the diagnostics of the last stage that was long enough for them."""
        swap_rates = self._rates.tolist() if len(self.betas) > 1 else []
        r_hat = tau = None
        ess = 0.0
        if self._records and self._records[0].shape[1] >= 4:
            r_hat = max(split_r_hat(x) for x in self._records)
            draws = max(autocorrelation_time(x) for x in self._records)
            tau = draws * self._record_thin
            per_read = max(tau / self._production_thin, 1.0)
            ess = float(self.done.sum()) / per_read
            if not r_hat <= _R_HAT:
                self.complaints.append(f"R-hat is {r_hat:.3g} (limit {_R_HAT})")
        if swap_rates and min(swap_rates) < _SWAP_RATE:
            self.complaints.append(
                f"the lowest exchange rate is {min(swap_rates):.2g} "
                f"(limit {_SWAP_RATE})"
            )
        return {
            "swap_rates": swap_rates,
            "round_trips": int(self._trips.sum()),
            "autocorrelation_time": _finite(tau),
            "ess": ess,
            "r_hat": _finite(r_hat),
            "mixed": not self.complaints and r_hat is not None,
        }

    def log_z(self):
        """Return log Z of the model without its offset, and its standard error."""
        n = len(self.model)
        biases = np.concatenate([self.model.h, self.model.value])
        unit = float(np.abs(biases).max()) or 1.0
        spread = unit * np.sqrt(np.square(biases / unit).sum())
        first = self.betas[0]
        steps = int(np.ceil(first * spread)) + 1
        if self._stopped or steps > _MAX_TEMPERATURES or self._ladder_energies is None:
            return None, None
        ladder, energies = self.betas, self._ladder_energies
        ratio, influences = log_ratios(energies[:, :, -256:], ladder)
        betas = np.linspace(0.0, first, max(steps, 2))
        result = self._kernel(betas, 256, 32, 1)
        if (result[5] < 256).any():
            return None, None
        more, further = log_ratios(result[1], betas)
        influences = influences + further
        error = (
            influences.std(ddof=1) / np.sqrt(self.chains) if self.chains > 1 else 0.0
        )
        return float(n * np.log(2) + ratio + more), float(error)

    # ---- stages ------------------------------------------------------------

    def _kernel(
        self, betas, reads, burn_in, thin, initial=None, chains=None, num_energies=-1
    ):
        remaining = 0.0
        if self._deadline < np.inf:
            remaining = max(self._deadline - time.monotonic(), 1e-6)
        key, self._keys = int(self._keys[0]), self._keys[1:]
        model = self.model
        result = _native.temper(
            model.h,
            model.row,
            model.col,
            model.value,
            betas,
            chains or self.chains,
            reads,
            burn_in,
            thin,
            key,
            initial=initial,
            num_threads=self._num_threads,
            time_limit=remaining,
            interrupt=self._interrupt,
            num_energies=num_energies,
        )
        self._stopped = bool((result[5] < reads).any())
        if self._stopped:
            late = time.monotonic() >= self._deadline
            self.stopped_by = "time_limit" if late else "interrupt"
        return result

    def _advance(self, reads, burn_in, thin, num_energies=-1):
        """Continue every replica of the chains."""
        start = self.last
        if start is None and self._initial is not None:
            start = np.resize(self._initial, (self.chains, 1, len(self.model)))
            start = np.repeat(start, len(self.betas), axis=1)
        (
            spins,
            self._energies,
            self.last,
            self._accepted,
            self._trips,
            self._done,
            kind,
        ) = self._kernel(
            self.betas, reads, burn_in, thin, start, num_energies=num_energies
        )
        self.layout = kind
        # Of each chain, since a call that is stopped leaves them at different reads.
        sweeps = burn_in + self._done * thin
        self.sweeps += int(sweeps.max())
        offers = max(float(sweeps.sum()) / 2, 1.0)
        self._exchanged = np.minimum(self._accepted.sum(axis=0) / offers, 1.0)
        return spins

    def _observe(self, spins, energies, thin):
        """Keep the observables of a stage, each of shape (chains, records)."""
        energies = energies[:, :, -_MAX_RECORDS:]
        recent = spins[-_MAX_RECORDS:].astype(np.float32)
        overlaps = np.swapaxes(recent @ self._modes.astype(np.float32), 0, 1)
        if not self.model.h.any():
            overlaps = np.abs(overlaps)  # the sign is drawn anew for every read
        self._records = [energies[:, -1], *np.moveaxis(overlaps, -1, 0)]
        self._record_thin = thin
        self._ladder_energies = energies

    def _stage(self, sweeps):
        """Run a stage; return R-hat and the autocorrelation time of it in sweeps."""
        thin = -(-sweeps // 256)
        reads = sweeps // thin
        spins = self._advance(reads, 0, thin)
        self.burnt += sweeps
        if self._stopped:
            return np.inf, np.inf
        half = reads // 2
        self._observe(spins[half:], self._energies[:, :, half:], thin)
        self._rates = self._exchanged
        r_hat = max(split_r_hat(x) for x in self._records)
        return r_hat, thin * max(autocorrelation_time(x) for x in self._records)

    def _pilot(self, sweeps, longest):
        r_hat, tau = self._stage(sweeps)
        return self._stopped or (r_hat < _R_HAT and tau <= longest)

    def _settle(self, burn_in, thin):
        """Double the stages until one is long against its autocorrelation time."""
        sweeps = 64
        while not self._stopped:
            r_hat, tau = self._stage(sweeps)
            if r_hat < _R_HAT and sweeps >= 20 * tau:
                break
            if sweeps >= _MAX_SWEEPS:
                self.complaints.append(
                    f"after {self.burnt} sweeps the autocorrelation time is still "
                    f"{tau:.3g} sweeps"
                )
                break
            sweeps *= 2
        if self._stopped:
            return burn_in or 0, thin or 1
        chosen = 1 if tau < 1.3 else int(min(np.ceil(1.5 * tau), _MAX_SWEEPS))
        return (burn_in or 0), (thin or chosen)

    # ---- the ladder --------------------------------------------------------

    def _make_ladder(self, count):
        """Space the temperatures evenly in the spread of the energy."""
        hot = min(self.beta / 2, 1 / self._norm) if self._norm > 0 else self.beta / 2
        if hot <= 0 or self._stopped:
            return
        trial = np.geomspace(hot, self.beta, 24)
        _, energies, last, *_ = self._kernel(trial, 64, 64, 1, chains=4)
        if self._stopped:
            # A call that ends here still has states to return.
            self.last = last if self.last is None else self.last
            return
        # In units of the largest, so that squares stay within the range of floats.
        unit = float(np.abs(energies).max(initial=0.0)) or 1.0
        within = unit * (energies / unit).std(axis=2).mean(axis=0)
        means = energies.mean(axis=(0, 2))
        slopes = np.gradient(means / unit, np.log(trial))
        slopes = np.sqrt(np.maximum(-slopes, 0)) * np.sqrt(unit) / np.sqrt(trial)
        spread = np.maximum(within, slopes)
        length = np.concatenate(
            [[0], np.cumsum(np.diff(trial) * (spread[1:] + spread[:-1]) / 2)]
        )
        if count is None:
            count = int(np.clip(np.ceil(length[-1] / _SPACING) + 1, 2, 64))
        self.betas = np.interp(np.linspace(0, length[-1], count), length, trial)
        self.betas[-1] = self.beta
        self.last = None
        self._records = []


def _finite(x):
    """Return a number that JSON can hold, or None."""
    return None if x is None or not np.isfinite(x) else float(x)


def _slow_modes(model):
    """Return the norm of the couplings and their two lowest eigenvectors (n, 2)."""
    n = len(model)
    J = model.csr
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2))
    if J.nnz == 0:
        return 0.0, np.linalg.qr(x)[0]
    # Squares of huge or tiny couplings would leave the range of floats.
    scale = float(np.abs(J.data).max())
    if scale == 0:
        return 0.0, np.linalg.qr(x)[0]
    J = J / scale
    norm = 0.0
    vector = x[:, 0] / np.linalg.norm(x[:, 0])
    for _ in range(20):
        vector = J @ vector
        norm = float(np.linalg.norm(vector))
        if norm == 0:
            break
        vector = vector / norm
    for _ in range(30):
        x = np.linalg.qr(norm * x - J @ x)[0]
    return scale * norm, x
