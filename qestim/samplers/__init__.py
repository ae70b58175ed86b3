# SPDX-License-Identifier: Apache-2.0
"""Samplers: dimod samplers whose parameters scikit-learn can tune."""

from qestim.samplers._adaptive_penalty import AdaptivePenaltySampler
from qestim.samplers._annealing import SimulatedAnnealingSampler, default_beta_range
from qestim.samplers._base import BaseSampler
from qestim.samplers._bifurcation import SimulatedBifurcationSampler
from qestim.samplers._boltzmann import BoltzmannSampler
from qestim.samplers._cim import CIMSampler
from qestim.samplers._dimod import DimodSampler
from qestim.samplers._exact import ExactSampler
from qestim.samplers._qcgd import QCGDSampler

__all__ = [
    "AdaptivePenaltySampler",
    "BaseSampler",
    "BoltzmannSampler",
    "CIMSampler",
    "DimodSampler",
    "ExactSampler",
    "QCGDSampler",
    "SimulatedAnnealingSampler",
    "SimulatedBifurcationSampler",
    "default_beta_range",
]
