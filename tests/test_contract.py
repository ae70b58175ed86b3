# SPDX-License-Identifier: Apache-2.0
"""One contract for every problem: add a case here and its tests come by themselves."""

from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

import dimod
import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array

from qestim.qubo import (
    AttentionProblem,
    FeatureSelectionProblem,
    FIPProblem,
    MaxCutProblem,
    Problem,
    SelectionProblem,
)


@dataclass
class Case:
    """A problem, its feasible solutions and what its docstring promises.

    ``complete`` says that no feasible solution is missing from the list.
    """

    problem: Problem
    solutions: list[Any]
    num_variables: int
    soft: bool = False
    complete: bool = True

    def __repr__(self):
        return f"{type(self.problem).__name__}-{self.num_variables}"


def subsets(items):
    items = list(items)
    return [
        set(side)
        for side in chain.from_iterable(
            combinations(items, k) for k in range(len(items) + 1)
        )
    ]


def weighted_graph(seed, labels):
    graph = nx.gnp_random_graph(len(labels), 0.6, seed=seed)
    rng = np.random.default_rng(seed)
    for u, v in graph.edges:
        graph.edges[u, v]["weight"] = rng.normal()
    return nx.relabel_nodes(graph, dict(enumerate(labels)))


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def masks(k, *shape):
    """Return all masks that keep k of the last axis."""
    rows = [np.isin(range(shape[-1]), c) for c in combinations(range(shape[-1]), k)]
    many = product(rows, repeat=int(np.prod(shape[:-1])))
    return [np.reshape(rows, shape) for rows in many]


def levels(bits, *shape, total=None):
    """Return all weights in steps, with a sum along the last axis if one is given."""
    steps = 2**bits - 1
    every = product(range(steps + 1), repeat=shape[-1])
    rows = [row for row in every if total is None or sum(row) == total]
    many = product(rows, repeat=int(np.prod(shape[:-1])))
    return [np.reshape(rows, shape) / steps for rows in many]


FORBIDDEN = normal(5, 1, 2, 4)
FORBIDDEN[0, :, 2] = -np.inf


def symmetric(n, seed):
    matrix = np.random.default_rng(seed).random((n, n))
    return matrix + matrix.T


def choices(n, k):
    return [set(choice) for choice in combinations(range(n), k)]


CASES = [
    Case(AttentionProblem(normal(0, 2, 2, 3), k=1), masks(1, 2, 2, 3), 12),
    Case(
        AttentionProblem(FORBIDDEN, k=2),
        [mask for mask in masks(2, 1, 2, 4) if not mask[..., 2].any()],
        6,
    ),
    Case(
        AttentionProblem(
            normal(1, 3, 4),
            mode="shared",
            k=2,
            keys=normal(2, 3, 4, 2),
            importance=normal(7, 3, 4),
            redundancy=1.0,
            cross_head=2.0,
        ),
        masks(2, 3, 4),
        12,
        soft=True,
    ),
    Case(
        AttentionProblem(3 * normal(3, 1, 2, 3), mode="sparsemax", bits=2),
        levels(2, 1, 2, 3, total=3),
        12,
    ),
    Case(
        AttentionProblem.from_attention(
            *normal(4, 3, 2, 2, 5), mode="published", bits=2, cross_head=2.0
        ),
        levels(2, 2, 2),
        8,
    ),
    Case(MaxCutProblem(nx.petersen_graph()), subsets(range(10)), 10),
    Case(MaxCutProblem(weighted_graph(3, "abcdefg")), subsets("abcdefg"), 7),
    Case(
        MaxCutProblem(weighted_graph(4, [(0, "x"), 2, "c"])),
        [{2}, {(0, "x")}],
        3,
        complete=False,
    ),
    Case(MaxCutProblem(nx.empty_graph(3)), subsets(range(3)), 3),
    Case(
        SelectionProblem(np.arange(7.0), symmetric(7, 0), k=3, redundancy=2.0),
        choices(7, 3),
        7,
        soft=True,
    ),
    Case(
        SelectionProblem(np.ones(5), csr_array(symmetric(5, 1)), k=1),
        choices(5, 1),
        5,
        soft=True,
    ),
    Case(
        FeatureSelectionProblem(np.arange(6.0), symmetric(6, 2), k=4, cost=0.3),
        choices(6, 4),
        6,
        soft=True,
    ),
    Case(
        FeatureSelectionProblem(np.arange(6.0), symmetric(6, 3), offset=-1.0),
        subsets(range(6)),
        6,
    ),
]


def networks(problem):
    shapes = [
        layers.shape for layers in problem.decode(dict.fromkeys(problem.variables, 0))
    ]
    levels = problem.layers.code.levels
    sizes = [int(np.prod(shape)) for shape in shapes]
    for flat in product(levels, repeat=sum(sizes)):
        parts = np.split(np.array(flat), np.cumsum(sizes)[:-1])
        yield [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def network_case(num_variables, *args, **options):
    problem = FIPProblem(*args, **options)
    return Case(problem, list(networks(problem)), num_variables)


CASES += [
    network_case(9, [[1, 1], [1, -1]], [1, -1], (1,), bias=False),
    network_case(10, [[1, 2], [1, -1]], [1, -1], (), loss="hinge", bias=False),
]


def same(one, other):
    if isinstance(one, list):
        return len(one) == len(other) and all(map(np.array_equal, one, other))
    return np.array_equal(one, other)


def every_state(bqm):
    values = (0, 1) if bqm.vartype is dimod.BINARY else (-1, 1)
    for state in product(values, repeat=bqm.num_variables):
        yield dict(zip(bqm.variables, state, strict=True))


def violations(problem, solutions):
    """Return the states of no solution that are as low as the best solution."""
    bqm = problem.to_bqm()
    best = min(problem.objective(solution) for solution in solutions)
    encoded = [problem.encode(solution) for solution in solutions]
    return [
        state
        for state in every_state(bqm)
        if bqm.energy(state) <= best + 1e-9 and state not in encoded
    ]


def test_a_penalty_that_is_too_weak_is_seen():
    problem = MaxCutProblem(nx.path_graph(3))
    odd = [side for side in subsets(range(3)) if len(side) % 2]
    assert violations(problem, subsets(range(3))) == []
    # Without the best cut among the solutions, the form is lower than all of them.
    assert violations(problem, [side for side in odd if side != {1}])


@pytest.mark.parametrize("case", CASES, ids=repr)
class TestContract:
    def test_energy_is_the_objective(self, case):
        bqm = case.problem.to_bqm()
        for solution in case.solutions:
            energy = bqm.energy(case.problem.encode(solution))
            assert energy == pytest.approx(case.problem.objective(solution), abs=1e-9)

    def test_decode_inverts_encode(self, case):
        for solution in case.solutions:
            decoded = case.problem.decode(case.problem.encode(solution))
            assert same(decoded, solution)

    def test_number_of_variables(self, case):
        assert case.problem.to_bqm().num_variables == case.num_variables

    def test_every_other_state_is_worse_than_the_best_solution(self, case):
        if case.soft or not case.complete:
            pytest.skip("the penalty is deliberately soft, or not all is listed")
        assert violations(case.problem, case.solutions) == []

    def test_cqm_has_the_same_objective(self, case):
        cqm = case.problem.to_cqm()
        for solution in case.solutions:
            value = cqm.objective.energy(case.problem.encode(solution))
            assert value == pytest.approx(case.problem.objective(solution), abs=1e-9)
            assert cqm.check_feasible(case.problem.encode(solution))
