# SPDX-License-Identifier: Apache-2.0
"""The arrays of a constrained model against dimod, over every assignment."""

import dimod
import numpy as np
import pytest

from qestim.samplers._constraint_bits import common_unit, integer_weights
from qestim.samplers._constraints import ConstrainedArrays


def every_state(n):
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)


def everything():
    """Spins, bits and an integer under each kind of constraint."""
    x, y, z = dimod.Binaries("xyz")
    s, t = dimod.Spins("st")
    i = dimod.Integer("i", lower_bound=-1, upper_bound=4)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x * y - 2 * s * x + 0.5 * i * i - i * t + 3 * z - 1.5)
    cqm.add_constraint(x + y + z <= 2, label="three")
    cqm.add_constraint(0.5 * i + s + x >= 0.5, label="half")
    cqm.add_constraint(y - x <= 0, label="implies")
    cqm.add_constraint(s * t + x * z == -1, label="product")
    cqm.add_constraint(s + t + 2 * y == 2, label="equal")
    return cqm


def test_every_assignment_agrees_with_dimod():
    cqm = everything()
    arrays = ConstrainedArrays.from_cqm(cqm)
    bits = every_state(arrays.num_bits)
    lifted = arrays.lift(bits)
    reads = dimod.SampleSet.from_samples_cqm(
        (arrays.values(bits), list(cqm.variables)), cqm, sort_labels=False
    )
    np.testing.assert_allclose(lifted @ arrays.q + arrays.q0, reads.record.energy)
    feasible = (arrays.violations(lifted) == 0).all(axis=1)
    np.testing.assert_array_equal(feasible, reads.record.is_feasible)
    assert 0 < feasible.sum() < len(bits)
    functionals = (arrays.G @ lifted.T).T + arrays.g0
    assert functionals[:, ~arrays.signed].min() >= 0
    vanishing = (functionals == 0).all(axis=1)
    # Where every functional vanishes the point is feasible; and every feasible
    # point has slacks with which they vanish.
    assert feasible[vanishing].all()
    points = {tuple(row) for row in reads.record.sample[feasible]}
    assert points == {tuple(row) for row in reads.record.sample[vanishing]}


def test_a_functional_is_never_between_zero_and_one():
    arrays = ConstrainedArrays.from_cqm(everything())
    lifted = arrays.lift(every_state(arrays.num_bits))
    functionals = np.abs((arrays.G @ lifted.T).T + arrays.g0)
    assert functionals[functionals > 0].min() == 1
    assert arrays.num_bits == 15
    assert set(arrays.owner) == {0, 1, 2, 3, 4}


# 0.3 / 0.1 is a little less than 3.
@pytest.mark.parametrize(("factor", "right", "most"), [(2, 5, 2), (0.1, 0.3, 3)])
def test_a_right_side_between_two_values_comes_down(factor, right, most):
    bits = list(dimod.Binaries("xyzw"))
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(sum(bits))
    cqm.add_constraint(sum(factor * x for x in bits) <= right)
    arrays = ConstrainedArrays.from_cqm(cqm)
    bits = every_state(arrays.num_bits)
    functionals = (arrays.G @ arrays.lift(bits).T).T + arrays.g0
    vanishing = np.isclose(functionals, 0).all(axis=1)
    held = {tuple(row) for row in bits[vanishing, :4].tolist()}
    assert held == {tuple(row) for row in every_state(4).tolist() if sum(row) <= most}


def test_inequalities_of_two_bits_take_no_slack():
    x, y = dimod.Binaries("xy")
    forbidden = [(x + y <= 1, (1, 1)), (x - y >= 0, (0, 1)), (x + y >= 1, (0, 0))]
    for constraint, state in forbidden:
        cqm = dimod.ConstrainedQuadraticModel.from_bqm(dimod.BQM.from_qubo({"xy": 1}))
        cqm.add_constraint(constraint)
        arrays = ConstrainedArrays.from_cqm(cqm)
        assert arrays.num_bits == 2
        bits = every_state(2)
        counted = (arrays.G @ arrays.lift(bits).T).T[:, 0] + arrays.g0
        assert {tuple(row) for row in bits[counted == 1].tolist()} == {state}
        assert counted.sum() == 1


def test_a_product_in_three_inequalities_takes_no_slack():
    x, y, p = dimod.Binaries(["x", "y", "p"])
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x - p)
    cqm.add_constraint(p - x <= 0)
    cqm.add_constraint(p - x - y >= -1)
    loose = ConstrainedArrays.from_cqm(cqm)
    assert loose.num_bits == 5  # without p <= y the state p = x = 1, y = 0 is allowed
    cqm.add_constraint(y - p >= 0)
    arrays = ConstrainedArrays.from_cqm(cqm)
    assert arrays.num_bits == 3
    for model in (loose, arrays):
        bits = every_state(model.num_bits)
        lifted = model.lift(bits)
        feasible = (model.violations(lifted) == 0).all(axis=1)
        vanishing = ((model.G @ lifted.T).T + model.g0 == 0).all(axis=1)
        assert feasible[vanishing].all()
        states = {tuple(row) for row in bits[feasible][:, :3].tolist()}
        assert states == {tuple(row) for row in bits[vanishing][:, :3].tolist()}
    column = dict(zip(cqm.variables, bits[feasible].T, strict=True))
    np.testing.assert_array_equal(column["p"], column["x"] * column["y"])
    assert feasible.sum() == 4


@pytest.mark.parametrize(("right", "above"), [(1, 1), (0, 0)])
def test_right_sides_tell_a_product_from_what_is_none(right, above):
    x, y, p = dimod.Binaries("xyp")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x + y + p)
    cqm.add_constraint(x + y - p <= right)
    cqm.add_constraint(p - x <= above)
    cqm.add_constraint(p - y <= above)
    arrays = ConstrainedArrays.from_cqm(cqm)
    bits = every_state(arrays.num_bits)
    functionals = (arrays.G @ arrays.lift(bits).T).T + arrays.g0
    held = {tuple(row) for row in bits[(functionals == 0).all(axis=1), :3].tolist()}
    assert held == {
        (x, y, p)
        for x, y, p in every_state(3).tolist()
        if x + y - p <= right and p - min(x, y) <= above
    }


def test_what_always_holds_adds_nothing():
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(dimod.BQM.from_qubo({"xy": 1}))
    cqm.add_constraint([("x", 1), ("y", 1)], "<=", rhs=2)
    assert ConstrainedArrays.from_cqm(cqm).G.shape[0] == 0


def test_units():
    assert common_unit(np.array([3.0, -6.0])) == 3
    assert common_unit(np.array([0.1, 0.25])) == pytest.approx(0.05)
    assert common_unit(np.array([1.0, np.pi])) is None
    for top in range(1, 40):
        weights = integer_weights(top)
        sums = every_state(len(weights)) @ np.array(weights)
        assert set(sums.tolist()) == set(range(top + 1))


def refuse(build, message, error=ValueError):
    cqm = dimod.ConstrainedQuadraticModel()
    build(cqm)
    with pytest.raises(error, match=message):
        ConstrainedArrays.from_cqm(cqm)


def test_what_has_no_bits_is_refused():
    x, y, z = dimod.Binaries("xyz")
    refuse(lambda cqm: None, "has no variables")
    refuse(lambda cqm: cqm.add_variable("REAL", "r"), "'r' is REAL")
    refuse(lambda cqm: cqm.add_variable("INTEGER", "k"), "'k' must have 1 to 1048576")
    refuse(
        lambda cqm: cqm.add_constraint(x + np.pi * y + z <= 2, label="c"),
        "'c' has coefficients that are no multiples",
    )
    refuse(
        lambda cqm: cqm.add_constraint(2**21 * x + 2**21 * y + z <= 2**21, label="c"),
        "slack of the inequality 'c' takes",
    )
    refuse(
        lambda cqm: cqm.add_constraint(x + y == 1, label="c", weight=2.0),
        "'c' is soft",
    )
    refuse(lambda cqm: cqm.add_constraint(x + y >= 3, label="c"), "satisfies .* 'c'")
    refuse(lambda cqm: cqm.add_constraint(x + y == -1, label="c"), "satisfies .* 'c'")
    refuse(lambda cqm: cqm.set_objective(np.nan * x), "objective has nan")
    refuse(
        lambda cqm: cqm.add_constraint(x + np.inf * y <= 1, label="c"),
        "'c' has inf",
    )
    for rhs in (np.nan, np.inf):
        refuse(
            lambda cqm, rhs=rhs: cqm.add_constraint(x + y <= rhs, label="c"),
            f"'c' has {rhs}",
        )
    with pytest.raises(TypeError, match="use sample"):
        ConstrainedArrays.from_cqm(dimod.BQM("SPIN"))


def test_irrational_equalities_are_taken():
    x, y = dimod.Binaries("xy")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(np.pi * x - np.pi * y == 0)
    arrays = ConstrainedArrays.from_cqm(cqm)
    lifted = arrays.lift(every_state(2))
    assert (arrays.violations(lifted) == 0)[:, 0].tolist() == [True, False, False, True]
