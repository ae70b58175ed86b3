# SPDX-License-Identifier: Apache-2.0
from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qestim import QUBOFeatureSelector
from qestim.estimators._feature_measures import curvature, information
from qestim.samplers import SimulatedAnnealingSampler


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X)[:, :10], y


def best(problem, n, k):
    return min(problem.objective(set(kept)) for kept in combinations(range(n), k))


@pytest.mark.parametrize("relevance", ["mutual_info", "hessian"])
def test_the_best_of_all_sets(cancer, relevance):
    X, y = cancer
    fitted = QUBOFeatureSelector(4, relevance=relevance, random_state=0).fit(X, y)
    assert fitted.get_support().sum() == 4
    assert fitted.energy_ == pytest.approx(best(fitted.problem_, 10, 4))


def test_a_copy_is_not_chosen_twice(cancer):
    X, y = cancer
    strong = X[:, [7]]
    X = np.hstack([strong, strong, X[:, [5, 9]]])
    chosen = QUBOFeatureSelector(2, random_state=0).fit(X, y)
    assert chosen.get_support()[:2].sum() == 1
    single = QUBOFeatureSelector(2, redundancy=0.0, random_state=0).fit(X, y)
    assert single.get_support()[:2].all()


def test_hessian_of_a_regression_is_the_rise_of_its_loss():
    X, y = load_diabetes(return_X_y=True)
    fitted = QUBOFeatureSelector(
        5, relevance="hessian", estimator=LinearRegression()
    ).fit(X, y)
    model = fitted.estimator_
    centred = X - X.mean(axis=0)

    def loss(kept):
        weights = np.where(np.isin(np.arange(10), list(kept)), model.coef_, 0)
        return 0.5 * np.mean((y - y.mean() - centred @ weights) ** 2)

    floor = loss(range(10))
    for kept in combinations(range(10), 5):
        assert fitted.problem_.objective(set(kept)) == pytest.approx(
            loss(kept) - floor, abs=1e-6 * floor
        )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_curvature_is_the_second_derivative_of_the_log_loss(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X -= X.mean(axis=0)
    y = rng.integers(n_classes, size=200)
    model = LogisticRegression(C=1e4).fit(X, y)
    M = curvature(model, X, chunk_size=64)

    def loss(mask):
        return log_loss(y, model.predict_proba(X * mask))

    step = 1e-3
    for i, j in combinations(range(4), 2):
        unit = np.eye(4) * step
        rise = [
            loss(1 + a * unit[i] + b * unit[j]) * a * b
            for a in (-1, 1)
            for b in (-1, 1)
        ]
        assert sum(rise) / (4 * step**2) == pytest.approx(M[i, j], rel=0.02, abs=1e-4)


def test_information_of_normal_features():
    rng = np.random.default_rng(0)
    first, second, noise = rng.normal(size=(3, 20000))
    y = first + second + 0.5 * rng.normal(size=20000)
    X = np.exp(np.column_stack([first, 0.8 * first + 0.6 * second, noise, first]))
    relevance, shared = information(X, y, False)
    assert relevance[0] == pytest.approx(-0.5 * np.log(1 - 1 / 2.25), abs=0.02)
    assert relevance[2] < 0.001
    together = -0.5 * np.log(0.25 / 2.25)
    assert shared[0, 1] == pytest.approx(relevance[:2].sum() - together, abs=0.03)
    assert shared[0, 3] == pytest.approx(relevance[0], abs=0.01)
    assert (shared[2] < 0.001).all()


def test_information_on_classes():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=20000)
    X = rng.normal(size=(20000, 2)) + y[:, None] * [1.0, 0.0]
    relevance, shared = information(X, y, True)
    assert relevance[0] == pytest.approx(0.5 * np.log(1.25), abs=0.01)
    assert relevance[1] < 0.001
    assert shared[0, 1] < 0.001


def test_the_number_follows_from_the_cost(cancer):
    X, y = cancer
    counts = [
        QUBOFeatureSelector(None, relevance="hessian", cost=cost)
        .fit(X, y)
        .get_support()
        .sum()
        for cost in (0.0, 0.003, 0.01)
    ]
    assert counts[0] == 10  # nothing is lower than no loss at all
    assert counts[0] > counts[1] > counts[2] > 0


def test_fractions_names_and_samplers(cancer):
    X, y = cancer
    sampler = SimulatedAnnealingSampler(num_reads=3, num_sweeps=20)
    fitted = QUBOFeatureSelector(0.3, sampler=sampler, random_state=0).fit(X, y)
    assert fitted.transform(X).shape == (569, 3)
    assert fitted.sampler_report_["reads"] == 3
    names = [f"f{j}" for j in range(10)]
    assert len(fitted.get_feature_names_out(names)) == 3
    again = QUBOFeatureSelector(0.3, random_state=0).fit(X, y)
    assert fitted.energy_ <= again.energy_
    model = make_pipeline(QUBOFeatureSelector(3, random_state=0), LogisticRegression())
    assert model.fit(X, y).score(X, y) > 0.85


def test_the_weight_of_the_pairs(cancer):
    X, y = cancer
    whole = QUBOFeatureSelector(3, relevance="hessian").fit(X, y).problem_
    half = QUBOFeatureSelector(3, relevance="hessian", redundancy=0.5).fit(X, y)
    assert np.allclose(half.problem_.redundancy, 0.5 * whole.redundancy)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.arange(60) % 3, LogisticRegression),
        (np.arange(60) % 3.0, LogisticRegression),
        (np.arange(60) % 30.0, Ridge),  # whole numbers, but two rows of each
        (np.arange(60) % 3 + 0.5, Ridge),
        (np.array(list("abcdefghijklmnopqrst") * 3), LogisticRegression),
    ],
)
def test_whole_numbers_that_hardly_repeat_are_targets(y, kind):
    X = np.random.default_rng(0).normal(size=(60, 3))
    fitted = QUBOFeatureSelector(2, relevance="hessian").fit(X, y)
    assert isinstance(fitted.estimator_, kind)


def test_errors(cancer):
    X, y = cancer
    for params, message in (
        ({"n_features_to_select": 11}, "10 features"),
        ({"n_features_to_select": 0}, "n_features_to_select"),
        ({"relevance": "guess"}, "relevance"),
        ({"redundancy": -1}, "redundancy"),
        ({"sampler": SimulatedAnnealingSampler}, "must be an instance"),
        ({"relevance": "hessian", "estimator": SVC()}, "coef_"),
        ({"relevance": "hessian", "estimator": SVC(kernel="linear")}, "predict_proba"),
    ):
        with pytest.raises(ValueError, match=message):
            QUBOFeatureSelector().set_params(**params).fit(X, y)
    assert QUBOFeatureSelector(2, estimator=Ridge(), random_state=0).fit(X, y)
