# SPDX-License-Identifier: Apache-2.0
import networkx as nx
import numpy as np
import pytest

from qestim.qubo import MaxCutProblem


def test_known_cuts():
    assert MaxCutProblem(nx.petersen_graph()).cut_size({2, 4, 5, 6}) == 12
    assert MaxCutProblem(nx.complete_bipartite_graph(3, 4)).cut_size({0, 1, 2}) == 12


def test_weights_and_loops():
    graph = nx.Graph()
    graph.add_edge("a", "b", weight=-2.5)
    graph.add_edge("b", "c", weight=4)
    graph.add_edge("c", "c", weight=100)
    problem = MaxCutProblem(graph)
    assert problem.cut_size({"b"}) == 1.5
    assert problem.to_bqm().energy({"a": -1, "b": 1, "c": -1}) == -1.5
    assert MaxCutProblem(graph, weight="capacity").cut_size({"b"}) == 2


def test_the_repr_names_the_graph():
    shown = "MaxCutProblem(graph=Graph with 3 nodes and 2 edges, weight='weight')"
    assert repr(MaxCutProblem(nx.path_graph(3))) == shown


def test_bits_decode_like_spins():
    problem = MaxCutProblem(nx.path_graph(3))
    assert problem.decode({0: 1, 1: 0, 2: 1}) == problem.decode({0: 1, 1: -1, 2: 1})


@pytest.mark.parametrize(
    ("graph", "error", "message"),
    [
        (nx.DiGraph([(0, 1)]), TypeError, "undirected"),
        (nx.MultiGraph([(0, 1), (0, 1)]), TypeError, "parallel"),
        ([(0, 1)], TypeError, r"Got list; .*nx.Graph\(edges\).*nx.from_numpy_array"),
    ],
)
def test_wrong_graphs(graph, error, message):
    with pytest.raises(error, match=message):
        MaxCutProblem(graph)


def test_weights_must_be_finite_and_vertices_known():
    graph = nx.Graph()
    graph.add_edge(0, 1, weight=np.nan)
    with pytest.raises(ValueError, match=r"edge \(0, 1\) has nan"):
        MaxCutProblem(graph)
    with pytest.raises(ValueError, match="Got 9"):
        MaxCutProblem(nx.path_graph(3)).encode({9})
    graph.add_edge(0, 1, weight="heavy")
    with pytest.raises(ValueError, match="attribute 'weight' must be a number"):
        MaxCutProblem(graph)
    for question in (problem_of_a_path().objective, problem_of_a_path().cut_size):
        with pytest.raises(ValueError, match="Got 9"):
            question({0, 9})


def problem_of_a_path():
    return MaxCutProblem(nx.path_graph(3))


@pytest.mark.parametrize("sample", [{0: 1}, [1, 1], 3])
def test_a_sample_of_another_model_is_refused(sample):
    with pytest.raises(ValueError, match=r"as sampleset.first.sample does"):
        problem_of_a_path().decode(sample)
