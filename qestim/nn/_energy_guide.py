# SPDX-License-Identifier: Apache-2.0
"""A Boltzmann machine that scores whole candidates of a diffusion."""

import networkx as nx
import torch

from qestim.nn._boltzmann import BoltzmannMachine
from qestim.nn._candidate_features import CandidateFeatures
from qestim.nn._candidates import CandidateGuide
from qestim.nn._hidden_units import (
    ClampedMachine,
    gibbs_means,
    sampled_means,
    sum_log_2cosh,
)


class EnergyGuide(CandidateGuide):
    r"""Energy of a candidate: the free energy of a Boltzmann machine over its features.

    Features of (noisy sequence, candidate) clamp the visible units; the hidden units
    are summed out. Where none of them are coupled this is exact,

    .. math:: E(x, x_t) = \sum_i h_i v_i
              - \sum_j \log 2 \cosh\Bigl(h_j + \sum_i J_{ij} v_i\Bigr);

    otherwise the variational bound at the hidden units' means takes its place, the
    means from block heat bath of all candidates at once, or from one call of a sampler.
    The machine's sign is dimod's, its inverse temperature 1.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary, without mask and filling.
    length : int
        Longest sequence.
    n_visible : int, default=64
        Visible units: features of a candidate.
    n_hidden : int, default=64
        Hidden units.
    graph : {"rbm", "full"}, networkx.Graph or list of pairs, default="rbm"
        Couplings: each visible with each hidden unit, those and all pairs of hidden
        units, or the edges of a graph whose nodes ``0 .. n_visible - 1`` are visible
        and ``n_visible .. n_visible + n_hidden - 1`` hidden.
    width : int, default=64
        Width of the network that computes the features; a multiple of 4.
    n_layers : int, default=1
        Its blocks of attention.
    sampler : object, default=None
        With dimod's ``sample(bqm, ...)``: gives the hidden units' means. None takes the
        exact sum where the graph allows, else heat bath.
    num_reads : int, default=16
        Reads of the sampler, or sweeps of the heat bath.
    generator : torch.Generator, default=None
        Source of the first weights.

    Attributes
    ----------
    machine : BoltzmannMachine
        Visible units first.
    exact : bool
        Whether the hidden units are summed out exactly.
    n_calls, n_reads : int
        Calls and reads of the sampler so far.

    References
    ----------
    .. [1] Xu et al., "Energy-based diffusion language models for text generation",
           ICLR 2025. arXiv:2410.21357

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import EnergyGuide
    >>> guide = EnergyGuide(5, length=8, n_visible=16, n_hidden=16)
    >>> noisy = torch.full((2, 8), guide.mask_token)
    >>> guide.choose(noisy, torch.zeros(2, 8, 5), n_candidates=4).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        n_tokens,
        length,
        *,
        n_visible=64,
        n_hidden=64,
        graph="rbm",
        width=64,
        n_layers=1,
        sampler=None,
        num_reads=16,
        generator=None,
    ) -> None:
        super().__init__(n_tokens)
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        # torch's layers draw from the global generator, which this leaves as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = CandidateFeatures(
                n_tokens, length, n_visible, width=width, n_layers=n_layers
            )
            self.machine = BoltzmannMachine(
                n_visible + n_hidden,
                _pairs(n_visible, n_hidden, graph),
                n_visible=n_visible,
            )
            torch.nn.init.normal_(self.machine.J, 0, n_visible**-0.5)
            torch.nn.init.normal_(self.machine.h, 0, 0.1)
        self.n_visible, self.n_hidden = n_visible, n_hidden
        row, col = self.machine.row, self.machine.col
        self.sampler, self.num_reads = sampler, num_reads
        self.exact = sampler is None and not bool((row >= n_visible).any())
        # Sorted pairs of a complete bipartite graph are its matrix, row by row.
        self._is_matrix = len(row) == n_visible * n_hidden and bool(
            ((row < n_visible) & (col >= n_visible)).all()
        )
        self.n_calls, self.n_reads = 0, 0

    def energy(self, noisy, candidates, logits, *, generator=None) -> torch.Tensor:
        """Return the energies of candidates.

        Parameters
        ----------
        noisy : tensor of shape (batch, length), dtype int64
            Sequences with masks.
        candidates : tensor of shape (batch, n_candidates, length), dtype int64
            The same without masks.
        logits : tensor of shape (batch, length, n_tokens)
            Of the denoiser for ``noisy``.
        generator : torch.Generator, default=None
            Source of the reads, where the sum is not exact.

        Returns
        -------
        energy : tensor of shape (batch, n_candidates)
            Dimensionless; low where the candidate's tokens agree.
        """
        visible = self.features(noisy, candidates, logits).flatten(0, 1)
        free_energy = self.free_energy(visible, generator=generator)
        return free_energy.view(candidates.shape[:2])

    def free_energy(self, visible, *, generator=None) -> torch.Tensor:
        """Return the free energies of values of the visible units.

        Parameters
        ----------
        visible : tensor of shape (n, n_visible)
            Values in [-1, 1].
        generator : torch.Generator, default=None
            Source of the reads, where the sum is not exact.

        Returns
        -------
        energy : tensor of shape (n,)
            Dimensionless.
        """
        if self.exact and self._is_matrix:
            h, n = self.machine.h, self.n_visible
            fields = torch.addmm(h[n:], visible, self.machine.J.view(n, -1))
            return visible @ h[:n] - sum_log_2cosh(fields)
        clamped = ClampedMachine(self.machine, visible)
        if self.exact:
            return clamped.independent()
        if self.sampler is None:
            return clamped.bound(gibbs_means(clamped, self.num_reads, generator))
        seed = torch.randint(2**31 - 1, (1,), generator=generator).item()
        means, n_reads = sampled_means(clamped, self.sampler, self.num_reads, seed)
        self.n_calls += 1
        self.n_reads += n_reads
        return clamped.bound(means)


def _pairs(n_visible, n_hidden, graph):
    """Return the pairs of a graph of visible and hidden units."""
    if not isinstance(graph, str):
        return graph if isinstance(graph, nx.Graph) else list(graph)
    if graph not in ("rbm", "full"):
        raise ValueError(
            "graph must be 'rbm', 'full', a networkx graph or a list of pairs. Got "
            f"{graph!r}."
        )
    hidden = range(n_visible, n_visible + n_hidden)
    pairs = [(i, j) for i in range(n_visible) for j in hidden]
    if graph == "full":
        pairs += [(i, j) for i in hidden for j in hidden if i < j]
    return pairs
