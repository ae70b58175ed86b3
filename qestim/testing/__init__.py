# SPDX-License-Identifier: Apache-2.0
"""Tests that any sampler can be put to, and problems whose answers are known."""

from qestim.testing._check_sampler import check_sampler
from qestim.testing._enumeration import ExactLaw
from qestim.testing._faulty_backend import FaultyBackend
from qestim.testing._lattice import ising_2d, kaufman_energy, kaufman_log_z
from qestim.testing._problems import (
    KnownProblem,
    max_cut,
    planted,
    sherrington_kirkpatrick,
)
from qestim.testing._rbm import ExactRBM, random_rbm
from qestim.testing._statistics import correlation_time, divergence, pooled_chi_square

__all__ = [
    "ExactLaw",
    "ExactRBM",
    "FaultyBackend",
    "KnownProblem",
    "check_sampler",
    "correlation_time",
    "divergence",
    "ising_2d",
    "kaufman_energy",
    "kaufman_log_z",
    "max_cut",
    "planted",
    "pooled_chi_square",
    "random_rbm",
    "sherrington_kirkpatrick",
]
