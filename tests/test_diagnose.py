# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import qestim
from qestim.qubo import IsingArrays
from qestim.testing import ExactLaw, ising_2d, random_rbm, sherrington_kirkpatrick


def glass(n, seed=0):
    bqm = sherrington_kirkpatrick(n, seed)
    for i, field in enumerate(np.random.default_rng(seed).normal(0, 0.3, n)):
        bqm.add_linear(i, field)
    return bqm


def draws(bqm, num_reads, beta, seed=0):
    law = ExactLaw(IsingArrays.from_bqm(bqm))
    return law.draw(num_reads, beta, np.random.default_rng(seed))


def descended(bqm, num_reads, seed=0):
    """Random starts, each spin in turn put to its lower side, until nothing moves."""
    model = IsingArrays.from_bqm(bqm)
    spins = np.random.default_rng(seed).choice([-1, 1], (num_reads, len(model)))
    for _ in range(30):
        for i in range(len(model)):
            spins[:, i] = np.where(spins @ model.dense[i] + model.h[i] > 0, -1, 1)
    return spins


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
def test_independent_draws_pass_at_their_beta(beta):
    found = qestim.diagnose(glass(10), draws(glass(10), 20_000, beta), beta=beta)
    assert abs(found.beta_eff - beta) < 4 * found.beta_eff_error
    assert found.beta_eff_error < 0.05 * beta
    assert found.calibration_p > 1e-3
    assert found.exact["p_value"] > 1e-3
    assert found.exact["kl"] < 1.5 * found.exact["kl_floor"]
    assert found.at_beta["p_value"] > 1e-3
    assert found.correlation_time < 1.5
    assert "is not rejected" in found.verdict


def test_a_wrong_beta_is_rejected():
    found = qestim.diagnose(glass(10), draws(glass(10), 20_000, 1.0), beta=1.1)
    assert found.at_beta["z"] < -4
    assert found.at_beta["p_value"] < 1e-3
    assert "The law at beta = 1.1 is rejected" in found.verdict


def test_error_covers_the_spread_of_the_estimate():
    bqm = glass(8)
    z = []
    for seed in range(60):
        found = qestim.diagnose(bqm, draws(bqm, 300, 1.0, seed))
        z.append((found.beta_eff - 1) / found.beta_eff_error)
    assert abs(np.mean(z)) < 0.6
    assert 0.75 < np.std(z) < 1.3


def test_two_temperatures_are_no_boltzmann_law():
    bqm = random_rbm(60, 5, seed=1, scale=0.25).bqm
    cold = random_rbm(60, 5, seed=1, scale=0.25, beta=2.0)
    hot = random_rbm(60, 5, seed=1, scale=0.25, beta=0.3)
    rng = np.random.default_rng(0)
    reads = np.concatenate([cold.draw(2000, rng), hot.draw(2000, rng)])
    found = qestim.diagnose(bqm, rng.permutation(reads))
    assert found.calibration_p < 1e-3
    assert found.misfit > 1e-4
    assert "No single temperature" in found.verdict
    one = qestim.diagnose(bqm, random_rbm(60, 5, 1, scale=0.25).draw(4000, rng))
    assert one.calibration_p > 1e-3
    assert one.misfit < found.misfit / 5
    assert one.exact == {}


def test_wrong_weights_of_valleys_are_seen_by_enumeration_only():
    bqm = ising_2d(4)
    reads = draws(bqm, 4000, 0.6)
    reads[reads.sum(1) < 0] *= -1
    found = qestim.diagnose(bqm, reads, beta=0.6)
    assert found.calibration_p > 1e-3
    assert found.exact["p_value"] < 1e-3
    assert "valleys" in found.verdict
    assert abs(found.at_beta["z"]) < 4
    assert found.at_beta["calibration_p"] > 1e-3
    assert "The law at beta = 0.6 is rejected" in found.verdict


def test_a_quench_has_no_temperature():
    bqm = glass(12)
    found = qestim.diagnose(bqm, descended(bqm, 500))
    assert found.beta_eff == np.inf
    assert np.isnan(found.beta_eff_error)
    assert "local minimum" in found.verdict
    assert 0 < found.ground_share < 1


def test_only_ground_states_say_so():
    bqm = dimod.BQM.from_ising({"a": 1.0}, {("a", "b"): -1.0})
    found = qestim.diagnose(bqm, [[-1, -1]] * 9, beta=3.0)
    assert found.beta_eff == np.inf
    assert "All reads are ground states" in found.verdict
    assert (found.gap, found.ground_share, found.num_distinct) == (0, 1, 1)
    assert "The law at beta = 3 is not rejected" in found.verdict
    many = qestim.diagnose(bqm, [[-1, -1]] * 900, beta=1.0)
    assert "The law at beta = 1 is rejected" in many.verdict


def test_few_reads_confirm_nothing():
    found = qestim.diagnose(glass(8), draws(glass(8), 4, 1.0))
    assert "4 reads test no law here" in found.verdict
    assert "pooled chi-square not testable" in repr(found)


def test_highest_states_are_minus_infinite_and_flat_models_undefined():
    bqm = dimod.BQM.from_ising({"a": 1.0}, {})
    assert qestim.diagnose(bqm, [[1]] * 3).beta_eff == -np.inf
    flat = qestim.diagnose(dimod.BQM({"a": 0.0}, {}, 1.0, "SPIN"), [[1], [-1]])
    assert np.isnan(flat.beta_eff)
    assert "no temperature" in flat.verdict
    empty = qestim.diagnose(dimod.BQM("SPIN"), np.empty((3, 0)))
    assert empty.num_variables == 0


def test_negative_temperature():
    bqm = glass(9)
    found = qestim.diagnose(bqm, draws(bqm, 5000, -0.8))
    assert abs(found.beta_eff + 0.8) < 4 * found.beta_eff_error


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_scale_of_the_model(scale):
    bqm = glass(8)
    reads = draws(bqm, 2000, 1.0)
    bigger = bqm.copy()
    bigger.scale(scale)
    plain, scaled = qestim.diagnose(bqm, reads), qestim.diagnose(bigger, reads)
    assert scaled.beta_eff * scale == pytest.approx(plain.beta_eff, rel=1e-6)
    assert scaled.calibration_p == pytest.approx(plain.calibration_p, rel=1e-4)


def test_repeated_reads_have_a_correlation_time():
    bqm = glass(10)
    reads = np.repeat(draws(bqm, 1000, 1.0), 8, axis=0)
    found = qestim.diagnose(bqm, reads)
    assert 5 < found.correlation_time < 11
    assert found.ess == pytest.approx(8000 / found.correlation_time)
    plain = qestim.diagnose(bqm, reads[::8])
    assert found.beta_eff_error == pytest.approx(plain.beta_eff_error, rel=0.25)


def test_all_ways_to_give_the_reads_agree(tmp_path):
    bqm = dimod.BQM.from_ising({"b": 0.5, "a": -0.2}, {("a", "b"): 0.7, ("a", "c"): -1})
    spins = draws(bqm, 400, 1.0)
    labels = list(bqm.variables)
    path = tmp_path / "reads.npz"
    order = [2, 0, 1]
    np.savez(path, spins=spins[:, order], variables=np.array(labels)[order])
    plain = tmp_path / "plain.npz"
    np.savez(plain, spins=spins)
    np.save(tmp_path / "plain.npy", spins)
    table = pd.DataFrame(spins, columns=labels)
    sampleset = dimod.SampleSet.from_samples_bqm((spins, labels), bqm)
    binary = bqm.change_vartype("BINARY", inplace=False)
    ways = [
        qestim.diagnose(bqm, sampleset),
        qestim.diagnose(binary, sampleset.change_vartype("BINARY", inplace=False)),
        qestim.diagnose(bqm, (spins + 1) // 2),
        qestim.diagnose(bqm, path),
        qestim.diagnose(bqm, str(plain)),
        qestim.diagnose(bqm, tmp_path / "plain.npy"),
        qestim.diagnose(bqm, table[[labels[k] for k in order]]),
        qestim.diagnose(bqm, pd.DataFrame(spins)),
    ]
    want = qestim.diagnose(bqm, spins)
    for found in ways:
        assert found.beta_eff == pytest.approx(want.beta_eff)
        assert found.exact["kl"] == pytest.approx(want.exact["kl"])
    aggregated = qestim.diagnose(bqm, sampleset.aggregate())
    assert aggregated.beta_eff == pytest.approx(want.beta_eff)
    assert np.isnan(aggregated.correlation_time)
    assert "order of the reads lost" in repr(aggregated)


def test_table_in_text_and_html():
    found = qestim.diagnose(glass(8), draws(glass(8), 500, 1.0), beta=1.0)
    for word in ("beta_eff", "effective reads", "gap to ground", "verdict"):
        assert word in repr(found)
        assert word in found._repr_html_()


def test_a_given_ground_energy_measures_the_gap_of_large_models():
    bqm = ising_2d(8)
    found = qestim.diagnose(bqm, np.ones((5, 64)), ground_energy=-128.0)
    assert (found.gap, found.ground_share) == (0, 1)
    assert np.isnan(qestim.diagnose(bqm, np.ones((5, 64))).gap)


@pytest.mark.parametrize(
    ("reads", "message"),
    [
        ([[1, 2]], "must be -1 and 1, or 0 and 1"),
        ([[1, np.nan]], "must be -1 and 1"),
        ([[1, 0], [0, -1]], "must be -1 and 1"),
        ([[1, 1, 1]], r"shape \(num_reads, 2\)"),
        (np.empty((0, 2)), "at least one read"),
        ([["a", "b"]], "must be numbers"),
    ],
)
def test_errors_name_what_is_wrong(reads, message):
    with pytest.raises(ValueError, match=message):
        qestim.diagnose(dimod.BQM.from_ising({0: 1.0, 1: 1.0}, {}), reads)


def test_errors_of_files_and_beta(tmp_path):
    bqm = dimod.BQM.from_ising({"a": 1.0, "b": 1.0}, {})
    np.savez(tmp_path / "x.npz", states=np.ones((2, 2)))
    with pytest.raises(ValueError, match="under the key 'spins'"):
        qestim.diagnose(bqm, tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", spins=np.ones((2, 2)), variables=np.array(["a", "c"]))
    with pytest.raises(ValueError, match=r"Missing: \['b'\]"):
        qestim.diagnose(bqm, tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", spins=np.array([[object()]], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        qestim.diagnose(bqm, tmp_path / "z.npz")
    with pytest.raises(ValueError, match="beta must be a finite number"):
        qestim.diagnose(bqm, [[1, 1]], beta=np.inf)
    with pytest.raises(ValueError, match="beta must be a finite number"):
        qestim.diagnose(bqm, [[1, 1]], beta="1")
    twice = np.array(["a", "b", "a"])
    np.savez(tmp_path / "t.npz", spins=np.ones((2, 3)), variables=twice)
    with pytest.raises(ValueError, match="each once"):
        qestim.diagnose(bqm, tmp_path / "t.npz")
    for reads in (None, {"a": 1, "b": 1}, scipy.sparse.eye_array(2)):
        with pytest.raises(ValueError, match=r"must be a dimod.SampleSet, an array or"):
            qestim.diagnose(bqm, reads)


@pytest.mark.parametrize(("unit", "offset"), [(1e-12, 0.0), (1.0, 1e11), (1e12, 0.0)])
def test_ground_states_are_told_apart_at_any_scale_and_offset(unit, offset):
    bqm = dimod.BQM.from_ising({0: 1.0, 1: -2.0}, {(0, 1): 3.0}, offset)
    bqm.scale(unit)
    found = qestim.diagnose(bqm, [[1, 1], [1, -1], [-1, 1], [-1, -1]])
    assert found.ground_share == 0.25
    found = qestim.diagnose(bqm, [[1, 1], [-1, -1]])
    assert found.ground_share == 0
    assert found.gap == pytest.approx(8 * unit, rel=1e-6)


def test_equal_energies_are_no_sign_of_dependent_reads():
    # Energies of one level whose mean is rounded: 200 reads of four ground states.
    bqm = dimod.BQM.from_ising(
        {}, {(0, 1): 0.1, (0, 2): 0.2, (0, 3): -0.3, (0, 4): 0.3, (0, 5): -0.3}
    )
    spins = np.random.default_rng(0).choice([-1, 1], size=(200, 1))
    found = qestim.diagnose(bqm, spins * [1, -1, -1, 1, -1, 1])
    assert found.correlation_time < 2


def test_a_free_spin_has_no_temperature_of_rounding():
    # The neighbours' fields on spin 0 cancel, up to 0.1 + 0.2 - 0.3 in binary.
    bqm = dimod.BQM.from_ising(
        {1: -5.0, 2: -5.0, 3: 5.0}, {(0, 1): 0.1, (0, 2): 0.2, (0, 3): 0.3}
    )
    spins = np.random.default_rng(0).choice([-1, 1], size=(300, 4))
    spins[:, 1:] = [1, 1, -1]
    found = qestim.diagnose(bqm, spins[:, list(bqm.variables)])
    assert found.beta_eff == np.inf
    assert "All reads are ground states" in found.verdict
