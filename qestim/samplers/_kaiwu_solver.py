# SPDX-License-Identifier: Apache-2.0
"""Any of our samplers where Kaiwu's programs expect a solver."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator

from qestim._sklearn import HasMethods, Interval
from qestim.qubo import IsingArrays, spins_of


class KaiwuSolver(BaseEstimator):
    r"""Give a dimod sampler Kaiwu's ``solve(matrix)``.

    Kaiwu's solvers minimise :math:`H(s) = -s^T M s` over the full double sum, with the
    fields on the last spin. Models of ``kaiwu-torch-plugin`` take any object with
    ``solve``, so they run on every sampler of qestim, without a licence.

    Parameters
    ----------
    sampler : dimod.Sampler
        One of qestim's, or any object with dimod's ``sample(bqm, **parameters)``. To
        train a Boltzmann machine take one that samples its law, `BoltzmannSampler`.
    num_reads : int, default=100
        Reads of each call.
    seed : int or None, default=None
        Seed of the first call; later ones count up. None leaves it to the sampler.

    Notes
    -----
    The last spin is set to 1 and its couplings become fields
    (:math:`J_{ij} = -M_{ij} - M_{ji}`), which is the same law with one spin less.

    References
    ----------
    Derived in docs/guide/hardware.md.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers import BoltzmannSampler, KaiwuSolver
    >>> solver = KaiwuSolver(BoltzmannSampler(beta=20.0), num_reads=3, seed=0)
    >>> solver.solve(np.array([[0.0, -0.5], [-0.5, 0.0]]))
    array([[-1,  1],
           [-1,  1],
           [-1,  1]], dtype=int8)
    """

    _parameter_constraints: dict = {
        "sampler": [HasMethods("sample")],
        "num_reads": [Interval(Integral, 1, None, closed="left")],
        "seed": [Interval(Integral, 0, None, closed="left"), None],
    }

    def __init__(self, sampler, *, num_reads=100, seed=None) -> None:
        self.sampler = sampler
        self.num_reads = num_reads
        self.seed = seed

    def solve(self, ising_matrix) -> np.ndarray:
        """Sample from a matrix in Kaiwu's sign.

        Parameters
        ----------
        ising_matrix : array-like of shape (N, N)
            M; the diagonal is a constant and left out.

        Returns
        -------
        reads : ndarray of shape (k, N), dtype int8
            Values in {-1, 1}, the last of each row 1.

        Raises
        ------
        ValueError
            If the matrix is not square, finite and of two spins at least.
        """
        self._validate_params()
        M = np.array(ising_matrix, dtype=np.float64)
        if M.ndim != 2 or M.shape[0] != M.shape[1] or len(M) < 2:
            raise ValueError(
                "ising_matrix must be square, of two spins at least. Got shape "
                f"{M.shape}."
            )
        if not np.isfinite(M).all():
            raise ValueError("ising_matrix must be finite. Got NaN or infinity.")
        J = -(M + M.T)
        np.fill_diagonal(J, 0.0)
        model = IsingArrays.from_matrix(J[:-1, :-1], J[:-1, -1])
        known = getattr(self.sampler, "parameters", {})
        call = {"num_reads": self.num_reads} if "num_reads" in known else {}
        if self.seed is not None and "seed" in known:
            calls = self.__dict__.get("_calls", 0)
            call["seed"] = self.seed + calls
            self._calls = calls + 1
        spins = spins_of(self.sampler.sample(model.to_bqm(), **call), range(len(model)))
        return np.hstack([spins, np.ones((len(spins), 1), dtype=np.int8)])
