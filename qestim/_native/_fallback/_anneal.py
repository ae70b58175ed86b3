# SPDX-License-Identifier: Apache-2.0
"""Simulated annealing in numpy, a vector of reads at each spin."""

import time

import numpy as np
import scipy.sparse

_GROUP = 64


def anneal(
    h,
    row,
    col,
    value,
    betas,
    num_reads,
    seed,
    initial=None,
    num_threads=1,
    time_limit=0.0,
    target_energy=-np.inf,
    interrupt=None,
    gibbs=False,
    random_order=False,
    isa="",
):
    r"""Anneal independent reads of an Ising model, one sweep for each beta.

    Parameters
    ----------
    h : ndarray of shape (n,), dtype float64
        Linear biases, in the units of the energy.
    row, col : ndarray of shape (m,), dtype int32
        The two ends of each coupling; each pair once.
    value : ndarray of shape (m,), dtype float64
        Couplings, in the units of the energy.
    betas : ndarray of shape (num_sweeps,), dtype float64
        Inverse temperature of each sweep, in inverse units of the energy, >= 0.
    num_reads : int
        Number of reads.
    seed : int
        From 0 to 2**64 - 1. What a read returns depends on the model, the schedule,
        the seed and the number of the read alone.
    initial : ndarray of shape (num_reads, n), dtype int8, default=None
        Spins to start from; None draws them.
    num_threads : int, default=1
        Number of threads (the numpy function uses one).
    time_limit : float, default=0.0
        Seconds after which the reads that are not complete are given up; 0: none.
    target_energy : float, default=-inf
        The reads after the first one that ends at or below it are not wanted. In the
        units of the energy, the offset left out.
    interrupt : callable, default=None
        Asked about every 50 ms; True stops the run.
    gibbs : bool, default=False
        Accept by heat bath instead of Metropolis.
    random_order : bool, default=False
        Visit the spins of each sweep in a random order, the same for all reads,
        instead of in their own.
    isa : str, default=""
        Instruction set of the compiled kernel, for tests: "baseline", "avx2" or
        "avx512"; "" takes the best one.

    Returns
    -------
    spins : ndarray of shape (num_reads, n), dtype int8
        Final spins. Reads that are not complete hold their last or initial ones.
    completed : ndarray of shape (num_reads,), dtype bool
        Which reads went through the whole schedule and are wanted.
    kernel : str
        Name of the kernel.
    reason : str
        Why the run ended early: "time_limit", "target_energy", "interrupt", or "".

    Raises
    ------
    ValueError
        If the arrays do not fit each other, or a number is not finite or a beta < 0.
    """
    h, value, betas = (np.asarray(a, dtype=float) for a in (h, value, betas))
    row, col = np.asarray(row), np.asarray(col)
    n = len(h)
    _check(h, row, col, value, betas, num_reads, initial)
    spins = np.empty((num_reads, n), dtype=np.int8)
    streams = [
        np.random.Generator(np.random.Philox(key=[seed, read]))
        for read in range(num_reads)
    ]
    for read, stream in enumerate(streams):
        spins[read] = stream.integers(0, 2, n) * 2 - 1
    if initial is not None:
        spins[:] = initial
    largest = max(np.abs(h).max(initial=0), np.abs(value).max(initial=0)) or 1.0
    h, value = h / largest, value / largest
    with np.errstate(over="ignore"):
        betas = np.minimum(betas * largest, 1e30)
    coupling = scipy.sparse.coo_array((value, (row, col)), shape=(n, n))
    coupling = (coupling + coupling.T).tocsr()
    completed = np.zeros(num_reads, dtype=bool)
    stop = _Stop(time_limit, interrupt)
    for first in range(0, num_reads, _GROUP):
        group = slice(first, min(first + _GROUP, num_reads))
        if not _anneal_group(
            coupling,
            h,
            betas,
            spins[group],
            streams[group],
            seed,
            gibbs,
            random_order,
            stop,
        ):
            return spins, completed, "numpy", stop.reason
        completed[group] = True
        rows = spins[group].astype(float)
        energies = rows @ h + 0.5 * np.einsum("ri,ri->r", rows @ coupling, rows)
        # Rounded sums: an energy equal to the target must count as reached.
        slack = 1e-12 * (np.abs(h).sum() + np.abs(value).sum())
        hits = np.flatnonzero(energies <= target_energy / largest + slack)
        if np.isfinite(target_energy) and hits.size:
            completed[first + hits[0] + 1 :] = False
            return spins, completed, "numpy", "target_energy"
    return spins, completed, "numpy", ""


def _check(h, row, col, value, betas, num_reads, initial):
    if not len(row) == len(col) == len(value):
        raise ValueError("row, col and value must have the same length.")
    if num_reads < 0:
        raise ValueError("num_reads must not be negative.")
    if initial is not None and np.shape(initial) != (num_reads, len(h)):
        raise ValueError("initial must have the shape (num_reads, n).")
    if not np.all(betas >= 0):
        raise ValueError("The betas must not be negative or nan.")
    if not np.isfinite(h).all():
        raise ValueError("The linear biases passed to anneal must be finite.")
    if not np.isfinite(value).all():
        raise ValueError("The couplings passed to anneal must be finite.")
    ends = np.concatenate([row, col])
    if np.any((ends < 0) | (ends >= len(h))) or np.any(row == col):
        raise ValueError(
            "The ends of the couplings passed to anneal must be two different spins "
            "from 0 to n - 1."
        )


class _Stop:
    """The deadline and the caller's function."""

    def __init__(self, time_limit, interrupt):
        self._deadline = time.monotonic() + (time_limit or np.inf)
        self._interrupt = interrupt
        self._asked = time.monotonic()
        self.reason = ""

    def __call__(self):
        now = time.monotonic()
        if now > self._deadline:
            self.reason = "time_limit"
        elif self._interrupt is not None and now - self._asked > 0.05:
            self._asked = now
            if self._interrupt():
                self.reason = "interrupt"
        return bool(self.reason)


def _anneal_group(coupling, h, betas, spins, streams, seed, gibbs, random_order, stop):
    """Anneal the rows of ``spins`` in place; return whether it came to the end."""
    n = len(h)
    state = spins.T.astype(float)
    field = coupling @ state + h[:, None]
    start, end = coupling.indptr[:-1], coupling.indptr[1:]
    order = np.arange(n)
    done = True
    for sweep, beta in enumerate(betas):
        u = np.stack([stream.random(n) for stream in streams], axis=1)
        # Flip where s g >= -depth / (2 beta).
        depth = -np.log1p(-u)
        if gibbs:
            with np.errstate(divide="ignore"):
                depth = depth + np.log(u)
        depth /= 2 * max(beta, 1e-30)
        if random_order:
            key = np.random.Philox(key=[seed, sweep], counter=[0, 0, 0, 1])
            order = np.random.Generator(key).permutation(n)
        for visit, i in enumerate(order):
            if visit % 64 == 0 and stop():
                done = False
                break
            flip = state[i] * field[i] >= -depth[i]
            if not flip.any():
                continue
            state[i, flip] *= -1
            mine = slice(start[i], end[i])
            field[coupling.indices[mine]] += (
                2 * coupling.data[mine, None] * np.where(flip, state[i], 0)
            )
        if not done:
            break
        if sweep % 1000 == 999:  # against the drift of the sums
            field = coupling @ state + h[:, None]
    spins[:] = state.T
    return done
