# SPDX-License-Identifier: Apache-2.0
"""Exact enumeration: Boltzmann draws without a chain, log Z, moments, lowest states."""

from numbers import Integral, Real

import dimod
import numpy as np
from dimod.exceptions import BinaryQuadraticModelSizeError

from qestim import _native
from qestim._sklearn import Interval
from qestim.qubo import IsingArrays
from qestim.samplers._base import BaseSampler

_MAX_SPINS = 26
_MAX_LISTED = 16


class ExactSampler(BaseSampler):
    r"""Sample a small model exactly, by visiting all of its states.

    The reads are independent draws from :math:`p(s) \propto e^{-\beta E(s)}` by
    inversion of the cumulative law; there is no chain and nothing to converge. With
    ``num_reads=None`` the states themselves are listed, lowest energy first.

    Parameters
    ----------
    num_reads : int, default=None
        Independent Boltzmann draws; None lists all states (up to 16 variables).
    beta : float, default=1.0
        Inverse temperature, in units of 1 / energy.
    seed : int, default=None
        Non-negative seed; None draws one, stated in ``info["seed"]``.
    num_threads : int, default=None
        Threads; None means every core that the process may use.
    aggregate : bool, default=False
        Merge equal reads and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    See Also
    --------
    BoltzmannSampler : The same law for models of any size.

    Notes
    -----
    At most 26 variables: 2^26 states take about half a second on one core. ``info`` has
    ``log_z`` (of :math:`\sum_s e^{-\beta E(s)}`, offset included), ``mean_energy``,
    ``ground_energy`` and ``ground_states``, their number.

    References
    ----------
    Derived in docs/guide/samplers.md.

    Examples
    --------
    >>> from qestim.samplers import ExactSampler
    >>> reads = ExactSampler(num_reads=1000, seed=0).sample_ising({"a": 1.0}, {})
    >>> round(reads.info["log_z"], 6)  # log(e + 1/e)
    1.126928
    >>> [int(row.energy) for row in ExactSampler().sample_ising({"a": 1.0}, {}).data()]
    [-1, 1]
    """

    _distribution = "boltzmann"
    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        num_reads=None,
        beta=1.0,
        seed=None,
        num_threads=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.num_reads = num_reads
        self.beta = beta
        self.seed = seed
        self.num_threads = num_threads
        self.aggregate = aggregate
        self.verbose = verbose

    def log_partition(self, bqm) -> float:
        r"""Return :math:`\log \sum_s e^{-\beta E(s)}`.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model, SPIN or BINARY, at most 26 variables.

        Returns
        -------
        log_z : float
            Natural logarithm, dimensionless.

        Raises
        ------
        BinaryQuadraticModelSizeError
            If the model has more than 26 variables.
        """
        self._validate_params()
        model = IsingArrays.from_bqm(bqm)
        return self._law(model, np.empty(0))[0] - self.beta * model.offset

    def moments(self, bqm) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact means and correlations of the spins.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model, SPIN or BINARY, at most 26 variables; of a BINARY model the
            moments are those of the spins 2x - 1.

        Returns
        -------
        means : ndarray of shape (n,), dtype float64
            Mean of each spin, in the order of ``bqm.variables``.
        correlations : ndarray of shape (n, n), dtype float64
            Mean of each product of two spins; ones on the diagonal.

        Raises
        ------
        BinaryQuadraticModelSizeError
            If the model has more than 26 variables.

        Examples
        --------
        >>> import dimod
        >>> from qestim.samplers import ExactSampler
        >>> bqm = dimod.BinaryQuadraticModel.from_ising({}, {("a", "b"): -1.0})
        >>> means, correlations = ExactSampler().moments(bqm)
        >>> round(float(correlations[0, 1]), 6)  # tanh(1)
        0.761594
        """
        self._validate_params()
        return self._law(IsingArrays.from_bqm(bqm), np.empty(0))[4:6]

    def lowest(self, bqm, num_states=1) -> dimod.SampleSet:
        """Return the states of lowest energy.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model, SPIN or BINARY, at most 26 variables.
        num_states : int, default=1
            How many; all states if there are fewer.

        Returns
        -------
        sampleset : dimod.SampleSet
            The states in ascending order of energy.

        Raises
        ------
        BinaryQuadraticModelSizeError
            If the model has more than 26 variables.
        """
        if not isinstance(num_states, Integral) or num_states < 1:
            raise ValueError(
                "The 'num_states' parameter of lowest must be an int in the range "
                f"[1, inf). Got {num_states!r} instead."
            )
        self._validate_params()
        model = IsingArrays.from_bqm(bqm)
        spins = self._lowest(model, int(num_states))
        values = spins if bqm.vartype is dimod.SPIN else (spins + 1) >> 1
        return dimod.SampleSet.from_samples(
            (values, list(model.variables)),
            bqm.vartype,
            model.energies(spins),
            sort_labels=False,
        )

    def _run(self, model, vartype, start):
        if self.num_reads is None and _MAX_LISTED < len(model) <= _MAX_SPINS:
            raise BinaryQuadraticModelSizeError(
                f"The BQM has {len(model)} variables; ExactSampler lists all states of "
                f"at most {_MAX_LISTED}. Set num_reads for Boltzmann draws, or call "
                "lowest(bqm, num_states)."
            )
        return super()._run(model, vartype, start)

    def _sample_ising(self, model, initial, num_reads, seed):
        listing = self.num_reads is None
        uniforms = np.random.default_rng(seed).random(0 if listing else num_reads)
        law = self._law(model, uniforms)
        info = {
            "kernel": _native.kernel_name,
            "beta": float(self.beta),
            "log_z": law[0] - self.beta * model.offset,
            "mean_energy": law[1] + model.offset,
            "ground_energy": law[2] + model.offset,
            "ground_states": law[3],
        }
        spins = self._lowest(model, 2 ** len(model)) if listing else law[6]
        return spins, info, {}

    def _law(self, model, uniforms):
        return _native.enumerate_law(
            *_sized(model), float(self.beta), uniforms, self._resolve_num_threads()
        )

    def _lowest(self, model, num_states):
        return _native.enumerate_lowest(
            *_sized(model), num_states, self._resolve_num_threads()
        )[0]

    def _resolve_initial_states(self, model):
        return None


def _sized(model):
    if len(model) > _MAX_SPINS:
        raise BinaryQuadraticModelSizeError(
            f"The BQM has {len(model)} variables; ExactSampler takes at most "
            f"{_MAX_SPINS}, since it visits all 2^n states. Use BoltzmannSampler."
        )
    return model.h, model.row, model.col, model.value
