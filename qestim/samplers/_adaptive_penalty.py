# SPDX-License-Identifier: Apache-2.0
"""Penalties that grow where the reads violate: the control of QCGDSampler."""

from numbers import Real

import numpy as np

from qestim._sklearn import Interval, StrOptions
from qestim.samplers._constrained import ConstrainedSampler


class AdaptivePenaltySampler(ConstrainedSampler):
    r"""Minimise under constraints with penalties that grow until they hold.

    A call of the inner sampler minimises :math:`f(x) + \sum_k \lambda_k g_k(x)`, where
    :math:`g_k` is the squared residual of constraint :math:`k`. Of the constraints that
    its lowest read violates, :math:`\lambda_k` is multiplied by ``growth``. This is the
    plain control of `QCGDSampler`: no average, no prices.

    Parameters
    ----------
    sampler : dimod.Sampler, default=None
        The inner sampler; None means ``SimulatedAnnealingSampler(num_reads=10,
        num_sweeps=1000)``. Its parameters are ``sampler__num_sweeps`` and so on.
    initial_penalty : float or "auto", default="auto"
        First :math:`\lambda_k`, in units of the objective per squared unit of
        violation. "auto" is a tenth of the greatest coefficient of the objective.
    growth : float, default=2.0
        Factor of the penalties of violated constraints, above 1.
    polish : bool, default=True
        Descend from the closest read of every call by flips and by swaps within
        equalities, which needs no slack and no penalty. The result is one more
        candidate; the multipliers do not see it. Left out where a constraint is
        quadratic or more than 200000 pairs of bits share an equality.
    max_iter : int, default=100
        Most calls of the inner sampler.
    patience : int or None, default=10
        Calls without a better feasible read, counted from the best one, after which
        to stop; None means never. A proven answer stops at once, and an exact inner
        sampler is asked until there is one.
    precision : int, default=None
        Bits, with the sign, of a machine's coefficients: the Ising form of every call
        is rounded to so many. None leaves it as it is.
    noise : float, default=0.0
        Standard deviation of normal noise on the coefficients of every call, in units
        of the greatest of them: a machine whose couplings are analogue.
    num_reads : int, default=None
        Reads of a call; None leaves it to the inner sampler.
    seed : int, default=None
        Non-negative seed of the call; the inner sampler gets one of its own each time.
    initial_states : array-like, dict, list or dimod.SampleSet, default=None
        Forwarded by `sample`; refused by `sample_cqm`.
    num_threads : int, default=None
        Threads of the inner sampler; None leaves it to that one.
    time_limit : float, default=None
        Seconds. `sample_cqm` ends after the call in which they run out, and tells the
        inner sampler what is left.
    target_energy : float, default=None
        `sample_cqm` stops at a feasible read of at most this objective; `sample`
        forwards it.
    aggregate : bool, default=False
        Merge equal rows and count them.
    verbose : int, default=0
        Above 0, a call that takes longer than two seconds says how long it has run.

    See Also
    --------
    QCGDSampler : Adapts by the average of the reads and by prices as well.

    Notes
    -----
    ``info`` of `sample_cqm`: ``feasible``; ``num_calls``; ``stopped_by`` ("proof",
    "patience", "target_energy", "time_limit" or "max_iter"); ``num_bits``, slacks
    included; ``history``, a list an entry with one figure a call; ``lower_bound`` and
    ``proven_optimal``. The last two need an exact oracle: `ExactSampler`, a wrapped
    ``dimod.ExactSolver``, or a sampler whose ``info["proven_optimal"]`` is True. The
    minimum of a call is then a lower bound on the objective of every feasible point,
    and a feasible read that attains it is optimal, whatever the multipliers are. With
    any other sampler, rounded or noisy coefficients, nothing is claimed.

    `sample` on a model without constraints gives the inner sampler's reads.

    References
    ----------
    Derived in docs/guide/constraints.md: the bound, the certificate, and how many calls
    an exact inner sampler needs at most.

    Examples
    --------
    >>> import dimod
    >>> from qestim.samplers import AdaptivePenaltySampler, ExactSampler
    >>> x, y, z = dimod.Binaries(["x", "y", "z"])
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(-3 * x - 2 * y - z)
    >>> _ = cqm.add_constraint(x + y + z == 1, label="one")
    >>> reads = AdaptivePenaltySampler(ExactSampler()).sample_cqm(cqm)
    >>> best = reads.filter(lambda row: row.is_feasible).first
    >>> {name: int(value) for name, value in best.sample.items()}
    {'x': 1, 'y': 0, 'z': 0}
    >>> reads.info["proven_optimal"]
    True
    """

    _parameter_constraints: dict = {
        **ConstrainedSampler._parameter_constraints,
        "initial_penalty": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "growth": [Interval(Real, 1, None, closed="neither")],
    }

    def __init__(
        self,
        sampler=None,
        *,
        initial_penalty="auto",
        growth=2.0,
        polish=True,
        max_iter=100,
        patience=10,
        precision=None,
        noise=0.0,
        num_reads=None,
        seed=None,
        initial_states=None,
        num_threads=None,
        time_limit=None,
        target_energy=None,
        aggregate=False,
        verbose=0,
    ) -> None:
        self.sampler = sampler
        self.initial_penalty = initial_penalty
        self.growth = growth
        self.polish = polish
        self.max_iter = max_iter
        self.patience = patience
        self.precision = precision
        self.noise = noise
        self.num_reads = num_reads
        self.seed = seed
        self.initial_states = initial_states
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.target_energy = target_energy
        self.aggregate = aggregate
        self.verbose = verbose

    def _start(self, arrays):
        first = self.initial_penalty
        if first == "auto":
            first = 0.1 * arrays.objective_scale
        return _Escalation(float(first), float(self.growth), arrays.signed)

    def _advice(self):
        return (
            f"Raise max_iter, now {self.max_iter}, growth, now {self.growth:g}, or the "
            "inner sampler's num_reads and num_sweeps."
        )


class _Escalation:
    """Multiply the penalties of what is violated."""

    def __init__(self, first, growth, signed):
        self.growth = growth
        self.signed = signed
        self.multipliers = np.where(signed, 0.0, first)
        self.history: dict = {}

    def update(self, functionals, objective):
        violated = ~self.signed & (functionals > 1e-9)
        self.multipliers = np.where(
            violated, self.growth * self.multipliers, self.multipliers
        )
