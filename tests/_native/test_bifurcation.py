# SPDX-License-Identifier: Apache-2.0
"""Discrete simulated bifurcation against its equation, and how it stops."""

import itertools

import numpy as np
import pytest

from qestim import _native

COMPILED = _native.kernel_name != "numpy"


def arrays(n, density, seed, real=False, fields=True):
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    keep = rng.random(len(row)) < density
    row, col = row[keep].astype(np.int32), col[keep].astype(np.int32)
    value = rng.normal(size=len(row)) if real else rng.integers(-3, 4, len(row))
    h = rng.normal(size=n) if real else rng.integers(-2, 3, n)
    return fields * h.astype(float), row, col, value.astype(float)


def energies(model, spins):
    h, row, col, value = model
    spins = np.asarray(spins, dtype=float)
    return spins @ h + (spins[:, row] * spins[:, col]) @ value


def matrix(model):
    h, row, col, value = model
    J = np.zeros((len(h), len(h)))
    J[row, col] = J[col, row] = value
    return J


def bifurcate(*model, steps=20):
    ramp = np.linspace(0, 1, steps)
    return _native.bifurcate(*model, ramp, 0.1, 0.5, 1.0, 0.1, 4, 0)


def run(model, steps=300, num_reads=16, seed=1, dt=0.5, **options):
    norm = np.sqrt((matrix(model) ** 2).sum() / len(model[0]))
    return _native.bifurcate(
        *model,
        pump=np.linspace(0, 1, steps),
        strength=0.5 / norm,
        dt=dt,
        a0=1.0,
        amplitude=0.1,
        num_reads=num_reads,
        seed=seed,
        **options,
    )


KERNELS = {
    "sparse-int16": arrays(60, 0.1, 0),
    "sparse-float32": arrays(60, 0.1, 1, real=True),
    "dense-int8": arrays(150, 0.9, 2),
    "dense-float32": arrays(150, 0.9, 3, real=True),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_follow_the_equation_from_given_positions(name):
    # From |x| = 0 with given signs and no momentum, everything is determined.
    model = KERNELS[name]
    J = matrix(model)
    # Odd fields are never zero: without a force the unknown momentum would decide.
    h = 1 + np.abs(J).sum(axis=0) % 2 if "int" in name else model[0]
    model, n = (h, *model[1:]), len(h)
    initial = np.random.default_rng(4).choice(np.array([-1, 1], np.int8), (8, n))
    pump, dt, strength = np.linspace(0, 1, 25), 0.4, 0.0931
    spins, _, kernel, _ = _native.bifurcate(
        *model,
        pump=pump,
        strength=strength,
        dt=dt,
        a0=1.0,
        amplitude=1e-12,
        num_reads=8,
        seed=0,
        initial=initial,
        keep_best=False,
    )
    if COMPILED:
        assert kernel == name
    x, y = 1e-12 * initial, np.zeros((8, n))
    for a in pump:
        y = y - dt * ((1 - a) * x + strength * (np.where(x < 0, -1, 1) @ J + h))
        x = x + dt * y
        wall = np.abs(x) >= 1
        x, y = np.where(wall, np.sign(x), x), np.where(wall, 0, y)
    # A position next to zero may be rounded to the other side in float32.
    assert (spins == np.where(x < 0, -1, 1)).mean() > 0.98


@pytest.mark.parametrize("name", KERNELS)
def test_the_best_state_is_at_most_the_last(name):
    model = KERNELS[name]
    best = energies(model, run(model)[0])
    last = energies(model, run(model, keep_best=False)[0])
    slack = 1e-9 * np.abs(last).max()
    assert (best <= last + slack).all()
    assert (best < last - slack).any()


def test_ground_states_of_small_models():
    for seed, real in itertools.product(range(4), (False, True)):
        model = arrays(12, 1.0, seed, real=real)
        states = np.array(list(itertools.product([-1, 1], repeat=12)))
        lowest = energies(model, states).min()
        found = energies(model, run(model, num_reads=32, steps=500)[0])
        assert found.min() == pytest.approx(lowest)


@pytest.mark.parametrize("name", KERNELS)
def test_reads_depend_on_their_number_alone(name):
    model = KERNELS[name]
    all_reads = run(model, num_reads=40, num_threads=1)[0]
    assert np.array_equal(all_reads, run(model, num_reads=40, num_threads=3)[0])
    assert np.array_equal(all_reads[:5], run(model, num_reads=5)[0])
    assert not np.array_equal(all_reads, run(model, num_reads=40, seed=2)[0])


def test_a_target_ends_the_group_that_reaches_it():
    model = KERNELS["sparse-int16"]
    found = energies(model, run(model, num_reads=48)[0])
    target = np.sort(found[16:32])[2]
    spins, completed, _, reason = run(model, num_reads=48, target_energy=target)
    assert reason == "target_energy"
    assert completed.any()
    ended = energies(model, spins)[completed]
    assert (ended <= target + 1e-9).any()
    spins, completed, _, reason = run(model, target_energy=found.min() - 1)
    assert reason == ""
    assert completed.all()


def test_time_and_callers_stop_it():
    model = KERNELS["dense-int8"]
    _, completed, _, reason = run(model, steps=10**6, time_limit=0.1)
    assert reason == "time_limit"
    assert not completed.any()
    _, completed, _, reason = run(model, steps=10**6, interrupt=lambda: True)
    assert reason == "interrupt"


@pytest.mark.parametrize("dt", [1e6, 1e38])
def test_walls_hold_whatever_the_step(dt):
    for model in KERNELS.values():
        spins = run(model, steps=20, dt=dt)[0]
        assert set(np.unique(spins)) <= {-1, 1}


def test_bad_arguments_raise():
    h, row, col, value = KERNELS["sparse-int16"]
    with pytest.raises(ValueError, match="couplings passed to"):
        bifurcate(h, row, col, value * np.nan)
    with pytest.raises(ValueError, match="linear biases passed to"):
        bifurcate(h + np.inf, row, col, value)
    with pytest.raises(ValueError, match="same length"):
        bifurcate(h, row, col, value[:-1])
    with pytest.raises(ValueError, match="initial must have the shape"):
        run((h, row, col, value), initial=np.ones((2, 3), dtype=np.int8))
