# SPDX-License-Identifier: Apache-2.0
"""The seeds of the single-cell benchmarks, and figures over them."""

import os

import numpy as np

SEEDS = range(int(os.environ.get("QESTIM_SEEDS", "5")))


def mean_and_sd(values):
    """Write a mean and the standard deviation over seeds."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
