# SPDX-License-Identifier: Apache-2.0
"""The kernels' functions in numpy: same signatures, same laws, other random bits."""

from qestim._native._fallback._anneal import anneal
from qestim._native._fallback._bifurcation import bifurcate
from qestim._native._fallback._cardinality import select_dense, select_sparse
from qestim._native._fallback._cim import evolve
from qestim._native._fallback._convert import binary_to_spin, energies
from qestim._native._fallback._exact import (
    enumerate_energies,
    enumerate_law,
    enumerate_lowest,
)
from qestim._native._fallback._overlap import overlaps
from qestim._native._fallback._tempering import temper

__all__ = [
    "anneal",
    "bifurcate",
    "binary_to_spin",
    "energies",
    "enumerate_energies",
    "enumerate_law",
    "enumerate_lowest",
    "evolve",
    "overlaps",
    "select_dense",
    "select_sparse",
    "temper",
]
