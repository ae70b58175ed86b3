# SPDX-License-Identifier: Apache-2.0
"""Pictures of an experiment: what is drawn is what was told and learned."""

import numpy as np
import pytest

from qestim import ExperimentOptimizer
from qestim.plotting import ExperimentDisplay

SPACE = {"a": (0.0, 1.0), "b": (0.01, 1.0, "log"), "c": (1, 4, "int")}


def told(maximize=True):
    optimizer = ExperimentOptimizer(SPACE, maximize=maximize, random_state=0, n_init=12)
    sign = 1 if maximize else -1
    for i, x in enumerate(optimizer.ask(12)):
        y = -((x["a"] - 0.4) ** 2) - np.log(x["b"] / 0.1) ** 2
        optimizer.tell(x, sign * y, bad=i == 5)
    return optimizer


@pytest.mark.parametrize("maximize", [True, False])
def test_progress_is_the_best_measured_so_far(maximize):
    optimizer = told(maximize)
    runs, goals, best = ExperimentDisplay.from_optimizer(optimizer).progress()
    assert runs.tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]
    np.testing.assert_array_equal(goals, optimizer.y_[runs - 1])
    extreme = goals.max() if maximize else goals.min()
    assert best[-1] == extreme
    assert best[0] == goals[0]


def test_the_landscape_is_a_slice_through_the_best_run():
    optimizer = told()
    display = ExperimentDisplay.from_optimizer(optimizer)
    axes, mean, std = display.landscape(["a", "c"], n_points=9)
    assert axes["c"].tolist() == [1, 2, 3, 4]
    assert mean.shape == std.shape == (9, 4)
    x = {**optimizer.best_.x, "a": axes["a"][3], "c": 4}
    assert (mean[3, 3], std[3, 3]) == pytest.approx(optimizer.predict(x))


def test_the_liveliest_parameters_are_shown():
    axes, _, _ = ExperimentDisplay.from_optimizer(told()).landscape()
    assert next(iter(axes)) == "b"
    assert axes["b"][[0, -1]].tolist() == [0.01, 1.0]


@pytest.mark.parametrize("parameters", [["z"], [], ["a", "b", "c"]])
def test_wrong_parameters_are_refused(parameters):
    with pytest.raises(ValueError, match="'parameters' parameter"):
        ExperimentDisplay.from_optimizer(told()).landscape(parameters)


def test_a_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="'kind' parameter"):
        ExperimentDisplay.from_optimizer(told()).plot(kind="film")


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("progress", None), ("landscape", None), ("landscape", ["a"])],
)
def test_an_update_draws_what_was_told_since(plt, kind, parameters):
    optimizer = told()
    display = ExperimentDisplay.from_optimizer(optimizer)
    display.plot(kind=kind, parameters=parameters)
    n_axes = len(display.figure_.axes)
    points = len(display.ax_.lines[0 if kind == "progress" else -1].get_xdata())
    for x in optimizer.ask(3):
        optimizer.tell(x, -1.0)
    assert display.update() is display
    assert len(display.figure_.axes) == n_axes
    line = display.ax_.lines[0 if kind == "progress" else -1]
    if parameters is not None or kind == "progress":
        assert len(line.get_xdata()) == points + 3
    display.figure_.canvas.draw()


def test_scales_follow_the_space(plt):
    display = ExperimentDisplay.from_optimizer(told())
    display.plot(kind="landscape", parameters=["b", "a"])
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_yscale() == "linear"
