# SPDX-License-Identifier: Apache-2.0
"""The contract of ExperimentOptimizer: ask, tell, and survive."""

import warnings

import numpy as np
import pytest

from qestim import ExperimentOptimizer

SPACE = {"power": (0.1, 10.0, "log"), "delay": (-1.0, 2.0), "turns": (1, 9, "int")}


def goal(x):
    return -(np.log(x["power"]) ** 2) - (x["delay"] - 1.0) ** 2 - 0.1 * x["turns"]


def played(n=9, **options):
    options = {"random_state": 0, "n_init": 5, **options}
    optimizer = ExperimentOptimizer(SPACE, **options)
    for _ in range(n):
        x = optimizer.ask()
        optimizer.tell(x, goal(x))
    return optimizer


def test_the_repr_counts_the_runs():
    optimizer = played(3)
    optimizer.ask()
    assert repr(optimizer).startswith("ExperimentOptimizer({'power': (0.1, 10.0")
    assert repr(optimizer).endswith(": 3 runs told, 1 pending")


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_it_finds_the_best_setting(surrogate):
    optimizer = played(20, surrogate=surrogate)
    best = optimizer.best_
    assert goal(best.x) > -0.6
    assert best.y == goal(best.x)
    assert best.mean == pytest.approx(best.y, abs=0.15)
    assert 0 <= best.std < 0.3


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_settings_lie_in_the_space(surrogate):
    optimizer = played(7, surrogate=surrogate)
    for x in optimizer.ask(4):
        assert list(x) == ["power", "delay", "turns"]
        assert 0.1 <= x["power"] <= 10.0
        assert -1.0 <= x["delay"] <= 2.0
        assert isinstance(x["turns"], int)
        assert 1 <= x["turns"] <= 9


def test_cost_is_minimised_where_asked_for():
    ours = played(12)
    theirs = ExperimentOptimizer(SPACE, random_state=0, n_init=5, maximize=False)
    for _ in range(12):
        x = theirs.ask()
        theirs.tell(x, -goal(x))
    np.testing.assert_array_equal(ours.X_, theirs.X_)
    assert theirs.predict(x)[0] == pytest.approx(-ours.predict(x)[0])
    assert theirs.best_.mean == pytest.approx(-ours.best_.mean)


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_the_same_seed_asks_the_same(surrogate):
    first, second = (played(8, surrogate=surrogate).ask(2) for _ in range(2))
    assert first == second
    assert played(8, surrogate=surrogate, random_state=1).ask(2) != first


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_predictions_in_between_change_no_query(surrogate):
    quiet, curious = played(6, surrogate=surrogate), played(6, surrogate=surrogate)
    for optimizer in (quiet, curious):
        for _ in range(3):
            x = optimizer.ask()
            optimizer.tell(x, goal(x))
            if optimizer is curious:
                optimizer.predict(x)
                _ = optimizer.best_
    np.testing.assert_array_equal(quiet.X_, curious.X_)


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_queries_do_not_depend_on_units(surrogate):
    """Affine changes of x and y, defaults untouched."""
    plain = ExperimentOptimizer(
        {"a": (0.0, 1.0), "b": (-1.0, 3.0)}, surrogate=surrogate, random_state=3
    )
    other = ExperimentOptimizer(
        {"a": (-40.0, 210.0), "b": (1e-7, 5e-7)}, surrogate=surrogate, random_state=3
    )
    for _ in range(10):
        x, z = plain.ask(), other.ask()
        assert z["a"] == pytest.approx(-40 + 250 * x["a"], abs=250 * 1e-6)
        assert z["b"] == pytest.approx(1e-7 + 1e-7 * (x["b"] + 1), abs=4e-7 * 1e-6)
        y = -((x["a"] - 0.3) ** 2) - (x["b"] - 1) ** 2
        plain.tell(x, y)
        other.tell(z, 1e5 * y - 7e6)


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_a_batch_holds_no_setting_twice(surrogate):
    optimizer = played(8, surrogate=surrogate)
    asked = optimizer.ask(5) + optimizer.ask(3) + [optimizer.ask()]
    assert len({tuple(x.values()) for x in asked}) == 9
    assert optimizer.pending_ == asked


def test_a_batch_spreads_more_than_its_best_candidates():
    """Runs side by side must not answer the same question."""
    optimizer = ExperimentOptimizer([(0.0, 1.0)] * 2, random_state=0)
    rng = np.random.default_rng(0)
    X = rng.random((12, 2))
    optimizer.tell(list(X), -((X - 0.4) ** 2).sum(1))
    batch = np.array([list(x.values()) for x in optimizer.ask(4)])
    apart = np.linalg.norm(batch[:, None] - batch, axis=2)[np.triu_indices(4, 1)]
    assert apart.min() > 0.02


def test_pending_runs_are_not_asked_again():
    waiting, told = played(8), played(8)
    first = waiting.ask()
    assert told.ask() == first
    told.forget(first)
    second = waiting.ask()
    assert np.abs(np.subtract([*second.values()], [*first.values()])).max() > 1e-3


def test_outcomes_come_late_and_in_any_order():
    optimizer = played(5)
    first, second, third = optimizer.ask(3)
    optimizer.tell(third, goal(third))
    later = optimizer.ask()
    optimizer.tell([second, later], [goal(second), goal(later)])
    optimizer.tell(first, bad=True)
    assert optimizer.pending_ == []
    assert optimizer.bad_.tolist() == [False] * 8 + [True]
    own = {"power": 1.0, "delay": 0.5, "turns": 2}
    optimizer.tell(own, goal(own))  # never asked for
    assert optimizer.y_[-1] == goal(own)


def test_what_was_told_counts_towards_the_start():
    optimizer = ExperimentOptimizer([(0.0, 1.0)] * 2, n_init=6, random_state=0)
    rng = np.random.default_rng(0)
    X = rng.random((6, 2))
    optimizer.tell(list(X), X.sum(1))
    x = optimizer.ask()  # not from the design: it exploits the slope
    assert x["x0"] + x["x1"] > 1.5


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_failed_runs_are_avoided(surrogate):
    optimizer = ExperimentOptimizer(
        [(0.0, 1.0)], surrogate=surrogate, n_init=8, random_state=0
    )
    for x in optimizer.ask(8):
        optimizer.tell(x, x["x0"], bad=x["x0"] > 0.7)
    for _ in range(4):
        x = optimizer.ask()
        optimizer.tell(x, x["x0"], bad=x["x0"] > 0.7)
    assert optimizer.best_.x["x0"] <= 0.7
    assert optimizer.bad_[8:].mean() <= 0.75
    assert np.isnan(optimizer.y_[optimizer.bad_]).all()


def test_only_failed_runs_leave_it_searching():
    optimizer = ExperimentOptimizer(SPACE, random_state=0, n_init=2)
    for _ in range(4):
        optimizer.tell(optimizer.ask(), bad=True)
    with pytest.raises(ValueError, match="No run has succeeded"):
        _ = optimizer.best_
    with pytest.raises(ValueError, match="No run has succeeded"):
        optimizer.predict(optimizer.ask())


def test_equal_goals_are_no_trouble():
    optimizer = ExperimentOptimizer([(0.0, 1.0)], random_state=0)
    for _ in range(6):
        optimizer.tell(optimizer.ask(), 5.0)
    assert optimizer.predict([0.3])[0] == pytest.approx(5.0)


@pytest.mark.parametrize(("surrogate", "reach"), [("gp", 0.15), ("ensemble", 0.15)])
def test_known_noise_is_trusted(surrogate, reach):
    """Of two goals at one setting, the mean is near the one with the small sigma."""
    X = [[0.1], [0.3], [0.5], [0.5], [0.7], [0.9]]
    y = [0.1, 0.3, 0.2, 0.8, 0.7, 0.9]
    for sigma, expected in ([0.01, 1.0], 0.2), ([1.0, 0.01], 0.8):
        optimizer = ExperimentOptimizer(
            [(0.0, 1.0)], surrogate=surrogate, random_state=0
        )
        optimizer.tell(X, y, sigma=[0.01, 0.01, *sigma, 0.01, 0.01])
        assert optimizer.predict([0.5])[0] == pytest.approx(expected, abs=reach)


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_it_chooses_among_given_settings(surrogate):
    rng = np.random.default_rng(0)
    table = rng.dirichlet([1, 1, 1], 40)
    optimizer = ExperimentOptimizer(
        [(0.0, 1.0)] * 3, surrogate=surrogate, n_init=4, random_state=0
    )
    left = [tuple(row) for row in table]
    for _ in range(8):
        x = tuple(optimizer.ask(candidates=left).values())
        left.remove(x)
        optimizer.tell(x, x[0])
    assert len(left) == 32
    with pytest.raises(ValueError, match="Only 2 settings are left"):
        optimizer.ask(3, candidates=left[:2])


@pytest.mark.parametrize("acquisition", ["exploit", "explore", "random"])
@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_controls_do_as_they_say(surrogate, acquisition):
    X = np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [0.5], [1.0]])
    optimizer = ExperimentOptimizer(
        [(0.0, 1.0)],
        surrogate=surrogate,
        acquisition=acquisition,
        n_init=2,
        random_state=0,
    ).tell(list(X), -((X[:, 0] - 0.2) ** 2))
    if acquisition == "random":
        drawn = [x["x0"] for x in optimizer.ask(40)]
        assert min(drawn) < 0.2
        assert max(drawn) > 0.8
    else:
        asked = optimizer.predict(optimizer.ask())
        everywhere = optimizer.predict(np.linspace(0, 1, 101)[:, None])
        best = 0 if acquisition == "exploit" else 1
        assert asked[best] >= everywhere[best].max() - 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"surrogate": "forest"}, "'surrogate' parameter"),
        ({"n_init": 1}, "'n_init' parameter"),
        ({"random_state": -1}, "'random_state' parameter"),
    ],
)
def test_wrong_parameters_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ExperimentOptimizer(SPACE, **options)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"y": np.nan}, "must be finite"),
        ({"y": np.inf}, "must be finite"),
        ({"y": None}, "must be finite"),
        ({"y": [1.0, 2.0]}, "shape"),
        ({"y": 1.0, "sigma": -1.0}, "'sigma'"),
        ({"y": 1.0, "sigma": np.nan}, "'sigma'"),
    ],
)
def test_a_wrong_outcome_is_refused_and_nothing_taken(told, message):
    optimizer = played(5)
    x = optimizer.ask()
    with pytest.raises(ValueError, match=message):
        optimizer.tell(x, **told)
    assert len(optimizer.y_) == 5
    assert optimizer.pending_ == [x]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"power": 1.0, "delay": 3.0, "turns": 1}, r"'delay' must lie in \[-1, 2\]"),
        ({"power": np.nan, "delay": 0.0, "turns": 1}, "'power' must lie"),
        ({"power": 1.0}, "names the parameters"),
        ([1.0, 2.0], "has 3 parameters"),
        (0.5, "dict or a list"),
    ],
)
def test_a_wrong_setting_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        played(5).tell(x, 1.0)


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_a_wrong_number_is_refused(n):
    with pytest.raises(ValueError, match="'n' parameter of ask"):
        played(5).ask(n)


def test_a_duplicated_outcome_is_ignored_and_a_repetition_is_not():
    optimizer = played(6)
    x = optimizer.ask()
    optimizer.tell(x, 0.5)
    before = optimizer.X_.copy()
    with pytest.warns(UserWarning, match="told before"):
        optimizer.tell(x, 0.5)
    np.testing.assert_array_equal(optimizer.X_, before)
    optimizer.tell(x, 0.51)
    assert optimizer.y_[-2:].tolist() == [0.5, 0.51]


def test_a_setting_is_known_again_after_rounding():
    """Settings come back through files and other units, a digit off."""
    optimizer = played(5)
    first, second = optimizer.ask(2)
    optimizer.tell({**first, "power": first["power"] * (1 + 1e-12)}, 0.5)
    assert optimizer.pending_ == [second]
    optimizer.forget({**second, "delay": second["delay"] - 1e-12})
    assert optimizer.pending_ == []


def test_a_warning_that_is_an_error_takes_no_half():
    optimizer = played(6)
    old, new = optimizer.ask(2)
    optimizer.tell(old, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="told before"):
            optimizer.tell([old, new], [0.5, 0.7])
    assert optimizer.y_[-2:].tolist() == [0.5, 0.7]
    assert optimizer.pending_ == []


def test_what_fails_is_avoided_where_all_others_are_alike():
    """Success or failure only: nothing lies above the median."""
    X = np.linspace(0, 1, 12)
    for y, bad in ((np.ones(12), X > 0.7), (np.where(X > 0.7, 0.0, 1.0), False)):
        optimizer = ExperimentOptimizer([(0.0, 1.0)], n_init=2, random_state=0)
        optimizer.tell(X[:, None], y, bad=bad)
        assert optimizer.predict([0.2])[0] > optimizer.predict([0.9])[0] + 0.1


def test_many_are_asked_at_once():
    optimizer = ExperimentOptimizer([(0.0, 1.0)] * 2, random_state=0)
    rng = np.random.default_rng(0)
    optimizer.tell(rng.random((6, 2)), rng.random(6))
    assert len({tuple(x.values()) for x in optimizer.ask(350)}) == 350


def test_forgetting_what_does_not_run_is_refused():
    optimizer = played(5)
    x = optimizer.ask()
    with pytest.raises(ValueError, match="is not pending"):
        optimizer.forget([x, x])
    assert optimizer.pending_ == [x]
    with pytest.raises(ValueError, match="is not pending"):
        played(5).forget({"power": 1.0, "delay": 0.0, "turns": 1})


def test_best_needs_a_goal_and_names_are_there():
    optimizer = ExperimentOptimizer([(0.0, 1.0)] * 2)
    assert optimizer.names_ == ["x0", "x1"]
    assert optimizer.X_.shape == (0, 2)
    with pytest.raises(ValueError, match="No run has succeeded"):
        _ = optimizer.best_
