# SPDX-License-Identifier: Apache-2.0
"""Attention: which keys to look at, or how much, as a quadratic form."""

import math
from typing import Self

import dimod
import numpy as np

from qestim.qubo._attention_checks import (
    MASKS,
    check_numbers,
    read_array,
    read_bits,
    read_scores,
    read_solution,
)
from qestim.qubo._attention_levels import (
    LevelForm,
    bits_of,
    published_energy,
    repair_sum,
    sparsemax_form,
)
from qestim.qubo._attention_masks import MaskForm
from qestim.qubo._attention_scores import (
    mean_query_relevance,
    published_terms,
    unit_rows,
)
from qestim.qubo._problem import Problem


class AttentionProblem(Problem):
    r"""Attention of H heads to S keys.

    **Masks**, ``mode="per_query"`` and ``"shared"``, keep exactly k keys a head:

    .. math:: E(x) = -\sum_{hj} a_{hj} x_{hj}
              + \frac{\lambda_r}{k-1} \sum_h \sum_{j<l} R^h_{jl} x_{hj} x_{hl}
              + \frac{\lambda_x}{H-1} \sum_j \sum_{h<h'} x_{hj} x_{h'j}
              + A \sum_h \Big(\sum_j x_{hj} - k\Big)^2

    with :math:`R^h_{jl}` the cosine of two keys. "per_query" has such a mask for each
    query, "shared" one for all (its cosines are around the mean of the keys, which no
    softmax sees). **Without** :math:`\lambda_r` **and**
    :math:`\lambda_x` **the minimum is top-k, and no annealer is needed.**

    **Weights** in ``bits`` bits: ``mode="sparsemax"`` minimises
    :math:`\frac12 |p|^2 - z \cdot p` over the simplex for each query,
    ``mode="published"`` is the Hamiltonian of the code released with [1]_, for
    comparison: with levels w in [0, 1],
    :math:`-\sum_h w_h^T J^h w_h - \sum_h h_h \cdot w_h` plus the mean over pairs of
    heads of :math:`P \sum_{jr} x_{hjr} x_{h'jr}`. Its J rewards *dissimilar* pairs.

    Parameters
    ----------
    scores : array-like of shape (H, L, S), or (H, S) for "shared"
        Logits of queries and keys; relevance of the keys for "shared"; couplings J of
        shape (H, S, S) for "published". -inf forbids a key, except for "published".
        Dimensionless.
    mode : {"per_query", "shared", "sparsemax", "published"}, default="per_query"
        What is asked.
    k : int, default=None
        Keys to keep, at most S; where fewer are allowed, all of them. For masks only.
    keys : array-like of shape (H, S, d), default=None
        Needed for ``redundancy``.
    importance : array-like of shape (H, S), default=None
        For "shared" added to the relevance; for "published" the linear term h.
    redundancy, cross_head : float, default=0.0
        :math:`\lambda_r` and :math:`\lambda_x`, in the units of the scores; for
        "published" ``cross_head`` is P.
    bits : int, default=4
        Bits of a weight, for "sparsemax" and "published".

    Attributes
    ----------
    variables : list of tuple
        Labels of the variables: (head, query, key), without the query for "shared" and
        "published", with a bit at the end for weights.
    form : MaskForm
        For masks only: energies and their terms for any number of masks at once.

    Raises
    ------
    ValueError
        If a parameter is not as stated, or scores hold NaN or +inf.

    See Also
    --------
    qestim.nn.QAMA : A layer that solves it for whole batches.

    Notes
    -----
    The number of variables is H L S for "per_query", H S for "shared", H L S bits for
    "sparsemax" and H S bits for "published", less those of forbidden keys.

    A solution is an array: bool of shape (H, L, S) or (H, S) for masks, weights of the
    same shapes in steps of :math:`1 / (2^{bits} - 1)` for the other modes.

    ``penalty="auto"`` subtracts from the scores of a mask the threshold that k keys
    pass, a constant on feasible masks, so that a tenth of the spread (plus half of
    :math:`\lambda_r / (k - 1)`) is weight enough. Without joint terms every infeasible
    mask is then worse than the best feasible one, unless scores tie at the threshold.
    With them the penalty is deliberately soft, as one that is certain freezes
    annealers; `decode` repairs.

    References
    ----------
    .. [1] Du et al., "QAMA: Scalable quantum annealing multi-head attention operator
       for deep learning", arXiv:2504.11083 (2025). Masks and sparsemax are
       derived in docs/guide/attention.md.
    .. [2] Martins and Astudillo, "From softmax to sparsemax", ICML (2016), section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.qubo import AttentionProblem
    >>> from qestim.samplers import SimulatedAnnealingSampler
    >>> scores, keys = [[3.0, 2.9, 1.0]], [[[1.0], [1.0], [-1.0]]]
    >>> options = {"mode": "shared", "k": 2, "redundancy": 4.0}
    >>> problem = AttentionProblem(scores, keys=keys, **options)
    >>> sampler = SimulatedAnnealingSampler(num_reads=20, seed=0)
    >>> reads = sampler.sample(problem.to_bqm())
    >>> problem.decode(reads.first.sample)  # not the two that say the same
    array([[ True, False,  True]])
    """

    def __init__(
        self,
        scores,
        *,
        mode="per_query",
        k=None,
        keys=None,
        importance=None,
        redundancy=0.0,
        cross_head=0.0,
        bits=4,
    ) -> None:
        self.mode = mode
        self.k = k
        self.redundancy = redundancy
        self.cross_head = cross_head
        self.bits = bits
        self.scores = read_scores(scores, mode)
        heads, size = self.scores.shape[0], self.scores.shape[-1]
        check_numbers(self, size)
        if importance is not None:
            if mode not in ("shared", "published"):
                raise ValueError(f"importance is not for mode={mode!r}. Leave it out.")
            importance = read_array("importance", importance, (heads, size))
        if mode == "published":
            if importance is None:
                raise ValueError("mode='published' needs importance, its linear term.")
            self.importance = importance
        elif importance is not None:
            self.scores = self.scores + importance
        if mode in MASKS:
            self.form = self._mask_form(keys)
        self.variables = [tuple(map(int, place)) for place in np.argwhere(self._seats)]

    @classmethod
    def from_attention(
        cls, query, key, value=None, *, mode="per_query", value_importance=0, **options
    ) -> Self:
        r"""Read queries, keys and values of attention heads.

        Parameters
        ----------
        query : array-like of shape (H, L, d)
            Queries.
        key : array-like of shape (H, S, d)
            Keys; as many as queries for "published".
        value : array-like of shape (H, S, e), default=None
            Values, for ``value_importance`` and "published".
        mode : str, default="per_query"
            As in the class. "shared" takes :math:`\bar q_h \cdot k_{hj}`, standardised
            over the keys; "published" the Jensen-Shannon divergences and entropies of
            the released code, standardised over the sample.
        value_importance : float, default=0
            For "shared": weight of the standardised :math:`\log |v_j|`.
        **options
            Other parameters of the class.

        Returns
        -------
        problem : AttentionProblem
            The same keys, for ``redundancy``.
        """
        query = read_array("query", query, (None, None, None))
        key = read_array("key", key, (query.shape[0], None, query.shape[2]))
        if value is not None:
            value = read_array("value", value, (*key.shape[:2], None))
        if value is None and (value_importance or mode == "published"):
            raise ValueError(
                "value is needed for mode='published' and for value_importance."
            )
        if mode == "published":
            scores, importance = published_terms(query, key, value)
            return cls(scores, importance=importance, mode=mode, **options)
        if mode == "shared":
            scores = mean_query_relevance(query, key, value, value_importance)
        else:
            scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
        return cls(scores, mode=mode, keys=key, **options)

    def to_bqm(self, penalty="auto") -> dimod.BinaryQuadraticModel:
        """Return the quadratic form.

        Parameters
        ----------
        penalty : float or "auto", default="auto"
            Weight of the constraint, in the units of the scores; see the class.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            BINARY, labelled by `variables`.
        """
        if penalty != "auto" and not 0.0 <= penalty < np.inf:
            raise ValueError(
                f"penalty must be 'auto' or a number >= 0. Got {penalty!r}."
            )
        if self._masks:
            arrays = self.form.arrays(penalty)
        else:
            arrays = self._level_form(penalty).arrays()
        linear, row, col, value, offset = arrays
        bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            linear, (row, col, value), offset, dimod.BINARY
        )
        bqm.relabel_variables(dict(enumerate(self.variables)))
        return bqm

    def to_cqm(self) -> dimod.ConstrainedQuadraticModel:
        """Return the objective, and "k keys" or "weights sum to 1" as constraints.

        Returns
        -------
        cqm : dimod.ConstrainedQuadraticModel
            A constraint a head and, but for "shared", query; none for "published".
        """
        cqm = dimod.ConstrainedQuadraticModel.from_bqm(self.to_bqm(penalty=0.0))
        if self.mode == "published":
            return cqm
        rows: dict[tuple, list] = {}
        for label in self.variables:
            row = label[:1] if self.mode == "shared" else label[:2]
            step = 1 if self._masks else 2 ** label[-1]
            rows.setdefault(row, []).append((label, step))
        for row, terms in rows.items():
            total = min(self.k, len(terms)) if self._masks else self._steps
            cqm.add_constraint(terms, "==", total, label=row)
        return cqm

    def encode(self, solution) -> dict:
        """Return the bits of a mask or of weights.

        Parameters
        ----------
        solution : array-like
            As `decode` returns it.

        Returns
        -------
        sample : dict of tuple to int
            0 or 1.
        """
        bits = self._read_solution(solution)
        if not self._masks:
            bits = bits_of(bits, self.bits)
        if (bits.astype(bool) & ~self._seats).any():
            raise ValueError("A solution must not use a forbidden key (score -inf).")
        values = bits[self._seats].astype(int).tolist()
        return dict(zip(self.variables, values, strict=True))

    def decode(self, sample) -> np.ndarray:
        """Return the mask or the weights of an assignment, repaired.

        Parameters
        ----------
        sample : mapping of tuple to int
            Bits in {0, 1} or spins in {-1, 1}.

        Returns
        -------
        solution : ndarray
            Mask of exactly k keys or weights that sum to 1: the keys, or steps, that
            lower the energy least go, those that lower it most come.
        """
        bits = np.zeros(self._seats.shape, dtype=bool)
        bits[self._seats] = read_bits(sample, self.variables)
        if self._masks:
            return self.form.repair(self._batch(bits)).reshape(bits.shape)
        levels = (bits * 2 ** np.arange(self.bits)).sum(-1)
        if self.mode == "sparsemax":
            flat = levels.reshape(-1, levels.shape[-1])
            scores = self.scores.reshape(flat.shape)
            levels = repair_sum(flat, scores, self._steps).reshape(levels.shape)
        return levels / self._steps

    def objective(self, solution) -> float:
        """Return what is minimised.

        Parameters
        ----------
        solution : array-like
            Mask or weights; weights need not be in steps, except for "published".

        Returns
        -------
        value : float
            The energy without penalty, in the units of the scores.
        """
        given = self._read_solution(solution)
        if self._masks:
            return float(self.form.energies(self._batch(given)).sum())
        if self.mode == "sparsemax":
            gain = np.where(given > 0, self.scores, 0.0) * given
            return float((given**2 / 2 - gain).sum())
        return published_energy(
            given, self.scores, self.importance, self.bits, self._published_cross
        )

    def feasible_share(self, sampleset) -> float:
        """Return the share of reads that satisfy the constraint without repair.

        Parameters
        ----------
        sampleset : dimod.SampleSet
            Reads of `to_bqm`.

        Returns
        -------
        share : float
            Between 0 and 1; every head and query of a read must be right.
        """
        cqm = self.to_cqm()
        record = dimod.SampleSet.from_samples_cqm(sampleset, cqm).record
        return float(np.average(record.is_feasible, weights=record.num_occurrences))

    @property
    def _masks(self):
        return self.mode in MASKS

    @property
    def _steps(self):
        return 2**self.bits - 1

    @property
    def _seats(self):
        """Places of the variables in a solution and its bits."""
        if self.mode == "published":
            return np.ones((*self.scores.shape[:2], self.bits), dtype=bool)
        allowed = self.scores > -np.inf
        return allowed if self._masks else np.repeat(allowed[..., None], self.bits, -1)

    @property
    def _published_cross(self):
        return self.cross_head / max(math.comb(len(self.scores), 2), 1)

    def _batch(self, mask):
        """Return a mask in the shape (1, H, Q, S) of the form."""
        return mask.reshape(self.form.relevance.shape)

    def _mask_form(self, keys):
        relevance = self.scores[:, None] if self.mode == "shared" else self.scores
        heads, _, size = relevance.shape
        if keys is None:
            if self.redundancy:
                raise ValueError("redundancy needs keys, whose similarity it counts.")
            keys = np.zeros((heads, size, 1))
        keys = read_array("keys", keys, (heads, size, None))
        centre = (relevance > -np.inf).any(1) if self.mode == "shared" else None
        unit = unit_rows(keys, centre)
        return MaskForm(
            relevance[None],
            unit[None],
            int(self.k),
            float(self.redundancy),
            float(self.cross_head),
        )

    def _level_form(self, penalty):
        if self.mode == "sparsemax":
            rows = self.scores.reshape(-1, self.scores.shape[-1])
            return sparsemax_form(rows, self.bits, penalty)
        matrix = -(self.scores + np.swapaxes(self.scores, -1, -2))
        allowed = np.ones(self.importance.shape, dtype=bool)
        cross = self._published_cross
        return LevelForm(matrix, -self.importance, allowed, self.bits, cross)

    def _read_solution(self, solution):
        shape = self.scores.shape[:2] if self.mode == "published" else self.scores.shape
        return read_solution(solution, shape, self._masks)
