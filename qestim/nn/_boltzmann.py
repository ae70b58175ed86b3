# SPDX-License-Identifier: Apache-2.0
"""A Boltzmann machine on any graph: energy, heat bath and partition function."""

from numbers import Integral

import networkx as nx
import numpy as np
import torch

from qestim.nn._partition import (
    LogPartition,
    annealed_log_partition,
    bracket_log_partition,
    exact_log_partition,
)
from qestim.nn._tempering import Replicas
from qestim.qubo import IsingArrays


class BoltzmannMachine(torch.nn.Module):
    r"""Boltzmann machine with spins in {-1, 1}, in dimod's sign.

    .. math:: E(s) = \sum_i h_i s_i + \sum_{(i,j)} J_{ij} s_i s_j, \qquad
              p(s) = e^{-E(s)} / Z,

    each pair counted once, inverse temperature 1 by definition: a positive coupling
    favours opposite spins. Parameters begin at zero.

    Parameters
    ----------
    n_units : int
        Number of spins n.
    graph : {"rbm", "full", "bernoulli"}, networkx.Graph or pairs, default="rbm"
        Which pairs are coupled. ``"rbm"`` joins each of the first ``n_units // 2``
        spins with each of the others, ``"full"`` joins all, ``"bernoulli"`` none. A
        graph or a list of pairs names the spins ``0 .. n_units - 1``.

    Attributes
    ----------
    h : torch.nn.Parameter of shape (n,)
        Fields, dimensionless.
    J : torch.nn.Parameter of shape (m,)
        Couplings of the pairs ``(row, col)``, dimensionless.
    row, col : tensor of shape (m,), dtype int64
        The two ends of each coupling, ``row < col``.
    colours : list of tensor
        Classes of spins without a coupling inside; the heat bath updates one class
        at a time.

    Raises
    ------
    ValueError
        If ``n_units`` is not positive, or the graph has a loop or names a spin outside
        ``0 .. n_units - 1``.

    References
    ----------
    .. [1] Ackley, Hinton and Sejnowski, "A learning algorithm for Boltzmann
           machines", Cognitive Science 9, 147 (1985). doi:10.1207/s15516709cog0901_7

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import BoltzmannMachine
    >>> machine = BoltzmannMachine(4, graph=[(0, 1), (1, 2)])
    >>> with torch.no_grad():
    ...     _ = machine.h.fill_(0.5)
    >>> machine.energy(torch.ones(1, 4)).item()
    2.0
    """

    def __init__(self, n_units, graph="rbm"):
        super().__init__()
        whole = isinstance(n_units, Integral)
        if not whole or n_units < 1:
            raise ValueError(f"n_units must be a positive integer. Got {n_units!r}.")
        self.row: torch.Tensor
        self.col: torch.Tensor
        pairs = _pairs(n_units, graph)
        self.n_units = n_units
        self.h = torch.nn.Parameter(torch.zeros(n_units))
        self.J = torch.nn.Parameter(torch.zeros(len(pairs)))
        self.register_buffer("row", pairs[:, 0].clone())
        self.register_buffer("col", pairs[:, 1].clone())
        self.colours = _colours(n_units, pairs)

    def couplings(self):
        """Return the symmetric coupling matrix, tensor of shape (n, n)."""
        J = self.J.new_zeros(self.n_units, self.n_units)
        J = J.index_put((self.row, self.col), self.J)
        return J + J.T

    def energy(self, spins):
        """Return the energies of states or of means.

        Parameters
        ----------
        spins : tensor of shape (batch, n)
            Spins, or their means under a law that factorises: the energy is linear
            in each spin, so that it is then the exact mean energy.

        Returns
        -------
        energy : tensor of shape (batch,)
            Dimensionless.
        """
        return spins @ self.h + 0.5 * ((spins @ self.couplings()) * spins).sum(1)

    def contrast(self, data, model):
        r"""Return the scalar whose gradient is that of the mean of :math:`-\log p`.

        That gradient is the positive phase minus the negative phase,
        :math:`\langle s_i s_j \rangle_{model} - \langle s_i s_j \rangle_{data}` with
        the sign of dimod. The value itself means nothing, as log Z is not in it.

        Parameters
        ----------
        data : tensor of shape (batch, n)
            Spins or means of the data; no gradient reaches them.
        model : tensor of shape (reads, n)
            Spins drawn from this machine; no gradient reaches them.

        Returns
        -------
        contrast : tensor of shape ()
            Dimensionless.
        """
        return self.energy(data.detach()).mean() - self.energy(model.detach()).mean()

    @torch.no_grad()
    def sweep(self, spins, n_sweeps=1, *, beta=1.0, generator=None):
        """Update spins by heat bath, one colour of the graph at a time.

        Written as flips: other states under the same random numbers stay other
        states, so that what a sampler found is not hidden by the sweeps after it.

        Parameters
        ----------
        spins : tensor of shape (reads, n)
            Values in {-1, 1}; not changed.
        n_sweeps : int, default=1
            Updates of every spin.
        beta : float, default=1.0
            Inverse temperature, dimensionless.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        spins : tensor of shape (reads, n)
            The states after the sweeps.
        """
        spins, J = spins.clone(), self.couplings()
        blocks = [(c, J[:, c], self.h[c]) for c in self.colours]
        for _ in range(n_sweeps):
            for c, J_c, h_c in blocks:
                flip = torch.sigmoid(2 * beta * spins[:, c] * (spins @ J_c + h_c))
                u = torch.rand(
                    flip.shape,
                    generator=generator,
                    dtype=flip.dtype,
                    device=flip.device,
                )
                spins[:, c] *= torch.where(u < flip, -1.0, 1.0).to(spins)
        return spins

    @torch.no_grad()
    def random_spins(self, n_reads, *, generator=None):
        """Return uniform random spins, tensor of shape (n_reads, n)."""
        shape = (n_reads, self.n_units)
        u = torch.rand(
            shape, generator=generator, dtype=self.h.dtype, device=self.h.device
        )
        return torch.where(u < 0.5, 1.0, -1.0).to(u.dtype)

    @torch.no_grad()
    def log_partition(
        self, *, max_states=2**18, n_chains=256, n_betas=1000, generator=None
    ):
        """Return log Z and how far to trust it.

        One colour class is summed out in closed form and the other spins are
        enumerated if that takes at most ``max_states`` states; otherwise annealed
        importance sampling estimates log Z, from below in the mean.

        Parameters
        ----------
        max_states : int, default=2**18
            Largest enumeration.
        n_chains : int, default=256
            Chains of the estimate.
        n_betas : int, default=1000
            Temperatures of the estimate, one sweep each.
        generator : torch.Generator, default=None
            Source of randomness of the estimate.

        Returns
        -------
        log_z : float
            Natural logarithm of Z.
        ess : float or None
            Effective number of the estimate's chains, between 1 and ``n_chains``;
            None where log Z is exact.

        References
        ----------
        .. [1] Salakhutdinov and Murray, "On the quantitative analysis of deep belief
               networks", ICML 2008. doi:10.1145/1390156.1390266
        """
        if self._enumerable(max_states):
            return exact_log_partition(self), None
        return annealed_log_partition(self, n_chains, n_betas, generator)

    def log_partition_bracket(
        self,
        *,
        spins=None,
        max_states=2**18,
        n_chains=1024,
        n_betas=1000,
        generator=None,
    ):
        """Return a lower and an upper bound of log Z.

        Exact under the same condition as `log_partition`. Otherwise annealed
        importance sampling runs both ways along one path: from independent spins to
        this machine, low in the mean, and from spins of this machine back, high in the
        mean. Each bound lies two standard errors outside its estimate.

        Parameters
        ----------
        spins : tensor of shape (reads, n), default=None
            Draws from this machine; None draws ``n_chains`` by parallel tempering. The
            upper bound holds as far as they follow the law.
        max_states : int, default=2**18
            Largest enumeration.
        n_chains : int, default=1024
            Chains from independent spins.
        n_betas : int, default=1000
            Steps of the path, one sweep each.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        bounds : LogPartition
            ``(lower, upper, ess_lower, ess_upper)``, in nats and chains.

        References
        ----------
        .. [1] Burda, Grosse and Salakhutdinov, "Accurate and conservative estimates of
               MRF log-likelihood using reverse annealing", AISTATS 2015.
               arXiv:1412.8566

        Examples
        --------
        >>> from qestim.nn import BoltzmannMachine
        >>> bounds = BoltzmannMachine(4).log_partition_bracket()
        >>> round(bounds.lower, 4), bounds.ess_lower  # 4 log 2, exactly
        (2.7726, None)
        """
        if self._enumerable(max_states):
            exact = exact_log_partition(self)
            return LogPartition(exact, exact)
        if spins is None:
            device = None if generator is None else generator.device
            seed = torch.randint(2**31, (1,), generator=generator, device=device)
            replicas = Replicas(min(n_chains, 256), np.random.RandomState(int(seed)))
            n_reads = -(-n_chains // replicas.n_chains)
            spins = replicas.draw(self, n_reads=n_reads, burn_in=1000, thin=100)
        return bracket_log_partition(self, spins, n_chains, n_betas, generator)

    def _enumerable(self, max_states):
        largest = max(len(c) for c in self.colours)
        return 2 ** (self.n_units - largest) <= max_states

    def to_ising(self):
        """Return the energy as `qestim.qubo.IsingArrays` of ``0 .. n-1``."""
        h, value = (p.detach().cpu().double().numpy() for p in (self.h, self.J))
        row, col = (p.cpu().numpy().astype(np.int32) for p in (self.row, self.col))
        return IsingArrays(h, row, col, value)

    def to_arrays(self):
        """Return ``(h, J)`` as float64 ndarrays of shapes (n,) and (n, n).

        This is what a sampler's ``sample_arrays(J, h)`` takes: dimod's sign, ``J``
        symmetric with a zero diagonal.
        """
        J = self.couplings().detach().cpu().double().numpy()
        return self.h.detach().cpu().double().numpy(), J

    def to_bqm(self):
        """Return the energy as a SPIN dimod.BinaryQuadraticModel of ``0 .. n-1``."""
        return self.to_ising().to_bqm()

    @classmethod
    def from_bqm(cls, bqm):
        """Return the machine whose energy is that of a model, without its offset.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            Either vartype; spin k is the k-th of ``bqm.variables``.

        Returns
        -------
        machine : BoltzmannMachine
            In double precision.
        """
        model = IsingArrays.from_bqm(bqm)
        pairs = np.sort(np.stack([model.row, model.col], 1).astype(np.int64), axis=1)
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        machine = cls(len(model), map(tuple, pairs[order])).double()
        with torch.no_grad():
            machine.h.copy_(torch.tensor(model.h))
            machine.J.copy_(torch.tensor(model.value[order]))
        return machine


def _pairs(n, graph):
    """Return the sorted pairs of a graph, int64 tensor of shape (m, 2)."""
    if isinstance(graph, str):
        if graph == "rbm":
            pairs = [(i, j) for i in range(n // 2) for j in range(n // 2, n)]
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


def _colours(n, pairs):
    """Return classes of spins without a pair inside, tensors of int64."""
    graph = nx.Graph(pairs.tolist())
    graph.add_nodes_from(range(n))
    strategy = "connected_sequential" if nx.is_bipartite(graph) else "largest_first"
    colour = nx.greedy_color(graph, strategy=strategy)
    classes: list[list[int]] = [[] for _ in range(max(colour.values()) + 1)]
    for spin in range(n):
        classes[colour[spin]].append(spin)
    return [torch.tensor(c) for c in classes]
