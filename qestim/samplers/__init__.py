# SPDX-License-Identifier: Apache-2.0
"""Samplers: dimod samplers whose parameters scikit-learn can tune."""

from qestim.samplers._base import BaseSampler

__all__ = ["BaseSampler"]
