# SPDX-License-Identifier: Apache-2.0
import warnings

import dimod
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from qestim.exceptions import InfeasibleWarning
from qestim.samplers import (
    AdaptivePenaltySampler,
    DimodSampler,
    ExactSampler,
    QCGDSampler,
    SimulatedAnnealingSampler,
)
from qestim.samplers._constraints import ConstrainedArrays

ANNEALER = SimulatedAnnealingSampler(num_reads=5, num_sweeps=100)


def random_objective(rng, n, scale=1.0):
    row, col = np.triu_indices(n, 1)
    linear, pairs = scale * rng.normal(size=n), scale * rng.normal(size=len(row))
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        linear, (row, col, pairs), 0.3, "BINARY"
    )


def one_hot(seed, groups=4, size=3, scale=1.0):
    rng = np.random.default_rng(seed)
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(
        random_objective(rng, groups * size, scale)
    )
    for g in range(groups):
        members = [(g * size + k, 1) for k in range(size)]
        cqm.add_constraint(members, "==", rhs=1, label=f"group{g}")
    return cqm


def equalities(seed, n=12, rows=3):
    rng = np.random.default_rng(seed)
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(random_objective(rng, n))
    planted = rng.integers(0, 2, n)
    for r in range(rows):
        a = rng.integers(-3, 4, n)
        terms = [(i, int(a[i])) for i in range(n) if a[i]]
        cqm.add_constraint(terms, "==", rhs=int(a @ planted), label=f"row{r}")
    return cqm


def optimum(cqm):
    """Return the least objective of a feasible assignment, by listing all of them."""
    n = len(cqm.variables)
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    labelled = (bits, list(cqm.variables))
    feasible = np.ones(len(bits), dtype=bool)
    for comparison in cqm.constraints.values():
        feasible &= comparison.lhs.energies(labelled) == comparison.rhs
    return float(cqm.objective.energies(labelled)[feasible].min())


def best(reads):
    return reads.filter(lambda row: row.is_feasible).first.energy


@pytest.mark.parametrize("cls", [QCGDSampler, AdaptivePenaltySampler])
@pytest.mark.parametrize("family", [one_hot, equalities])
def test_an_exact_oracle_solves_both_families_with_proof(cls, family):
    solved = 0
    for seed in range(20):
        cqm = family(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfeasibleWarning)
            reads = cls(ExactSampler(), max_iter=60, polish=False).sample_cqm(cqm)
        if reads.info["feasible"]:
            # A feasible atom of an exact oracle is optimal, whatever the multipliers.
            assert best(reads) == pytest.approx(optimum(cqm), abs=1e-9)
            assert reads.info["proven_optimal"]
            assert reads.info["lower_bound"] == pytest.approx(best(reads), abs=1e-9)
            assert reads.info["stopped_by"] == "proof"
            solved += 1
        else:
            assert not reads.info["proven_optimal"]
            assert reads.info["lower_bound"] <= optimum(cqm) + 1e-9
    assert solved >= 19


@pytest.mark.parametrize("family", [one_hot, equalities])
def test_the_lower_bound_holds_at_every_call(family):
    cqm = family(3)
    for calls in (1, 2, 3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfeasibleWarning)
            reads = QCGDSampler(
                ExactSampler(), max_iter=calls, polish=False
            ).sample_cqm(cqm)
        assert reads.info["lower_bound"] <= optimum(cqm) + 1e-9
        assert reads.info["num_calls"] <= calls


def test_the_mixture_converges_at_the_rate_of_the_theorem():
    cqm = one_hot(1)
    reference = optimum(cqm)
    sampler = _Lowest()
    qcgd = QCGDSampler(sampler, beta0=0.3, max_iter=400, patience=None)
    history = qcgd.sample_cqm(cqm).info["history"]
    residual = np.array(history["mean_residual"])
    gap = np.abs(np.array(history["mean_objective"]) - reference)
    t = np.arange(1, len(residual) + 1)
    late = t > 20
    assert len(t) == 400
    assert np.polyfit(np.log(t[late]), np.log(residual[late]), 1)[0] < -0.4
    assert gap[-50:].mean() < 0.2 * gap[:10].mean()


def test_the_mixture_forgets_its_first_atoms_as_the_steps_say():
    cqm = one_hot(1)
    qcgd = QCGDSampler(_Lowest(), beta0=1.0, max_iter=31, patience=None)
    history = qcgd.sample_cqm(cqm).info["history"]
    # Optimal atoms from some call on: steps of 2 / (t + 1) leave (t - 1) / (t + 1).
    assert history["violation"][10:] == [0.0] * 21
    residual = np.array(history["mean_residual"])
    t = np.arange(12, 32)
    np.testing.assert_allclose(residual[11:] / residual[10:-1], (t - 1) / (t + 1))


def test_multipliers_grow_as_the_theorem_says():
    cqm = one_hot(0)
    arrays = ConstrainedArrays.from_cqm(cqm)
    rule = QCGDSampler(beta0=0.5)._start(arrays)
    assert not rule.multipliers.any()
    functionals = np.arange(1.0, len(arrays.g0) + 1)
    for t in range(1, 6):
        rule.update(functionals, 0.0)
        # The same residual each time: prices add up, the penalty grows like a root.
        expected = 0.5 * (t + np.sqrt(t + 1)) * functionals
        np.testing.assert_allclose(rule.multipliers, expected)


def test_a_biased_oracle_stalls():
    cqm = one_hot(1)
    stuck = QCGDSampler(_Lowest(stuck=True), beta0=0.3, max_iter=200, polish=False)
    with pytest.warns(InfeasibleWarning):
        history = stuck.sample_cqm(cqm).info["history"]
    assert history["mean_residual"][-1] > 1


class _Lowest(dimod.Sampler, BaseEstimator):
    """The exact minimum without its certificate; or with two bits stuck at 1."""

    parameters = {}
    properties = {}

    def __init__(self, stuck=False):
        self.stuck = stuck

    def sample(self, bqm):
        reads = ExactSampler().lowest(bqm)
        if not self.stuck:
            return reads
        spins = reads.record.sample.copy()
        spins[:, :2] = 1
        return dimod.SampleSet.from_samples_bqm((spins, reads.variables), bqm)


def test_a_heuristic_oracle_claims_nothing():
    cqm = one_hot(0)
    reads = QCGDSampler(ANNEALER, seed=0).sample_cqm(cqm)
    assert best(reads) == pytest.approx(optimum(cqm))
    assert not reads.info["proven_optimal"]
    assert reads.info["lower_bound"] is None
    assert reads.info["stopped_by"] == "patience"


@pytest.mark.parametrize("option", [{"precision": 4}, {"noise": 0.1}])
def test_a_distorted_oracle_claims_nothing(option):
    reads = QCGDSampler(ExactSampler(), seed=0, **option).sample_cqm(one_hot(0))
    assert not reads.info["proven_optimal"]
    assert reads.info["lower_bound"] is None


def test_a_wrapped_exact_solver_is_exact():
    cqm = one_hot(2, groups=2)
    reads = QCGDSampler(DimodSampler(dimod.ExactSolver())).sample_cqm(cqm)
    assert reads.info["proven_optimal"]
    assert best(reads) == pytest.approx(optimum(cqm))


class _Proven(_Lowest):
    def sample(self, bqm):
        reads = super().sample(bqm)
        reads.info["proven_optimal"] = True
        return reads


def test_a_sampler_that_proves_its_minimum_is_exact():
    assert QCGDSampler(_Proven()).sample_cqm(one_hot(2)).info["proven_optimal"]


@pytest.mark.parametrize("rounding", ["eigenvector", "mean"])
def test_rounding_adds_a_candidate(rounding):
    cqm = one_hot(1)
    plain = QCGDSampler(_Lowest(), beta0=0.3, max_iter=40, patience=None)
    rounded = clone(plain).set_params(rounding=rounding)
    first, second = plain.sample_cqm(cqm), rounded.sample_cqm(cqm)
    assert len(second) == len(first) + 1 == 41
    assert second.record.call[-1] == 0
    # The mixture is nearly the optimal atom by now.
    assert second.record.energy[-1] == pytest.approx(optimum(cqm))
    assert second.record.is_feasible[-1]


def test_integers_and_inequalities_come_back_in_the_users_terms():
    i = dimod.Integer("i", lower_bound=-2, upper_bound=5)
    s = dimod.Spin("s")
    x = dimod.Binary("x")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-2 * i + s * i + 3 * x)
    cqm.add_constraint(i + 2 * s + x <= 4, label="cap")
    for cls in (QCGDSampler, AdaptivePenaltySampler):
        reads = cls(ExactSampler()).sample_cqm(cqm)
        first = reads.filter(lambda row: row.is_feasible).first
        assert dict(first.sample) == {"i": 5, "s": -1, "x": 0}
        assert first.energy == -15
        assert reads.info["proven_optimal"]


def test_a_model_without_constraints_takes_one_call():
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(
        random_objective(np.random.default_rng(0), 5)
    )
    reads = QCGDSampler(ExactSampler()).sample_cqm(cqm)
    assert reads.info["num_calls"] == 1
    assert reads.info["proven_optimal"]


def test_beta0_can_be_tuned_with_the_inner_sampler():
    cqm = one_hot(0)

    class Solve(BaseEstimator):
        def __init__(self, sampler=None):
            self.sampler = sampler

        def fit(self, X, y=None):
            self.energy_ = best(self.sampler.sample_cqm(cqm))
            return self

        def score(self, X, y=None):
            return -self.energy_

    search = GridSearchCV(
        Solve(QCGDSampler(ANNEALER, seed=0)),
        {"sampler__sampler__num_sweeps": [20, 50], "sampler__beta0": ["auto", 1.0]},
        cv=2,
    ).fit(np.zeros((4, 1)))
    assert search.best_score_ == pytest.approx(-optimum(cqm))
    assert ANNEALER.num_sweeps == 100


def test_a_fixed_beta0_is_in_units_of_the_objective():
    cqm = one_hot(5)
    scaled = one_hot(5, scale=1000)
    plain = QCGDSampler(ExactSampler(), beta0=0.2).sample_cqm(cqm)
    large = QCGDSampler(ExactSampler(), beta0=200).sample_cqm(scaled)
    auto = QCGDSampler(ExactSampler()).sample_cqm(cqm)
    auto_large = QCGDSampler(ExactSampler()).sample_cqm(scaled)
    assert plain.info["num_calls"] == large.info["num_calls"] > 1
    assert auto.info["num_calls"] == auto_large.info["num_calls"]


@pytest.mark.parametrize(
    "wrong", [{"beta0": 0}, {"beta0": "large"}, {"rounding": "up"}, {"max_iter": 0}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        QCGDSampler(**wrong).sample_cqm(one_hot(0))
