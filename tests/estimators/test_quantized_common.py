# SPDX-License-Identifier: Apache-2.0
from sklearn.utils.estimator_checks import parametrize_with_checks

from qestim import QuantizedQNNClassifier


@parametrize_with_checks([QuantizedQNNClassifier((16,), max_iter=4)], xfail_strict=True)
def test_scikit_learn(estimator, check):
    check(estimator)
