# SPDX-License-Identifier: Apache-2.0
from sklearn.utils.estimator_checks import parametrize_with_checks

from qestim import BoltzmannMachineTransformer


@parametrize_with_checks(
    [
        BoltzmannMachineTransformer(4, max_iter=3, n_chains=16),
        BoltzmannMachineTransformer(3, graph="full", max_iter=2, n_chains=16),
    ],
    xfail_strict=True,
)
def test_scikit_learn(estimator, check):
    check(estimator)
