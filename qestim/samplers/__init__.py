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
from qestim.samplers._hardware.backend import Backend, MachineTask
from qestim.samplers._hardware.callables import CallableBackend, DimodBackend
from qestim.samplers._hardware.emulator import CIMEmulatorBackend
from qestim.samplers._hardware.files import FileBackend
from qestim.samplers._hardware.kaiwu_backend import KaiwuBackend
from qestim.samplers._hardware_sampler import HardwareSampler
from qestim.samplers._kaiwu_solver import KaiwuSolver
from qestim.samplers._parallel import ParallelSampler
from qestim.samplers._qcgd import QCGDSampler

__all__ = [
    "AdaptivePenaltySampler",
    "Backend",
    "BaseSampler",
    "BoltzmannSampler",
    "CIMEmulatorBackend",
    "CIMSampler",
    "CallableBackend",
    "DimodBackend",
    "DimodSampler",
    "ExactSampler",
    "FileBackend",
    "HardwareSampler",
    "KaiwuBackend",
    "KaiwuSolver",
    "MachineTask",
    "ParallelSampler",
    "QCGDSampler",
    "SimulatedAnnealingSampler",
    "SimulatedBifurcationSampler",
    "default_beta_range",
]
