# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from qestim.estimators._descent import descend


class Point(torch.nn.Module):
    def __init__(self, at=3.0):
        super().__init__()
        self.x = torch.nn.Parameter(torch.tensor([at]))


def run(point, loss_of=None, **more):
    settings = {"learning_rate": 0.1, "batch_size": 2, "max_iter": 20, **more}
    generator = torch.Generator().manual_seed(0)
    loss_of = loss_of or (lambda rows: point.x.square().sum())
    return descend(point, loss_of, 6, generator=generator, name="point", **settings)


def test_it_goes_downhill_and_sees_every_row():
    point, seen = Point(), []

    def loss_of(rows):
        seen.extend(rows.tolist())
        return point.x.square().sum()

    losses, held_out = run(point, loss_of, max_iter=2)
    assert sorted(seen) == sorted(2 * list(range(6)))
    assert losses[1] < losses[0]
    assert held_out == []


def test_it_stops_and_returns_to_the_best_state():
    point, states = Point(), []

    def validate():
        """Best at the third epoch, worse ever after."""
        states.append(point.x.item())
        return abs(len(states) - 3.0)

    losses, held_out = run(point, validate=validate, patience=4)
    assert held_out == [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    assert len(losses) == 7
    assert point.x.item() == states[2] != states[-1]


@pytest.mark.parametrize("validated", [True, False])
def test_an_interrupted_fit_keeps_its_best_state(validated):
    point, states, calls = Point(), [], []

    def loss_of(rows):
        calls.append(rows)
        if len(calls) == 14:  # in the fifth epoch of three minibatches
            raise KeyboardInterrupt
        return point.x.square().sum()

    def validate():
        states.append(point.x.item())
        return abs(len(states) - 2.0)

    with pytest.warns(ConvergenceWarning, match="point was interrupted after 4 of 20"):
        losses, _ = run(point, loss_of, validate=validate if validated else None)
    assert len(losses) == 4
    if validated:
        assert point.x.item() == states[1] != states[3]
    else:
        assert point.x.item() < 3.0


def test_a_loss_that_is_not_finite_is_refused():
    point = Point()
    with pytest.raises(ValueError, match=r"fit of the point diverged.*Lower learning"):
        run(point, lambda rows: point.x.log().sum() * float("nan"))
