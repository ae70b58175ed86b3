# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from qestim.testing import divergence, pooled_chi_square


def test_p_values_are_uniform_under_the_law():
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.full(200, 0.3))
    p = [pooled_chi_square(rng.multinomial(2000, law), law)[0] for _ in range(400)]
    counts = np.histogram(p, bins=10, range=(0, 1))[0]
    assert ((counts - 40) ** 2 / 40).sum() < 28  # chi-square, 9 df, p 1e-3


def test_every_cell_reaches_the_least_expectation():
    law = np.array([0.7, 0.2, 0.06, 0.02, 0.01, 0.005, 0.005])
    _, _, df = pooled_chi_square(100 * law, law)
    # Cells 70, 20, 6 and 2 + 1 + .5 + .5, which joins the last.
    assert df == 2


def test_a_wrong_law_and_an_impossible_state_fail():
    law = np.array([0.5, 0.5, 0.0])
    assert pooled_chi_square([600, 400, 0], law)[0] < 1e-8
    assert pooled_chi_square([500, 400, 100], law)[0] < 1e-8


def test_one_cell_says_nothing():
    assert np.isnan(pooled_chi_square([3, 1], [0.5, 0.5])[0])


def test_divergence_of_a_known_pair():
    kl, tv = divergence([3, 1], [0.5, 0.5])
    assert kl == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert tv == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("counts", "law"),
    [([1, 2], [0.5, 0.25, 0.25]), ([1, np.nan], [0.5, 0.5]), ([50, 50], [1, 1])],
)
def test_what_is_no_law_or_no_counts_is_refused(counts, law):
    with pytest.raises(ValueError, match="counts and probabilities must"):
        pooled_chi_square(counts, law)
