# SPDX-License-Identifier: Apache-2.0
"""A Boltzmann machine on any graph: energy, heat bath and partition function."""

from numbers import Integral
from typing import Any, Self

import numpy as np
import torch

from qestim.nn._graph import colours_of, index_of, pairs_of
from qestim.nn._hidden import free_energy, mean_field
from qestim.nn._normalisation import Normalisation
from qestim.qubo import IsingArrays


class BoltzmannMachine(Normalisation, torch.nn.Module):
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
        Which pairs are coupled. ``"rbm"`` joins each of the first ``n_visible``
        spins with each of the others, ``"full"`` joins all, ``"bernoulli"`` none. A
        graph or a list of pairs names the spins ``0 .. n_units - 1``.
    n_visible : int, default=None
        The first so many spins are those that data show, the others are hidden. None
        means ``n_units // 2`` with ``graph="rbm"`` and all with any other.

    Attributes
    ----------
    h : torch.nn.Parameter of shape (n,)
        Fields, dimensionless.
    J : torch.nn.Parameter of shape (m,)
        Couplings of the pairs ``(row, col)``, dimensionless.
    row, col : tensor of shape (m,), dtype int64
        The two ends of each coupling, ``row < col``.
    n_visible : int
        Number of spins that data show.
    colours : list of tensor
        Classes of spins without a coupling inside; the heat bath updates one class
        at a time.

    Raises
    ------
    ValueError
        If ``n_units`` is not positive, ``n_visible`` is larger, or the graph has a
        loop or names a spin outside ``0 .. n_units - 1``.

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

    def __init__(self, n_units, graph="rbm", *, n_visible=None) -> None:
        super().__init__()
        whole = isinstance(n_units, Integral)
        if not whole or n_units < 1:
            raise ValueError(f"n_units must be a positive integer. Got {n_units!r}.")
        if n_visible is None:
            rbm = isinstance(graph, str) and graph == "rbm"
            n_visible = n_units // 2 if rbm else n_units
        whole = isinstance(n_visible, Integral)
        if not whole or not 0 <= n_visible <= n_units:
            raise ValueError(
                f"n_visible must be an integer of 0 .. {n_units}. Got {n_visible!r}."
            )
        self.row: torch.Tensor
        self.col: torch.Tensor
        pairs = pairs_of(n_units, graph, n_visible)
        self.n_units, self.n_visible = n_units, n_visible
        self.h = torch.nn.Parameter(torch.zeros(n_units))
        self.J = torch.nn.Parameter(torch.zeros(len(pairs)))
        self.register_buffer("row", pairs[:, 0].clone())
        self.register_buffer("col", pairs[:, 1].clone())
        self.colours = colours_of(n_units, pairs)

    def extra_repr(self) -> str:
        """Return what torch prints between the brackets."""
        return f"{self.n_units} spins, {len(self.J)} couplings"

    @property
    def coupled(self):
        """Whether any two spins are coupled."""
        return len(self.J) > 0

    def couplings(self) -> torch.Tensor:
        """Return the symmetric matrix of the couplings.

        Returns
        -------
        J : tensor of shape (n, n)
            Zero diagonal, in the units of the energy, with a gradient.
        """
        J = self.J.new_zeros(self.n_units, self.n_units)
        J = J.index_put((self.row, self.col), self.J)
        return J + J.T

    def energy(self, spins) -> torch.Tensor:
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

    def contrast(self, data, model) -> torch.Tensor:
        r"""Return the scalar whose gradient is that of the mean of :math:`-\log p`.

        That gradient is the positive phase minus the negative phase,
        :math:`\langle s_i s_j \rangle_{data} - \langle s_i s_j \rangle_{model}` with
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
    def sweep(
        self, spins, n_sweeps=1, *, beta=1.0, fields=None, clamped=None, generator=None
    ) -> torch.Tensor:
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
        fields : tensor of shape (reads, n), default=None
            Fields of each read on top of ``h``; None means none.
        clamped : sequence of int, default=None
            Spins that stay as they are, for example those that the data show.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        spins : tensor of shape (reads, n)
            The states after the sweeps.
        """
        spins, J = spins.clone(), self.couplings()
        held = torch.zeros(self.n_units, dtype=torch.bool)
        if clamped is not None:
            held[torch.as_tensor(clamped)] = True
        moving = [index_of(c[~held[c]]) for c in self.colours if not held[c].all()]
        blocks = [(c, J[:, c].contiguous(), self.h[c]) for c in moving]
        for _ in range(n_sweeps):
            for c, J_c, h_c in blocks:
                field = spins @ J_c + h_c
                if fields is not None:
                    field += fields[:, c]
                flip = torch.sigmoid(2 * beta * spins[:, c] * field)
                u = torch.rand(
                    flip.shape,
                    generator=generator,
                    dtype=flip.dtype,
                    device=flip.device,
                )
                spins[:, c] *= (u < flip).to(spins).mul_(-2).add_(1)
        return spins

    def hidden_means(self, visible) -> torch.Tensor:
        """Return the means of the hidden spins, given the visible ones.

        Parameters
        ----------
        visible : tensor of shape (batch, n_visible)
            Visible spins or their means.

        Returns
        -------
        means : tensor of shape (batch, n - n_visible)
            Exact where no two hidden spins are coupled; mean-field values otherwise.
        """
        return mean_field(*self._given(visible, slice(self.n_visible, None)))

    def visible_means(self, hidden) -> torch.Tensor:
        """Return the means of the visible spins, given the hidden ones.

        Parameters
        ----------
        hidden : tensor of shape (batch, n - n_visible)
            Hidden spins or their means.

        Returns
        -------
        means : tensor of shape (batch, n_visible)
            Exact where no two visible spins are coupled; mean-field values otherwise.
        """
        return mean_field(*self._given(hidden, slice(None, self.n_visible)))

    def free_energy(self, visible) -> torch.Tensor:
        r"""Return :math:`-\log \sum_u e^{-E(v, u)}` of visible states.

        Parameters
        ----------
        visible : tensor of shape (batch, n_visible)
            Visible spins v.

        Returns
        -------
        free_energy : tensor of shape (batch,)
            Exact where no two hidden spins u are coupled, and the energy where there
            are none; otherwise the mean-field upper bound.
        """
        v = slice(None, self.n_visible)
        fields, J, colours = self._given(visible, slice(self.n_visible, None))
        means = mean_field(fields.detach(), J.detach(), colours)
        among = self.couplings()[v, v]
        own = visible @ self.h[v] + 0.5 * ((visible @ among) * visible).sum(1)
        return own + free_energy(fields, J, means)

    def _given(self, others, part):
        """Return fields, couplings and colours of one part, the other part given."""
        J, inside = self.couplings(), range(self.n_units)[part]
        rest = [i for i in range(self.n_units) if i not in inside]
        fields = self.h[part] + others @ J[rest][:, part]
        colours = [
            c[(c >= inside.start) & (c < inside.stop)] - inside.start
            for c in self.colours
        ]
        return fields, J[part, part], [c for c in colours if len(c)]

    def condition(self, clamped, values) -> "BoltzmannMachine":
        """Return the machine of the other spins, in their order, these being fixed.

        Parameters
        ----------
        clamped : sequence of int
            Spins to fix.
        values : sequence of float
            Their values in {-1, 1}.

        Returns
        -------
        machine : BoltzmannMachine
            Its energy differs from this one's by a constant.
        """
        clamped = torch.as_tensor(clamped)
        free = torch.ones(self.n_units, dtype=torch.bool)
        free[clamped] = False
        place = torch.cumsum(free, 0) - 1
        kept = free[self.row] & free[self.col]
        edges = torch.stack([place[self.row[kept]], place[self.col[kept]]], 1)
        machine = BoltzmannMachine(int(free.sum()), edges.tolist()).to(self.h)
        with torch.no_grad():
            fixed = torch.as_tensor(values).to(self.h)
            machine.h.copy_((self.h + self.couplings()[:, clamped] @ fixed)[free])
            machine.J.copy_(self.J[kept])
        return machine

    @torch.no_grad()
    def random_spins(self, n_reads, *, generator=None) -> torch.Tensor:
        """Return uniform random spins.

        Parameters
        ----------
        n_reads : int
            Draws.
        generator : torch.Generator, default=None
            Source of randomness; None is torch's global one.

        Returns
        -------
        spins : tensor of shape (n_reads, n)
            Values in {-1, 1}, of the dtype of the parameters.
        """
        shape = (n_reads, self.n_units)
        u = torch.rand(
            shape, generator=generator, dtype=self.h.dtype, device=self.h.device
        )
        return (u < 0.5).to(u).mul_(2).sub_(1)

    def to_ising(self) -> IsingArrays:
        """Return the energy as `qestim.qubo.IsingArrays` of ``0 .. n-1``.

        Returns
        -------
        model : qestim.qubo.IsingArrays
            Float64 copies, in the units of the energy.
        """
        h, value = (p.detach().cpu().double().numpy() for p in (self.h, self.J))
        row, col = (p.cpu().numpy().astype(np.int32) for p in (self.row, self.col))
        return IsingArrays(h, row, col, value)

    def to_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return fields and couplings, ``(h, J)``, as arrays.

        This is what a sampler's ``sample_arrays(J, h)`` takes: dimod's sign, ``J``
        symmetric with a zero diagonal.

        Returns
        -------
        h : ndarray of shape (n,), dtype float64
            Fields, in the units of the energy.
        J : ndarray of shape (n, n), dtype float64
            Couplings, in the same units.
        """
        J = self.couplings().detach().cpu().double().numpy()
        return self.h.detach().cpu().double().numpy(), J

    def to_bqm(self) -> Any:
        """Return the energy as a SPIN dimod.BinaryQuadraticModel of ``0 .. n-1``.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            SPIN, in the units of the energy.
        """
        return self.to_ising().to_bqm()

    @classmethod
    def from_bqm(cls, bqm) -> Self:
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
