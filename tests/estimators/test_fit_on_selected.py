# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qestim import ActiveSampleSelector, FitOnSelected
from qestim.samplers import SimulatedAnnealingSampler


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_only_the_kept_rows_are_learned(iris):
    X, y = iris
    model = FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 12))
    model.fit(X, y)
    kept = model.sample_indices_
    assert len(kept) == 12
    alone = LogisticRegression().fit(X[kept], y[kept])
    assert np.allclose(model.estimator_.coef_, alone.coef_)
    assert model.score(X, y) == alone.score(X, y)
    assert model.predict_proba(X).shape == (150, 3)
    assert model.sampler_report_["answer"] == "native"


def test_grid_search_in_a_pipeline(iris):
    X, y = iris
    sampler = SimulatedAnnealingSampler(num_reads=2, num_sweeps=5)
    selector = ActiveSampleSelector(None, 15, sampler=sampler, random_state=0)
    model = make_pipeline(StandardScaler(), FitOnSelected(Ridge(), selector))
    grid = {
        "fitonselected__selector__redundancy": [0.0, 1.0],
        "fitonselected__selector__penalty": ["auto", 0.1],
        "fitonselected__selector__sampler__num_sweeps": [2, 20],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert len(set(np.round(search.cv_results_["mean_test_score"], 9))) > 1
    assert sampler.num_sweeps == 5


def test_labels_may_be_minus_one(iris):
    X, y = iris
    signs = np.where(y == 1, -1, 1)
    model = FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 20))
    assert model.fit(X, signs).classes_.tolist() == [-1, 1]
    assert set(signs[model.sample_indices_]) == {-1, 1}


@pytest.mark.parametrize("mark", [0, 1, 2.0])
def test_the_mark_of_the_selector_is_no_code_of_a_class(iris, mark):
    X, y = iris
    words = np.array(["a", "b", "c"])[y]
    marked = ActiveSampleSelector(None, 20, missing_label=mark)
    kept = FitOnSelected(LogisticRegression(), marked).fit(X, words).sample_indices_
    plain = FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 20))
    assert kept.tolist() == plain.fit(X, words).sample_indices_.tolist()


@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge()])
def test_marked_rows_are_refused(iris, estimator):
    X, y = iris
    model = FitOnSelected(estimator, ActiveSampleSelector(None, 20, missing_label=0))
    with pytest.raises(ValueError, match="50 rows with the selector's missing_label=0"):
        model.fit(X, y)
    model.set_params(selector__missing_label="auto").fit(X, y)


def test_metadata_without_routing(iris):
    X, y = iris
    model = FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 20))
    weights, losses = np.where(y == 0, 0.0, 1.0), np.where(y == 2, 90.0, y + X[:, 0])
    model.fit(X, y, sample_weight=weights + 1e-9, losses=losses)
    assert (y[model.sample_indices_] < 2).all()
    assert model.predict(X)[:50].mean() > 0.9  # class 0 weighs nothing


def test_metadata_with_routing(iris):
    X, y = iris
    with sklearn.config_context(enable_metadata_routing=True):
        model = FitOnSelected(
            LogisticRegression().set_fit_request(sample_weight=True),
            ActiveSampleSelector(None, 20).set_fit_request(losses=True),
        )
        losses = np.where(y == 2, 90.0, y + X[:, 0])
        model.fit(X, y, sample_weight=np.ones(150), losses=losses)
        assert (y[model.sample_indices_] < 2).all()
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            FitOnSelected(LogisticRegression(), ActiveSampleSelector(None, 20)).fit(
                X, y, losses=losses
            )


def test_transformers_and_default_selector(iris):
    X, _ = iris
    model = FitOnSelected(PCA(2)).fit(X)
    assert len(model.sample_indices_) == 15
    assert model.transform(X).shape == (150, 2)
    assert not hasattr(model, "predict")


def test_imbalanced_learn_pipeline(iris):
    pipeline = pytest.importorskip("imblearn.pipeline")
    X, y = iris
    model = pipeline.Pipeline(
        [
            ("keep", ActiveSampleSelector(None, 0.2)),
            ("classify", LogisticRegression()),
        ]
    ).fit(X, y)
    assert model.score(X, y) > 0.9
    assert len(model["keep"].sample_indices_) == 30


def test_errors(iris):
    X, y = iris
    with pytest.raises(ValueError, match="selector"):
        FitOnSelected(Ridge(), 3).fit(X, y)
    with pytest.raises(ValueError, match="requires y"):
        FitOnSelected(Ridge()).fit(X)
    swapped = FitOnSelected(ActiveSampleSelector(None, 15), Ridge())
    with pytest.raises(ValueError, match=r"the order is FitOnSelected\(estimator"):
        swapped.fit(X, y)
