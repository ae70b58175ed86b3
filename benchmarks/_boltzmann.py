# SPDX-License-Identifier: Apache-2.0
"""Effective samples per CPU second at a stated temperature, ours and the peers'."""

import time
import warnings

import dimod
import numpy as np
import torch
from _measure import alternate, spread
from dwave.samplers import SimulatedAnnealingSampler

from qestim.exceptions import MixingWarning
from qestim.qubo import IsingArrays
from qestim.samplers import BoltzmannSampler
from qestim.samplers._diagnostics import effective_sample_size, split_r_hat

BETAS = (0.5, 1.0, 2.0)
NOTE = (
    "RBM: 64 + 64 spins, weights N(0, 1/64), fields N(0, 0.01). Glass: Sherrington-"
    "Kirkpatrick, 500 spins, couplings N(0, 1/500), no fields (freezes at beta = 1). "
    "Effective samples: reads over their integrated autocorrelation time, the least of "
    "the energy and the overlaps with the two lowest eigenvectors of J (their size "
    "where there are no fields), by one estimator for all. Ours counts pilot, ladder, "
    "burn-in and diagnostics; the peers' burn-in is free. Equilibrated: split R-hat "
    "below 1.05 over chains that started at random; where it says no, those reads do "
    "not follow the law, whatever their number, and the ratio is void. The goal of 5 "
    "is missed on the glass at beta 0.5 against numpy, which updates one spin of 256 "
    "chains at a time with float32 products. Tried there: blocks of 16 spins with "
    "delayed row sums and decisions without branches (kept: 18.9 to 9.2 ns a spin); "
    "the same blocks over 16 replicas in 32 bits (slower on ladders); 16-bit fields "
    "with stochastic rounding and exact decisions of close calls (the kernel 1.35 "
    "times faster, nothing gained from model to reads)."
)


def rbm(seed=0):
    rng = np.random.default_rng(seed)
    J = np.zeros((128, 128))
    J[:64, 64:] = rng.normal(size=(64, 64)) / 8
    return J + J.T, rng.normal(size=128) / 10


def glass(n=500, seed=0):
    rng = np.random.default_rng(seed)
    J = np.triu(rng.normal(size=(n, n)) / np.sqrt(n), 1)
    return J + J.T, np.zeros(n)


class Traces:
    """Observables along chains, taken while the clock stands still."""

    def __init__(self, J, h):
        self.J, self.h = J.astype(np.float32), h.astype(np.float32)
        self.modes = np.linalg.eigh(J)[1][:, :2].astype(np.float32)
        self.rows, self.cpu = [], 0.0

    def timed(self, step):
        start = time.process_time()
        answer = step()
        self.cpu += time.process_time() - start
        return answer

    def add(self, spins):
        s = spins.astype(np.float32)
        energy = s @ self.h + 0.5 * np.einsum("ri,ri->r", s @ self.J, s)
        overlaps = s @ self.modes
        if not self.h.any():
            overlaps = np.abs(overlaps)
        self.rows.append(np.column_stack([energy, overlaps]))

    def result(self, chains=None):
        x = np.array(self.rows)  # (records, chains, observables)
        if chains is not None:
            records = len(x[0]) // chains
            x = x[0][: records * chains].reshape(records, chains, -1)
        series = [x[:, :, k].T for k in range(x.shape[2])]
        r_hat = max(split_r_hat(y) for y in series)
        size = min(effective_sample_size(y) for y in series)
        return {"rate": size / self.cpu, "r_hat": r_hat}


def ours(J, h, beta, seconds, state):
    """Draw reads by BoltzmannSampler, from model to spins and diagnostics."""
    model = IsingArrays.from_matrix(J, h)
    state.setdefault("num_reads", 2000)
    state["seed"] = state.get("seed", 0) + 1

    def draw(num_reads, **settings):
        sampler = BoltzmannSampler(
            num_reads=num_reads, beta=beta, log_z=False, num_threads=1, **settings
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixingWarning)
            return sampler._sample_ising(model, None, num_reads, state["seed"])

    if "thin" not in state:  # half the time apart: reads are cheap beside sweeps
        info = draw(2000)[1]
        state["thin"] = max(1, info["thin"] // 3)
        start = time.process_time()
        draw(4000, thin=state["thin"])
        cost = (time.process_time() - start) / 4000
        state["num_reads"] = int(np.clip(seconds / cost, 4000, 1_200_000))
    traces = Traces(J, h)
    spins, info, _ = traces.timed(lambda: draw(state["num_reads"], thin=state["thin"]))
    traces.add(spins)
    return {**traces.result(16), "temperatures": len(info["betas"])}


def torch_rbm(J, h, beta, seconds, state, chains=1024):
    """Block Gibbs as it is written in torch: two matmuls in float32 a sweep."""
    half = len(J) // 2
    W = torch.tensor(J[:half, half:], dtype=torch.float32)
    a, b = (torch.tensor(x, dtype=torch.float32) for x in (h[:half], h[half:]))
    generator = torch.Generator().manual_seed(state.setdefault("seed", 1))
    state["seed"] += 1
    v = torch.randint(0, 2, (chains, half), generator=generator).float() * 2 - 1

    def draw(field):
        up = torch.sigmoid_(field.mul_(-2 * beta))
        return (torch.rand(up.shape, generator=generator) < up).float().mul_(2).sub_(1)

    def sweep():
        nonlocal v
        hidden = draw(torch.addmm(b, v, W))
        v = draw(torch.addmm(a, hidden, W.T))
        return torch.cat([v, hidden], dim=1)

    return _chains(sweep, J, h, seconds, lambda s: s.numpy())


def numpy_rbm(J, h, beta, seconds, state, chains=256):
    half = len(J) // 2
    W = J[:half, half:].astype(np.float32)
    a, b = h[:half].astype(np.float32), h[half:].astype(np.float32)
    rng = np.random.default_rng(state.setdefault("seed", 1))
    state["seed"] += 1
    v = rng.choice(np.array([-1, 1], dtype=np.float32), (chains, half))

    def draw(field):
        up = 1 / (1 + np.exp(2 * beta * field))
        uniform = rng.random(up.shape, dtype=np.float32)
        return np.where(uniform < up, np.float32(1), np.float32(-1))

    def sweep():
        nonlocal v
        hidden = draw(v @ W + b)
        v = draw(hidden @ W.T + a)
        return np.hstack([v, hidden])

    return _chains(sweep, J, h, seconds, np.asarray)


def torch_glass(J, h, beta, seconds, state, chains=256):
    """Heat bath spin after spin, vectorised over chains; spins are rows."""
    n = len(J)
    rows = torch.tensor(J, dtype=torch.float32)
    fields = torch.tensor(h, dtype=torch.float32)
    generator = torch.Generator().manual_seed(state.setdefault("seed", 1))
    state["seed"] += 1
    s = torch.randint(0, 2, (n, chains), generator=generator).float() * 2 - 1

    def sweep():
        thresholds = torch.logit(torch.rand((n, chains), generator=generator))
        thresholds = thresholds.div_(-2 * beta).sub_(fields[:, None])
        for i in range(n):
            field = torch.mv(s.T, rows[i])
            s[i] = torch.where(field < thresholds[i], 1.0, -1.0)
        return s

    return _chains(sweep, J, h, seconds, lambda x: x.numpy().T)


def numpy_glass(J, h, beta, seconds, state, chains=256):
    n = len(J)
    rows = J.astype(np.float32)
    rng = np.random.default_rng(state.setdefault("seed", 1))
    state["seed"] += 1
    s = rng.choice(np.array([-1, 1], dtype=np.float32), (n, chains))

    def sweep():
        u = rng.random((n, chains))
        thresholds = np.log((1 - u) / u) / (2 * beta) - h[:, None]
        for i in range(n):
            s[i] = np.where(rows[i] @ s < thresholds[i], 1, -1)
        return s

    return _chains(sweep, J, h, seconds, lambda x: x.T)


def dwave(J, h, beta, seconds, state, chains=64):
    """dwave-samplers at one beta, each call going on where the last one ended."""
    bqm = dimod.BinaryQuadraticModel(h, J / 2, "SPIN")
    sampler = SimulatedAnnealingSampler()
    state["seed"] = state.get("seed", 0) + 1
    sweeps = max(4, state.get("thin", 8))  # long calls: its fixed cost is shared
    last, call = None, 0

    def go_on():
        nonlocal last, call
        call += 1
        last = sampler.sample(
            bqm,
            num_reads=chains,
            num_sweeps=sweeps,
            num_sweeps_per_beta=sweeps,
            beta_schedule_type="custom",
            beta_schedule=[beta],
            proposal_acceptance_criteria="Gibbs",
            initial_states=last,
            seed=1000 * state["seed"] + call,
        )
        return last.record.sample

    return _chains(go_on, J, h, seconds, np.asarray)


def _chains(step, J, h, seconds, read):
    """Run a peer: a third of the time for its burn-in, free of charge."""
    start = time.process_time()
    while time.process_time() - start < seconds / 3:
        step()
    traces = Traces(J, h)
    while (traces.cpu < seconds or len(traces.rows) < 8) and len(traces.rows) < 4000:
        traces.add(read(traces.timed(step)))
    return traces.result()


def run(quick):
    """Return the table's rows: effective samples per CPU second, and ratios."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rounds, seconds = (1, 0.2) if quick else (3, 1.5)
    problems = {
        "RBM 64+64": (rbm(), {"torch": torch_rbm, "numpy": numpy_rbm}),
        "glass 500": (glass(), {"torch": torch_glass, "numpy": numpy_glass}),
    }
    rows = []
    try:
        for name, ((J, h), peers) in problems.items():
            for beta in BETAS[:1] if quick else BETAS:
                rows += _compare(name, J, h, beta, peers, rounds, seconds)
    finally:
        torch.set_num_threads(threads)
    return {"rows": rows, "note": NOTE}


def _compare(name, J, h, beta, peers, rounds, seconds):
    contestants = {"qestim": ours, **peers, "dwave-samplers": dwave}
    states = {key: {} for key in contestants}

    def contestant(key):
        def call():
            if key == "dwave-samplers":
                states[key]["thin"] = states["qestim"]["thin"]
            return contestants[key](J, h, beta, seconds, states[key])

        return call

    answers = alternate({key: contestant(key) for key in contestants}, rounds)
    own = [answer["rate"] for answer in answers["qestim"]]
    rows = []
    for key, results in answers.items():
        rates = [answer["rate"] for answer in results]
        r_hat = max(answer["r_hat"] for answer in results)
        rows.append(
            {
                "model": name,
                "beta": beta,
                "sampler": key,
                "effective samples / cpu-s": spread(rates),
                "qestim over it": spread(
                    [a / b for a, b in zip(own, rates, strict=True)]
                ),
                "R-hat": float(min(r_hat, 1e6)),
                "equilibrated": "yes" if r_hat < 1.05 else "no",
                "temperatures": results[0].get("temperatures", 1),
            }
        )
    return rows
