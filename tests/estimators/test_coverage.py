# SPDX-License-Identifier: Apache-2.0
from itertools import product

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from qestim.estimators._coverage import (
    largest_similarity,
    median_gamma,
    near_similarity,
    shared,
    shared_near,
)
from qestim.estimators._selection_form import Kernel, Rows, selection_problem


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return Rows(rng.normal(size=(7, 2)), rng.random(7))


def location(S, weights, chosen):
    return float(weights @ S[:, chosen].max(axis=1)) if len(chosen) else 0.0


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_first_order_is_the_derivative_of_the_multilinear_extension(rows, share):
    S, weights = rbf_kernel(rows.points), rows.weights
    single, both = shared(S, weights, share)
    slope = single - share * both.sum(axis=1)
    for j in range(7):
        others = [i for i in range(7) if i != j]
        expected = 0.0
        for bits in product((0, 1), repeat=6):
            chosen = [i for i, bit in zip(others, bits, strict=True) if bit]
            chance = share ** len(chosen) * (1 - share) ** (6 - len(chosen))
            more = location(S, weights, [*chosen, j]) - location(S, weights, chosen)
            expected += chance * more
        assert slope[j] == pytest.approx(expected, rel=1e-5)


def test_two_rows_are_exact_without_a_discount(rows):
    S, weights = rbf_kernel(rows.points), rows.weights
    single, both = shared(S, weights, 0.0)
    for i, j in ((0, 1), (2, 5)):
        expected = location(S, weights, [i, j])
        assert single[i] + single[j] - both[i, j] == pytest.approx(expected, rel=1e-5)


def test_what_is_known_is_not_covered_again(rows):
    S = rbf_kernel(rows.points)
    single, both = shared(S, rows.weights, 0.0, known=S[:, 3])
    assert single[3] == pytest.approx(0, abs=1e-12)
    assert both[3] == pytest.approx(np.zeros(7), abs=1e-12)


def test_near_rows_are_all_rows_where_there_are_few(rows):
    kernel = Kernel("rbf", 1.0, 0.0)
    index, values = near_similarity(kernel, rows)
    sparse = shared_near(index, values, rows.weights, 0.2)
    dense = shared(kernel(rows, rows), rows.weights, 0.2)
    assert sparse[0] == pytest.approx(dense[0], rel=1e-5)
    assert sparse[1].toarray() == pytest.approx(dense[1], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("kind", ["rbf", "cosine"])
def test_near_similarities_are_those_of_the_kernel(rows, kind):
    rows.beliefs = np.sqrt(np.random.default_rng(1).dirichlet(np.ones(3), 7))
    kernel = Kernel(kind, 0.7, 0.5)
    index, values = near_similarity(kernel, rows)
    S = kernel(rows, rows)
    assert values == pytest.approx(np.take_along_axis(S, index, axis=1))
    assert (np.diff(values, axis=1) <= 0).all()


def test_largest_similarity_in_parts(rows):
    kernel = Kernel("rbf", 1.0, 0.0)
    whole = largest_similarity(kernel, rows[:3], rows[3:])
    assert whole == pytest.approx(kernel(rows[:3], rows[3:]).max(axis=1))
    parts = largest_similarity(kernel, rows[:3], rows[3:], chunk_size=2)
    assert parts == pytest.approx(whole)


def test_the_mix_of_both_forms(rows):
    def problem(coverage):
        kernel = Kernel("rbf", 1.0, 0.0)
        return selection_problem(
            rows, None, kernel, 3, coverage=coverage, redundancy=1.0, n_dense=10
        )

    half = problem(0.5)
    for part in ("linear", "quadratic"):
        ends = getattr(problem(0.0), part) + getattr(problem(1.0), part)
        assert getattr(half, part) == pytest.approx(ends / 2)


def test_gamma_of_few_and_of_equal_rows():
    rng = np.random.RandomState(0)
    assert median_gamma(np.zeros((5, 2)), rng) == 1.0
    assert median_gamma(np.zeros((1, 2)), rng) == 1.0
    assert median_gamma(np.array([[0.0], [2.0]]), rng) == 1.0
    assert median_gamma(np.array([[0.0], [1.0]]), rng) == 4.0


def test_labelled_rows_are_covered_among_near_neighbours_too(rows):
    rng = np.random.default_rng(1)
    labeled = Rows(rng.normal(size=(3, 2)), np.ones(3))
    dense, sparse = (
        selection_problem(
            rows,
            labeled,
            Kernel("rbf", 1.0, 0.0),
            3,
            coverage=0.7,
            redundancy=1.0,
            n_dense=n_dense,
        )
        for n_dense in (7, 6)
    )
    assert hasattr(sparse.similarity, "nnz")
    assert np.allclose(sparse.utility, dense.utility, atol=1e-6)
    off = ~np.eye(7, dtype=bool)
    assert np.allclose(sparse.similarity.toarray()[off], dense.similarity[off])
