# SPDX-License-Identifier: Apache-2.0
"""Discrete simulated bifurcation in numpy."""

import numpy as np
import scipy.sparse

from qestim._native._fallback._anneal import _check, _Stop


def bifurcate(
    h,
    row,
    col,
    value,
    pump,
    strength,
    dt,
    a0,
    amplitude,
    num_reads,
    seed,
    initial=None,
    keep_best=True,
    num_threads=1,
    time_limit=0.0,
    target_energy=-np.inf,
    interrupt=None,
    isa="",
):
    r"""Run discrete simulated bifurcation: symplectic Euler steps between walls.

    .. math:: y \leftarrow y - dt\,[(a_0 - a(t)) x + c_0 (J\,\mathrm{sign}(x) + h)],
              \quad x \leftarrow x + dt\,a_0 y,

    and where :math:`|x| \ge 1`, x becomes its sign and y zero.

    Parameters
    ----------
    h, row, col, value : ndarray
        The model, as in `anneal`.
    pump : ndarray of shape (num_steps,), dtype float64
        a(t) of every step, dimensionless.
    strength : float
        c0, in inverse units of the energy.
    dt, a0 : float
        Step and stiffness, dimensionless.
    amplitude : float
        The first x and y are uniform in +-amplitude.
    num_reads, seed, num_threads, time_limit, interrupt, isa
        As in `anneal`.
    initial : ndarray of shape (num_reads, n), dtype int8, default=None
        Signs of the first x; None draws them.
    keep_best : bool, default=True
        Return the signs of lowest energy that a read passed through, not its last.
    target_energy : float, default=-inf
        A group of reads side by side ends when one gets down to this; of that group
        such reads alone count, and the groups after it are left out.

    Returns
    -------
    spins, completed, kernel, reason
        As in `anneal`.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or a number is not finite.
    """
    h, value, coupling = couplings(h, row, col, value, num_reads, initial, "bifurcate")
    n = len(h)
    x = np.empty((num_reads, n))
    y = np.empty((num_reads, n))
    for read in range(num_reads):
        stream = np.random.Generator(np.random.Philox(key=[seed, read]))
        x[read], y[read] = amplitude * stream.uniform(-1, 1, (2, n))
    if initial is not None:
        x = np.copysign(x, initial)
    watch = Watch(h, coupling, num_reads, target_energy)
    stop = _Stop(time_limit, interrupt)
    sign = np.where(x < 0, -1.0, 1.0)
    g = sign @ coupling + h
    watch.look(sign, g)
    for a in pump:
        if watch.hit.any() or stop():
            break
        y -= dt * ((a0 - a) * x + strength * g)
        x += dt * a0 * y
        inside = np.abs(x) < 1
        x, y = np.where(inside, x, np.where(x < 0, -1.0, 1.0)), np.where(inside, y, 0.0)
        new = np.where(x < 0, -1.0, 1.0)
        if not np.array_equal(new, sign):
            sign = new
            g = sign @ coupling + h
            watch.look(sign, g)
    last = watch.best if keep_best else sign
    return watch.answer(last, stop)


def couplings(h, row, col, value, num_reads, initial, name):
    """Check the model and return h, value and the symmetric couplings."""
    h, value = np.asarray(h, dtype=float), np.asarray(value, dtype=float)
    row, col = np.asarray(row), np.asarray(col)
    _check(h, row, col, value, np.zeros(0), num_reads, initial)
    if len(h) == 0:
        raise ValueError(f"{name} needs at least one spin.")
    upper = scipy.sparse.coo_array((value, (row, col)), shape=(len(h), len(h)))
    symmetric = (upper + upper.T).tocsr()
    dense = 10 * len(value) > len(h) ** 2 / 2
    return h, value, symmetric.toarray() if dense else symmetric


class Watch:
    """The lowest state of each read so far, and which reads are at the target."""

    def __init__(self, h, coupling, num_reads, target):
        self._h, self._coupling, self._target = h, coupling, target
        self.best = np.ones((num_reads, len(h)))
        self.energy = np.full(num_reads, np.inf)
        self.hit = np.zeros(num_reads, dtype=bool)
        total = np.abs(coupling).sum() / 2 + np.abs(h).sum()
        self._slack = 1e-12 * float(total)

    def look(self, sign, field=None):
        """Take in the states; ``field`` is J s + h where it is known."""
        if field is None:
            field = sign @ self._coupling + self._h
        energy = 0.5 * (sign * (field + self._h)).sum(axis=1)
        better = energy < self.energy
        self.best[better] = sign[better]
        self.energy[better] = energy[better]
        self.hit = self.energy <= self._target + self._slack

    def answer(self, spins, stop):
        """Return what the kernels return."""
        hit, reason = self.hit, stop.reason
        completed = np.full(len(hit), not reason)
        if hit.any():
            completed, reason = hit, "target_energy"
        return spins.astype(np.int8), completed, "numpy", reason
