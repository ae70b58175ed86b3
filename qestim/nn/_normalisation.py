# SPDX-License-Identifier: Apache-2.0
"""What normalises a Boltzmann machine: log Z, its bounds, and exact moments."""

from typing import Any

import numpy as np
import torch

from qestim.nn._partition import (
    LogPartition,
    annealed_log_partition,
    bracket_log_partition,
    exact_log_partition,
    exact_moments,
)
from qestim.nn._tempering import Replicas


class Normalisation:
    """Methods of `BoltzmannMachine` that need sums over all its states."""

    n_units: int
    colours: list[torch.Tensor]

    @torch.no_grad()
    def log_partition(
        self, *, max_states=2**18, n_chains=256, n_betas=1000, generator=None
    ) -> tuple[float, float | None]:
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
        n_betas=None,
        generator=None,
    ) -> LogPartition:
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
        n_betas : int, default=None
            Steps of the path, one sweep each; None takes as few of 100, 400 and 1600
            as bring the bounds within 0.1 nat.
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
            replicas = Replicas(min(n_chains, 128), np.random.RandomState(int(seed)))
            n_reads = -(-n_chains // replicas.n_chains)
            spins = replicas.draw(self, n_reads=n_reads, burn_in=600, thin=100)
        return bracket_log_partition(self, spins, n_chains, n_betas, generator)

    def exact_moments(self) -> Any:
        """Return means and correlations by enumeration.

        Returns
        -------
        means : tensor of shape (n,), dtype float64
            Mean spins.
        correlations : tensor of shape (n, n), dtype float64
            Means of the products of two spins; 1 on the diagonal.

        Raises
        ------
        ValueError
            If this takes more than 2**22 states.
        """
        if not self._enumerable(2**22):
            raise ValueError(
                "exact_moments enumerates the spins outside the largest colour class, "
                f"at most 22. Got a machine of {self.n_units} spins in classes of "
                f"{[len(c) for c in self.colours]}; estimate them from sweeps instead."
            )
        return exact_moments(self)

    def _enumerable(self, max_states):
        largest = max(len(c) for c in self.colours)
        return 2 ** (self.n_units - largest) <= max_states
