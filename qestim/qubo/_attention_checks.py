# SPDX-License-Identifier: Apache-2.0
"""What an attention problem accepts."""

from numbers import Integral, Real
from typing import Any

import numpy as np

MASKS = ("per_query", "shared")
MODES = (*MASKS, "sparsemax", "published")


def read_scores(scores, mode):
    """Return the scores of a mode as float64 after a check, or raise ValueError."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}. Got {mode!r}.")
    scores = np.array(scores, dtype=np.float64)
    axes = 2 if mode == "shared" else 3
    if scores.ndim != axes or 0 in scores.shape:
        raise ValueError(
            f"scores must have {axes} axes, none of them empty, for "
            f"mode={mode!r}. Got shape {scores.shape}."
        )
    if mode == "published" and scores.shape[1] != scores.shape[2]:
        raise ValueError(f"scores must have shape (H, S, S). Got {scores.shape}.")
    lowest = -np.inf if mode != "published" else np.finfo(np.float64).min
    if not ((scores >= lowest) & (scores < np.inf)).all():
        raise ValueError(
            "scores must be numbers below infinity. Got NaN or infinity; -inf "
            "forbids a key, except for mode='published'."
        )
    if mode == "sparsemax" and (scores.max(-1) == -np.inf).any():
        raise ValueError("Each query must be allowed a key (a score above -inf).")
    return scores


def check_numbers(problem, size):
    """Raise ValueError if a number of an AttentionProblem is out of its range."""
    value: Any
    for name in ("redundancy", "cross_head"):
        value = getattr(problem, name)
        if not isinstance(value, Real) or not 0.0 <= float(value) < np.inf:
            raise ValueError(f"{name} must be a number >= 0. Got {value!r}.")
    ranges = {"bits": (16, "the most")}
    if problem.mode in MASKS:
        ranges["k"] = (size, "the number of keys")
    for name, (most, what) in ranges.items():
        value = getattr(problem, name)
        if not isinstance(value, Integral) or not 1 <= int(value) <= most:
            raise ValueError(
                f"{name} must be an integer from 1 to {most}, {what}. Got {value!r}."
            )


def read_solution(solution, shape, is_mask):
    """Return a mask as bool or weights as float64 after a check."""
    given = np.asarray(solution)
    if given.shape != shape:
        raise ValueError(f"A solution has shape {shape}. Got {given.shape}.")
    if is_mask:
        return given.astype(bool)
    given = given.astype(np.float64)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("Weights must be in [0, 1].")
    return given


def read_array(name, values, shape):
    """Return float64 values after a check; None in ``shape`` means any length."""
    values = np.array(values, dtype=np.float64)
    fits = len(shape) == values.ndim and all(
        want in (None, length) for want, length in zip(shape, values.shape, strict=True)
    )
    if not fits or 0 in values.shape:
        want = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} must have shape ({want}). Got {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite. Got NaN or infinity.")
    return values


def read_bits(sample, variables):
    """Return the values of a sample as a list of bool."""
    try:
        return [sample[label] > 0 for label in variables]
    except (KeyError, TypeError) as error:
        raise ValueError(
            "A sample must map every variable to its value, as sampleset.first.sample "
            f"does. Got {type(sample).__name__}: {error}."
        ) from error
