# SPDX-License-Identifier: Apache-2.0
"""Which spins of a Boltzmann machine are coupled, and which may move together."""

import networkx as nx
import torch


def pairs_of(n, graph, n_visible):
    """Return the sorted pairs of a graph.

    Parameters
    ----------
    n : int
        Spins.
    graph : str, networkx.Graph or iterable of pairs
        As of `BoltzmannMachine`.
    n_visible : int
        Spins of the first part of an ``"rbm"``.

    Returns
    -------
    pairs : tensor of shape (m, 2), dtype int64
        The lower spin first.
    """
    if isinstance(graph, str):
        if graph == "rbm":
            pairs = [(i, j) for i in range(n_visible) for j in range(n_visible, n)]
        elif graph == "full":
            pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
        elif graph == "bernoulli":
            pairs = []
        else:
            raise ValueError(
                "graph must be 'rbm', 'full', 'bernoulli', a networkx graph or an "
                f"iterable of pairs. Got {graph!r}."
            )
    else:
        edges = graph.edges if isinstance(graph, nx.Graph) else graph
        try:
            edges = [(int(i), int(j)) for i, j in edges]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"graph must be made of pairs of the numbers 0 .. {n - 1}: {error}. "
                "networkx.convert_node_labels_to_integers relabels a graph."
            ) from error
        pairs = sorted({(min(e), max(e)) for e in edges})
        for i, j in pairs:
            if i == j or i < 0 or j >= n:
                raise ValueError(
                    f"graph must join different spins of 0 .. {n - 1}. Got the pair "
                    f"({i}, {j}); relabel the graph or raise n_units."
                )
    return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)


def colours_of(n, pairs):
    """Return classes of spins without a pair inside, tensors of int64."""
    graph = nx.Graph(pairs.tolist())
    graph.add_nodes_from(range(n))
    strategy = "connected_sequential" if nx.is_bipartite(graph) else "largest_first"
    colour = nx.greedy_color(graph, strategy=strategy)
    classes: list[list[int]] = [[] for _ in range(max(colour.values()) + 1)]
    for spin in range(n):
        classes[colour[spin]].append(spin)
    return [torch.tensor(c) for c in classes]


def index_of(spins):
    """Return a slice where spins follow one another: much faster than a list."""
    if len(spins) and int(spins[-1]) - int(spins[0]) == len(spins) - 1:
        return slice(int(spins[0]), int(spins[-1]) + 1)
    return spins
