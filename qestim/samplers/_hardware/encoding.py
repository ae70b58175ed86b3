# SPDX-License-Identifier: Apache-2.0
"""From a model to a machine's integer matrix, and from its reads to spins."""

import math
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
        Whether spins stand for the fields, after the n others.
    owner : ndarray of shape (N,), dtype int64
        Which of the n (+ 1) spins each machine spin is a copy of.
    gauge : ndarray of shape (N,), dtype int8
        Spin reversal: the machine sees ``gauge * s``.
    report : dict
        JSON-able: bits, unit (energy of one integer step of a coupling), rounding
        errors (the largest by the largest coefficient; the root mean square by that
        of the couplings or of the fields, whichever is worse), coefficients zeroed
        and clipped, spins.
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


def encode(
    model,
    max_spins,
    bits,
    *,
    num_auxiliary="auto",
    clip_quantile=None,
    split_bits=None,
):
    r"""Write a model as a symmetric matrix of whole numbers.

    With E(s) = h·s + sum of J_ij s_i s_j, the machine's cost is
    :math:`-s^T K s` for :math:`K = -\mathrm{round}(c\,[J, h])`, where a last spin
    carries the fields and c takes the largest coefficient to the end of the range.
    Where several spins carry them, coupled to each other as strongly as can be, they
    agree in the minimum, since each feels the same (derived in docs/guide/hardware.md).

    Parameters
    ----------
    model : qestim.qubo.IsingArrays
        The model, n >= 1.
    max_spins : int
        Spins of the machine.
    bits : int or None
        Bits with the sign; None keeps real numbers in [-1, 1].
    num_auxiliary : "auto" or int, default="auto"
        Spins that stand for the fields, each with its part of them; "auto" is as many
        as make the fields no larger than the couplings, of the spins that are left,
        and no more than a quarter of the variables.
    clip_quantile : float or None, default=None
        Entries beyond this quantile of the non-zero sizes are cut down to it.
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
    ValueError
        If ``split_bits`` is given for a machine of real numbers.
    """
    if split_bits is not None and bits is None:
        raise ValueError(
            f"The 'split_bits' parameter divides coefficients of too many bits over "
            f"copies of spins; a machine of bits=None takes real numbers. Got "
            f"{split_bits}; leave it at None, or give the backend's bits."
        )
    n = len(model)
    fields = int(np.any(model.h))
    if n + fields > max_spins:
        _refuse(n, fields, n + fields, max_spins)
    largest = np.abs(model.value).max(initial=0.0)
    if fields and num_auxiliary != "auto":
        fields = int(num_auxiliary)
    elif fields and largest > 0:
        # As many as bring the fields down to the couplings, of those that are left; but
        # a large clique would rule the machine.
        most = max(1, min(max_spins - n, n // 4))
        strongest = float(np.abs(model.h).max())
        few = strongest < most * largest
        fields = max(1, math.ceil(strongest / largest)) if few else most
    if n + fields > max_spins:
        _refuse(n, fields, n + fields, max_spins)
    wide = split_bits or bits
    coupling, field, report = _rounded(model, fields, wide, clip_quantile)
    K = np.zeros((n + fields, n + fields))
    K[model.row, model.col] = coupling
    K[:n, n:] = field[:, None]
    K += K.T
    # The copies of the auxiliary spin hold together.
    levels = 1 if wide is None else 2 ** (wide - 1) - 1
    K[n:, n:] = levels * (1 - np.eye(fields))
    owner = np.minimum(np.arange(n + fields), n)
    if bits is not None and wide > bits:
        K, copied = split(K, 2 ** (bits - 1) - 1, max_spins)
        if len(K) > max_spins:
            _refuse(n, fields, len(K), max_spins)
        owner = owner[copied]
    report = {"bits": bits, "split_bits": split_bits, **report}
    report |= {"machine_spins": len(K), "auxiliary_spins": fields}
    gauge = np.ones(len(K), dtype=np.int8)
    K = np.ascontiguousarray(K + 0.0)  # without negative zeros
    return MachineProblem(K, n, bool(fields), owner, gauge, report)


def _rounded(model, fields, wide, clip_quantile):
    """Return whole entries of couplings and fields, and what rounding did to them."""
    true = [-model.value, -model.h]
    share = [1, max(fields, 1)]  # an entry of a field is this part of it
    sizes = np.concatenate([np.abs(t) / c for t, c in zip(true, share, strict=True)])
    sizes = sizes[sizes != 0]
    report: dict = {"n_coefficients": len(sizes), "n_clipped": 0}
    if len(sizes) == 0:
        report |= dict(unit=0.0, max_rel_error=0.0, rms_rel_error=0.0)
        report |= dict(n_zeroed=0, dynamic_range=1.0)
        return *(np.zeros_like(t) for t in true), report
    limit = top = float(sizes.max())
    if clip_quantile is not None:
        limit = float(np.quantile(sizes, clip_quantile))
        report["n_clipped"] = int((sizes > limit).sum())
    levels = 1 if wide is None else 2 ** (wide - 1) - 1
    entries, greatest, worst, zeroed = [], 0.0, 0.0, 0
    most = max(np.abs(t).max(initial=0.0) for t in true)
    for t, c in zip(true, share, strict=True):
        # Divided first: a scale would overflow for tiny coefficients.
        entry = np.clip(t / c / limit, -1, 1) * levels
        entry = entry if wide is None else np.rint(entry)
        error = entry * c * (limit / most / levels) - t / most
        greatest = max(greatest, float(np.abs(error).max(initial=0.0)))
        if t.any():
            worst = max(worst, float(np.linalg.norm(error) / np.linalg.norm(t / most)))
        zeroed += int(((entry == 0) & (t != 0)).sum())
        entries.append(entry)
    report |= {
        "unit": limit / levels,
        "max_rel_error": greatest,
        "rms_rel_error": worst,
        "n_zeroed": zeroed,
        "dynamic_range": float(top / sizes.min()),
    }
    return *entries, report


def _refuse(n, auxiliary, needed, max_spins):
    split_note = "" if needed == n + auxiliary else " and its copies for split_bits"
    field = f", {auxiliary} for its fields" if auxiliary else ""
    raise HardwareSizeError(
        f"The model has {n} variables; with them{field}{split_note} it needs at least "
        f"{needed} spins, and the machine has {max_spins}. Use fewer variables, or a "
        "simulated machine such as SimulatedAnnealingSampler."
    )
