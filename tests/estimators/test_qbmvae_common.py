# SPDX-License-Identifier: Apache-2.0
from sklearn.utils.estimator_checks import parametrize_with_checks

from qestim import QBMVAETransformer


@parametrize_with_checks(
    [QBMVAETransformer(4, n_hidden=16, max_iter=3, n_iter_no_change=2)],
    xfail_strict=True,
)
def test_scikit_learn(estimator, check):
    check(estimator)
