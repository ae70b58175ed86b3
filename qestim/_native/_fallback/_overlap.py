# SPDX-License-Identifier: Apache-2.0
"""What every two rows have in common, in numpy."""

import numpy as np


def overlaps(rows, num_threads):
    """Sum the smaller of two entries, of every two rows."""
    n = len(rows)
    sums = np.empty((n, n))
    for i in range(n):
        sums[i, i:] = np.minimum(rows[i], rows[i:]).sum(axis=1, dtype=np.float64)
        sums[i:, i] = sums[i, i:]
    return sums
