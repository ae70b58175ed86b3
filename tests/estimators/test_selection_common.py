# SPDX-License-Identifier: Apache-2.0
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from qestim import ActiveSampleSelector, FitOnSelected, QUBOFeatureSelector

ESTIMATORS = [
    ActiveSampleSelector(random_state=0),
    ActiveSampleSelector(n_samples_to_select=1, coverage=0.5, similarity="cosine"),
    FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 0.9)),
    FitOnSelected(Ridge(), ActiveSampleSelector(None, 0.9)),
    QUBOFeatureSelector(random_state=0),
    QUBOFeatureSelector(relevance="hessian"),
    QUBOFeatureSelector(None, redundancy=0.1, random_state=0),
]


@parametrize_with_checks(ESTIMATORS, xfail_strict=True)
def test_scikit_learn(estimator, check):
    check(estimator)
