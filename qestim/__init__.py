# SPDX-License-Identifier: Apache-2.0
"""Put an Ising machine inside scikit-learn, and find out whether it helps."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what `__getattr__` finds, for the type checker
    from qestim import anndata as anndata
    from qestim import datasets as datasets
    from qestim import estimators as estimators
    from qestim import exceptions as exceptions
    from qestim import nn as nn
    from qestim import plotting as plotting
    from qestim import qubo as qubo
    from qestim import samplers as samplers
    from qestim import testing as testing
    from qestim._compare import compare as compare
    from qestim._device_report import device_report as device_report
    from qestim._diagnose import diagnose as diagnose
    from qestim.estimators import ActiveSampleSelector as ActiveSampleSelector
    from qestim.estimators import (
        BoltzmannMachineTransformer as BoltzmannMachineTransformer,
    )
    from qestim.estimators import BoltzmannPrior as BoltzmannPrior
    from qestim.estimators import ExperimentOptimizer as ExperimentOptimizer
    from qestim.estimators import FitOnSelected as FitOnSelected
    from qestim.estimators import QBMVAETransformer as QBMVAETransformer
    from qestim.estimators import QDiffusionGenerator as QDiffusionGenerator
    from qestim.estimators import QuantizedQNNClassifier as QuantizedQNNClassifier
    from qestim.estimators import QUBOFeatureSelector as QUBOFeatureSelector

__version__ = "0.1.0"

_HOME = {
    "ActiveSampleSelector": "qestim.estimators",
    "BoltzmannMachineTransformer": "qestim.estimators",
    "ExperimentOptimizer": "qestim.estimators",
    "FitOnSelected": "qestim.estimators",
    "BoltzmannPrior": "qestim.estimators",
    "QBMVAETransformer": "qestim.estimators",
    "QDiffusionGenerator": "qestim.estimators",
    "QuantizedQNNClassifier": "qestim.estimators",
    "QUBOFeatureSelector": "qestim.estimators",
    "compare": "qestim._compare",
    "device_report": "qestim._device_report",
    "diagnose": "qestim._diagnose",
}
_ROOMS = (
    "anndata",
    "datasets",
    "estimators",
    "exceptions",
    "nn",
    "plotting",
    "qubo",
    "samplers",
    "testing",
)
_ENDINGS = {
    "Backend": "samplers",
    "Display": "plotting",
    "Problem": "qubo",
    "Sampler": "samplers",
}

__all__ = ["__version__", *_HOME, *_ROOMS]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"qestim.{name}")
    room = next((room for end, room in _ENDINGS.items() if name.endswith(end)), None)
    hint = f"; look in qestim.{room}" if room else ""
    raise AttributeError(f"module 'qestim' has no attribute {name!r}{hint}")


def __dir__():
    return sorted(__all__)
