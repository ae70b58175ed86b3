# SPDX-License-Identifier: Apache-2.0
"""Problems and the quadratic forms that encode them: arrays in, BQM or CQM out."""

from qestim.qubo._arrays import IsingArrays, spins_of
from qestim.qubo._attention import AttentionProblem
from qestim.qubo._feature_selection import FeatureSelectionProblem
from qestim.qubo._fip import FIPProblem
from qestim.qubo._fip_bounds import (
    generalization_bound,
    sample_complexity,
    time_to_solution_bound,
)
from qestim.qubo._fip_inputs import quantize_inputs
from qestim.qubo._maxcut import MaxCutProblem
from qestim.qubo._problem import Problem
from qestim.qubo._selection import SelectionProblem
from qestim.qubo._spline import ACTIVATIONS, Spline, interpolate

__all__ = [
    "ACTIVATIONS",
    "AttentionProblem",
    "FIPProblem",
    "FeatureSelectionProblem",
    "IsingArrays",
    "MaxCutProblem",
    "Problem",
    "SelectionProblem",
    "Spline",
    "generalization_bound",
    "interpolate",
    "quantize_inputs",
    "sample_complexity",
    "spins_of",
    "time_to_solution_bound",
]
