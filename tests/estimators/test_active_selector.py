# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from qestim import ActiveSampleSelector
from qestim.estimators._informativeness import MEASURES
from qestim.samplers import SimulatedAnnealingSampler


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X, y = X[:600] / 16, y[:600]
    labels = y.copy()
    labels[40:] = -1
    return X, y, labels


def selector(n=10, **params):
    params = {"random_state": 0, **params}
    return ActiveSampleSelector(LogisticRegression(), n, **params)


class TestQuery:
    def test_fit_chooses_among_the_unlabelled_rows(self, digits):
        X, _, labels = digits
        chosen = selector().fit(X, labels).sample_indices_
        assert len(set(chosen)) == 10
        assert (labels[chosen] == -1).all()

    def test_query_gives_the_same_rows_of_the_pool(self, digits):
        X, _, labels = digits
        fitted = selector().fit(X, labels)
        assert (fitted.query(X[40:]) + 40).tolist() == fitted.sample_indices_.tolist()
        assert len(fitted.query(X[40:], 3)) == 3
        assert len(fitted.query(X[40:], 0.05)) == 28
        assert len(fitted.query(X[40:], batch_size=4)) == 4

    def test_scores(self, digits):
        X, _, labels = digits
        fitted = selector(n_candidates=50).fit(X, labels)
        chosen, scores = fitted.query(X[40:], 5, return_scores=True)
        assert scores.shape == (560,)
        assert np.isfinite(scores).sum() == 50
        assert scores[chosen].tolist() == sorted(scores[chosen], reverse=True)
        assert 0.9 < np.nanmax(scores) <= 1

    @pytest.mark.parametrize("measure", MEASURES)
    def test_measures(self, digits, measure):
        X, _, labels = digits
        fitted = selector(informativeness=measure).fit(X, labels)
        chosen = fitted.query(X[40:], 20)
        assert len(set(chosen)) == 20
        # Uncertain rows are preferred by every measure but that of whole committees.
        p = np.sort(fitted.estimator_.predict_proba(X[40:]), axis=1)
        margins = p[:, -1] - p[:, -2]
        assert margins[chosen].mean() < margins.mean() or measure == "committee"

    def test_a_callable_measure_decides(self, digits):
        X, _, labels = digits
        fitted = selector(
            informativeness=lambda estimator, rows: rows[:, 20] + 0.0, redundancy=0
        )
        chosen = fitted.set_params(coverage=0.0).fit(X, labels).query(X[40:])
        assert X[40:][chosen, 20].mean() > 0.9 > 1.5 * X[40:, 20].mean()

    def test_committee_of_regressors(self):
        rng = np.random.default_rng(0)
        X = rng.uniform(-1, 1, (200, 1))
        y = np.where(X[:, 0] < 0, X[:, 0] ** 2, np.nan)  # nothing known on the right
        fitted = ActiveSampleSelector(
            Ridge(), 5, informativeness="committee", random_state=0
        ).fit(X, y)
        assert (X[fitted.sample_indices_, 0] > 0).all()

    def test_labelled_rows_count_as_covered(self):
        rng = np.random.default_rng(0)
        near, far = rng.normal(0, 0.1, (50, 2)), rng.normal(5, 0.1, (50, 2))
        X = np.vstack([near, far])
        y = np.full(100, np.nan)
        y[:10] = 1.0
        chosen = ActiveSampleSelector(None, 5, gamma=1.0).fit(X, y).sample_indices_
        assert (chosen >= 50).sum() >= 4

    def test_copies_are_not_chosen_twice(self, digits):
        X, _, labels = digits
        pool = np.tile(X[40:240], (5, 1))
        chosen = selector().fit(X, labels).query(pool, 20)
        assert len(set(chosen % 200)) == 20
        greedy = selector(redundancy=0.0).fit(X, labels).query(pool, 20)
        assert len(set(greedy % 200)) < 20

    def test_other_predicted_labels_are_less_alike(self, digits):
        X, _, labels = digits
        fitted = selector(label_similarity=0.0).fit(X, labels)
        plain = fitted.problem_.similarity.sum()
        fitted.set_params(label_similarity=2.0).fit(X, labels)
        assert fitted.problem_.similarity.sum() != plain

    def test_rows_of_no_uncertainty(self, digits):
        X, _, labels = digits
        fitted = selector(informativeness=lambda estimator, rows: np.zeros(len(rows)))
        with pytest.raises(ValueError, match="Nothing is left to cover"):
            fitted.fit(X, labels)

    def test_embedding_similarity_and_gamma(self, digits):
        X, _, labels = digits
        fitted = selector(embedding=PCA(5, random_state=0), similarity="cosine")
        fitted.fit(X, labels)
        assert fitted.embedding_.n_components_ == 5
        by_hand = selector(
            embedding=PCA(5, random_state=0),
            similarity=lambda a, b: rbf_kernel(a, b, gamma=0.3),
        )
        named = selector(embedding=PCA(5, random_state=0), gamma=0.3)
        chosen = by_hand.fit(X, labels).sample_indices_
        assert chosen.tolist() == named.fit(X, labels).sample_indices_.tolist()

    def test_chunks_and_single_precision_change_nothing(self, digits):
        X, _, labels = digits
        chosen = selector().fit(X, labels).sample_indices_
        parts = selector(chunk_size=7).fit(X, labels).sample_indices_
        single = selector().fit(X.astype(np.float32), labels).sample_indices_
        assert chosen.tolist() == parts.tolist()
        assert len(set(chosen) & set(single)) >= 9

    def test_the_same_random_state_gives_the_same_rows(self, digits):
        X, _, labels = digits
        picks = [
            selector(informativeness="committee", n_candidates=40)
            .fit(X, labels)
            .sample_indices_.tolist()
            for _ in range(2)
        ]
        assert picks[0] == picks[1]


class TestSampler:
    def test_report_and_never_worse(self, digits):
        X, _, labels = digits
        sampler = SimulatedAnnealingSampler(num_reads=2, num_sweeps=20)
        native = selector(n_candidates=60).fit(X, labels)
        fitted = selector(n_candidates=60, sampler=sampler).fit(X, labels)
        assert fitted.energy_ <= native.energy_
        assert fitted.sampler_report_["reads"] == 2
        assert fitted.sampler_report_["calls"] == 1
        assert fitted.sampler_ is not sampler
        assert native.sampler_report_["energy_sampler"] is None
        assert native.energy_ <= native.sampler_report_["energy_greedy"]

    def test_a_class_is_refused(self, digits):
        X, _, labels = digits
        with pytest.raises(ValueError, match=r"SimulatedAnnealingSampler\(\)"):
            selector(sampler=SimulatedAnnealingSampler).fit(X, labels)


class TestLabels:
    def test_marks_of_unlabelled_rows(self, digits):
        X, _, labels = digits
        expected = selector().fit(X, labels).sample_indices_.tolist()
        floats = np.where(labels == -1, np.nan, labels)
        objects = np.where(labels == -1, None, labels.astype(object))
        words = np.where(labels == -1, "?", labels.astype(str))
        for marked, params in (
            (floats, {}),
            (objects, {}),
            (words, {"missing_label": "?"}),
            (floats, {"missing_label": np.nan}),
        ):
            fitted = selector(**params).fit(X, marked)
            assert fitted.sample_indices_.tolist() == expected

    def test_minus_one_can_be_a_class(self, digits):
        X, y, _ = digits
        signs = np.where(y < 5, -1, 1)
        with pytest.raises(ValueError, match=r"missing_label=np\.nan"):
            selector().fit(X, signs)
        kept = selector(missing_label=np.nan).fit(X, signs).sample_indices_
        assert set(signs[kept]) == {-1, 1}

    def test_no_label_at_all(self, digits):
        X = digits[0]
        fitted = selector().fit(X, np.full(len(X), np.nan))
        assert fitted.estimator_ is None
        assert len(fitted.query(X, 4)) == 4


class TestScikitActiveml:
    def test_query_in_its_words(self, digits):
        X, _, labels = digits
        strategy = selector()
        chosen, utilities = strategy.query(
            X=X, y=labels, batch_size=5, return_utilities=True
        )
        assert utilities.shape == (5, len(X))
        assert np.isnan(utilities[:, :40]).all()
        assert (labels[chosen] == -1).all()
        assert len(strategy.query(X, y=labels)) == 1
        some = np.array([100, 50, 300])
        allowed = strategy.query(X, y=labels, candidates=some, batch_size=2)
        assert set(allowed) <= set(some)

    def test_labels_cost_no_selection_of_their_own(self, digits, monkeypatch):
        X, _, labels = digits
        choices = []
        choose = ActiveSampleSelector._choose

        def counted(self, *args):
            choices.append(args)
            return choose(self, *args)

        monkeypatch.setattr(ActiveSampleSelector, "_choose", counted)
        chosen = selector(561).query(X, 5, y=labels)  # more than there are to label
        assert len(choices) == 1
        assert chosen.tolist() == (selector(5).fit(X, labels).sample_indices_).tolist()
        with pytest.raises(ValueError, match="coverage"):
            selector(coverage=2).query(X, 5, y=labels)


class TestCoreset:
    def test_a_kept_part_stands_for_the_rest(self):
        X, y = make_blobs(300, centers=6, cluster_std=0.3, random_state=0)
        kept = ActiveSampleSelector(None, 6).fit(X).sample_indices_
        assert set(y[kept]) == set(range(6))

    def test_outliers_are_left_out(self):
        X, _ = make_blobs(200, centers=3, random_state=0)
        X = np.vstack([X, np.random.default_rng(0).uniform(30, 90, (10, 2))])
        kept = ActiveSampleSelector(None, 20).fit(X).sample_indices_
        assert (kept < 200).all()

    @pytest.mark.parametrize("estimator", [None, LogisticRegression(), LinearSVC()])
    def test_wrong_labels_are_left_out(self, estimator):
        X, y = make_blobs(300, centers=3, cluster_std=0.7, random_state=0)
        wrong = np.arange(300) % 5 == 0
        noisy = np.where(wrong, (y + 1) % 3, y)
        kept = ActiveSampleSelector(estimator, 30, random_state=0)
        _, labels = kept.fit_resample(X, noisy)
        assert len(labels) == 30
        assert wrong[kept.sample_indices_].mean() < 0.05

    def test_losses_of_ones_own(self, digits):
        X, y, _ = digits
        losses = np.where(np.arange(600) < 100, 50.0, np.linspace(0, 1, 600))
        kept = ActiveSampleSelector(None, 50).fit(X, y, losses=losses)
        assert (kept.sample_indices_ >= 100).all()

    def test_difficulty_prefers_what_is_hard_and_can_be_trusted(self, digits):
        X, _, _ = digits
        losses = np.linspace(0, 1, 600)
        losses[:20] = 1e4  # so large that powers of it would overflow
        means = []
        for difficulty in (0.0, 1.0, 1.9):
            kept = ActiveSampleSelector(None, 60, difficulty=difficulty)
            chosen = kept.fit(X, losses=losses).sample_indices_
            assert (chosen >= 20).all()
            means.append(losses[chosen].mean())
        assert means[0] + 0.1 < means[1] < means[2]

    def test_losses_of_a_regression(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(200, 2))
        y = X @ [1.0, 2.0] + np.where(np.arange(200) < 20, 30.0, 0)
        kept = ActiveSampleSelector(Ridge(), 40, random_state=0).fit(X, y)
        assert (kept.sample_indices_ >= 20).all()

    def test_types_are_kept(self, digits):
        pandas = pytest.importorskip("pandas")
        X, y, _ = digits
        frame, series = pandas.DataFrame(X).add_prefix("f"), pandas.Series(y)
        kept = ActiveSampleSelector(None, 10)
        rows, labels = kept.fit_resample(frame, series)
        assert isinstance(rows, pandas.DataFrame)
        assert rows.index.tolist() == labels.index.tolist()
        assert isinstance(kept.fit_resample(frame), pandas.DataFrame)

    def test_near_neighbours_come_close_to_all_pairs(self, digits):
        X, y, _ = digits
        dense = ActiveSampleSelector(None, 60).fit(X, y)
        sparse = ActiveSampleSelector(None, 60, n_dense=100).fit(X, y)
        assert hasattr(sparse.problem_.similarity, "nnz")

        def covered(kept):
            S = rbf_kernel(X, X[kept], gamma=0.1)
            return S.max(axis=1).mean()

        random = np.random.default_rng(0).permutation(600)[:60]
        gain = covered(dense.sample_indices_) - covered(random)
        assert covered(sparse.sample_indices_) - covered(random) > 0.5 * gain > 0


class TestErrors:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"n_samples_to_select": 561}, "560 candidates"),
            ({"n_samples_to_select": 0}, "n_samples_to_select"),
            ({"n_samples_to_select": 1.5}, "n_samples_to_select"),
            ({"informativeness": "surprise"}, "informativeness"),
            ({"coverage": 2}, "coverage"),
            ({"redundancy": -1}, "redundancy"),
            ({"gamma": 0}, "gamma"),
            ({"difficulty": 2.0}, "difficulty"),
            ({"sampler": 3}, "sampler"),
            ({"embedding": "PCA"}, "embedding"),
            ({"estimator": LinearSVC()}, "predict_proba.*wrap it in Calibrated"),
            ({"estimator": Ridge()}, "Got Ridge; set informativeness='committee'"),
            ({"informativeness": lambda e, X: X}, "one finite number a row"),
            ({"informativeness": lambda e, X: -X[:, 0] - 1}, "at least 0"),
            ({"similarity": lambda a, b: a}, "'similarity' parameter must return"),
            ({"embedding": FunctionTransformer(lambda X: X[:2])}, "Got shape"),
            (
                {"embedding": FunctionTransformer(lambda X: X * np.nan)},
                "with NaN or infinity",
            ),
            ({"missing_label": 3.5}, None),
        ],
    )
    def test_parameters(self, digits, params, message):
        X, _, labels = digits
        if message is None:  # then -1 is a class like any other: a coreset
            assert len(selector(**params).fit(X, labels).sample_indices_) == 10
            return
        with pytest.raises(ValueError, match=message):
            selector().set_params(**params).fit(X, labels)

    def test_data(self, digits):
        X, y, labels = digits
        with pytest.raises(NotFittedError):
            selector().query(X)
        fitted = selector().fit(X, labels)
        with pytest.raises(ValueError, match="561"):
            fitted.query(X[40:], 561)
        with pytest.raises(ValueError, match=r"as y=\.\.\."):
            fitted.query(X, labels)
        with pytest.raises(ValueError, match="not both"):
            fitted.query(X, 3, batch_size=3)
        for candidates in ([600], [-1], [], np.arange(0), [0.5], np.arange(600) < 3):
            with pytest.raises(ValueError, match="numbers below 600"):
                fitted.query(X, 1, candidates=candidates)
        with pytest.raises(ValueError, match="Got nan"):
            fitted.query(X, np.nan)
        for n in (2.5, 0.0, -0.5):
            with pytest.raises(ValueError, match=f"^n must be .* Got {n}"):
                fitted.query(X, n)
        with pytest.raises(ValueError, match=r"^batch_size=601 asks for 601 rows"):
            fitted.query(X, batch_size=601)
        with pytest.raises(ValueError, match=r"^n_samples_to_select=10 asks"):
            fitted.query(X[:9])
        with pytest.raises(ValueError, match="2 classes"):
            selector().fit(X, np.where(labels == 3, 3, -1))
        with pytest.raises(ValueError, match="560 unlabelled"):
            selector().fit_resample(X, labels)
        with pytest.raises(ValueError, match="losses belong"):
            selector().fit(X, labels, losses=np.ones(600))
        with pytest.raises(ValueError, match="losses must be 600"):
            selector().fit(X, y, losses=np.full(600, np.nan))
        with pytest.raises(ValueError, match="infinity"):
            selector().fit(X, np.where(y == 0, np.inf, y))
        with pytest.raises(ValueError, match=r"asks for 10 rows.*query\(X, n, y=y\)"):
            selector().set_params(estimator=None).fit(X[:9], y[:9])
        with pytest.raises(ValueError, match=r"occurs once.*query\(X, n, y=y\)"):
            selector().fit(X[:600], np.where(np.arange(600) == 0, 99, y))
        with pytest.raises(ValueError, match="missing_label='auto'"):
            selector(missing_label=7).fit(X, np.where(labels == -1, np.nan, labels))


def test_estimators_without_a_linear_form(digits):
    X, _, labels = digits
    forest = RandomForestClassifier(10, random_state=0)
    fitted = ActiveSampleSelector(forest, 5, random_state=0).fit(X, labels)
    assert len(fitted.sample_indices_) == 5
