# SPDX-License-Identifier: Apache-2.0
"""The fixed-cardinality solver in numpy, one problem after the other."""

import numpy as np
import scipy.sparse


def select_dense(
    linear,
    quadratic,
    allowed,
    initial,
    k,
    groups,
    num_reads,
    num_sweeps,
    seed,
    num_threads,
):
    """Solve a batch; consecutive problems share a matrix of ``quadratic``."""
    shared = len(linear) // len(quadratic)
    return _select(
        linear,
        lambda p: quadratic[p // shared],
        (allowed, initial, k, groups, num_reads, num_sweeps, seed),
    )


def select_sparse(
    linear,
    start,
    column,
    value,
    allowed,
    initial,
    k,
    groups,
    num_reads,
    num_sweeps,
    seed,
    num_threads,
):
    """Solve a batch of problems that share one CSR matrix."""
    n = linear.shape[1]
    matrix = scipy.sparse.csr_array((value, column, start), shape=(n, n))
    return _select(
        linear,
        lambda p: matrix,
        (allowed, initial, k, groups, num_reads, num_sweeps, seed),
    )


def _select(linear, matrix_of, settings):
    allowed, initial, k, groups, num_reads, num_sweeps, seed = settings
    indices = np.empty((len(linear), groups * k), dtype=np.int32)
    energies = np.empty(len(linear))
    for p, a in enumerate(linear):
        problem = _Problem(a, matrix_of(p), allowed[p % len(allowed)] != 0, k, groups)
        if len(initial):
            chosen = problem.descend(initial[p].copy())
        else:
            chosen = problem.descend(problem.greedy())
        energy = problem.total(chosen)
        rng = np.random.default_rng([seed, p])
        for _ in range(num_reads if num_sweeps else 0):
            other = problem.descend(problem.anneal(chosen.copy(), num_sweeps, rng))
            if problem.total(other) < energy:
                chosen, energy = other, problem.total(other)
        indices[p], energies[p] = np.sort(chosen), energy
    return indices, energies


class _Problem:
    def __init__(self, a, matrix, allowed, k, groups):
        self.a, self.matrix, self.allowed = a, matrix, allowed
        self.k, self.groups = k, groups
        self.block = np.arange(len(a)) // (len(a) // groups)

    def rows(self, chosen):
        rows = self.matrix[chosen]
        return rows.toarray() if scipy.sparse.issparse(rows) else rows

    def greedy(self):
        f, free = self.a.copy(), self.allowed.copy()
        left = np.full(self.groups, self.k)
        chosen = []
        for _ in range(self.groups * self.k):
            best = int(np.argmin(np.where(free & (left[self.block] > 0), f, np.inf)))
            chosen.append(best)
            free[best] = False
            left[self.block[best]] -= 1
            f += self.rows([best])[0]
        return np.array(chosen, dtype=np.int32)

    def descend(self, chosen):
        while True:
            chosen.sort()
            rows = self.rows(chosen)
            f = self.a + rows.sum(axis=0, dtype=self.a.dtype)
            free = self.allowed.copy()
            free[chosen] = False
            possible = free & (self.block[chosen][:, None] == self.block)
            change = np.where(possible, f - rows, np.inf) - f[chosen][:, None]
            s, j = np.unravel_index(np.argmin(change), change.shape)
            scale = np.abs(f[self.allowed]).max(initial=0)
            if not change[s, j] < -4 * np.finfo(f.dtype).eps * scale:
                return chosen
            before, swapped = self.total(chosen), chosen.copy()
            swapped[s] = j
            if not self.total(swapped) < before:  # rounding, not descent
                return chosen
            chosen = swapped

    def anneal(self, chosen, num_sweeps, rng):
        n = len(self.a)
        taken = np.zeros(n, dtype=bool)
        taken[chosen] = True
        free = [
            np.flatnonzero(self.allowed & ~taken & (self.block == g))
            for g in range(self.groups)
        ]
        place = [np.flatnonzero(self.block[chosen] == g) for g in range(self.groups)]
        groups = [g for g in range(self.groups) if len(free[g])]
        if not groups:
            return chosen
        f = self.a + self.rows(chosen).sum(axis=0, dtype=self.a.dtype)

        def propose():
            g = groups[rng.integers(len(groups))]
            s, t = rng.choice(place[g]), rng.integers(len(free[g]))
            i, j = chosen[s], free[g][t]
            return g, s, t, float(f[j]) - float(f[i]) - float(self.matrix[i, j])

        temperature = float(np.mean([abs(propose()[3]) for _ in range(64)]))
        if temperature == 0:
            return chosen
        ratio = 0.05 ** (1 / max(num_sweeps - 1, 1))
        for _ in range(num_sweeps):
            for _ in range(n):
                g, s, t, delta = propose()
                if delta > 0 and rng.random() >= np.exp(-delta / temperature):
                    continue
                i, j = chosen[s], free[g][t]
                plus, minus = self.rows([j, i])
                f += plus - minus
                chosen[s], free[g][t] = j, i
            temperature *= ratio
        return chosen

    def total(self, chosen):
        inner = self.rows(chosen)[:, chosen].astype(np.float64)
        return float(self.a[chosen].sum(dtype=np.float64) + inner.sum() / 2)
