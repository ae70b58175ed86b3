# SPDX-License-Identifier: Apache-2.0
"""Ten thousand calls of a machine that drifts and restarts, while a prior trains."""

import time

import numpy as np
import scipy.sparse
import scipy.special
from _measure import spread

from qestim.samplers import CIMEmulatorBackend, HardwareSampler
from qestim.testing import ExactRBM, random_rbm

N_VISIBLE, N_HIDDEN = 538, 11  # and the auxiliary spin: 550
READS = 10
CALLS = 10_000
# A machine whose reads are near a Boltzmann law; a call takes a few milliseconds.
MACHINE = {"noise": 2.0, "num_steps": 60}


class Machine:
    """A restricted Boltzmann machine in dimod's sign, and Adam for it."""

    def __init__(self, rng):
        self.W = 0.01 * rng.standard_normal((N_VISIBLE, N_HIDDEN))
        self.h = 0.01 * rng.standard_normal(N_VISIBLE + N_HIDDEN)
        self.moments = [[0.0, 0.0], [0.0, 0.0]]
        self.steps = 0

    def hidden(self, visible, rng):
        """Draw hidden spins given visible ones."""
        up = scipy.special.expit(-2 * (visible @ self.W + self.h[N_VISIBLE:]))
        return np.where(rng.random(up.shape) < up, 1.0, -1.0)

    def sweep(self, spins, number, rng):
        """Go on from reads by heat bath at beta 1."""
        visible, hidden = spins[:, :N_VISIBLE], spins[:, N_VISIBLE:]
        for _ in range(number):
            up = scipy.special.expit(-2 * (hidden @ self.W.T + self.h[:N_VISIBLE]))
            visible = np.where(rng.random(up.shape) < up, 1.0, -1.0)
            hidden = self.hidden(visible, rng)
        return np.hstack([visible, hidden])

    def learn(self, data, reads, rate):
        """Climb the likelihood by a step of Adam."""
        pairs = [s[:, :N_VISIBLE].T @ s[:, N_VISIBLE:] / len(s) for s in (data, reads)]
        slopes = pairs[0] - pairs[1], data.mean(0) - reads.mean(0)
        self.steps += 1
        for parameter, slope, moment in zip(
            (self.W, self.h), slopes, self.moments, strict=True
        ):
            moment[0] = 0.9 * moment[0] + 0.1 * slope
            moment[1] = 0.999 * moment[1] + 0.001 * slope**2
            first = moment[0] / (1 - 0.9**self.steps)
            second = moment[1] / (1 - 0.999**self.steps)
            parameter -= rate * first / (np.sqrt(second) + 1e-8)

    def divergence(self, target):
        """Return KL of this law from the target's in nats; both sums are exact."""
        learned = ExactRBM(self.W, self.h[:N_VISIBLE], self.h[N_VISIBLE:])
        energy = self.h @ target.mean + (self.W * target.correlation).sum()
        return float(energy + learned.log_z - target.mean_energy - target.log_z)

    def couplings(self):
        """Return J as a sparse symmetric matrix."""
        W = scipy.sparse.csr_array(self.W)
        return scipy.sparse.block_array([[None, W], [W.T, None]], format="csr")


def train(target, data, backend, calls, seed=0):
    """Train by the machine's reads, a call a step: KL and beta_eff on the way."""
    rng = np.random.default_rng(seed)
    machine = Machine(rng)
    sampler = HardwareSampler(backend, num_reads=READS, poll_interval=1e-3)
    marks = set(np.linspace(0, calls, 21).astype(int).tolist())
    curve, betas = [], []
    start = time.process_time()
    for step in range(calls):
        if step in marks:
            curve.append(machine.divergence(target))
        found = sampler.sample_arrays(machine.couplings(), machine.h, seed=step)
        betas.append(found.info["beta_eff"])
        reads = machine.sweep(found.record.sample.astype(float), 5, rng)
        batch = data[rng.integers(len(data), size=128)]
        rate = 1e-4 + 3e-3 * np.cos(np.pi / 2 * step / calls) ** 2
        machine.learn(batch, reads, rate)
    curve.append(machine.divergence(target))
    return curve, betas, time.process_time() - start


def machines(calls):
    """Return the machines: one that stays as it is and one that does not."""
    drift = {"drift": 0.2, "drift_period": calls / 5, "restart_after": calls // 2}
    return {
        "no drift": CIMEmulatorBackend(**MACHINE),
        "drift 0.2, restart at half": CIMEmulatorBackend(**MACHINE, **drift),
    }


def row_of(name, calls):
    """Train on one machine."""
    target = random_rbm(N_VISIBLE, N_HIDDEN, seed=1)
    data = target.draw(4000, np.random.default_rng(2)).astype(float)
    backend = machines(calls)[name]
    curve, betas, seconds = train(target, data, backend, calls)
    tail = np.array(betas[calls // 2 :])
    tail = tail[np.isfinite(tail)]
    tail = tail[: len(tail) // 10 * 10].reshape(-1, 10).mean(axis=1)
    return {
        "machine": name,
        "calls": calls,
        "restarts": backend._machine.get("starts", 0),
        "KL before": curve[0],
        "KL at a quarter": curve[5],
        "KL at half": curve[10],
        "KL at three quarters": curve[15],
        "KL at the end": curve[-1],
        "beta_eff, second half": spread(tail),
        "machine hours, modelled": calls * backend.modelled_seconds(READS) / 3600,
        "CPU s": seconds,
    }


def drifting(quick):
    """KL and beta_eff along a training, by machine."""
    calls = 60 if quick else CALLS
    period = calls / 5
    rows = [row_of(name, calls) for name in machines(calls)]
    note = (
        f"A Boltzmann machine of {N_VISIBLE} + {N_HIDDEN} spins, all seen, on a "
        "machine of 550 with the auxiliary one, learns 4000 draws of another one. One "
        f"call of {READS} reads a step, which fits so many calls in minutes, and then "
        "five heat-bath sweeps at beta 1. KL in nats, exact. beta_eff: means of ten "
        "calls. Drift in units of the matrix' rms row norm, back and forth within "
        f"{period:.0f} calls; the call that the restart lost was asked again. One seed."
    )
    return {"rows": rows, "note": note}


SECTIONS = {"drift": drifting}
