# SPDX-License-Identifier: Apache-2.0
"""What the guide says of the scale of goals and of where queries are looked for."""

import numpy as np
import pytest

from qestim import ExperimentOptimizer
from qestim.estimators._experiment_runs import standardise

X = np.random.default_rng(0).random((10, 2))
Y = -((X - 0.4) ** 2).sum(1)


def told(goals, **options):
    optimizer = ExperimentOptimizer([(0.0, 1.0)] * 2, random_state=0, **options)
    return optimizer.tell(X, goals)


def test_how_bad_a_bad_setting_is_changes_no_query():
    asked = []
    for worst in (-10.0, -1e6):
        goals = Y.copy()
        goals[np.argmin(Y)] = worst
        asked.append(told(goals).ask())
    assert asked[0] == asked[1]


def test_goals_are_clipped_where_the_guide_says():
    goals = np.array([-50.0, *range(9)])
    bad = np.zeros(10, dtype=bool)
    found, scale = standardise(goals, bad)
    middle, high = np.quantile(goals, [0.5, 0.9])
    least = scale.centre + scale.width * found[0]
    assert least == pytest.approx(middle - 1.5 * (high - middle))
    assert found.mean() == pytest.approx(0, abs=1e-9)
    assert found.std() == pytest.approx(1)


def test_improvement_is_looked_for_around_the_best_mean():
    optimizer = told(Y)
    best = np.array([*optimizer.best_.x.values()])
    for _ in range(3):
        x = np.array([*optimizer.ask().values()])
        assert np.abs(x - best).max() <= 0.3 + 1e-9


def test_an_ensemble_exploits_and_explores_in_turn():
    optimizer = told(Y, surrogate="ensemble")
    kappas = []
    for _ in range(5):
        (gain,) = optimizer._planner._gains(optimizer._record, None, None, 1)
        kappas.append(gain.kappa)
        optimizer._record.n_asked += 1
    assert kappas == [0.0, 0.5, 1.0, 2.0, 0.0]
