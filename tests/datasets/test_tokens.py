# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from qestim.datasets import make_tokens


def test_the_draws_follow_the_law():
    law = make_tokens(20000, length=4, n_symbols=3, random_state=0)
    number = (law.data * 3 ** np.arange(3, -1, -1)).sum(1)
    found = np.bincount(number, minlength=81) / 20000
    assert (law.states[number] == law.data).all()
    assert 0.5 * np.abs(found - law.probabilities).sum() < 0.03


def test_single_tokens_are_even_and_pairs_are_not():
    law = make_tokens(1, random_state=1)
    i, j = law.pairs[0]
    joint = np.zeros((4, 4))
    np.add.at(joint, (law.states[:, i], law.states[:, j]), law.probabilities)
    assert joint.sum(1) == pytest.approx(np.full(4, 0.25))
    assert joint.max(1).min() > 2 / 16  # 1 / 16 if they were independent


def test_without_coupling_all_states_are_alike():
    law = make_tokens(1, length=3, n_symbols=2, coupling=0, random_state=0)
    assert law.probabilities == pytest.approx(1 / 8)


def test_seeds_repeat():
    first, again = (make_tokens(50, random_state=3) for _ in range(2))
    assert (first.data == again.data).all()
    assert (first.data != make_tokens(50, random_state=4).data).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_samples", 0), ("length", 1), ("n_symbols", 1), ("coupling", -1.0)],
)
def test_bad_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        make_tokens(**{name: value})


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match="at most 1048576"):
        make_tokens(length=20, n_symbols=4)
