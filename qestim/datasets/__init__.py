# SPDX-License-Identifier: Apache-2.0
"""Simulated experiments and data sets with known answers."""

from qestim.datasets._cooling import CoolingRun, EvaporativeCooling
from qestim.datasets._counts import make_counts
from qestim.datasets._tokens import make_tokens

__all__ = ["CoolingRun", "EvaporativeCooling", "make_counts", "make_tokens"]
