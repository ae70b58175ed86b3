# SPDX-License-Identifier: Apache-2.0
"""Reads in whatever form people have them, as spins in a stated order."""

import pathlib

import dimod
import numpy as np

from qestim.qubo import spins_of


def read_spins(reads, variables):
    """Read spins from a sample set, an array or an ``.npz`` file.

    Parameters
    ----------
    reads : dimod.SampleSet, array-like or path
        As in `qestim.diagnose`.
    variables : list
        The wanted columns.

    Returns
    -------
    spins : ndarray of shape (num_reads, n), dtype int8
        Values in {-1, 1}.
    ordered : bool
        Whether the rows are still in the order of reading.
    """
    if isinstance(reads, dimod.SampleSet):
        spins = spins_of(reads, variables)
        ordered = bool((reads.record.num_occurrences == 1).all())
        if len(spins) == 0:
            raise ValueError("spins must hold at least one read. Got an empty set.")
        return spins, ordered
    if isinstance(reads, str | pathlib.Path):
        reads = _load(reads, variables)
    elif hasattr(reads, "columns"):  # a DataFrame, whose columns have names
        labels = list(reads.columns)
        if set(labels) & set(variables):
            reads = _in_order(reads.to_numpy(), labels, variables, "The table of reads")
    if not hasattr(reads, "__array__") and not isinstance(reads, list | tuple):
        raise ValueError(
            "spins must be a dimod.SampleSet, an array or the path of an .npz file. "
            f"Got {type(reads).__name__}."
        )
    values = np.asarray(reads)
    if values.ndim == 1 and len(variables) > 0:
        values = values[None]
    if values.ndim != 2 or values.shape[1] != len(variables):
        raise ValueError(
            f"spins must have shape (num_reads, {len(variables)}), a column a variable "
            f"of the model. Got {values.shape}."
        )
    if len(values) == 0:
        raise ValueError("spins must hold at least one read. Got none.")
    if values.dtype.kind not in "iufb":
        raise ValueError(f"spins must be numbers. Got dtype {values.dtype}.")
    values = values.astype(np.float64)
    found = np.unique(values)
    if np.isin(found, (-1, 1)).all():
        return values.astype(np.int8), True
    if np.isin(found, (0, 1)).all():
        return (2 * values - 1).astype(np.int8), True
    raise ValueError(
        f"spins must be -1 and 1, or 0 and 1. Got {found[:5].tolist()} among them."
    )


def _load(path, variables):
    archive = np.load(path, allow_pickle=False)
    if isinstance(archive, np.ndarray):  # an .npy file
        return archive
    with archive:
        if "spins" not in archive:
            raise ValueError(
                f"{path} must hold the reads under the key 'spins'. "
                f"It holds {sorted(archive.keys())}."
            )
        values = archive["spins"]
        if "variables" not in archive:
            return values
        labels = archive["variables"].tolist()
    return _in_order(values, labels, variables, f"The key 'variables' of {path}")


def _in_order(values, labels, variables, what):
    """Return the columns of the variables, by their labels."""
    place = {label: column for column, label in enumerate(labels)}
    missing = [label for label in variables if label not in place]
    if missing or len(labels) != values.shape[-1] or len(place) != len(labels):
        raise ValueError(
            f"{what} must name the {values.shape[-1]} columns of the reads, each once, "
            f"and hold every variable of the model. Missing: {missing[:3]}."
        )
    return values[..., [place[label] for label in variables]]
