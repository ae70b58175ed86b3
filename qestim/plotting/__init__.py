# SPDX-License-Identifier: Apache-2.0
"""Pictures of reads, masks, experiments and success, in scikit-learn's Display style.

matplotlib is imported when something is drawn, not before.
"""

from qestim.plotting._attention import AttentionDisplay
from qestim.plotting._beta_eff import BetaEffDisplay
from qestim.plotting._energies import EnergyHistogramDisplay
from qestim.plotting._experiment import ExperimentDisplay
from qestim.plotting._success import SuccessProbabilityDisplay
from qestim.plotting._time_to_solution import TimeToSolutionDisplay
from qestim.plotting._trajectory import TrajectoryDisplay

__all__ = [
    "AttentionDisplay",
    "BetaEffDisplay",
    "EnergyHistogramDisplay",
    "ExperimentDisplay",
    "SuccessProbabilityDisplay",
    "TimeToSolutionDisplay",
    "TrajectoryDisplay",
]
