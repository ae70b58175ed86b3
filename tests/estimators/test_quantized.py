# SPDX-License-Identifier: Apache-2.0
import copy
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import qestim
from qestim import QuantizedQNNClassifier
from qestim.samplers import SimulatedAnnealingSampler


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), np.array(["s", "v", "w"])[y]


def quick(**changes):
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    return QuantizedQNNClassifier(**{**parameters, **changes})


def test_digits(digits):
    train, test, y_train, y_test = digits
    model = QuantizedQNNClassifier(random_state=0).fit(train, y_train)
    assert model.score(test, y_test) >= 0.945
    report = model.sampler_report_
    assert report["calls"] == model.n_iter_ * 42
    assert report["peak_spins"] == 64
    assert report["reads"] == 2 * report["calls"]
    assert 0.2 < report["accepted"] / report["calls"] < 1
    assert 0 < report["seconds"]


@pytest.mark.parametrize(
    ("weight_bits", "values"),
    [(1, {-1, 1}), (2, {-3, -1, 1, 3}), ("ternary", {-1, 0, 1})],
)
def test_weights_are_the_integers_that_predict(iris, weight_bits, values):
    X, y = iris
    model = quick(weight_bits=weight_bits, activation="hardtanh").fit(X, y)
    assert model.score(X, y) > 0.85
    a = X
    for layer, weights in enumerate(model.weights_):
        assert weights.dtype == np.int8
        assert set(np.unique(weights)) <= values
        a = model.scales_[layer] * (a @ weights) + model.biases_[layer]
        a = a if layer else np.clip(a, -1, 1)
    assert set(np.unique(model.weights_[0])) == values
    P = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), P, atol=1e-6)


@pytest.mark.parametrize("hidden", [(), (8, 6), 8])
def test_depths(iris, hidden):
    X, y = iris
    model = quick(hidden_layer_sizes=hidden, max_iter=6).fit(X, y)
    assert len(model.weights_) == 1 + np.size(hidden)
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("solver", ["block", "bit_scale"])
def test_same_seed_same_weights(iris, solver):
    X, y = iris
    first, second, other = (
        quick(random_state=seed, solver=solver, max_iter=1).fit(X[::5], y[::5])
        for seed in (0, 0, 1)
    )
    for a, b in zip(first.weights_, second.weights_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.weights_[0] != other.weights_[0]).any()


def test_order_of_rows_does_not_matter(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(len(y))
    ours, theirs = quick().fit(X, y), quick().fit(X[order], y[order])
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_weight_counts_rows(iris):
    X, y = iris
    weight = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weight)
    ours = quick().fit(X, y, sample_weight=weight)
    theirs = quick().fit(X[rows], y[rows])
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


def test_balance_counts_weights_not_rows(iris):
    X, y = iris
    weight = np.where(y == "s", 3, 1)
    rows = np.repeat(np.arange(len(y)), weight)
    ours = quick(class_weight="balanced").fit(X, y, sample_weight=weight)
    theirs = quick(class_weight="balanced").fit(X[rows], y[rows])
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3
    )


def test_class_weight_moves_the_decision(iris):
    X, y = iris
    counts = [
        (quick(class_weight=weight).fit(X, y).predict(X) == "v").sum()
        for weight in (None, {"s": 1, "v": 1000, "w": 1})
    ]
    assert counts[1] > counts[0]


def test_blocks_are_no_larger_than_asked(digits):
    train, test, y_train, y_test = digits
    model = QuantizedQNNClassifier(
        block_size=16, max_iter=3, input_noise=0.0, random_state=0
    ).fit(train, y_train)
    assert model.sampler_report_["peak_spins"] == 16
    assert 300 < model.sampler_report_["calls"] <= 3 * (32 * 4 + 10 * 2)
    assert model.score(test, y_test) > 0.9


def test_single_rows_for_small_devices(digits):
    train, test, y_train, y_test = digits
    model = QuantizedQNNClassifier(
        (8,),
        solver="bit_scale",
        sampler=SimulatedAnnealingSampler(num_reads=1, num_sweeps=5, num_threads=1),
        block_size=40,
        input_noise=0.0,
        max_iter=1,
        random_state=0,
    ).fit(train[:400], y_train[:400])
    assert model.sampler_report_["peak_spins"] <= 40
    assert 400 < model.sampler_report_["calls"]
    assert 0 < model.sampler_report_["accepted"] < model.sampler_report_["calls"]
    assert model.score(test, y_test) > 0.3


def test_ensemble_averages_probabilities(iris):
    X, y = iris
    model = quick(n_estimators=3).fit(X, y)
    assert model.weights_[0].shape == (3, 4, 8)
    assert model.biases_[1].shape == (3, 3)
    assert model.n_iter_ == 9
    P = 0
    for k in range(3):
        a = np.maximum(
            model.scales_[0][k] * (X @ model.weights_[0][k]) + model.biases_[0][k], 0
        )
        a = np.exp(
            model.scales_[1][k] * (a @ model.weights_[1][k]) + model.biases_[1][k]
        )
        P = P + a / a.sum(axis=1, keepdims=True) / 3
    np.testing.assert_allclose(model.predict_proba(X), P, atol=1e-6)


def test_early_stopping_returns_to_the_best_round(digits):
    train, _, y_train, _ = digits
    model = QuantizedQNNClassifier(
        early_stopping=True, input_noise=0.0, max_iter=12, random_state=0
    ).fit(train, y_train)
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) < 12
    assert np.argmax(scores) == len(scores) - 3
    longer = QuantizedQNNClassifier(
        early_stopping=True,
        n_iter_no_change=1,
        input_noise=0.0,
        max_iter=12,
        random_state=0,
    ).fit(train, y_train)
    best = np.argmax(longer.validation_scores_)
    assert longer.n_iter_ == best + 2


def test_early_stopping_keeps_the_network_of_the_best_round(iris):
    X, y = iris
    longer = quick(early_stopping=True, n_iter_no_change=2, max_iter=30).fit(X, y)
    best = int(np.argmax(longer.validation_scores_)) + 1
    assert longer.n_iter_ == best + 2 < 30
    ended = quick(early_stopping=True, n_iter_no_change=2, max_iter=best).fit(X, y)
    np.testing.assert_array_equal(ended.predict_proba(X), longer.predict_proba(X))


def test_partial_fit_learns_a_stream(digits):
    train, test, y_train, y_test = digits
    model = QuantizedQNNClassifier(random_state=0)
    scores = []
    for rows in np.array_split(np.arange(len(train)), 6):
        model.partial_fit(train[rows], y_train[rows], classes=np.arange(10))
        scores.append(model.score(test, y_test))
    assert scores[-1] > 0.85
    assert scores[-1] > scores[0] + 0.03


def test_partial_fit_stays_near_what_it_has_seen(digits):
    train, _, y_train, _ = digits
    model = QuantizedQNNClassifier((8,), max_iter=2, random_state=0)
    model.fit(train, y_train)
    before, changed = model.weights_[0], []
    for seen in (model._weight_seen, 1.0):
        other = copy.deepcopy(model)
        other._weight_seen = seen
        other.partial_fit(train[:50], y_train[:50])
        changed.append(np.mean(other.weights_[0] != before))
    assert changed[0] < 0.5 * changed[1]


def test_late_rows_do_no_harm(digits):
    train, test, y_train, y_test = digits
    model = QuantizedQNNClassifier((8,), max_iter=2, random_state=0)
    model.fit(train, y_train)
    lost = []
    for seen in (model._weight_seen, 1.0):
        other = copy.deepcopy(model)
        other._weight_seen = seen
        other.partial_fit(train[:2], y_train[:2])
        lost.append(model.score(test, y_test) - other.score(test, y_test))
    assert lost[0] < 0.02
    assert lost[1] > 0.1


def test_single_rows_go_on_with_their_memory(digits):
    train, _, y_train, _ = digits
    model = QuantizedQNNClassifier(
        (8,), solver="bit_scale", max_iter=1, random_state=0
    ).fit(train[:200], y_train[:200])
    (network,) = model.networks_
    for memory, spins in zip(network.memory, network.spins, strict=True):
        np.testing.assert_array_equal(np.where(memory < 0, -1, 1), spins)
    before = model.weights_[1].copy()
    forgetful = copy.deepcopy(model)
    forgetful.networks_[0].memory = None
    changed = [
        np.mean(m.partial_fit(train[200:230], y_train[200:230]).weights_[1] != before)
        for m in (model, forgetful)
    ]
    assert changed[0] < changed[1]


def test_single_rows_take_no_noise_of_their_own_accord(iris):
    X, y = iris
    assert quick(solver="bit_scale", max_iter=1).fit(X[::5], y[::5]).input_noise_ == 0
    noise = quick(max_iter=1).fit(X, y).input_noise_
    assert noise == pytest.approx(0.6 * (1 + 2 * 4 / len(np.unique(X, axis=0))))


@pytest.mark.parametrize("solver", ["block", "bit_scale"])
def test_a_stream_of_single_rows(iris, solver):
    X, y = iris
    model = quick(solver=solver, n_estimators=2, max_iter=1)
    model.partial_fit(X[::3], y[::3], classes=np.unique(y))
    assert model.n_iter_ == len(model.loss_curve_) == 2
    for row in range(1, 4):
        model.partial_fit(X[row : row + 1], y[row : row + 1])
    assert model.n_iter_ == len(model.loss_curve_) == 8
    assert model.score(X, y) > 0.4
    with pytest.raises(ValueError, match="at least one feature that varies"):
        quick().partial_fit(X[:1], y[:1], classes=np.unique(y))


def test_penalty_and_sweeps_in_one_grid(iris):
    X, y = iris
    model = quick(sampler=SimulatedAnnealingSampler(num_reads=1), max_iter=1)
    grid = {
        "quantizedqnnclassifier__penalty": [0.1, 1.0],
        "quantizedqnnclassifier__sampler__num_sweeps": [1, 20],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=2)
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.6


def test_compare_has_controls(digits):
    X, _, y, _ = digits
    model = quick(max_iter=1, input_noise=0.0)
    table = qestim.compare(model, X[:600], y[:600], [None, "controls"], cv=2)
    kinds = {row["name"]: row["kind"] for row in table.rows}
    assert kinds == {
        "default": "sampler",
        "greedy descent": "control",
        "random spins": "control",
    }
    means = {row["name"]: row["mean"] for row in table.rows}
    assert means["default"] > means["random spins"]
    assert all(row["sampler_calls"] > 0 for row in table.rows)


def test_pickle_keeps_the_answers(iris):
    X, y = iris
    model = quick().fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_verbose_shows_progress(iris, capsys):
    X, y = iris
    quick(verbose=1, max_iter=2).fit(X, y)
    assert "2/2" in capsys.readouterr().err
    quick(max_iter=2).fit(X, y)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_bits": 1.5}, "weight_bits"),
        ({"weight_bits": 0}, "weight_bits"),
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (8, 2.5)}, "hidden_layer_sizes"),
        ({"penalty": -1.0}, "penalty"),
        ({"class_weight": {"s": -1, "v": 1, "w": 1}}, "class_weight"),
        ({"class_weight": {"s": np.nan, "v": 1, "w": 1}}, "class_weight"),
        ({"class_weight": {"s": 0, "v": 0, "w": 0}}, "class_weight"),
        ({"solver": "magic"}, "solver"),
        ({"sampler": SimulatedAnnealingSampler}, "instance"),
    ],
)
def test_bad_parameters_are_named(iris, changes, message):
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(*iris)


def test_bad_data_is_named(iris):
    X, y = iris
    with pytest.raises(ValueError, match=r"at least 2 classes. Got one class, \['s'\]"):
        quick().fit(X[:20], y[:20])
    with pytest.raises(ValueError, match="at least one feature that varies"):
        quick().fit(np.ones_like(X), y)
    with pytest.raises(ValueError, match="StandardScaler"):
        quick().fit(X * 1e20, y)
    with pytest.raises(ValueError, match="root mean square of at least"):
        quick().fit(X * 1e-35, y)
    with pytest.raises(ValueError, match="in single precision"):
        quick().fit(X + 1e9, y)
    with pytest.raises(ValueError, match=r"at most 1e\+15. Got 1e\+300"):
        quick(max_iter=1).fit(X, y).predict_proba(np.full((1, 4), 1e300))
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(np.where(X > 2, np.nan, X), y)
    with pytest.raises(NotFittedError):
        quick().to_packed()


def test_a_fit_that_fails_leaves_no_half_of_a_model(iris):
    X, y = iris
    model = quick(max_iter=1)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="classes"):
            fit(X[:20], y[:20])
        with pytest.raises(NotFittedError):
            model.predict(X)
    want = model.fit(X, y).predict(X)
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X[:20], y[:20])
    np.testing.assert_array_equal(model.predict(X), want)


def test_bad_streams_are_named(iris):
    X, y = iris
    with pytest.raises(ValueError, match="needs classes"):
        quick().partial_fit(X, y)
    model = quick().partial_fit(X, y, classes=["s", "v", "w"])
    with pytest.raises(ValueError, match="'classes' of partial_fit must stay"):
        model.partial_fit(X, y, classes=["s", "v"])
    with pytest.raises(ValueError, match=r"classes \['z'\], which are not among"):
        model.partial_fit(X, np.where(y == "v", "z", y))


def test_one_constant_feature_does_no_harm(iris):
    X, y = iris
    X = np.column_stack([X, np.full(len(X), 3.0)])
    assert quick(max_iter=6).fit(X, y).score(X, y) > 0.9


def test_the_exact_problem_learns_xor():
    X = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    y = np.array([0, 1, 1, 0])
    model = QuantizedQNNClassifier(
        (2,), solver="fip", activation="sign", penalty=1.0, max_iter=3, random_state=0
    ).fit(X, y)
    assert model.score(X, y) == 1
    assert model.sampler_report_["calls"] == 3
    assert model.sampler_report_["reads"] == 150


@pytest.mark.parametrize("weight_bits", [1, 2, "ternary"])
def test_the_exact_problem_fits_a_few_rows(iris, weight_bits):
    X, y = iris
    few = np.r_[0:4, 50:54]
    model = QuantizedQNNClassifier(
        (), solver="fip", weight_bits=weight_bits, random_state=0, max_iter=2
    ).fit(X[few], y[few])
    assert model.score(X[few], y[few]) == 1


def test_the_exact_problem_has_limits(iris):
    X, y = iris
    with pytest.raises(ValueError, match=r"needs \d+ spins for 150 rows; the limit is"):
        quick(solver="fip").fit(X, y)
    with pytest.raises(ValueError, match="must be 1 to 20 times the least"):
        quick(solver="fip").fit(X, y, sample_weight=np.arange(1, 151) / 2.7)
    with pytest.raises(ValueError, match="must be 1 to 20 times the least"):
        quick(solver="fip").fit(X, y, sample_weight=np.r_[1e-60, np.ones(149)])
    with pytest.raises(ValueError, match="has no partial_fit"):
        quick(solver="fip").partial_fit(X, y, classes=["s", "v", "w"])
