# SPDX-License-Identifier: Apache-2.0
"""Put an Ising machine inside scikit-learn, and find out whether it helps."""

import importlib

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
    "datasets",
    "estimators",
    "exceptions",
    "nn",
    "plotting",
    "qubo",
    "samplers",
    "testing",
)

__all__ = ["__version__", *_HOME, *_ROOMS]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"qestim.{name}")
    raise AttributeError(f"module 'qestim' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
