# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from qestim import _native
from qestim._native import _fallback


@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 3), (7, 700), (33, 1025), (3, 0), (0, 4)]
)
def test_compiled_and_numpy_agree_with_the_definition(shape):
    rows = np.random.default_rng(0).random(shape).astype(np.float32)
    expected = np.minimum(rows[:, None], rows[None]).sum(-1, dtype=np.float64)
    for threads in (1, 3):
        sums = _native.overlaps(rows, threads)
        assert sums.shape == expected.shape
        np.testing.assert_allclose(sums, expected, rtol=1e-5)
    np.testing.assert_allclose(_fallback.overlaps(rows, 1), expected, rtol=1e-6)


def test_results_do_not_depend_on_threads():
    rows = np.random.default_rng(1).normal(size=(40, 600)).astype(np.float32)
    one, four = (_native.overlaps(rows, threads) for threads in (1, 4))
    assert np.array_equal(one, four)
    assert np.array_equal(one, one.T)
