# SPDX-License-Identifier: Apache-2.0
"""Estimators with a sampler inside, in scikit-learn's words."""

from qestim.estimators._qbmvae import QBMVAETransformer
from qestim.estimators._quantized import QuantizedQNNClassifier

__all__ = ["QBMVAETransformer", "QuantizedQNNClassifier"]
