# SPDX-License-Identifier: Apache-2.0
import time

import dimod
import numpy as np
import pytest
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import qestim
from qestim.samplers import DimodSampler, SimulatedAnnealingSampler


class Picker(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Keep the columns whose spin is up in the best read of a model of their worth."""

    def __init__(self, sampler=None, blind=False, random_state=None):
        self.sampler = sampler
        self.blind = blind
        self.random_state = random_state

    def fit(self, X, y=None):
        start = time.perf_counter()
        sampler = self.sampler or SimulatedAnnealingSampler()
        worth = np.abs(np.corrcoef(X.T, y)[-1, :-1]) - 0.1
        bqm = dimod.BQM({i: -w for i, w in enumerate(worth)}, {}, 0.0, "SPIN")
        best = sampler.sample(bqm, seed=1).first.sample
        self.columns_ = [i for i in best if best[i] > 0]
        if self.blind:
            self.columns_ = [0]
        self.n_features_in_ = X.shape[1]
        seconds = time.perf_counter() - start
        self.sampler_report_ = {"calls": 3, "seconds": seconds}
        return self

    def transform(self, X):
        return X[:, self.columns_]

    def score(self, X, y=None):
        return float(len(self.columns_))

    def _controls(self):
        return {"first column": clone(self).set_params(blind=True)}


class Upside(dimod.Sampler):
    """Everything up; a sampler that cannot be cloned or copied."""

    properties = parameters = {}

    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")

    def sample(self, bqm, **parameters):
        return dimod.SampleSet.from_samples_bqm(dict.fromkeys(bqm.variables, 1), bqm)


@pytest.fixture
def data():
    # The first column is noise by construction: without shuffling, the five
    # informative ones come first, so they are turned round.
    X, y = make_classification(
        200, 12, n_informative=5, n_redundant=0, shuffle=False, random_state=0
    )
    return X[:, ::-1].copy(), y


def pipeline():
    return make_pipeline(StandardScaler(), Picker(), LogisticRegression())


def test_pipeline_against_its_control(data):
    table = qestim.compare(
        pipeline(),
        *data,
        samplers=[
            SimulatedAnnealingSampler(num_sweeps=10),
            DimodSampler(Upside()),
            "controls",
        ],
        random_state=0,
    )
    annealed, upside, control = table.rows
    assert annealed["name"] == "SimulatedAnnealingSampler(num_sweeps=10)"
    assert upside["name"] == "Upside"
    assert (control["name"], control["kind"]) == ("first column", "control")
    assert table.reference == "first column"
    assert control["difference"] == 0
    assert annealed["low"] > 0.1, "the informative columns beat a noise column"
    assert annealed["mean"] == pytest.approx(table.scores[annealed["name"]].mean())
    assert annealed["sampler_calls"] == 3
    assert 0 < annealed["sampler_seconds"] < annealed["seconds"]
    assert len(table.scores["Upside"]) == 5


def test_interval_is_the_corrected_one(data):
    table = qestim.compare(
        pipeline(), *data, samplers={"a": Upside(), "c": "controls"}, cv=4
    )
    change = table.scores["a"] - table.scores["first column"]
    half = 3.1824463 * np.sqrt(change.var(ddof=1) * (1 / 4 + 50 / 150))
    assert table.rows[0]["low"] == pytest.approx(change.mean() - half)
    assert table.rows[0]["high"] == pytest.approx(change.mean() + half)


def test_estimator_itself_scoring_and_seeds(data):
    both = [
        qestim.compare(
            Picker(), *data, samplers=[None, Upside()], cv=3, random_state=seed
        )
        for seed in (1, 1)
    ]
    assert both[0].rows[0]["name"] == "default"
    assert both[0].reference == "default"
    assert both[0].rows[1]["mean"] == 12
    for name in both[0].scores:
        np.testing.assert_array_equal(both[0].scores[name], both[1].scores[name])
    table = qestim.compare(
        pipeline(), *data, samplers=[None], scoring="neg_log_loss", cv=2
    )
    assert table.scoring == "neg_log_loss"
    assert table.rows[0]["mean"] < 0


def test_every_candidate_gets_the_same_folds_and_seeds(data):
    seen = []

    class Recorder(Picker):
        def fit(self, X, y=None):
            seen.append((X.sum(), self.random_state))
            return super().fit(X, y)

    qestim.compare(Recorder(), *data, samplers=[None, Upside(), "controls"], cv=2)
    assert len(seen) == 6
    for fold in (seen[:3], seen[3:]):
        assert len(set(fold)) == 1
        assert fold[0][1] is not None
    assert seen[0] != seen[3]


def test_workers_and_progress_change_no_score(data, capsys):
    options = {"samplers": [None, "controls"], "cv": 3, "random_state": 0}
    one = qestim.compare(pipeline(), *data, **options)
    assert capsys.readouterr().err == ""
    two = qestim.compare(pipeline(), *data, n_jobs=2, verbose=1, **options)
    assert "compare" in capsys.readouterr().err
    for name in one.scores:
        np.testing.assert_array_equal(one.scores[name], two.scores[name])


def test_table_as_text_html_and_frame(data):
    table = qestim.compare(pipeline(), *data, samplers=["controls", Upside()], cv=3)
    text = repr(table)
    for word in (
        "first column (control)",
        "Upside",
        "reference",
        "Paired over 3 folds",
        "standard deviation over the folds",
    ):
        assert word in text
        assert word in table._repr_html_()
    assert text.split("\n")[0].split()[:2] == ["score", "seconds"]
    frame = table.to_frame()
    assert list(frame.index) == ["first column", "Upside"]
    assert frame.loc["Upside", "mean"] == table.rows[1]["mean"]


def test_equal_names_are_told_apart_and_one_fold_has_no_interval(data):
    split = [(np.arange(100), np.arange(100, 200))]
    table = qestim.compare(
        Picker(),
        *data,
        samplers=[DimodSampler(Upside()), DimodSampler(Upside())],
        cv=split,
    )
    assert [row["name"] for row in table.rows] == ["Upside", "Upside (2)"]
    assert np.isnan(table.rows[1]["low"])


def test_errors(data):
    with pytest.raises(ValueError, match="exactly one estimator with a 'sampler'"):
        qestim.compare(LogisticRegression(), *data)
    two = make_pipeline(Picker(), Picker(), LogisticRegression())
    with pytest.raises(ValueError, match="picker-1"):
        qestim.compare(two, *data)
    with pytest.raises(ValueError, match="one string"):
        qestim.compare(Picker(), *data, samplers=["control"])
    with pytest.raises(ValueError, match="must hold instances of dimod samplers"):
        qestim.compare(Picker(), *data, samplers=[3])
    with pytest.raises(ValueError, match="at least one sampler"):
        qestim.compare(Picker(), *data, samplers=[])

    with pytest.raises(ValueError, match="instances of dimod samplers"):
        qestim.compare(Picker(), *data, samplers=[DimodSampler])
    with pytest.raises(ValueError, match="one name or one callable"):
        qestim.compare(Picker(), *data, scoring=["accuracy", "f1"])
    with pytest.raises(ValueError, match="instance of a scikit-learn estimator"):
        qestim.compare(Picker, *data)
    with pytest.raises(ValueError, match="n_splits=0"):
        qestim.compare(Picker(), *data, cv=0)

    class Bare(Picker):
        _controls = property()

    with pytest.raises(ValueError, match="Bare declares no controls"):
        qestim.compare(Bare(), *data)


def test_a_sampler_that_raises_makes_compare_raise(data):
    class Broken(Upside):
        def sample(self, bqm, **parameters):
            raise RuntimeError("no connection")

    with pytest.raises(RuntimeError, match="no connection"):
        qestim.compare(Picker(), *data, samplers=[DimodSampler(Broken())])


def test_a_number_of_folds_of_any_kind_is_shuffled(data):
    options = {"samplers": [Upside()], "random_state": 0}
    one = qestim.compare(Picker(), *data, cv=3, **options)
    other = qestim.compare(Picker(), *data, cv=np.int64(3), **options)
    assert [s.tolist() for s in one.scores.values()] == [
        s.tolist() for s in other.scores.values()
    ]


def test_a_word_is_no_sampler(data):
    with pytest.raises(ValueError, match=r"Got 'sa'; .*SimulatedAnnealingSampler\(\)"):
        qestim.compare(Picker(), *data, samplers=["sa"])


def test_one_row_alone_compares_nothing(data):
    table = qestim.compare(Picker(), *data, samplers=[Upside()], cv=3)
    assert "One row alone" in repr(table)
    assert "is better" not in repr(table)
