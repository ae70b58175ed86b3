# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from qestim import _native


def random_model(n, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    row, col = (x.astype(np.int32) for x in np.triu_indices(n, 1))
    return rng.normal(size=n) * scale, row, col, rng.normal(size=len(row)) * scale


def brute_force(h, row, col, value):
    spins = np.array(list(itertools.product([-1, 1], repeat=len(h))))[:, ::-1]
    return spins, spins @ h + (spins[:, row] * spins[:, col]) @ value


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 13])
def test_law_equals_brute_force(n):
    model, beta = random_model(n, n), 0.7
    spins, energies = brute_force(*model)
    weights = np.exp(-beta * energies)
    p = weights / weights.sum()
    uniforms = np.random.default_rng(0).random(200)
    log_z, mean, ground, count, means, pairs, draws = _native.enumerate_law(
        *model, beta, uniforms, 2
    )
    assert log_z == pytest.approx(np.log(weights.sum()), abs=1e-10)
    assert mean == pytest.approx(p @ energies, abs=1e-10)
    assert (ground, count) == (pytest.approx(energies.min()), 1)
    np.testing.assert_allclose(means, p @ spins, atol=1e-12)
    np.testing.assert_allclose(pairs, spins.T @ (p[:, None] * spins), atol=1e-12)
    inverse = np.searchsorted(np.cumsum(p), uniforms, side="right")
    np.testing.assert_array_equal(draws, spins[inverse])
    np.testing.assert_allclose(_native.enumerate_energies(*model, 2), energies)


def test_lowest_states_are_sorted_and_ties_go_to_the_smaller_index():
    h, row, col, value = np.zeros(12), *random_model(12, 0)[1:3], np.ones(66)
    spins, energies = _native.enumerate_lowest(h, row, col, value, 1000, 2)
    all_spins, all_energies = brute_force(h, row, col, value)
    order = np.argsort(all_energies, kind="stable")[:1000]
    np.testing.assert_array_equal(energies, all_energies[order])
    np.testing.assert_array_equal(spins, all_spins[order])
    count = _native.enumerate_law(h, row, col, value, 1.0, np.empty(0), 2)[3]
    assert count == (all_energies == all_energies.min()).sum() == 924


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_huge_and_tiny_biases_neither_overflow_nor_vanish(scale):
    log_z, _, ground, *_, means, _, draws = _native.enumerate_law(
        *random_model(11, 3, scale), 50 / scale, np.full(5, 0.5), 1
    )
    assert log_z == pytest.approx(-50 / scale * ground, rel=1e-9)
    np.testing.assert_allclose(means, draws[0], atol=1e-5)


def test_threads_do_not_change_a_bit():
    model = random_model(17, 5)
    one, two = (
        _native.enumerate_law(*model, 1.3, np.linspace(0, 0.999, 50), t) for t in (1, 2)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_more_spins_than_memory_holds_are_refused():
    with pytest.raises(ValueError, match="at most 26"):
        _native.enumerate_lowest(*random_model(27, 0), 1, 1)
