# SPDX-License-Identifier: Apache-2.0
"""Counts follow the law that their page states."""

import numpy as np
import pytest

from qestim.datasets import make_counts


def test_depth_and_variance_are_those_of_the_law():
    X, _, _ = make_counts(4000, 30, n_types=1, depth=600.0, random_state=0)
    assert np.median(X.sum(1)) == pytest.approx(600, rel=0.05)
    # The excess over a Poisson law is the mean squared over phi, plus the spread of
    # the depth, exp(0.09) - 1 of the mean squared.
    excess = (X.var(0) - X.mean(0)) / X.mean(0) ** 2
    wanted = (1 + 0.1) * np.exp(0.3**2) - 1
    assert np.median(excess) == pytest.approx(wanted, rel=0.1)


def test_types_and_batches_shift_the_shares_by_their_effects():
    for effects, moved in (((0.0, 0.0), False), ((2.0, 0.0), True)):
        X, y, _ = make_counts(
            400, 50, type_effect=effects[0], batch_effect=effects[1], random_state=1
        )
        share = X / X.sum(1, keepdims=True)
        means = np.stack([share[y == t].mean(0) for t in range(4)])
        assert (np.ptp(means, axis=0).max() > 0.05) == moved
    X, _, batch = make_counts(400, 50, n_types=1, n_batches=2, random_state=1)
    share = X / X.sum(1, keepdims=True)
    ratio = share[batch == 0].mean(0) / share[batch == 1].mean(0)
    assert np.log(ratio).std() == pytest.approx(0.4 * np.sqrt(2), rel=0.3)


def test_same_seed_same_counts():
    first, second = (make_counts(30, 5, n_batches=3, random_state=7) for _ in "ab")
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(make_counts(30, 5, random_state=8)[0], first[0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_samples": 0}, "n_samples must be at least 1. Got 0"),
        ({"n_samples": 3}, "at least n_types and n_batches. Got 3, 4 and 1"),
    ],
)
def test_sizes_that_make_no_sense_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        make_counts(**params)
