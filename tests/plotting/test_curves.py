# SPDX-License-Identifier: Apache-2.0
"""Curves of training and of labelling: what is drawn, and what is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from qestim import QBMVAETransformer, QDiffusionGenerator
from qestim.plotting import LearningCurveDisplay, TrainingCurveDisplay
from qestim.samplers import BoltzmannSampler

pytestmark = pytest.mark.usefixtures("plt")  # without a screen, closed again


@pytest.fixture(scope="module")
def machine():
    X = load_iris().data / 8
    sampler = BoltzmannSampler(num_reads=32)
    return QBMVAETransformer(
        4, sampler=sampler, max_iter=3, n_iter_no_change=3, random_state=0
    ).fit(X)


def test_loss_and_scores_are_those_of_the_fit(machine):
    display = TrainingCurveDisplay.from_estimator(machine).plot(name="machine")
    assert display.line_.get_ydata().tolist() == machine.loss_curve_
    assert display.line_.get_xdata().tolist() == [1, 2, 3]
    (scores,) = display.score_ax_.lines
    assert scores.get_ydata().tolist() == machine.validation_scores_
    assert display.ax_.get_ylabel() == "training loss (nats)"


def test_temperatures_are_those_of_the_report(machine):
    display = TrainingCurveDisplay.from_estimator(machine, curve="beta_eff").plot()
    curve = machine.sampler_report_["beta_eff_curve"]
    assert display.line_.get_ydata().tolist() == curve
    assert display.score_ax_ is None


def test_a_guide_and_a_network_of_scikit_learn_on_one_picture():
    words = ["abab", "baba"] * 10
    model = QDiffusionGenerator(width=16, max_iter=2, guide_max_iter=2, random_state=0)
    guide = TrainingCurveDisplay.from_estimator(model.fit(words), curve="guide_loss")
    assert guide.values == model.guide_loss_curve_
    X, y = load_iris(return_X_y=True)
    peer = MLPClassifier((4,), max_iter=5, tol=0, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        peer.fit(X, y)
    ax = guide.plot(name="guide").ax_
    display = TrainingCurveDisplay.from_estimator(peer).plot(ax, name="peer")
    assert display.line_.get_color() != guide.line_.get_color()
    assert [text.get_text() for text in ax.get_legend().texts] == ["guide", "peer"]


def test_scores_of_two_fits_share_an_axis():
    one = TrainingCurveDisplay([2.0, 1.0], label="loss", scores=[0.0, 1.0])
    two = TrainingCurveDisplay([3.0, 1.0], label="loss", scores=[0.0, 2.0])
    assert two.plot(one.plot().ax_).score_ax_ is one.score_ax_
    assert len(one.score_ax_.lines) == 2


def test_what_has_no_curve_is_refused(machine):
    with pytest.raises(ValueError, match="one of loss, guide_loss, beta_eff"):
        TrainingCurveDisplay.from_estimator(machine, curve="losses")
    with pytest.raises(ValueError, match="It has: loss, beta_eff"):
        TrainingCurveDisplay.from_estimator(machine, curve="guide_loss")
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(QBMVAETransformer())


def test_bands_are_intervals_of_the_mean():
    rng = np.random.default_rng(0)
    # Of 2000 curves of five repetitions, 90 % of the bands must hold the true mean.
    scores = {str(k): rng.normal(size=(5, 1)) for k in range(2000)}
    ax = LearningCurveDisplay.from_scores([10], scores, confidence=0.9).plot().ax_
    held = [
        np.ptp(np.sign(band.get_paths()[0].vertices[:, 1])) for band in ax.collections
    ]
    assert np.mean(np.array(held) == 2) == pytest.approx(0.9, abs=0.025)


def test_areas_are_mean_scores():
    line = LearningCurveDisplay.from_scores(
        [10, 20, 40], {"a": [0.0, 1.0, 1.0], "b": [1, 1, 1]}
    )
    assert line.areas()["a"] == pytest.approx([(5 + 20) / 30])
    assert line.areas()["b"] == pytest.approx([1.0])
    assert line.plot(score_name="accuracy").ax_.get_ylabel() == "accuracy"
    assert not line.ax_.collections


@pytest.mark.parametrize(
    ("n_labels", "scores", "message"),
    [
        ([20, 10], {"a": [1, 2]}, "increasing"),
        ([10, 20], {}, "at least one"),
        ([10, 20], {"a": [1.0]}, "2 columns"),
        ([10, 20], {"a": np.ones((0, 2))}, "2 columns"),
        ([10, 20], {"a": [1.0, np.nan]}, "finite"),
        ([10, 20], {"a": ["x", "y"]}, "must be numbers"),
        ([10, 20], {"a": [[1, 2], [1]]}, "rows of one length"),
        ([10, 20], [[1.0, 2.0]], "must be a dict"),
        (["a", "b"], {"a": [1.0, 2.0]}, "increasing"),
    ],
)
def test_wrong_scores_are_refused(n_labels, scores, message):
    with pytest.raises(ValueError, match=message):
        LearningCurveDisplay.from_scores(n_labels, scores)
    for confidence in (95, "x"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            LearningCurveDisplay.from_scores([1], {"a": [1]}, confidence=confidence)


def test_a_pipeline_is_asked_for_its_step(machine):
    pipeline = make_pipeline(machine)
    with pytest.raises(ValueError, match="Give the step that has one"):
        TrainingCurveDisplay.from_estimator(pipeline)
