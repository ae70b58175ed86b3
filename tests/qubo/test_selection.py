# SPDX-License-Identifier: Apache-2.0
"""Selection and the solver that all problems of choice share."""

from itertools import combinations

import dimod
import numpy as np
import pytest
import scipy.sparse

from qestim.qubo import FeatureSelectionProblem, SelectionProblem
from qestim.samplers import DimodSampler, SimulatedAnnealingSampler


def instance(n=12, k=4, seed=0, redundancy=1.5, sparse=False):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 2))
    S = np.exp(-((points[:, None] - points) ** 2).sum(-1))
    S = scipy.sparse.csr_array(np.where(S > 0.3, S, 0)) if sparse else S
    return SelectionProblem(rng.random(n), S, k, redundancy=redundancy)


def best(problem):
    return min(
        problem.objective(set(choice))
        for choice in combinations(range(len(problem)), problem.k)
    )


class Constant(dimod.Sampler):
    """Returns the same value for every variable."""

    parameters = properties = {}

    def __init__(self, value):
        self.value = value

    def sample(self, bqm, **parameters):
        states = np.full((2, bqm.num_variables), self.value, dtype=np.int8)
        return dimod.SampleSet.from_samples_bqm((states, list(bqm.variables)), bqm)


class TestNativeSolver:
    @pytest.mark.parametrize("seed", range(8))
    def test_finds_the_best_of_all_subsets(self, seed):
        problem = instance(seed=seed)
        choice = problem.solve(num_reads=4, num_sweeps=50)
        assert choice.energy == pytest.approx(best(problem))
        assert choice.energy == pytest.approx(problem.objective(set(choice.indices)))

    def test_swaps_improve_on_greedy(self):
        reports = [instance(60, 12, seed, 3.0).solve().report for seed in range(20)]
        native = np.array([report["energy_native"] for report in reports])
        greedy = np.array([report["energy_greedy"] for report in reports])
        assert (native <= greedy + 1e-12).all()
        assert (native < greedy - 1e-6).any()

    def test_sparse_and_dense_agree(self):
        sparse = instance(40, 6, sparse=True)
        dense = SelectionProblem(
            sparse.utility, sparse.similarity.toarray(), 6, redundancy=1.5
        )
        assert dense.solve().indices.tolist() == sparse.solve().indices.tolist()
        assert dense.solve().energy == pytest.approx(sparse.solve().energy)

    def test_one_element_is_the_most_useful(self):
        problem = SelectionProblem([0.1, 0.9, 0.3], np.ones((3, 3)), 1)
        assert problem.solve().indices.tolist() == [1]

    def test_all_elements(self):
        assert instance(5, 5).solve(SimulatedAnnealingSampler(seed=0)).indices.size == 5


class TestSampler:
    @pytest.mark.parametrize("value", [0, 1])
    def test_a_poor_sampler_cannot_hurt(self, value):
        problem = instance(60, 10)
        native = problem.solve()
        choice = problem.solve(Constant(value))
        assert choice.energy <= native.energy
        assert len(choice.indices) == 10
        assert choice.report["feasible_fraction"] == 0
        assert choice.report["reads"] == 2
        assert choice.report["calls"] == 1
        assert choice.report["energy_sampler"] >= choice.energy

    def test_a_better_answer_of_the_sampler_is_taken(self):
        answers = set()
        for seed in range(30):
            problem = instance(40, 8, seed, 3.0)
            sampler = SimulatedAnnealingSampler(num_reads=20, num_sweeps=300)
            choice = problem.solve(sampler, seed=seed)
            assert choice.energy <= problem.solve().energy
            answers.add(choice.report["answer"])
        assert answers == {"native", "sampler"}

    def test_the_same_seed_gives_the_same_choice(self):
        sampler = SimulatedAnnealingSampler(num_reads=2, num_sweeps=5)
        choices = [instance(50, 9).solve(sampler, seed=3) for _ in range(2)]
        assert (
            choices[0].report["energy_sampler"] == choices[1].report["energy_sampler"]
        )

    def test_foreign_samplers(self):
        problem = instance(10, 3)
        exact = DimodSampler(dimod.ExactSolver())
        assert problem.solve(exact).energy == pytest.approx(best(problem))
        empty = dimod.NullSampler()
        with pytest.raises(ValueError, match="no reads of 10 variables"):
            problem.solve(empty)


class TestSoftPenalty:
    def test_the_native_answer_is_a_minimum_of_single_flips(self):
        problem = instance(30, 6)
        bqm = problem.to_bqm()
        state = problem.encode(set(problem.solve().indices))
        energy = bqm.energy(state)
        flipped = [bqm.energy({**state, j: 1 - state[j]}) for j in range(30)]
        assert min(flipped) > energy

    def test_repair_takes_out_the_worst_and_puts_in_the_best(self):
        problem = SelectionProblem([3.0, 2.0, 1.0], np.zeros((3, 3)), 2)
        assert problem.decode(dict.fromkeys(range(3), 1)) == {0, 1}
        assert problem.decode(dict.fromkeys(range(3), 0)) == {0, 1}
        assert problem.decode(dict.fromkeys(range(3), -1)) == {0, 1}

    def test_a_sparse_problem_stays_sparse(self):
        problem = instance(50, 5, sparse=True)
        assert problem.to_bqm().num_interactions == problem.similarity.nnz // 2
        assert problem.to_bqm(penalty=1.0).num_interactions == 50 * 49 // 2

    def test_weight_of_the_penalty(self):
        problem = instance(6, 2)
        gap = [
            problem.to_bqm(penalty=weight).energy(dict.fromkeys(range(6), 1))
            for weight in (0.0, 1.0)
        ]
        assert gap[1] - gap[0] == pytest.approx((6 - 2) ** 2)


class TestFeatures:
    def test_a_free_number_of_features(self):
        rng = np.random.default_rng(1)
        for _ in range(10):
            twice = rng.normal(size=(8, 8))
            twice += twice.T
            problem = FeatureSelectionProblem(rng.normal(size=8), twice, cost=0.2)
            states = dimod.ExactSolver().sample(problem.to_bqm())
            assert problem.solve(
                SimulatedAnnealingSampler(num_reads=20, seed=0)
            ).energy == pytest.approx(states.first.energy)

    def test_nothing_is_worth_its_cost(self):
        problem = FeatureSelectionProblem([0.1, 0.2], np.zeros((2, 2)), cost=1.0)
        assert problem.solve().indices.size == 0

    def test_hessian_is_the_rise_of_a_quadratic_loss(self):
        rng = np.random.default_rng(0)
        X, weights = rng.normal(size=(40, 5)), rng.normal(size=5)
        y = X @ weights
        problem = FeatureSelectionProblem.from_hessian(weights, X.T @ X, k=3)
        for kept in combinations(range(5), 3):
            pruned = np.where(np.isin(np.arange(5), kept), weights, 0)
            loss = 0.5 * ((y - X @ pruned) ** 2).sum()
            assert problem.objective(set(kept)) == pytest.approx(loss)
        assert problem.solve().energy == pytest.approx(best(problem))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], np.eye(2), 3), "'k' parameter must be between 0 and the 2"),
        (([1.0, 2.0], np.eye(2), 0), "'k' parameter must be an int of at least 1"),
        (([1.0, np.nan], np.eye(2), 1), "'utility' parameter must be finite"),
        (([], np.eye(0), 1), "'utility' parameter must have shape"),
        (([1.0, 2.0], np.eye(3), 1), "'similarity' parameter must have shape"),
        (([1.0, 2.0], [[0, 1], [0, 0]], 1), "must be symmetric"),
        (([1.0, 2.0], [[0, np.inf], [np.inf, 0]], 1), "must be finite"),
        (
            ([1.0, 2.0], scipy.sparse.csr_array([[0, np.nan], [np.nan, 0]]), 1),
            "must be finite",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        SelectionProblem(*arguments)


def test_more_errors():
    with pytest.raises(ValueError, match="'redundancy' parameter"):
        SelectionProblem([1.0], [[0.0]], 1, redundancy=-1)
    with pytest.raises(ValueError, match="'cost' parameter"):
        FeatureSelectionProblem([1.0], [[0.0]], cost=np.nan)
    with pytest.raises(ValueError, match="'k' parameter must be None or"):
        FeatureSelectionProblem([1.0], [[0.0]], k=0)
    with pytest.raises(ValueError, match="'hessian' parameter"):
        FeatureSelectionProblem.from_hessian([1.0], np.eye(2))
    with pytest.raises(ValueError, match="indices below 3"):
        instance(3, 1).objective({5})
    with pytest.raises(ValueError, match=r"from 0\. Got -1"):
        SelectionProblem(np.ones(3), np.eye(3), k=2).objective({-1, 1})
    for penalty in (-1.0, np.nan):
        with pytest.raises(ValueError, match="'penalty' parameter"):
            SelectionProblem(np.ones(3), np.eye(3), k=2).to_bqm(penalty)
    with pytest.raises(ValueError, match="every index below 3"):
        instance(3, 1).decode({0: 1})


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([1, 2, 1], r"once\. Got 1 again"),
        ([0.9, 2.2], r"whole numbers\. Got shape \(2,\) of float64"),
        ([True, False, True], r"np\.flatnonzero"),
        ([[0, 1], [2, 3]], r"one list of .* Got shape \(2, 2\)"),
    ],
)
def test_a_choice_is_a_list_of_distinct_indices(indices, message):
    problem = instance()
    for method in (problem.energy, problem.objective, problem.encode):
        with pytest.raises(ValueError, match=message):
            method(indices)
    assert problem.energy([3, 1]) == problem.energy(np.array([1, 3], dtype=np.uint8))
    assert problem.energy([]) == problem.offset
