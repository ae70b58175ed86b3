# SPDX-License-Identifier: Apache-2.0
"""Which annealing kernel takes a model, and that the dense ones give the same."""

import numpy as np
import pytest

from qestim import _native

ISA = _native.kernel_name.partition("-")[2]
WIDE = {"avx2": ["avx2"], "avx512": ["avx2", "avx512"]}.get(ISA, [])
needs_compiled = pytest.mark.skipif(not ISA, reason="needs the compiled kernels")
needs_bits = pytest.mark.skipif(not WIDE, reason="needs a kernel of bits")


def complete(n, seed=0):
    """A complete graph with couplings +1 and -1."""
    row, col = (ends.astype(np.int32) for ends in np.triu_indices(n, 1))
    return row, col, np.random.default_rng(seed).choice([-1.0, 1.0], len(row))


def run(h, pairs, betas, num_reads=7, **options):
    h, betas = np.asarray(h, dtype=float), np.asarray(betas, dtype=float)
    return _native.anneal(h, *pairs, betas, num_reads, 3, **options)


def fields_of(kind, n):
    rng = np.random.default_rng(n)
    return {
        "none": np.zeros(n),
        "signs": rng.choice([-1, 1], n),
        "mixed parity": rng.integers(-n, n + 1, n),
        "far past the couplings": rng.integers(-30000, 30001, n),
    }[kind]


@needs_bits
@pytest.mark.parametrize("isa", WIDE)
@pytest.mark.parametrize("n", [129, 192, 512, 1000])
@pytest.mark.parametrize(
    "kind", ["none", "signs", "mixed parity", "far past the couplings"]
)
@pytest.mark.parametrize("gibbs", [False, True])
def test_rows_of_bits_give_what_rows_of_bytes_give(isa, n, kind, gibbs):
    pairs, h = complete(n), fields_of(kind, n)
    # From half of the spins flipped in a sweep to almost none.
    betas = np.append(np.geomspace(1e-6, 3, 40), [1e9] * 2)
    for sweeps in (1, 4, 15, len(betas)):
        few = betas[:sweeps]
        expected, _, kernel, _ = run(h, pairs, few, gibbs=gibbs, isa="baseline")
        assert kernel == "dense-int8"
        found, _, kernel, _ = run(h, pairs, few, gibbs=gibbs, isa=isa)
        assert kernel == "dense-bits"
        np.testing.assert_array_equal(found, expected)
        assert len(np.unique(found, axis=0)) == 7 or sweeps > 4


@needs_bits
def test_complete_graphs_of_one_strength_take_rows_of_bits():
    h, (row, col, value) = fields_of("signs", 150), complete(150)
    assert run(h, (row, col, value), [1.0])[2] == "dense-bits"
    assert run(-3 * h, (row, col, value / 3), [1.0])[2] == "dense-bits"
    assert run(h, (col, row, 0 * value + 1), [1.0])[2] == "dense-bits"


@needs_compiled
def test_other_dense_models_take_rows_of_bytes():
    h, (row, col, value) = fields_of("signs", 150), complete(150)
    first = row + col == 1
    for fields, pairs, random_order in (
        (h, (row[1:], col[1:], value[1:]), False),
        (h, (row, col, np.where(first, 2, value)), False),
        (h, (row, col, np.where(first, 0, value)), False),
        (h / 2, (row, col, value), False),
        (h, (row, col, value), True),
    ):
        found = run(fields, pairs, [1.0], random_order=random_order)
        assert found[2] == "dense-int8"


@needs_compiled
def test_quarter_multiples_and_float_noise_are_integers():
    rng = np.random.default_rng(0)
    row, col, value = complete(60)
    keep = rng.random(len(value)) < 0.1
    row, col, value = row[keep], col[keep], rng.integers(-3, 4, keep.sum())
    h, betas = rng.integers(-3, 4, 60), np.linspace(0.1, 1, 20)
    expected = run(h, (row, col, value.astype(float)), betas)
    found = run(h * 0.25 / 3 * 3, (row, col, value * 0.25 / 3 * 3), betas * 4)
    assert found[2] == expected[2] == "sparse-int8"
    np.testing.assert_array_equal(found[0], expected[0])
