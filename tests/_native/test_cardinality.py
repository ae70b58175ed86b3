# SPDX-License-Identifier: Apache-2.0
import signal
import time
from itertools import combinations, product

import numpy as np
import pytest
import scipy.sparse

from qestim import _native
from qestim._native import _fallback
from qestim._native._cardinality import select_k


@pytest.fixture(params=["loaded", "numpy"], autouse=True)
def kernels(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(_native, "_functions", _fallback)
    elif _native.kernel_name == "numpy":
        pytest.skip("the compiled kernels are not loaded")
    return request.param


def random_problem(n, seed, batch=(), dtype=np.float64, density=1.0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(*batch, n)).astype(dtype)
    q = np.triu(rng.normal(size=(*batch, n, n)), 1)
    q *= rng.random(q.shape) < density
    q = (q + np.swapaxes(q, -1, -2)).astype(dtype)
    return a, q


def energy(a, q, chosen):
    chosen = np.asarray(chosen, dtype=int)
    return a[chosen].sum() + q[np.ix_(chosen, chosen)].sum() / 2


def lowest(a, q, subsets):
    return min(energy(a, q, s) for s in subsets)


@pytest.mark.parametrize("k", [0, 1, 2, 5, 9, 10])
def test_energy_belongs_to_sorted_distinct_indices(k):
    a, q = random_problem(10, k)
    indices, value = select_k(a, q, k, num_sweeps=3)
    assert len(set(indices.tolist())) == k
    assert indices.tolist() == sorted(indices.tolist())
    assert value == pytest.approx(energy(a, q, indices), abs=1e-12)


def test_no_couplings_gives_the_k_smallest():
    a = np.random.default_rng(0).normal(size=(20, 37))
    indices, _ = select_k(a, None, 6)
    np.testing.assert_array_equal(indices, np.sort(np.argsort(a, 1)[:, :6], 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_no_single_swap_improves(dtype, sparse):
    for seed in range(10):
        n, k = 30, 9
        a, q = random_problem(n, seed, dtype=dtype, density=0.3 if sparse else 1.0)
        matrix = scipy.sparse.csr_array(q) if sparse else q
        indices, value = select_k(a, matrix, k)
        f = a + q[:, indices].sum(1)
        free = np.setdiff1d(np.arange(n), indices)
        change = f[free][None] - f[indices][:, None] - q[np.ix_(indices, free)]
        assert change.min() > -1e-4 if dtype == np.float32 else change.min() > -1e-12
        assert value == pytest.approx(energy(a, q, indices), rel=1e-5)


def test_annealing_finds_the_optimum_of_small_problems():
    a, q = random_problem(12, 3, batch=(15,))
    _, values = select_k(a, q, 5, num_reads=8, num_sweeps=20, seed=1)
    best = [lowest(a[p], q[p], combinations(range(12), 5)) for p in range(15)]
    np.testing.assert_allclose(values, best, atol=1e-12)
    _, plain = select_k(a, q, 5)
    assert np.all(values <= plain)
    assert np.any(values < plain - 1e-9), "descent alone is not the optimum everywhere"


def test_sparse_equals_dense():
    a, q = random_problem(60, 5, density=0.1)
    dense = select_k(a, q, 12)
    sparse = select_k(a, scipy.sparse.csr_array(q), 12)
    np.testing.assert_array_equal(dense[0], sparse[0])
    assert dense[1] == pytest.approx(float(sparse[1]))


@pytest.mark.parametrize("sparse", [False, True])
def test_groups_hold_k_each_and_reach_the_optimum(sparse):
    a, q = random_problem(12, 8, density=0.6)
    matrix = scipy.sparse.csr_array(q) if sparse else q
    indices, value = select_k(a, matrix, 2, groups=3, num_reads=5, num_sweeps=20)
    assert np.bincount(indices // 4, minlength=3).tolist() == [2, 2, 2]
    blocks = [list(combinations(range(4 * g, 4 * g + 4), 2)) for g in range(3)]
    best = lowest(a, q, (sum(parts, ()) for parts in product(*blocks)))
    assert value == pytest.approx(best)


def test_forbidden_elements_are_never_chosen_and_may_be_infinite():
    a, q = random_problem(20, 1, batch=(4,))
    allowed = np.random.default_rng(2).random((4, 20)) < 0.5
    a[~allowed] = -np.inf
    indices, values = select_k(a, q, 4, allowed=allowed, num_sweeps=20)
    assert np.take_along_axis(allowed, indices, 1).all()
    assert np.isfinite(values).all()


@pytest.mark.parametrize("num_sweeps", [0, 5])
def test_neither_threads_nor_the_rest_of_the_batch_matter(num_sweeps):
    a, q = random_problem(25, 4, batch=(3, 2))
    one = select_k(a, q, 7, num_sweeps=num_sweeps, seed=9, num_threads=1)
    many = select_k(a, q, 7, num_sweeps=num_sweeps, seed=9, num_threads=4)
    part = select_k(a[:2], q[:2], 7, num_sweeps=num_sweeps, seed=9)
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])
    np.testing.assert_array_equal(one[0][:2], part[0])
    assert one[0].shape == (3, 2, 7)
    assert one[1].shape == (3, 2)


def test_problems_share_the_matrix_of_their_head():
    a, _ = random_problem(9, 0, batch=(2, 3, 5))
    _, q = random_problem(9, 1, batch=(2, 3))
    together = select_k(a, q, 3)
    for i, j, m in product(range(2), range(3), range(5)):
        alone = select_k(a[i, j, m], q[i, j], 3)
        np.testing.assert_array_equal(together[0][i, j, m], alone[0])


def test_descent_from_a_given_choice_never_raises_the_energy():
    a, q = random_problem(18, 6)
    start = np.array([17, 3, 4, 9, 0])
    indices, value = select_k(a, q, 5, initial=start)
    assert value < energy(a, q, start)
    np.testing.assert_array_equal(select_k(a, q, 5, initial=indices)[0], indices)


def test_ties_go_to_the_lower_index():
    indices, value = select_k(np.zeros(8), np.ones((8, 8)) - np.eye(8), 3, num_sweeps=4)
    assert indices.tolist() == [0, 1, 2]
    assert value == 3


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_scale_does_not_matter(scale):
    a, q = random_problem(15, 7)
    plain = select_k(a, q, 5, num_sweeps=5)[0]
    np.testing.assert_array_equal(
        select_k(a * scale, q * scale, 5, num_sweeps=5)[0], plain
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 5}, r"k must be in \[0, 4\].*Got 5"),
        ({"k": -1}, "k must be in"),
        ({"linear": [0, 0, np.nan, 0]}, "linear must be finite"),
        ({"linear": 3.0}, "linear must have shape"),
        ({"quadratic": np.full((4, 4), np.inf)}, "quadratic must be finite"),
        ({"quadratic": np.eye(4)}, "zero diagonal"),
        ({"quadratic": np.triu(np.ones((4, 4)), 1)}, "symmetric"),
        ({"quadratic": np.zeros((3, 3))}, "quadratic must have shape"),
        ({"quadratic": scipy.sparse.eye_array(4)}, "zero diagonal"),
        ({"groups": 3}, "groups must divide"),
        ({"num_sweeps": -1}, "num_sweeps"),
        ({"allowed": [True, True]}, "allowed must have shape"),
        ({"allowed": [True, False, False, False]}, r"k must be in \[0, 1\]"),
        ({"initial": [0, 0]}, "2 different allowed elements"),
        ({"initial": [0, 4]}, r"indices in \[0, 3\]"),
        ({"initial": [0.5, 1]}, "integers of shape"),
        ({"linear": [1e308, 0, 0, 0]}, "too large"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    arguments = {"linear": np.zeros(4), "quadratic": np.zeros((4, 4)), "k": 2}
    arguments.update(change)
    with pytest.raises(ValueError, match=message):
        select_k(**arguments)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_signal_ends_the_call_within_a_second(num_threads, kernels, soon):
    if kernels == "numpy":
        pytest.skip("numpy code can be interrupted anywhere")
    a, q = random_problem(200, 0, batch=(8,))

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    start = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            select_k(a, q, 50, num_sweeps=10**8, num_threads=num_threads)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 0.25 < time.monotonic() - start < 0.3 + soon
    assert select_k(a, q, 50)[0].shape == (8, 50)
