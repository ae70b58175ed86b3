# SPDX-License-Identifier: Apache-2.0
"""Problems whose answer is known: ground energies by construction, cuts by proof."""

from dataclasses import dataclass

import dimod
import networkx as nx
import numpy as np


@dataclass(frozen=True, eq=False)
class KnownProblem:
    """A model with its ground energy.

    Parameters
    ----------
    bqm : dimod.BinaryQuadraticModel
        The SPIN model.
    ground_energy : float
        Its lowest energy.
    ground_state : dict
        A state that has it.

    Examples
    --------
    >>> from qestim.testing import planted
    >>> problem = planted(12, seed=0)
    >>> type(problem).__name__
    'KnownProblem'
    >>> excess = problem.bqm.energy(problem.ground_state) - problem.ground_energy
    >>> bool(abs(excess) < 1e-9)
    True
    """

    bqm: dimod.BinaryQuadraticModel
    ground_energy: float
    ground_state: dict


def planted(n, seed=0, *, degree=3, coverage=1.0) -> KnownProblem:
    """Return frustrated loops with a planted ground state.

    Random walks on a random regular graph close loops. Each loop has couplings of
    strength 1 that favour the planted state, but for one that opposes it, so no state
    satisfies a whole loop and the planted one is among the lowest for each: it is a
    ground state of their sum, of energy minus the sum of (length - 2).

    Parameters
    ----------
    n : int
        Spins; more than ``degree``, and ``n * degree`` even.
    seed : int, default=0
        Seed of the graph, the loops and the planted state.
    degree : int, default=3
        Neighbours of each spin in the graph; 3 gave annealers the most trouble.
    coverage : float, default=1.0
        Loops through an edge, on average. Few loops leave pieces apart, many drown the
        opposing couplings and leave a disguised ferromagnet.

    Returns
    -------
    problem : KnownProblem
        Spins ``0 .. n-1``; integer couplings.

    References
    ----------
    .. [1] Hen et al., "Probing for quantum speedup in spin-glass problems with planted
       solutions", Phys. Rev. A 92, 042325 (2015). doi:10.1103/PhysRevA.92.042325

    Examples
    --------
    >>> from qestim.testing import planted
    >>> problem = planted(20, seed=1)
    >>> float(problem.bqm.energy(problem.ground_state)) - problem.ground_energy
    0.0
    """
    if n <= degree or degree < 2 or n * degree % 2 or not 0 < coverage < np.inf:
        raise ValueError(
            "planted needs 2 <= degree < n, n * degree even and a positive, finite "
            f"coverage. Got n={n}, degree={degree}, coverage={coverage}."
        )
    rng = np.random.default_rng(seed)
    graph = nx.random_regular_graph(degree, n, seed=int(rng.integers(2**31)))
    neighbours = [sorted(graph[i]) for i in range(n)]
    state = rng.choice([-1, 1], size=n)
    bqm = dimod.BinaryQuadraticModel(n, dimod.SPIN)
    ground = 0
    laid = 0
    while laid < coverage * graph.number_of_edges():
        loop = _random_loop(neighbours, rng)
        laid += len(loop)
        sign = np.full(len(loop), -1.0)
        sign[rng.integers(len(loop))] = 1.0
        for k, (i, j) in enumerate(zip(loop, loop[1:] + loop[:1], strict=True)):
            bqm.add_quadratic(i, j, sign[k] * float(state[i] * state[j]))
        ground -= len(loop) - 2
    return KnownProblem(bqm, float(ground), dict(enumerate(state.tolist())))


def _random_loop(neighbours, rng):
    """Walk without stepping straight back until a spin is met again."""
    walk = [int(rng.integers(len(neighbours)))]
    while True:
        choices = neighbours[walk[-1]]
        if len(walk) > 1:
            choices = [j for j in choices if j != walk[-2]]
        step = choices[int(rng.integers(len(choices)))]
        if step in walk:
            return walk[walk.index(step) :]
        walk.append(step)


def sherrington_kirkpatrick(
    n, seed=0, *, couplings="gaussian"
) -> dimod.BinaryQuadraticModel:
    """Return a Sherrington-Kirkpatrick glass: all pairs coupled, variance 1 / n.

    Parameters
    ----------
    n : int
        Spins.
    seed : int, default=0
        Seed of the couplings.
    couplings : {"gaussian", "sign"}, default="gaussian"
        Normal couplings, or plus and minus ``n**-0.5``.

    Returns
    -------
    bqm : dimod.BinaryQuadraticModel
        SPIN model of the spins ``0 .. n-1``, without fields. For large n its ground
        energy is near -0.7632 n [1]_.

    References
    ----------
    .. [1] Parisi, "Infinite number of order parameters for spin-glasses",
       Phys. Rev. Lett. 43, 1754 (1979). doi:10.1103/PhysRevLett.43.1754

    Examples
    --------
    >>> from qestim.testing import sherrington_kirkpatrick
    >>> sherrington_kirkpatrick(10).num_interactions
    45
    """
    if couplings not in ("gaussian", "sign"):
        raise ValueError(f"couplings must be 'gaussian' or 'sign'. Got {couplings!r}.")
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    draws = rng.standard_normal(len(row))
    value = (np.sign(draws) if couplings == "sign" else draws) / np.sqrt(n)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.zeros(n), (row, col, value), 0.0, dimod.SPIN
    )


def max_cut(name, n=None) -> tuple[nx.Graph, int]:
    """Return a graph whose largest cut is known by proof.

    Parameters
    ----------
    name : {"complete", "cycle", "torus", "petersen", "dodecahedron", "icosahedron"}
        The graph. ``"torus"`` is the n x n square lattice with periodic boundary.
    n : int, default=None
        Its size, for the first three; at least 3.

    Returns
    -------
    graph : networkx.Graph
        Nodes ``0, 1, ...`` without weights.
    cut : int
        Edges in the largest cut.

    Notes
    -----
    Complete: floor(n**2 / 4). Cycle: n, less one if n is odd. Torus: all edges, less
    one for each of the 2 n odd rings if n is odd. Planar graphs: edges less the least
    matching of the odd faces in the dual graph (dodecahedron 6, icosahedron 10).
    Petersen: 12 of 15, as its 12 pentagons each lose an edge, and an edge lies on 4.

    References
    ----------
    Proofs in the Notes; for planar graphs by

    .. [1] Hadlock, "Finding a maximum cut of a planar graph in polynomial time", SIAM
       Journal on Computing (1975).

    Examples
    --------
    >>> from qestim.testing import max_cut
    >>> graph, cut = max_cut("petersen")
    >>> graph.number_of_edges(), cut
    (15, 12)
    """
    fixed = {
        "petersen": (nx.petersen_graph, 12),
        "dodecahedron": (nx.dodecahedral_graph, 24),
        "icosahedron": (nx.icosahedral_graph, 20),
    }
    if name in fixed:
        build, cut = fixed[name]
        return build(), cut
    sized = {
        "complete": (nx.complete_graph, lambda n: n * n // 4),
        "cycle": (nx.cycle_graph, lambda n: n - n % 2),
        "torus": (_torus, lambda n: 2 * n * n - 2 * n * (n % 2)),
    }
    if name not in sized:
        raise ValueError(f"name must be one of {[*sized, *fixed]}. Got {name!r}.")
    if n is None or n < 3:
        raise ValueError(f"n must be at least 3 for the {name} graph. Got {n}.")
    build, cut_of = sized[name]
    return build(n), cut_of(n)


def _torus(n):
    graph = nx.grid_2d_graph(n, n, periodic=True)
    return nx.relabel_nodes(graph, {(x, y): n * x + y for x, y in graph})
