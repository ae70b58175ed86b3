# SPDX-License-Identifier: Apache-2.0
"""The exact Boltzmann law of a small model, by listing every state."""

import numpy as np

from qestim.qubo import IsingArrays

LARGEST = 22


class ExactLaw:
    """The Boltzmann law of a small model over all of its states.

    It is written apart from the kernels, in numpy, so that it can judge them. State
    ``c`` has spin ``i`` up where bit ``i`` of ``c`` is set.

    Parameters
    ----------
    model : qestim.qubo.IsingArrays
        The model, of at most 22 spins.

    Attributes
    ----------
    energies : ndarray of shape (2**n,), dtype float64
        Energies of the states, with the offset, in the units of the model.

    References
    ----------
    Derived in docs/guide/samplers.md.

    Examples
    --------
    >>> import dimod
    >>> from qestim.qubo import IsingArrays
    >>> from qestim.testing import ExactLaw
    >>> law = ExactLaw(IsingArrays.from_bqm(dimod.BQM.from_ising({"a": 1.0}, {})))
    >>> law.energies
    array([-1.,  1.])
    >>> law.probabilities(beta=0.0)
    array([0.5, 0.5])
    """

    def __init__(self, model) -> None:
        if not isinstance(model, IsingArrays):
            raise TypeError(
                "model must be an IsingArrays. Got "
                f"{type(model).__name__}; use IsingArrays.from_bqm(bqm)."
            )
        n = len(model)
        if n > LARGEST:
            raise ValueError(
                f"ExactLaw lists all states of at most {LARGEST} spins. Got {n}. "
                "Use a smaller model."
            )
        self.model = model
        couplings = model.dense
        energies = np.full(1, model.offset)
        # Each spin doubles the list: its field is listed over the spins before it.
        for i in range(n):
            field = np.full(1, model.h[i])
            for j in range(i):
                field = np.concatenate(
                    [field - couplings[i, j], field + couplings[i, j]]
                )
            energies = np.concatenate([energies - field, energies + field])
        # The list was built with spin i as the i-th doubling, hence as bit i.
        self.energies = energies

    def __len__(self):
        return len(self.energies)

    def log_z(self, beta) -> float:
        """Return the logarithm of the partition function at ``beta``.

        Parameters
        ----------
        beta : float
            Inverse temperature, in inverse units of the energy.

        Returns
        -------
        log_z : float
            Natural logarithm, dimensionless.
        """
        exponent = -beta * self.energies
        highest = exponent.max()
        return float(highest + np.log(np.exp(exponent - highest).sum()))

    def probabilities(self, beta) -> np.ndarray:
        """Return the probabilities of the states at ``beta``.

        Parameters
        ----------
        beta : float
            Inverse temperature, in inverse units of the energy.

        Returns
        -------
        probabilities : ndarray of shape (2**n,), dtype float64
            In the order of the numbers of the states; the sum is 1.
        """
        weights = np.exp(-beta * self.energies - (-beta * self.energies).max())
        return weights / weights.sum()

    def states(self, codes) -> np.ndarray:
        """Return the spins of numbered states.

        Parameters
        ----------
        codes : ndarray of shape (k,), dtype int64
            Numbers of states.

        Returns
        -------
        spins : ndarray of shape (k, n), dtype int8
            Values in {-1, 1}.
        """
        bits = (np.asarray(codes)[:, None] >> np.arange(len(self.model))) & 1
        return (2 * bits - 1).astype(np.int8)

    def codes(self, spins) -> np.ndarray:
        """Return the numbers of the states of ``spins``.

        Parameters
        ----------
        spins : array-like of shape (..., n)
            States; what is above 0 counts as 1, everything else as -1.

        Returns
        -------
        codes : ndarray of shape (...), dtype int64
            Numbers of the states, as `states` takes them.
        """
        up = np.asarray(spins) > 0
        return up @ (1 << np.arange(len(self.model), dtype=np.int64))

    def draw(self, num_reads, beta, random_state) -> np.ndarray:
        """Draw independent states: the sampler that is right by construction.

        Parameters
        ----------
        num_reads : int
            Draws.
        beta : float
            Inverse temperature, in inverse units of the energy.
        random_state : numpy.random.Generator
            Source of the draws.

        Returns
        -------
        spins : ndarray of shape (num_reads, n), dtype int8
            Values in {-1, 1}.
        """
        cumulative = np.cumsum(self.probabilities(beta))
        u = random_state.random(num_reads) * cumulative[-1]
        return self.states(np.searchsorted(cumulative, u, side="right"))

    def moments(self, beta) -> tuple[np.ndarray, np.ndarray]:
        """Return the means and the pair moments at ``beta``.

        Parameters
        ----------
        beta : float
            Inverse temperature, in inverse units of the energy.

        Returns
        -------
        mean : ndarray of shape (n,), dtype float64
            Mean spins, dimensionless.
        correlation : ndarray of shape (n, n), dtype float64
            Means of the products of two spins; the diagonal is 1.
        """
        p = self.probabilities(beta)
        spins = self.states(np.arange(len(p))).astype(np.float64)
        return p @ spins, (spins * p[:, None]).T @ spins
