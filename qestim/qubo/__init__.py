# SPDX-License-Identifier: Apache-2.0
"""Problems and the quadratic forms that encode them: arrays in, BQM or CQM out."""

from qestim.qubo._arrays import IsingArrays, spins_of
from qestim.qubo._attention import AttentionProblem
from qestim.qubo._maxcut import MaxCutProblem
from qestim.qubo._problem import Problem

__all__ = ["AttentionProblem", "IsingArrays", "MaxCutProblem", "Problem", "spins_of"]
