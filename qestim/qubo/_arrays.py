# SPDX-License-Identifier: Apache-2.0
"""Binary quadratic models as arrays, and sample sets as spins, without dicts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import dimod
import numpy as np
import scipy.sparse

from qestim import _native

# Where dimod's other models can be sampled.
_WAYS_OUT = {
    "ConstrainedQuadraticModel": "use qestim.samplers.QCGDSampler().sample_cqm(cqm)",
    "DiscreteQuadraticModel": (
        "use QCGDSampler().sample_cqm(dimod.CQM.from_dqm(dqm)), whose variables are "
        "(label, case)"
    ),
    "BinaryPolynomial": "use dimod.HigherOrderComposite(sampler).sample_poly",
}


@dataclass(frozen=True, eq=False)
class IsingArrays:
    r"""An Ising model as arrays, in dimod's sign.

    .. math:: E(s) = \sum_i h_i s_i + \sum_{(i,j)} J_{ij} s_i s_j + \mathrm{offset},
              \qquad s_i \in \{-1, 1\},

    with each pair :math:`(i, j)` counted once.

    Parameters
    ----------
    h : ndarray of shape (n,), dtype float64
        Linear biases, in the units of the energy.
    row, col : ndarray of shape (m,), dtype int32
        The two ends of each coupling; ``row != col``, no pair twice.
    value : ndarray of shape (m,), dtype float64
        Couplings ``J`` of the pairs, in the units of the energy.
    offset : float, default=0.0
        Constant part of the energy.
    variables : sequence, default=None
        Labels of the variables in the order of ``h``; None means ``range(n)``.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.qubo import IsingArrays
    >>> model = IsingArrays.from_matrix([[0, 1], [1, 0]], h=[0.5, 0])
    >>> model.energies(np.array([[1, -1], [1, 1]], dtype=np.int8))
    array([-0.5,  1.5])
    """

    h: np.ndarray
    row: np.ndarray
    col: np.ndarray
    value: np.ndarray
    offset: float = 0.0
    variables: Any = None

    def __post_init__(self):
        if self.variables is None:
            object.__setattr__(self, "variables", range(len(self.h)))

    def __len__(self):
        return len(self.h)

    @classmethod
    def from_bqm(cls, bqm) -> Self:
        """Read a dimod model of either vartype.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            SPIN or BINARY; a BINARY model is rewritten for the spins 2x - 1.

        Returns
        -------
        model : IsingArrays
            Variables in the order of ``bqm.variables``.

        Raises
        ------
        TypeError
            If ``bqm`` is something else.
        ValueError
            If a bias is NaN or infinite.
        """
        if not isinstance(bqm, dimod.BinaryQuadraticModel):
            raise TypeError(
                "bqm must be a dimod.BinaryQuadraticModel. Got "
                f"{type(bqm).__name__}; {_way_out(bqm)}."
            )
        vectors: Any = bqm.to_numpy_vectors(return_labels=True, sort_labels=False)
        row = np.asarray(vectors.quadratic.row_indices, dtype=np.int32)
        col = np.asarray(vectors.quadratic.col_indices, dtype=np.int32)
        value = np.asarray(vectors.quadratic.biases, dtype=np.float64)
        h = np.asarray(vectors.linear_biases, dtype=np.float64)
        offset = float(vectors.offset)
        labels = list(vectors.labels)
        if not (np.isfinite(h).all() and np.isfinite(value).all()):
            _raise_not_finite(labels, h, row, col, value)
        if not np.isfinite(offset):
            raise ValueError(f"The offset of the model must be finite. Got {offset}.")
        if bqm.vartype is dimod.BINARY:
            h, value, shift = _native.binary_to_spin(h, row, col, value)
            offset += shift
        return cls(h, row, col, value, offset, labels)

    @classmethod
    def from_matrix(cls, J, h=None) -> Self:
        r"""Read a coupling matrix and fields.

        Parameters
        ----------
        J : array-like or scipy sparse array of shape (n, n)
            Symmetric couplings, zero diagonal, each pair counted once in the energy
            (:math:`E = h \cdot s + \frac{1}{2} s^T J s`).
        h : array-like of shape (n,), default=None
            Fields; None means zeros.

        Returns
        -------
        model : IsingArrays
            The model, with variables ``0 .. n-1`` and offset 0.

        Raises
        ------
        ValueError
            If ``J`` is not square, symmetric, finite, real and free of a diagonal, or
            if the length of ``h`` differs from its size.
        """
        sparse = scipy.sparse.issparse(J)
        if np.iscomplexobj(J) or np.iscomplexobj(h):
            raise ValueError("J and h must be real. Got complex numbers.")
        # Through COO, since a CSR matrix may hold an entry in several parts.
        J = J.tocoo().tocsr() if sparse else np.asarray(J, dtype=np.float64)
        if J.ndim != 2 or J.shape[0] != J.shape[1]:
            raise ValueError(f"J must be a square matrix. Got shape {J.shape}.")
        n = J.shape[0]
        h = np.zeros(n) if h is None else np.array(h, dtype=np.float64)
        if h.shape != (n,):
            raise ValueError(
                f"h must have shape ({n},), one field a row of J. Got {h.shape}."
            )
        values = J.data if sparse else J
        if not (np.isfinite(values).all() and np.isfinite(h).all()):
            raise ValueError("J and h must be finite. Got NaN or infinity.")
        if np.any(J.diagonal() != 0):
            raise ValueError(
                "J must have a zero diagonal: s_i * s_i = 1 is a constant. "
                "Put fields into h."
            )
        if sparse:
            asymmetric = (J != J.T).nnz > 0
            upper = scipy.sparse.triu(J, k=1).tocoo()
            row, col, value = upper.row, upper.col, upper.data
        else:
            asymmetric = not np.array_equal(J, J.T)
            row, col = np.nonzero(np.triu(J, 1))
            value = J[row, col]
        if asymmetric:
            raise ValueError(
                "J must be symmetric, with each pair counted once in the energy. "
                "Use J + J.T if your matrix is triangular, (J + J.T) / 2 if it is "
                "symmetric up to rounding."
            )
        return cls(
            h,
            row.astype(np.int32),
            col.astype(np.int32),
            np.ascontiguousarray(value, dtype=np.float64),
        )

    def to_bqm(self) -> dimod.BinaryQuadraticModel:
        """Return the model as a SPIN dimod.BinaryQuadraticModel.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            SPIN model with the same labels and offset, energies in the same units.
        """
        bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            self.h, (self.row, self.col, self.value), self.offset, dimod.SPIN
        )
        if list(self.variables) != list(range(len(self))):
            bqm.relabel_variables(dict(enumerate(self.variables)))
        return bqm

    @cached_property
    def csr(self):
        """The symmetric coupling matrix, scipy.sparse.csr_array of shape (n, n)."""
        n = len(self)
        upper = scipy.sparse.coo_array(
            (self.value, (self.row, self.col)), shape=(n, n)
        ).tocsr()
        return (upper + upper.T).tocsr()

    @property
    def dense(self):
        """The symmetric coupling matrix, float64 ndarray of shape (n, n)."""
        n = len(self)
        J = np.zeros((n, n))
        J[self.row, self.col] = self.value
        J[self.col, self.row] = self.value
        return J

    def energies(self, spins, num_threads=1) -> np.ndarray:
        """Return the energies of many states, in double precision.

        Parameters
        ----------
        spins : ndarray of shape (num_reads, n), dtype int8
            Values in {-1, 1}.
        num_threads : int, default=1
            Threads to use.

        Returns
        -------
        energies : ndarray of shape (num_reads,), dtype float64
            Energies with the offset, in the units of the model.

        Raises
        ------
        ValueError
            If ``spins`` has another shape or holds fractions.
        """
        given = np.asarray(spins)
        if given.ndim != 2 or given.shape[1] != len(self):
            raise ValueError(
                f"spins must have shape (num_reads, {len(self)}), a column a variable. "
                f"Got {given.shape}."
            )
        spins = np.ascontiguousarray(given, dtype=np.int8)
        if given.dtype != np.int8 and not np.array_equal(spins, given):
            raise ValueError("spins must be -1 and 1. Got other numbers among them.")
        return self.offset + _native.energies(
            self.h, self.row, self.col, self.value, spins, num_threads
        )


def _way_out(thing):
    """Return what to write in place of something that is no model."""
    if hasattr(thing, "to_bqm"):
        return "write .to_bqm() behind it"
    return _WAYS_OUT.get(
        type(thing).__name__,
        "for a coupling matrix use sample_arrays(J, h) or IsingArrays.from_matrix, "
        "for a QUBO dict dimod.BQM.from_qubo",
    )


def _raise_not_finite(labels, h, row, col, value):
    bad = np.flatnonzero(~np.isfinite(h))
    if bad.size:
        where, what = f"linear bias of {labels[bad[0]]!r}", h[bad[0]]
    else:
        k = np.flatnonzero(~np.isfinite(value))[0]
        where = f"coupling of ({labels[row[k]]!r}, {labels[col[k]]!r})"
        what = value[k]
    raise ValueError(
        f"Every bias of the model must be finite. The {where} is {what}; "
        "remove or replace it."
    )


def spins_of(sampleset, variables) -> np.ndarray:
    """Read the spins of a sample set, columns in a stated order.

    Parameters
    ----------
    sampleset : dimod.SampleSet
        SPIN or BINARY, in any column order, aggregated or not.
    variables : sequence
        The wanted order of the columns.

    Returns
    -------
    spins : ndarray of shape (num_reads, n), dtype int8
        Values in {-1, 1}; a row that occurred k times stands k times.

    Examples
    --------
    >>> import dimod
    >>> from qestim.qubo import spins_of
    >>> reads = dimod.SampleSet.from_samples([{"b": 0, "a": 1}], "BINARY", energy=0)
    >>> spins_of(reads, ["b", "a"])
    array([[-1,  1]], dtype=int8)
    """
    index = {label: i for i, label in enumerate(sampleset.variables)}
    missing = [label for label in variables if label not in index]
    if missing:
        raise ValueError(
            f"The sample set lacks {len(missing)} of the {len(variables)} variables, "
            f"the first of them {missing[0]!r}. Sample the same model."
        )
    columns = [index[label] for label in variables]
    values = np.asarray(sampleset.record.sample)[:, columns]
    if sampleset.vartype is dimod.BINARY:
        values = 2 * values.astype(np.int8) - 1
    spins = np.ascontiguousarray(values, dtype=np.int8)
    counts = np.asarray(sampleset.record.num_occurrences)
    return spins if (counts == 1).all() else np.repeat(spins, counts, axis=0)
