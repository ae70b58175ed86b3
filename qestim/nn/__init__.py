# SPDX-License-Identifier: Apache-2.0
"""Torch modules: a Boltzmann machine and the parts of an autoencoder around it."""

from qestim.nn._boltzmann import BoltzmannMachine
from qestim.nn._bound import evidence_bound
from qestim.nn._gaussian import GaussianBoltzmannMachine
from qestim.nn._partition import LogPartition
from qestim.nn._qama import QAMA
from qestim.nn._restoration import conditional_mean
from qestim.nn._temperature import effective_beta
from qestim.nn._vae import SpinVAE, spin_entropy, straight_through_spins

__all__ = [
    "QAMA",
    "BoltzmannMachine",
    "GaussianBoltzmannMachine",
    "LogPartition",
    "SpinVAE",
    "conditional_mean",
    "effective_beta",
    "evidence_bound",
    "spin_entropy",
    "straight_through_spins",
]
