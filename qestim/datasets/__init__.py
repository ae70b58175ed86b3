# SPDX-License-Identifier: Apache-2.0
"""Simulated experiments and data sets with known answers."""

from qestim.datasets._counts import make_counts

__all__ = ["make_counts"]
