# SPDX-License-Identifier: Apache-2.0
"""Change of vartype and energies of many reads, in numpy."""

import numpy as np


def binary_to_spin(linear, row, col, quadratic):
    """Rewrite a model of bits for the spins 2x - 1: (h, value, offset)."""
    n = len(linear)
    value = quadratic / 4
    h = linear / 2 + np.bincount(row, value, n) + np.bincount(col, value, n)
    return h, value, float(linear.sum() / 2 + value.sum())


def energies(h, row, col, value, spins, num_threads):
    """Energies of many reads, without offset."""
    result = np.empty(len(spins))
    for first in range(0, len(spins), 64):
        chunk = spins[first : first + 64].astype(np.float64)
        pairs = (chunk[:, row] * chunk[:, col]) @ value
        result[first : first + 64] = chunk @ h + pairs
    return result
