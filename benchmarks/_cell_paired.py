# SPDX-License-Identifier: Apache-2.0
"""Paired differences over seeds."""

import os

import numpy as np
import scipy.stats

SEEDS = range(int(os.environ.get("QESTIM_SEEDS", "5")))


def paired(ours, theirs):
    """Write the mean difference and its 95 % interval (Student's, paired by seed)."""
    low, mean, high = interval(ours, theirs)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def interval(ours, theirs):
    """Return the ends of the interval and the mean between them: (low, mean, high)."""
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    n = len(difference)
    error = difference.std(ddof=1) / np.sqrt(n) if n > 1 else np.inf
    half = scipy.stats.t.ppf(0.975, max(n - 1, 1)) * error
    return difference.mean() - half, difference.mean(), difference.mean() + half


def mean_and_sd(values):
    """Write a mean and the standard deviation over seeds."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
