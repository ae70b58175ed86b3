# SPDX-License-Identifier: Apache-2.0
"""Checks of a sampler on models of every label, vartype, shape and scale."""

import dimod
import numpy as np

from qestim.qubo import IsingArrays, spins_of
from qestim.testing._check_interface import glass, keywords, refusal
from qestim.testing._enumeration import ExactLaw

LABELS = {
    "numbers backwards": [5, 4, 3, 2, 1, 0],
    "strings": ["b", "a", "f", "c", "e", "d"],
    "tuples": [(0, "x"), (0, "y"), (1, "x"), (1, "y"), ((2,), "x"), ((2,), "y")],
    "a mixture": ["a", 0, (1, 2), frozenset("q"), 2.5, "0"],
}


def degenerate_models():
    """Return models at the edges of what can be asked, by name."""
    isolated = glass(4, 1)
    isolated.add_linear("lonely", 0.0)
    return {
        "an empty model": dimod.BinaryQuadraticModel({}, {}, 1.5, "SPIN"),
        "an empty model of bits": dimod.BinaryQuadraticModel({}, {}, -2.0, "BINARY"),
        "one spin": dimod.BinaryQuadraticModel({"a": -1.0}, {}, 0.0, "SPIN"),
        "one bit": dimod.BinaryQuadraticModel({"a": 1.0}, {}, 0.0, "BINARY"),
        "one spin without field": dimod.BinaryQuadraticModel({0: 0.0}, {}, 0.0, "SPIN"),
        "five spins without energy": dimod.BinaryQuadraticModel(5, "SPIN"),
        "a zero coupling": dimod.BinaryQuadraticModel({}, {"ab": 0.0}, 0.0, "SPIN"),
        "a spin without neighbours": isolated,
    }


def assert_reads_belong(sampler, bqm, found, what):
    """Assert that reads have the model's labels, vartype, values and energies."""
    assert found.vartype is bqm.vartype, (
        f"{sampler!r} answers {what} with {found.vartype.name} reads"
    )
    assert set(found.variables) == set(bqm.variables), (
        f"{sampler!r} answers {what} with the labels {list(found.variables)}"
    )
    values = np.unique(found.record.sample)
    assert np.isin(values, list(bqm.vartype.value)).all(), (
        f"{sampler!r} answers {what} with the values {values}"
    )
    assert len(found) or not len(bqm), f"{sampler!r} answers {what} without reads"
    energies = bqm.energies((found.record.sample, list(found.variables)))
    biases = [abs(v) for v in (*bqm.linear.values(), *bqm.quadratic.values())]
    scale = sum(biases) + abs(bqm.offset)
    worst = float(np.abs(energies - found.record.energy).max(initial=0.0))
    assert worst <= 1e-9 * scale, (
        f"{sampler!r} states energies of {what} that are wrong by {worst:.3g}"
    )


def check_models(sampler):
    """Check labels, both vartypes, degenerate models and column order."""
    wanted = keywords(sampler, num_reads=5, seed=2)
    for what, bqm in degenerate_models().items():
        assert_reads_belong(sampler, bqm, sampler.sample(bqm, **wanted), what)
    for what, labels in LABELS.items():
        spin = glass(6, 5, labels)
        binary = spin.change_vartype(dimod.BINARY, inplace=False)
        what = f"a model with {what} as labels"
        for bqm in (spin, binary):
            assert_reads_belong(sampler, bqm, sampler.sample(bqm, **wanted), what)


def check_vartypes(sampler):
    """Check that a model of bits is read like the same model of spins."""
    if "seed" not in sampler.parameters:
        return
    # Halves of integers, which both forms hold exactly.
    rng = np.random.default_rng(6)
    spin = dimod.BinaryQuadraticModel("SPIN")
    for i in range(8):
        spin.add_linear(i, float(rng.integers(-2, 3)))
        for j in range(i):
            spin.add_quadratic(i, j, float(rng.integers(-2, 3)))
    wanted = keywords(sampler, num_reads=30, seed=7)
    binary = spin.change_vartype(dimod.BINARY, inplace=False)
    one = spins_of(sampler.sample(spin, **wanted), range(8))
    other = spins_of(sampler.sample(binary, **wanted), range(8))
    assert np.array_equal(one, other), (
        f"{sampler!r} reads a BINARY model unlike the same model as SPIN"
    )


def check_arrays(sampler):
    """Check that `sample_arrays` is `sample` of the same model."""
    bqm = glass(7, 8, field=0.3)
    bqm.offset = 0.0
    model = IsingArrays.from_bqm(bqm)
    wanted = keywords(sampler, num_reads=10, seed=3)
    one = spins_of(sampler.sample(bqm, **wanted), range(7))
    for J in (model.dense, model.csr):
        found = sampler.sample_arrays(J, model.h, **wanted)
        assert_reads_belong(sampler, bqm, found, "arrays")
        assert len(found) == len(one), f"{sampler!r}: sample_arrays drops reads"


def check_not_finite(sampler):
    """Check that NaN and infinity are refused, never answered."""
    for value in (np.nan, np.inf, -np.inf):
        for what in ("linear", "quadratic", "offset"):
            bqm = glass(3, 0, labels=["x", "y", "z"])
            if what == "linear":
                bqm.set_linear("y", value)
            elif what == "quadratic":
                bqm.set_quadratic("x", "z", value)
            else:
                bqm.offset = value
            said = refusal(sampler, bqm)
            name = {"linear": "y", "quadratic": "z", "offset": "offset"}[what]
            assert said is not None, f"{sampler!r} samples a {what} bias of {value}"
            assert name in said, (
                f"the error about a {what} bias of {value} says only: {said}"
            )


def check_scales(sampler):
    """Check huge and tiny coefficients; a minimiser finds the same ground state."""
    model = IsingArrays.from_bqm(glass(6, 9))
    lowest = ExactLaw(model).energies.min() - model.offset
    minimises = sampler.properties.get("distribution", "ground_state") == "ground_state"
    wanted = keywords(sampler, num_reads=30, seed=4)
    for scale in (1e-200, 1e-30, 1e-6, 1e6, 1e30, 1e200):
        what = f"a model scaled by {scale:g}"
        bqm = glass(6, 9)
        bqm.offset = 0.0
        bqm.scale(scale)
        found = sampler.sample(bqm, **wanted)
        assert_reads_belong(sampler, bqm, found, what)
        best = float(found.record.energy.min()) / scale
        assert not minimises or best <= lowest + 1e-6, (
            f"{sampler!r} finds {best:.6g} times the scale for {what}, where the "
            f"lowest of its 64 states has {lowest:.6g}"
        )
