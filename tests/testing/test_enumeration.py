# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pytest

from qestim.qubo import IsingArrays
from qestim.testing import ExactLaw, sherrington_kirkpatrick


def model(n, seed=0):
    bqm = sherrington_kirkpatrick(n, seed)
    rng = np.random.default_rng(seed)
    for i in range(n):
        bqm.add_linear(i, rng.normal())
    bqm.offset = 0.25
    return IsingArrays.from_bqm(bqm)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_energies_are_those_of_dimod(n):
    arrays = model(n)
    law = ExactLaw(arrays)
    states = law.states(np.arange(2**n))
    expected = arrays.to_bqm().energies((states, list(range(n))))
    np.testing.assert_allclose(law.energies, expected, atol=1e-12)
    np.testing.assert_array_equal(law.codes(states), np.arange(2**n))


def test_draws_follow_the_stated_moments():
    law = ExactLaw(model(6, seed=2))
    spins = law.draw(200_000, 0.7, np.random.default_rng(0)).astype(float)
    mean, pairs = law.moments(0.7)
    np.testing.assert_allclose(spins.mean(0), mean, atol=0.012)
    np.testing.assert_allclose(spins.T @ spins / len(spins), pairs, atol=0.012)


def test_log_z_of_free_spins():
    bqm = dimod.BQM.from_ising({"a": 0.5, "b": -1.0}, {})
    law = ExactLaw(IsingArrays.from_bqm(bqm))
    assert law.log_z(2.0) == pytest.approx(np.log(4 * np.cosh(1) * np.cosh(2)))


def test_large_models_are_refused():
    with pytest.raises(ValueError, match=r"at most 22 spins\. Got 23"):
        ExactLaw(model(23))


def test_a_model_of_dimod_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"IsingArrays.from_bqm\(bqm\)"):
        ExactLaw(dimod.BQM(2, "SPIN"))
