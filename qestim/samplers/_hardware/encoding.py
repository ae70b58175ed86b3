# SPDX-License-Identifier: Apache-2.0
"""From a model to a machine's integer matrix, and from its reads to spins."""

from dataclasses import dataclass, replace

import numpy as np

from qestim.exceptions import HardwareSizeError
from qestim.samplers._hardware.splitting import split


@dataclass(frozen=True, eq=False)
class MachineProblem:
    """A model as a machine takes it.

    Parameters
    ----------
    matrix : ndarray of shape (N, N), dtype float64
        Symmetric, zero diagonal; the machine minimises ``-s @ matrix @ s``.
    num_variables : int
        Variables n of the model.
    auxiliary : bool
        Whether a spin stands for the fields, after the n others.
    owner : ndarray of shape (N,), dtype int64
        Which of the n (+ 1) spins each machine spin is a copy of.
    gauge : ndarray of shape (N,), dtype int8
        Spin reversal: the machine sees ``gauge * s``.
    report : dict
        JSON-able: bits, unit (energy of one integer step of a coupling),
        relative rounding errors, coefficients zeroed and clipped.
    """

    matrix: np.ndarray
    num_variables: int
    auxiliary: bool
    owner: np.ndarray
    gauge: np.ndarray
    report: dict

    def reversed(self, gauge):
        """Return the same problem in another gauge, int8 of shape (N,)."""
        matrix = self.matrix * np.outer(gauge, gauge)
        return replace(self, matrix=matrix, gauge=self.gauge * gauge)

    def decode(self, reads):
        """Turn reads of the machine into spins of the model.

        Parameters
        ----------
        reads : ndarray of shape (k, N), dtype int8
            Values in {-1, 1}, of either overall sign.

        Returns
        -------
        spins : ndarray of shape (k, n), dtype int8
            Values in {-1, 1}. Without an auxiliary spin the overall sign is the
            machine's.
        broken : float
            Share of the split spins whose copies disagreed; the majority decided, the
            first copy where there was none.
        """
        reads = reads * self.gauge
        number = self.num_variables + self.auxiliary
        broken = 0.0
        if len(self.owner) > number:
            counts = np.bincount(self.owner, minlength=number)
            votes = np.zeros((len(reads), number), dtype=np.int64)
            for spin, column in zip(self.owner, reads.T, strict=True):
                votes[:, spin] += column
            several = counts > 1
            broken = float((np.abs(votes) < counts)[:, several].mean())
            first = np.unique(self.owner, return_index=True)[1]
            reads = np.where(votes == 0, reads[:, first], np.sign(votes))
        if self.auxiliary:
            reads = reads[:, :-1] * reads[:, -1:]
        return np.ascontiguousarray(reads, dtype=np.int8), broken


def encode(model, max_spins, bits, *, clip_quantile=None, split_bits=None):
    r"""Write a model as a symmetric matrix of whole numbers.

    With E(s) = h·s + sum of J_ij s_i s_j, the machine's cost is
    :math:`-s^T K s` for :math:`K = -\mathrm{round}(c\,[J, h])`, where a last spin
    carries the fields and c takes the largest coefficient to the end of the range
    (derived in docs/guide/hardware.md).

    Parameters
    ----------
    model : qestim.qubo.IsingArrays
        The model, n >= 1.
    max_spins : int
        Spins of the machine.
    bits : int or None
        Bits with the sign; None keeps real numbers in [-1, 1].
    clip_quantile : float or None, default=None
        Coefficients beyond this quantile of the non-zero sizes are cut down to it.
    split_bits : int or None, default=None
        Round to so many bits and divide what is then too large for ``bits`` over
        copies of a spin.

    Returns
    -------
    problem : MachineProblem
        In the trivial gauge.

    Raises
    ------
    HardwareSizeError
        If the spins, the auxiliary one and the copies included, are too many.
    """
    n = len(model)
    auxiliary = bool(np.any(model.h))
    if n + auxiliary > max_spins:
        _refuse(n, auxiliary, n + auxiliary, max_spins)
    M = np.zeros((n + auxiliary, n + auxiliary))
    M[model.row, model.col] = -model.value
    if auxiliary:
        M[:-1, -1] = -model.h
    M += M.T
    sizes = np.abs(M[M != 0])
    top = float(sizes.max(initial=0.0))
    report = {"bits": bits, "split_bits": split_bits, "n_clipped": 0}
    if top == 0:
        report |= dict(unit=0.0, max_rel_error=0.0, rms_rel_error=0.0)
        report |= dict(n_zeroed=0, n_coefficients=0, dynamic_range=1.0)
        return _problem(M, n, auxiliary, np.arange(n), report)
    limit = top
    if clip_quantile is not None:
        limit = float(np.quantile(sizes, clip_quantile))
        report["n_clipped"] = int((sizes > limit).sum() // 2)
    wide = split_bits or bits
    levels = 1 if wide is None else 2 ** (wide - 1) - 1
    # Divided first: a scale would overflow for tiny coefficients.
    scaled = np.clip(M / limit, -1, 1) * levels
    K = scaled if wide is None else np.rint(scaled)
    true = M[M != 0] / top
    error = K[M != 0] * (limit / top / levels) - true
    report |= {
        "unit": limit / levels,
        "max_rel_error": float(np.abs(error).max()),
        "rms_rel_error": float(np.sqrt(np.mean(error**2) / np.mean(true**2))),
        "n_zeroed": int((K[M != 0] == 0).sum() // 2),
        "n_coefficients": len(sizes) // 2,
        "dynamic_range": float(1 / np.abs(true).min()),
    }
    owner = np.arange(n + auxiliary)
    if bits is not None and wide > bits:
        K, owner = split(K, 2 ** (bits - 1) - 1, max_spins)
        if len(K) > max_spins:
            _refuse(n, auxiliary, len(K), max_spins)
    return _problem(K, n, auxiliary, owner, report)


def _problem(K, n, auxiliary, owner, report):
    report["machine_spins"] = len(K)
    gauge = np.ones(len(K), dtype=np.int8)
    K = np.ascontiguousarray(K + 0.0)
    return MachineProblem(K, n, auxiliary, owner, gauge, report)


def _refuse(n, auxiliary, needed, max_spins):
    split_note = "" if needed == n + auxiliary else " and its copies for split_bits"
    field = ", one spin for its fields" if auxiliary else ""
    raise HardwareSizeError(
        f"The model has {n} variables; with them{field}{split_note} it needs at least "
        f"{needed} spins, and the machine has {max_spins}. Use fewer variables, or a "
        "simulated machine such as SimulatedAnnealingSampler."
    )
