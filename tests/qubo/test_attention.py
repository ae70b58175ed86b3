# SPDX-License-Identifier: Apache-2.0
"""AttentionProblem: minima against the answers they stand for."""

from itertools import combinations, product

import dimod
import numpy as np
import pytest

from qestim.qubo import AttentionProblem
from qestim.qubo._attention_levels import sparsemax
from qestim.qubo._attention_masks import MaskForm
from qestim.samplers import SimulatedAnnealingSampler


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def ground_state(problem):
    return problem.decode(dimod.ExactSolver().sample(problem.to_bqm()).first.sample)


def lowest_levels(problem):
    """Return the weights of one query with the lowest energy of the QUBO, and that."""
    linear, row, col, value, offset = problem._level_form("auto").arrays()
    states = (np.arange(2 ** len(linear))[:, None] >> np.arange(len(linear))) % 2.0
    matrix = np.zeros((len(linear), len(linear)))
    matrix[row, col] = value
    energies = states @ linear + ((states @ matrix) * states).sum(1)
    best = states[np.argmin(energies)].reshape(-1, problem.bits)
    weights = best @ 2.0 ** np.arange(problem.bits) / (2**problem.bits - 1)
    return weights, energies.min() + offset


class TestSparsemax:
    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_four_bits_are_within_the_bound(self, size):
        # The step is 1/15; a sum of 1 can force an error of (1 - 1/N) steps.
        errors = []
        for seed in range(34):
            problem = AttentionProblem(normal(seed, 1, 1, size), mode="sparsemax")
            weights, energy = lowest_levels(problem)
            assert weights.sum() == pytest.approx(1)
            assert energy == pytest.approx(problem.objective(weights[None, None]))
            errors.append(np.abs(weights - sparsemax(problem.scores)[0][0, 0]).max())
        assert max(errors) <= 0.7 / 15

    @pytest.mark.parametrize("bits", [1, 2, 3])
    def test_automatic_penalty_is_enough_and_small(self, bits):
        for seed in range(20):
            scores = normal(seed, 1, 1, 4) * 3
            problem = AttentionProblem(scores, mode="sparsemax", bits=bits)
            weights, _ = lowest_levels(problem)
            assert weights.sum() == pytest.approx(1)
        assert problem._level_form("auto").offset < 4

    def test_automatic_penalty_keeps_equal_keys_from_leaving_together(self):
        # One of four equal keys costs 1/4 more than none, but for the penalty.
        problem = AttentionProblem(np.zeros((1, 1, 4)), mode="sparsemax", bits=1)
        assert lowest_levels(problem)[0].sum() == 1

    def test_closed_form_is_the_projection(self):
        scores = normal(0, 50, 6) * 2
        scores[:, 2] = -np.inf
        weights, threshold = sparsemax(scores)
        np.testing.assert_allclose(weights.sum(-1), 1)
        # The optimality conditions of the projection.
        inside = weights > 0
        gap = scores - threshold
        np.testing.assert_allclose(weights[inside], gap[inside])
        assert (gap[~inside] <= 1e-12).all()

    def test_decode_repairs_the_sum(self):
        problem = AttentionProblem([[[2.0, 0.0, -np.inf]]], mode="sparsemax", bits=2)
        none = dict.fromkeys(problem.variables, 0)
        every = dict.fromkeys(problem.variables, 1)
        for sample in (none, every):
            np.testing.assert_allclose(problem.decode(sample), [[[1, 0, 0]]])

    def test_a_query_without_keys(self):
        with pytest.raises(ValueError, match="allowed a key"):
            AttentionProblem([[[-np.inf, -np.inf]]], mode="sparsemax")


class TestMasks:
    def test_per_query_is_top_k(self):
        # Six bits at a time: the minimum over every assignment, feasible or not.
        for seed in range(60):
            scores = normal(seed, 1, 1, 6) * 10.0 ** (seed % 5 - 2)
            k = seed % 5 + 1
            problem = AttentionProblem(scores, k=k)
            want = scores >= np.sort(scores, -1)[..., -k, None]
            np.testing.assert_array_equal(ground_state(problem), want)
            free = dimod.ExactSolver().sample(problem.to_bqm()).first.sample
            assert sum(free.values()) == k

    @pytest.mark.parametrize("penalty", [1e-6, 0.5])
    def test_any_penalty_is_enough_without_joint_terms(self, penalty):
        problem = AttentionProblem(normal(3, 1, 1, 8), k=3)
        bqm = problem.to_bqm(penalty)
        assert sum(dimod.ExactSolver().sample(bqm).first.sample.values()) == 3

    def test_form_is_the_energy_pair_by_pair(self):
        heads, size, k, redundancy, cross = 3, 4, 2, 0.7, 1.3
        keys, scores = normal(1, heads, size, 3), normal(2, heads, size)
        problem = AttentionProblem(
            scores,
            mode="shared",
            k=k,
            keys=keys,
            redundancy=redundancy,
            cross_head=cross,
        )
        unit = keys - keys.mean(1, keepdims=True)
        unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
        mask = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)
        want = -scores[mask].sum()
        for h, kept in enumerate(mask):
            for i, j in combinations(np.flatnonzero(kept), 2):
                want += redundancy / (k - 1) * unit[h, i] @ unit[h, j]
        for one, two in combinations(range(heads), 2):
            want += cross / (heads - 1) * (mask[one] & mask[two]).sum()
        assert problem.objective(mask) == pytest.approx(want)

    def test_cross_head_term_drives_equal_heads_apart(self):
        scores = np.tile(normal(4, 1, 6), (2, 1))
        alone = AttentionProblem(scores, mode="shared", k=3)
        apart = AttentionProblem(scores, mode="shared", k=3, cross_head=20.0)
        assert (ground_state(alone)[0] == ground_state(alone)[1]).all()
        assert not (ground_state(apart)[0] & ground_state(apart)[1]).any()

    def test_redundancy_term_avoids_equal_keys(self):
        keys = [[[1.0, 0], [1.0, 0], [-1.0, 1], [-1.0, -1]]]
        problem = AttentionProblem(
            [[2.0, 1.9, 1.0, 0.9]], mode="shared", k=2, keys=keys, redundancy=3.0
        )
        assert ground_state(problem)[0, :2].sum() == 1

    def test_opposite_keys_do_not_pull_each_other_in(self):
        keys = np.concatenate([np.eye(3), -np.eye(3)])[None]
        scores = [[1.0, 0.9, 0.8, 0.7, 0.6, 0.5]]
        problem = AttentionProblem(
            scores, mode="shared", k=3, keys=keys, redundancy=1.0
        )
        free = dimod.ExactSolver().sample(problem.to_bqm()).first.sample
        assert sum(free.values()) == 3

    def test_annealed_reads_are_mostly_feasible_and_good(self):
        problem = AttentionProblem.from_attention(
            normal(5, 2, 8, 4), normal(6, 2, 8, 4), mode="shared", k=3,
            redundancy=1.0, cross_head=1.0,
        )  # fmt: skip
        sampler = SimulatedAnnealingSampler(num_reads=50, seed=0)
        reads = sampler.sample(problem.to_bqm())
        assert problem.feasible_share(reads) >= 0.2
        masks = [problem.decode(read) for read in reads.samples()]
        assert all((mask.sum(-1) == 3).all() for mask in masks)
        rows = [np.isin(range(8), c) for c in combinations(range(8), 3)]
        best = min(problem.objective(np.array(two)) for two in product(rows, repeat=2))
        found = min(problem.objective(mask) for mask in masks)
        assert found == pytest.approx(best)

    def test_value_importance_moves_the_relevance(self):
        q, k = normal(7, 1, 3, 2), normal(8, 1, 4, 2)
        value = np.ones((1, 4, 2))
        value[0, 1] *= 100
        with_value = AttentionProblem.from_attention(
            q, k, value, mode="shared", k=1, value_importance=10.0
        )
        np.testing.assert_array_equal(ground_state(with_value), [[0, 1, 0, 0]])

    def test_factors_are_linear_in_the_keys(self):
        # 40,000 keys: a matrix of pairs would need 12 GB.
        form = MaskForm(
            normal(0, 1, 1, 1, 40_000), normal(1, 1, 1, 40_000, 2), 3, 1.0, 1.0
        )
        assert form.greedy().sum() == 3

    def test_fewer_allowed_than_k(self):
        scores = [[[1.0, -np.inf, -np.inf, 0.5]]]
        problem = AttentionProblem(scores, k=3)
        np.testing.assert_array_equal(ground_state(problem), [[[1, 0, 0, 1]]])


class TestPublished:
    def test_it_rewards_divergence(self):
        # Two tokens that agree with each other, and two that do not: the latter win.
        same = [[4.0, 0, 0], [4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]]
        problem = AttentionProblem.from_attention(
            [same], [same], np.ones((1, 4, 3)), mode="published", bits=1
        )
        assert problem.scores[0, 0, 1] < problem.scores[0, 0, 2]
        assert problem.scores[0, 0, 0] == pytest.approx(0)

    def test_query_and_key_are_the_same_tokens(self):
        with pytest.raises(ValueError, match="same shape"):
            AttentionProblem.from_attention(
                normal(0, 1, 3, 2),
                normal(1, 1, 4, 2),
                normal(2, 1, 4, 2),
                mode="published",
            )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "k must be an integer from 1 to 3"),
        ({"k": 0}, "k must be an integer from 1 to 3"),
        ({"k": None}, "k must be an integer"),
        ({"k": 1, "mode": "top"}, "mode must be one of"),
        ({"k": 1, "redundancy": 1.0}, "redundancy needs keys"),
        ({"k": 1, "cross_head": -1.0}, "cross_head must be a number >= 0"),
        ({"k": 1, "importance": [[1.0, 1, 1]]}, "importance is not for"),
        ({"mode": "sparsemax", "bits": 0}, "bits must be an integer"),
        ({"mode": "published"}, "scores must have shape"),
        ({"mode": "shared", "k": 1}, "scores must have 2 axes"),
        ({"k": 1, "keys": [[[np.nan], [0], [1]]]}, "keys must be finite"),
        ({"k": 1, "keys": [[[0], [1]]]}, "keys must have shape"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionProblem([[[1.0, 2.0, 3.0]]], **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_scores(bad):
    with pytest.raises(ValueError, match="numbers below infinity"):
        AttentionProblem([[[1.0, bad]]], k=1)


def test_bad_solutions_and_samples():
    problem = AttentionProblem([[[1.0, 2.0, -np.inf]]], mode="sparsemax", bits=2)
    with pytest.raises(ValueError, match="steps of 1 / 3"):
        problem.encode([[[0.5, 0.5, 0]]])
    with pytest.raises(ValueError, match="forbidden"):
        problem.encode([[[0, 0, 1]]])
    with pytest.raises(ValueError, match="shape"):
        problem.objective([[1.0]])
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        problem.objective([[[2.0, -1.0, 0.0]]])
    with pytest.raises(ValueError, match="every variable"):
        problem.decode({})
    with pytest.raises(ValueError, match="penalty"):
        problem.to_bqm(-1.0)
