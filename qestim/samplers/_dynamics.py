# SPDX-License-Identifier: Apache-2.0
"""What the samplers that integrate equations share: units, spectra and endings."""

import warnings

import numpy as np

from qestim.exceptions import TimeLimitWarning
from qestim.qubo import IsingArrays


def in_units_of_rows(model):
    r"""Divide a model by its rms row norm.

    Parameters
    ----------
    model : IsingArrays
        At least one variable.

    Returns
    -------
    scaled : IsingArrays
        The model over ``unit``, without its offset.
    unit : float
        :math:`\sqrt{\sum_{ij} J_{ij}^2 / n}` over the symmetric matrix; without
        couplings that of the fields, and 1 for a model of zeros.
    """
    n = len(model)
    biases = np.concatenate([model.h, model.value])
    largest = float(np.abs(biases).max(initial=0.0))
    if largest == 0:
        return model, 1.0
    # In two steps: squares of very large or small biases would leave the floats.
    h, value = model.h / largest, model.value / largest
    norm = float(np.sqrt(2 * np.dot(value, value) / n))
    if norm < 1e-12:
        norm = float(np.sqrt(np.dot(h, h) / n)) or 1.0
    scaled = IsingArrays(h / norm, model.row, model.col, value / norm)
    return scaled, largest * norm


def extreme_eigenvalues(model, steps=24):
    """Estimate the ends of the spectrum of the couplings, from within.

    Parameters
    ----------
    model : IsingArrays
        The model.
    steps : int, default=24
        Products with the matrix (Lanczos); exact from ``steps = n`` on.

    Returns
    -------
    lowest, highest : float
        In the units of the model; a few percent inside the true ones at most for
        random matrices.
    """
    n = len(model)
    if len(model.value) == 0 or not model.value.any():
        return 0.0, 0.0
    matrix = model.dense if 10 * len(model.value) > n * n / 2 else model.csr
    vector = np.random.default_rng(0).standard_normal(n)
    vector /= np.linalg.norm(vector)
    basis, diagonal, beside = [vector], [], []
    for _ in range(min(steps, n)):
        image = matrix @ basis[-1]
        diagonal.append(float(basis[-1] @ image))
        known = np.array(basis)
        for _ in range(2):
            image = image - known.T @ (known @ image)
        norm = float(np.linalg.norm(image))
        if norm < 1e-10:
            break
        beside.append(norm)
        basis.append(image / norm)
    size = len(diagonal)
    beside = beside[: size - 1]
    T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    values = np.linalg.eigvalsh(T)
    return float(values[0]), float(values[-1])


def complete_reads(spins, completed, reason, steps):
    """Return which reads a stopped call gives back, with a warning if none is done."""
    if completed.any():
        return completed
    warnings.warn(
        f"The call was stopped ({reason}) before any of its {len(spins)} reads was "
        "complete; the best states seen so far are returned. Raise the limit or lower "
        f"num_steps, now {steps}.",
        TimeLimitWarning,
        stacklevel=5,
    )
    return np.ones(len(spins), dtype=bool)
