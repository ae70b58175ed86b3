# SPDX-License-Identifier: Apache-2.0
"""Problems and the quadratic forms that encode them: arrays in, BQM or CQM out."""

from qestim.qubo._arrays import IsingArrays, spins_of

__all__ = ["IsingArrays", "spins_of"]
