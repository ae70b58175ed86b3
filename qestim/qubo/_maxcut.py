# SPDX-License-Identifier: Apache-2.0
"""Max-Cut: divide the vertices so that the edges between the two sides weigh most."""

import dimod
import networkx as nx
import numpy as np

from qestim.qubo._problem import Problem


class MaxCutProblem(Problem):
    r"""Maximum cut of a weighted graph.

    With a spin per vertex for its side, the cut weighs
    :math:`\sum_{(i,j)} w_{ij} (1 - s_i s_j) / 2`. The quadratic form is its negative;
    it has no constraint and no auxiliary variable.

    Parameters
    ----------
    graph : networkx.Graph
        Undirected, with any vertex labels. Loops are never cut and are left out.
    weight : str, default="weight"
        Edge attribute of the weights, in any units; an edge without it weighs 1.

    Attributes
    ----------
    graph : networkx.Graph
        The graph, as given.
    vertices : list
        The vertices, in the order of the variables.

    Notes
    -----
    The number of variables is ``graph.number_of_nodes()``.

    References
    ----------
    .. [1] Barahona, Grötschel, Jünger and Reinelt, "An application of combinatorial
       optimization to statistical physics and circuit layout design", Operations
       Research 36, 493 (1988). doi:10.1287/opre.36.3.493

    Examples
    --------
    >>> import networkx as nx
    >>> from qestim.qubo import MaxCutProblem
    >>> from qestim.samplers import SimulatedAnnealingSampler
    >>> problem = MaxCutProblem(nx.cycle_graph(4))
    >>> reads = SimulatedAnnealingSampler(num_reads=5, seed=0).sample(problem.to_bqm())
    >>> cut = problem.decode(reads.first.sample)
    >>> problem.cut_size(cut)
    4.0
    """

    def __init__(self, graph, weight="weight") -> None:
        if not isinstance(graph, nx.Graph) or graph.is_directed():
            raise TypeError(
                "The 'graph' parameter must be an undirected networkx.Graph. Got "
                f"{type(graph).__name__}; use graph.to_undirected(), nx.Graph(edges) "
                "or, for a matrix of weights, nx.from_numpy_array."
            )
        if graph.is_multigraph():
            raise TypeError(
                "The 'graph' parameter must not have parallel edges. Got "
                f"{type(graph).__name__}; add their weights into one nx.Graph."
            )
        self.graph = graph
        self.weight = weight
        self.vertices = list(graph)
        index = {vertex: i for i, vertex in enumerate(self.vertices)}
        edges = [
            (index[u], index[v], w)
            for u, v, w in graph.edges(data=weight, default=1.0)
            if u != v
        ]
        self._row = np.array([edge[0] for edge in edges], dtype=np.int32)
        self._col = np.array([edge[1] for edge in edges], dtype=np.int32)
        try:
            self._weights = np.array([edge[2] for edge in edges], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The edge attribute {weight!r} must be a number on every edge: "
                f"{error}."
            ) from error
        if not np.isfinite(self._weights).all():
            k = np.flatnonzero(~np.isfinite(self._weights))[0]
            ends = self.vertices[self._row[k]], self.vertices[self._col[k]]
            raise ValueError(
                f"Every weight must be finite. The edge {ends} has {self._weights[k]}; "
                "remove it or give it a weight."
            )

    def to_bqm(self, penalty="auto") -> dimod.BinaryQuadraticModel:
        """Return the SPIN model whose energy is minus the weight of the cut.

        Parameters
        ----------
        penalty : float or "auto", default="auto"
            Has no effect: the problem has no constraint.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            One variable a vertex, labelled like it.
        """
        bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            np.zeros(len(self.vertices)),
            (self._row, self._col, self._weights / 2),
            -self._weights.sum() / 2,
            dimod.SPIN,
        )
        if self.vertices != list(range(len(self.vertices))):
            bqm.relabel_variables(dict(enumerate(self.vertices)))
        return bqm

    def encode(self, solution) -> dict:
        """Return the spins of a cut.

        Parameters
        ----------
        solution : set
            The vertices on one side.

        Returns
        -------
        sample : dict of vertex to int
            1 for the vertices in ``solution``, -1 for the others.
        """
        side = self._side(solution)
        return {vertex: 1 if vertex in side else -1 for vertex in self.vertices}

    def decode(self, sample) -> set:
        """Return the vertices on the up side.

        Parameters
        ----------
        sample : mapping of vertex to int
            Spins in {-1, 1} or bits in {0, 1}.

        Returns
        -------
        side : set
            The vertices with value 1.
        """
        try:
            return {vertex for vertex in self.vertices if sample[vertex] > 0}
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(
                "A sample must map every vertex of the graph to its spin, as "
                f"sampleset.first.sample does. Got {type(sample).__name__}: {error}."
            ) from error

    def objective(self, solution) -> float:
        """Return minus the weight of the cut.

        Parameters
        ----------
        solution : set
            The vertices on one side.

        Returns
        -------
        value : float
            Minus the sum of the weights of the edges between the sides.
        """
        return -self.cut_size(solution)

    def cut_size(self, solution) -> float:
        """Return the weight of the cut.

        Parameters
        ----------
        solution : set
            The vertices on one side.

        Returns
        -------
        weight : float
            Sum of the weights of the edges between the sides, in their units.
        """
        chosen = self._side(solution)
        side = np.array([vertex in chosen for vertex in self.vertices], dtype=bool)
        return float(self._weights[side[self._row] != side[self._col]].sum())

    def _side(self, solution):
        side = set(solution)
        strangers = side.difference(self.vertices)
        if strangers:
            raise ValueError(
                "A cut must be a set of vertices of the graph. Got "
                f"{next(iter(strangers))!r}, which is not one."
            )
        return side
