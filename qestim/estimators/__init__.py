# SPDX-License-Identifier: Apache-2.0
"""Estimators with a sampler inside, in scikit-learn's words."""

from qestim.estimators._active_selector import ActiveSampleSelector
from qestim.estimators._boltzmann_machine import BoltzmannMachineTransformer
from qestim.estimators._experiment import ExperimentOptimizer
from qestim.estimators._experiment_runs import BestRun
from qestim.estimators._feature_selector import QUBOFeatureSelector
from qestim.estimators._fit_on_selected import FitOnSelected
from qestim.estimators._prior import BoltzmannPrior
from qestim.estimators._qbmvae import QBMVAETransformer
from qestim.estimators._qdiffusion import QDiffusionGenerator
from qestim.estimators._quantized import QuantizedQNNClassifier

__all__ = [
    "ActiveSampleSelector",
    "BestRun",
    "BoltzmannMachineTransformer",
    "BoltzmannPrior",
    "ExperimentOptimizer",
    "FitOnSelected",
    "QBMVAETransformer",
    "QDiffusionGenerator",
    "QUBOFeatureSelector",
    "QuantizedQNNClassifier",
]
