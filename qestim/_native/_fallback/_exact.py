# SPDX-License-Identifier: Apache-2.0
"""Exact enumeration of up to 26 spins, in numpy."""

import numpy as np

_LOW = 16


def enumerate_energies(h, row, col, value, num_threads=1):
    """Return the energies of all 2^n states; spin i of state x is bit i of x."""
    h = np.asarray(h)
    return np.concatenate(list(_blocks(h, row, col, value)))


def enumerate_law(h, row, col, value, beta, uniforms, num_threads=1):
    """Return log Z, moments and Boltzmann draws; see the compiled kernel."""
    h = np.asarray(h)
    n = len(h)
    bound = np.abs(h).sum() + np.abs(value).sum()
    ground = min(e.min() for e in _blocks(h, row, col, value))
    low = _block_spins(min(n, _LOW))
    weight = energy = 0.0
    degeneracy = 0
    mean = np.zeros(n)
    pairs = np.zeros((n, n))
    block_weights = []
    for k, e in enumerate(_blocks(h, row, col, value)):
        w = np.exp(-beta * (e - ground))
        spins = _full_spins(low, k, n)
        block_weights.append(w.sum())
        weight += block_weights[-1]
        energy += w @ e
        degeneracy += int((e <= ground + 1e-11 * bound).sum())
        mean += w @ spins
        pairs += spins.T @ (w[:, None] * spins)
    cumulative = np.cumsum(block_weights)
    uniforms = np.asarray(uniforms)
    draws = np.empty((len(uniforms), n), dtype=np.int8)
    chosen = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    chosen = np.minimum(chosen, len(cumulative) - 1)
    for k, e in enumerate(_blocks(h, row, col, value)):
        here = np.flatnonzero(chosen == k)
        if not here.size:
            continue
        inside = uniforms[here] * cumulative[-1] - (cumulative[k - 1] if k else 0.0)
        running = np.cumsum(np.exp(-beta * (e - ground)))
        state = np.searchsorted(running[:-1], inside, side="right")
        draws[here] = _full_spins(low, k, n)[state]
    pairs /= weight
    np.fill_diagonal(pairs, 1.0)
    return (
        float(np.log(weight) - beta * ground),
        float(energy / weight),
        float(ground),
        degeneracy,
        mean / weight,
        pairs,
        draws,
    )


def enumerate_lowest(h, row, col, value, num_states, num_threads=1):
    """Return spins and energies of the lowest states, ascending."""
    h = np.asarray(h)
    n = len(h)
    energies, states = np.empty(0), np.empty(0, dtype=np.int64)
    for k, e in enumerate(_blocks(h, row, col, value)):
        energies = np.concatenate([energies, e])
        states = np.concatenate([states, k * len(e) + np.arange(len(e))])
        keep = np.lexsort((states, energies))[:num_states]
        energies, states = energies[keep], states[keep]
    bits = (states[:, None] >> np.arange(n)) & 1
    return (2 * bits - 1).astype(np.int8), energies


def _block_spins(low):
    return (2 * ((np.arange(2**low)[:, None] >> np.arange(low)) & 1) - 1).astype(float)


def _full_spins(low_spins, k, n):
    high = n - low_spins.shape[1]
    top = 2.0 * ((k >> np.arange(high)) & 1) - 1
    return np.hstack([low_spins, np.broadcast_to(top, (len(low_spins), high))])


def _blocks(h, row, col, value):
    """Yield the energies of 2^16 states at a time."""
    n = len(h)
    if n > 26:
        raise ValueError("exact enumeration takes at most 26 spins")
    J = np.zeros((n, n))
    np.add.at(J, (row, col), value)
    J += J.T
    low = min(n, _LOW)
    spins = _block_spins(low)
    inner = 0.5 * np.einsum("xi,ij,xj->x", spins, J[:low, :low], spins, optimize=True)
    for k in range(2 ** (n - low)):
        top = 2.0 * ((k >> np.arange(n - low)) & 1) - 1
        field = h[:low] + J[:low, low:] @ top
        base = h[low:] @ top + 0.5 * top @ J[low:, low:] @ top
        yield inner + spins @ field + base
