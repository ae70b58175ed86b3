# SPDX-License-Identifier: Apache-2.0
import networkx as nx
import numpy as np
import pytest

from qestim.qubo import IsingArrays
from qestim.testing import (
    ExactLaw,
    ExactRBM,
    ising_2d,
    kaufman_energy,
    kaufman_log_z,
    max_cut,
    planted,
    random_rbm,
    sherrington_kirkpatrick,
)


@pytest.mark.parametrize("seed", range(4))
def test_planted_energy_is_the_lowest(seed):
    problem = planted(16, seed)
    law = ExactLaw(IsingArrays.from_bqm(problem.bqm))
    assert law.energies.min() == problem.ground_energy
    assert problem.bqm.energy(problem.ground_state) == problem.ground_energy


def test_planted_couplings_are_frustrated_and_repeatable():
    one, again = planted(100, 3), planted(100, 3)
    assert one.bqm == again.bqm
    satisfied = -sum(abs(v) for v in one.bqm.quadratic.values())
    assert one.ground_energy > satisfied


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("complete", 7),
        ("complete", 8),
        ("cycle", 9),
        ("cycle", 8),
        ("torus", 3),
        ("torus", 4),
        ("petersen", None),
        ("dodecahedron", None),
        ("icosahedron", None),
    ],
)
def test_largest_cut(name, n):
    graph, cut = max_cut(name, n)
    edges = nx.to_numpy_array(graph, nodelist=range(len(graph)))
    law = ExactLaw(IsingArrays.from_matrix(edges))
    # E = edges - 2 cut.
    assert (graph.number_of_edges() - law.energies.min()) / 2 == cut


def test_sherrington_kirkpatrick_has_unit_scale():
    bqm = sherrington_kirkpatrick(200, 1, couplings="sign")
    values = np.array(list(bqm.quadratic.values()))
    np.testing.assert_allclose(abs(values), 200**-0.5)
    gaussian = np.array(list(sherrington_kirkpatrick(200, 1).quadratic.values()))
    assert gaussian.var() * 200 == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("L", [3, 4])
@pytest.mark.parametrize("beta", [0.1, 0.440687, 0.9])
def test_kaufman_equals_enumeration(L, beta):
    law = ExactLaw(IsingArrays.from_bqm(ising_2d(L)))
    assert kaufman_log_z(L, beta) == pytest.approx(law.log_z(beta), rel=1e-12)
    mean = law.probabilities(beta) @ law.energies
    assert kaufman_energy(L, beta) == pytest.approx(mean, rel=1e-8)


def test_kaufman_of_the_antiferromagnet_and_of_large_lattices():
    assert kaufman_energy(4, 0.3, coupling=2.0) == pytest.approx(
        2 * kaufman_energy(4, 0.6)
    )
    # Onsager: -sqrt(2) a spin at the critical point of the infinite lattice.
    critical = np.log1p(np.sqrt(2)) / 2
    assert kaufman_energy(200, critical) / 200**2 == pytest.approx(-(2**0.5), abs=0.005)
    with pytest.raises(ValueError, match="L must be even"):
        kaufman_energy(5, 0.3, coupling=1.0)


def test_rbm_equals_enumeration():
    rbm = random_rbm(7, 4, seed=3, scale=0.6, beta=1.3)
    law = ExactLaw(IsingArrays.from_bqm(rbm.bqm))
    mean, pairs = law.moments(1.3)
    assert rbm.log_z == pytest.approx(law.log_z(1.3))
    assert rbm.mean_energy == pytest.approx(law.probabilities(1.3) @ law.energies)
    np.testing.assert_allclose(rbm.mean, mean, atol=1e-12)
    np.testing.assert_allclose(rbm.correlation, pairs[:7, 7:], atol=1e-12)


def test_rbm_draws_follow_its_means():
    rbm = random_rbm(40, 5, seed=1, scale=0.3)
    spins = rbm.draw(40_000, np.random.default_rng(0)).astype(float)
    np.testing.assert_allclose(spins.mean(0), rbm.mean, atol=0.03)
    pairs = spins[:, :40].T @ spins[:, 40:] / len(spins)
    np.testing.assert_allclose(pairs, rbm.correlation, atol=0.03)


def test_errors_name_the_parameter():
    with pytest.raises(ValueError, match="at most 20 hidden"):
        ExactRBM(np.zeros((2, 21)))
    with pytest.raises(ValueError, match="couplings must be"):
        sherrington_kirkpatrick(4, couplings="x")
    with pytest.raises(ValueError, match="name must be one of"):
        max_cut("moebius")
    with pytest.raises(ValueError, match="n must be at least 3"):
        max_cut("cycle")
    with pytest.raises(ValueError, match="L must be at least 3"):
        ising_2d(2)
    for n, options in ((5, {}), (3, {}), (4, {"coverage": np.nan}), (4, {"degree": 1})):
        with pytest.raises(ValueError, match=f"Got n={n}, "):
            planted(n, **options)
    for K in (0, -0.3, np.nan, 400):
        with pytest.raises(ValueError, match=f"Got {K}"):
            kaufman_log_z(4, K)
    for bias in ([np.nan], [1.0, 2.0]):
        with pytest.raises(ValueError, match="visible_bias must be finite"):
            ExactRBM([[1.0]], bias)
    with pytest.raises(ValueError, match="beta must be finite"):
        ExactRBM([[1.0]], beta=np.nan)
