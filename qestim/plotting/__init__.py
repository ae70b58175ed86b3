# SPDX-License-Identifier: Apache-2.0
"""Pictures of reads, masks, training, experiments and success.

Displays in scikit-learn's style: made by ``from_...``, drawn by ``plot``.

matplotlib is imported when something is drawn, not before.
"""

from qestim.plotting._attention import AttentionDisplay
from qestim.plotting._beta_eff import BetaEffDisplay
from qestim.plotting._energies import EnergyHistogramDisplay
from qestim.plotting._experiment import ExperimentDisplay
from qestim.plotting._learning_curve import LearningCurveDisplay
from qestim.plotting._success import SuccessProbabilityDisplay
from qestim.plotting._time_to_solution import TimeToSolutionDisplay
from qestim.plotting._training_curve import TrainingCurveDisplay
from qestim.plotting._trajectory import TrajectoryDisplay

__all__ = [
    "AttentionDisplay",
    "BetaEffDisplay",
    "EnergyHistogramDisplay",
    "ExperimentDisplay",
    "LearningCurveDisplay",
    "SuccessProbabilityDisplay",
    "TimeToSolutionDisplay",
    "TrainingCurveDisplay",
    "TrajectoryDisplay",
]
