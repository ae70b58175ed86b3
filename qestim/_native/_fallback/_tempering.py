# SPDX-License-Identifier: Apache-2.0
"""Parallel tempering in numpy: all replicas at once, one colour of spins at a time."""

import time

import numpy as np
import scipy.sparse


def temper(
    h,
    row,
    col,
    value,
    betas,
    num_chains,
    num_reads,
    burn_in,
    thin,
    seed,
    initial=None,
    num_threads=1,
    time_limit=0.0,
    interrupt=None,
    layout="auto",
    num_energies=-1,
):
    """Return reads, energies, last states, swaps, round trips and complete reads.

    See the compiled kernel. ``num_threads`` and ``layout`` change nothing here.
    """
    h, betas = np.asarray(h), np.asarray(betas)
    n, temperatures = len(h), len(betas)
    upper = scipy.sparse.coo_array((value, (row, col)), shape=(n, n)).tocsr()
    J = (upper + upper.T).tocsr()
    colours = [(c, J[c].T.tocsc()) for c in _colours(J)]
    rng = np.random.default_rng(seed)
    if initial is None:
        shape = (num_chains, temperatures, n)
        initial = rng.choice(np.array([-1, 1], dtype=np.int8), shape)
    s = np.array(initial, dtype=np.float64).reshape(-1, n)
    chain_first = np.arange(num_chains) * temperatures
    slot = chain_first[:, None] + np.arange(temperatures)  # replica of (chain, beta)
    beta = np.tile(betas, num_chains)
    spins = np.zeros((num_reads, num_chains, n), dtype=np.int8)
    energies = np.zeros((num_chains, temperatures, num_reads))
    accepted = np.zeros((num_chains, temperatures - 1), dtype=np.int64)
    trips = np.zeros(num_chains, dtype=np.int64)
    came_from = np.zeros(num_chains * temperatures, dtype=np.int8)
    done, symmetric = 0, not h.any()
    deadline = time.monotonic() + time_limit if time_limit > 0 else np.inf
    for sweep in range(1, burn_in + thin * num_reads + 1):
        for sites, couplings in colours:
            x = 2 * beta[:, None] * (s @ couplings + h[sites])
            with np.errstate(over="ignore"):
                up = rng.random(x.shape) * (1 + np.exp(np.minimum(x, 700))) < 1
            s[:, sites] = np.where(up, 1.0, -1.0)
        record = sweep > burn_in and (sweep - burn_in) % thin == 0
        if record or temperatures > 1:
            energy = s @ h + 0.5 * np.einsum("ri,ri->r", s @ J, s)
        if temperatures > 1:
            for k in range((sweep - 1) % 2, temperatures - 1, 2):
                a, b = slot[:, k].copy(), slot[:, k + 1].copy()
                gain = (betas[k + 1] - betas[k]) * (energy[b] - energy[a])
                swap = rng.random(num_chains) < np.exp(np.minimum(gain, 0))
                slot[swap, k], slot[swap, k + 1] = b[swap], a[swap]
                accepted[:, k] += swap
            beta[slot] = betas
            came_from[slot[:, 0]] = 1
            trips += came_from[slot[:, -1]] == 1
            came_from[slot[:, -1]] = 2
        if record:
            flip = np.ones((num_chains, 1))
            if symmetric:  # s and -s are equally likely: a fair coin decides
                flip = rng.choice([-1.0, 1.0], (num_chains, 1))
            spins[done] = flip * s[slot[:, -1]]
            energies[:, :, done] = energy[slot]
            done += 1
        if sweep % 8 == 0 and (
            time.monotonic() > deadline or (interrupt is not None and interrupt())
        ):
            break
    last = s[slot].astype(np.int8)
    complete = np.full(num_chains, done, dtype=np.int64)
    if num_energies >= 0:
        energies = energies[:, :, num_reads - min(num_energies, num_reads) :]
    return spins, energies, last, accepted, trips, complete, "numpy"


def _colours(J):
    """Split the spins into classes without couplings inside, greedily."""
    colour = np.full(J.shape[0], -1)
    for i in range(J.shape[0]):
        taken = set(colour[J.indices[J.indptr[i] : J.indptr[i + 1]]].tolist())
        colour[i] = next(c for c in range(len(taken) + 1) if c not in taken)
    return [np.flatnonzero(colour == c) for c in range(colour.max(initial=-1) + 1)]
