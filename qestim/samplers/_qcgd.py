# SPDX-License-Identifier: Apache-2.0
"""Quantum conditional gradient descent: constraints by averaged reads and prices."""

from numbers import Real

import numpy as np

from qestim._sklearn import Interval, StrOptions
from qestim.samplers._constrained import ConstrainedSampler

# What "auto" starts with, and the part of it that prices get: see the guide.
_START = 0.03
_PRICES = 0.3


class QCGDSampler(ConstrainedSampler):
    r"""Minimise under constraints by conditional gradient on the lift of the bits.

    Objective and constraints are linear in the products of bits, so the constrained
    model is a linear program over the mixtures :math:`X` of assignments. Call :math:`t`
    of the inner sampler finds the assignment, an atom, that is best for the gradient of
    the augmented Lagrangian,

    .. math:: x_t \approx \arg\min_x f(x) + (y_t + \beta_t r_t) \cdot g(x), \quad
              \beta_t = \beta_0 \sqrt{t + 1},

    where :math:`g` are the residuals of the constraints and their squares and
    :math:`r_t = g(X_t)` is their average over the mixture. Then
    :math:`X_{t+1} = X_t + \frac{2}{t+1} (x_t - X_t)` and
    :math:`y_{t+1} = y_t + \beta_0 r_{t+1}`. The answer is the best feasible read.

    Parameters
    ----------
    sampler : dimod.Sampler, default=None
        The inner sampler; None means ``SimulatedAnnealingSampler(num_reads=10,
        num_sweeps=1000)``. Its parameters are ``sampler__num_sweeps`` and so on.
    beta0 : float or "auto", default="auto"
        Growth of the multipliers, in units of the objective per squared functional. A
        number holds for all constraints and stays, as in the theorem of the guide.
        "auto" gives each functional its own: 0.03 of the greatest coefficient of the
        objective over the mean square residual of random bits (residuals themselves
        get 0.3 of that), doubled whenever the lowest read of a call violates it.
    rounding : {"atom", "eigenvector", "mean"}, default="atom"
        A further candidate at the end, besides the reads: none; the leading eigenvector
        of the mixture's matrix :math:`\sum_k w_k [1, x_k][1, x_k]^T`; the mean of the
        bits.
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
    AdaptivePenaltySampler : The plain control, often as good.

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
    The rate and the certificate are derived in docs/guide/constraints.md.

    .. [1] Yurtsever, Birdal and Golyanik, "Q-FW: a hybrid classical-quantum Frank-Wolfe
       for quadratic binary optimization", ECCV (2022). arXiv:2203.12633
    .. [2] Li et al., "Quantum-classical hybrid quantized neural network" (2025).
       arXiv:2506.18240

    Examples
    --------
    >>> import dimod
    >>> from qestim.samplers import ExactSampler, QCGDSampler
    >>> x, y, z = dimod.Binaries(["x", "y", "z"])
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(-3 * x - 2 * y - z)
    >>> _ = cqm.add_constraint(x + y + z == 1, label="one")
    >>> reads = QCGDSampler(ExactSampler()).sample_cqm(cqm)
    >>> best = reads.filter(lambda row: row.is_feasible).first
    >>> {name: int(value) for name, value in best.sample.items()}
    {'x': 1, 'y': 0, 'z': 0}
    >>> reads.info["proven_optimal"]
    True
    """

    _parameter_constraints: dict = {
        **ConstrainedSampler._parameter_constraints,
        "beta0": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "rounding": [StrOptions({"atom", "eigenvector", "mean"})],
    }

    def __init__(
        self,
        sampler=None,
        *,
        beta0="auto",
        rounding="atom",
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
        self.beta0 = beta0
        self.rounding = rounding
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
        if self.beta0 == "auto":
            square = np.maximum(arrays.mean_square, 1.0)
            start = _START * arrays.objective_scale / square
            return _Lagrangian(np.where(arrays.signed, _PRICES, 1.0) * start, 2.0)
        return _Lagrangian(np.full(len(arrays.g0), float(self.beta0)), 1.0)

    def _rounded(self, atoms):
        if self.rounding == "atom":
            return atoms[:0]
        # Steps of 2 / (t + 1) leave atom k with a weight proportional to k.
        weights = np.arange(1.0, len(atoms) + 1)
        weights /= weights.sum()
        if self.rounding == "mean":
            return (weights @ atoms > 0.5)[None].astype(np.int8)
        ones = np.ones((len(atoms), 1))
        root = np.sqrt(weights)[:, None] * np.hstack([ones, atoms])
        vector = np.linalg.svd(root, full_matrices=False)[2][0]
        return (vector[1:] / vector[0] > 0.5)[None].astype(np.int8)

    def _advice(self):
        growth = "" if self.beta0 == "auto" else f"beta0, now {self.beta0:g}, "
        return (
            f"Raise max_iter, now {self.max_iter}, {growth}or the inner sampler's "
            "num_reads and num_sweeps."
        )


class _Lagrangian:
    """Averages of the functionals and the multipliers that follow from them."""

    def __init__(self, beta0, growth):
        self.beta0 = beta0
        self.growth = growth
        self.calls = 0
        self.multipliers = np.zeros(len(beta0))
        self.mean = np.zeros(len(beta0))
        self.dual = np.zeros(len(beta0))
        self.objective = 0.0
        self.history: dict = {"mean_residual": [], "mean_objective": []}

    def update(self, functionals, objective):
        self.calls += 1
        step = 2 / (self.calls + 1)
        self.mean += step * (functionals - self.mean)
        self.objective += step * (objective - self.objective)
        self.history["mean_residual"].append(float(np.linalg.norm(self.mean)))
        self.history["mean_objective"].append(float(self.objective))
        violated = np.abs(functionals) > 1e-9
        self.beta0 = np.where(violated, self.growth * self.beta0, self.beta0)
        self.dual += self.beta0 * self.mean
        beta = self.beta0 * np.sqrt(self.calls + 1)
        self.multipliers = self.dual + beta * self.mean
