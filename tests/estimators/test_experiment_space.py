# SPDX-License-Identifier: Apache-2.0
"""Bounds, logarithmic and whole-number parameters of ExperimentOptimizer."""

import numpy as np
import pytest

from qestim import ExperimentOptimizer


def test_a_logarithmic_parameter_is_searched_by_decades():
    optimizer = ExperimentOptimizer(
        {"x": (1e-4, 1.0, "log")}, n_init=40, random_state=0
    )
    drawn = [x["x"] for x in optimizer.ask(40)]
    assert np.mean(np.array(drawn) < 1e-2) == pytest.approx(0.5, abs=0.06)


def test_whole_numbers_are_alike_likely():
    optimizer = ExperimentOptimizer(
        {"x": (0.0, 1.0), "n": (1, 4, "int")}, n_init=40, random_state=0
    )
    drawn = [x["n"] for x in optimizer.ask(40)]
    assert [drawn.count(n) for n in (1, 2, 3, 4)] == [10, 10, 10, 10]


def test_more_than_a_small_space_holds_is_refused():
    optimizer = ExperimentOptimizer({"n": (1, 5, "int")}, random_state=0)
    asked = optimizer.ask(3) + optimizer.ask(2)
    assert sorted(x["n"] for x in asked) == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="Only 0 settings are left"):
        optimizer.ask()
    for x in asked:
        optimizer.tell(x, -abs(x["n"] - 2.2))
    assert len(optimizer.ask(5)) == 5  # repetitions of finished runs are allowed


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"a": (1.0, 1.0)}, "low < high"),
        ({"a": (2.0, 1.0)}, "low < high"),
        ({"a": (0.0, np.nan)}, "low < high"),
        ({"a": (0.0, np.inf)}, "low < high"),
        ({"a": (0.0, 1.0, "log")}, "above 0"),
        ({"a": (0.5, 3, "int")}, "must be int"),
        ({"a": (0, 3, "integer")}, "'log', 'int'"),
        ({"a": (1.0,)}, "needs"),
        ({}, "at least one"),
        ({"a": 5.0}, "needs"),
        ({"a": "01"}, "needs"),
        ({"a": (-1e308, 1e308)}, "finite"),
        ({3: (0.0, 1.0)}, "must be str"),
        ([1.0, 2.0], "shape"),
    ],
)
def test_contradictory_spaces_are_refused(space, message):
    with pytest.raises(ValueError, match=message):
        ExperimentOptimizer(space)


def test_a_logarithmic_bound_is_no_zero():
    optimizer = ExperimentOptimizer({"x": (1e-12, 1.0, "log")}, random_state=0)
    with pytest.raises(ValueError, match="'x' must lie"):
        optimizer.tell([0.0], 1.0)


def test_every_setting_of_whole_numbers_can_be_asked_for():
    space = {name: (1, 4, "int") for name in "abc"}
    for n_init in (2, 64):
        optimizer = ExperimentOptimizer(space, n_init=n_init, random_state=0)
        asked = optimizer.ask(2)
        optimizer.tell(asked, [1.0, 2.0])
        assert len(optimizer.ask(61)) == 61
        assert len(optimizer.ask(3)) == 3


def test_whole_numbers_are_searched_to_the_best():
    optimizer = ExperimentOptimizer({"n": (1, 900, "int")}, random_state=0)
    for _ in range(12):
        x = optimizer.ask()
        optimizer.tell(x, -(((x["n"] - 617) / 100) ** 2))
    assert optimizer.best_.x["n"] in range(612, 623)
