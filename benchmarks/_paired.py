# SPDX-License-Identifier: Apache-2.0
"""Paired differences and their 95 % intervals, the same for every benchmark."""

import math

import numpy as np
import scipy.stats


def interval(differences, share=0.0):
    """Return the mean and half its 95 % interval, NaN for one difference alone.

    Student's, for differences that are paired by seed. Over folds, which share rows,
    ``share`` (rows of a test over rows of its training) raises the variance as Nadeau
    and Bengio (2003) do.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if n < 2:
        return float(values.mean()), math.nan
    error = math.sqrt((1 / n + share) * values.var(ddof=1))
    return float(values.mean()), float(scipy.stats.t.ppf(0.975, n - 1) * error)


def bracketed(differences, digits=3, share=0.0):
    """Write the mean with the ends of its interval, or alone without one."""
    mean, half = interval(differences, share)
    if math.isnan(half):
        return f"{mean:+.{digits}f}"
    return f"{mean:+.{digits}f} [{mean - half:+.{digits}f}, {mean + half:+.{digits}f}]"


def plus_minus(differences, digits=3):
    """Write the mean with half its interval, or alone without one."""
    mean, half = interval(differences)
    if math.isnan(half):
        return f"{mean:+.{digits}f}"
    return f"{mean:+.{digits}f} ± {half:.{digits}f}"
