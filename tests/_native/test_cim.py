# SPDX-License-Identifier: Apache-2.0
"""The machines against their equations, written here once more one spin at a time."""

import itertools

import numpy as np
import pytest
import scipy.stats

from qestim import _native

MODELS = ["cac", "cfc", "sfc", "mean_field", "wigner", "ballistic"]


def glass(n, density, seed, fields=1.0):
    """A model in units of its rms row norm."""
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    keep = rng.random(len(row)) < density
    row, col = row[keep].astype(np.int32), col[keep].astype(np.int32)
    value = rng.normal(size=len(row))
    value /= np.sqrt(2 * (value**2).sum() / n)
    return fields * rng.normal(size=n) / 2, row, col, value


def matrix(model):
    h, row, col, value = model
    J = np.zeros((len(h), len(h)))
    J[row, col] = J[col, row] = value
    return J


def energies(model, spins):
    s = np.asarray(spins, dtype=float)
    return s @ model[0] + 0.5 * np.einsum("ri,ri->r", s @ matrix(model), s)


def machine(kind, steps=200, pump=(0.0, 1.0), **changes):
    last = {"cac": 2.0, "cfc": 1.0, "sfc": 3.0}.get(kind, 1.0)
    part = np.arange(steps) / max(1, steps)
    schedule = np.column_stack(
        [
            pump[0] + (pump[1] - pump[0]) * part,
            1 + (last - 1) * part,
            np.full(steps, 0.25),
            0.7 + 0.1 * part,
            np.full(steps, 2.0),
        ]
    )
    parameters = {
        "model": kind,
        "schedule": schedule,
        "dt": 0.1,
        "xi": 0.8,
        "noise": 0.0,
        "k": 1.0 if kind == "ballistic" else 0.2,
        "least_error": 0.01,
        "most_error": 32.0,
        "first_error": 1.0,
        "amplitude": 0.1,
        "uniform": False,
        "mean_amplitude": False,
        "interval": 10,
        "moments": np.empty(0, dtype=np.int64),
        "num_reads": 8,
        "seed": 3,
    }
    return {**parameters, **changes}


def one_step(kind, x, e, model, now, dt, xi, k):
    """The right-hand sides for one read, spin by spin."""
    p, target, beta, zeta, clip = now
    h, J = model[0], matrix(model)
    out_x, out_e = np.empty_like(x), np.empty_like(e)
    for i in range(len(x)):
        f = sum(J[i, j] * x[j] for j in range(len(x))) + zeta * h[i]
        a, b = x[i], e[i]
        if kind == "cac":
            da = -(a**3) + (p - 1) * a - xi * b * f
            db = -beta * b * (a**2 - target)
        elif kind == "cfc":
            z = xi * b * f
            da, db = -(a**3) + (p - 1) * a - z, -beta * b * (z**2 - target)
        elif kind == "sfc":
            z = xi * f
            da = -(a**3) + (p - 1) * a - np.tanh(target * z) - k * (z - b)
            db = -beta * (b - z)
        elif kind == "mean_field":
            da, db = (p - 1 - a**2) * a - xi * f, 0.0
        else:
            new = b - dt * ((k - p) * a + xi * f)
            moved = a + dt * k * new
            hit = abs(moved) >= 1
            out_x[i], out_e[i] = (np.sign(moved), 0.0) if hit else (moved, new)
            continue
        out_x[i] = np.clip(a + dt * da, -clip, clip)
        out_e[i] = b + dt * db
    return out_x, out_e


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind != "wigner"])
def test_trajectories_follow_the_equations(kind, form):
    model = glass(20, 0.5, 1)
    steps = 12
    parameters = machine(
        kind, steps=steps, moments=np.arange(steps + 1), form=form, amplitude=0.4
    )
    record = _native.evolve(*model, **parameters)[4]
    # The first amplitudes are drawn; the second variable is known after a step.
    x, e, start = record[0, 0].astype(float), np.ones(20), 0
    if kind == "ballistic":
        assert np.abs(record[0, :2]).max() < 1
        x, e, start = record[0, 1].astype(float), (record[0, 1] - x) / 0.1, 1
    for step in range(start, steps):
        now = parameters["schedule"][step]
        x, e = one_step(kind, x, e, model, now, 0.1, 0.8, parameters["k"])
        assert np.allclose(x, record[0, step + 1], atol=2e-4), step


def test_the_quadratures_of_wigner_saturate_together():
    h, row, col, value = glass(20, 0.5, 1)
    model = 0 * h, row, col, 0 * value
    parameters = machine("wigner", steps=6, moments=np.arange(7), amplitude=0.5)
    path = _native.evolve(*model, **parameters)[4].astype(float)
    # Without couplings the slope of x tells e^2, which must follow its own equation.
    p = parameters["schedule"][:, 0]
    x, slope = path[:, :-1], np.diff(path, axis=1) / 0.1
    square = p[:, None] - 1 - x**2 - slope / x
    factor = 1 + 0.1 * (-p[:-1, None] - 1 - x[:, :-1] ** 2 - square[:, :-1])
    clear = (np.abs(x[:, :-1]) > 0.1) & (np.abs(x[:, 1:]) > 0.1)
    want = (square[:, :-1] * factor**2)[clear]
    assert np.allclose(square[:, 1:][clear], want, atol=1e-3)


@pytest.mark.parametrize("kind", ["mean_field", "wigner"])
def test_the_vacuum_has_its_covariance(kind):
    row, col = np.array([0, 1, 0], np.int32), np.array([1, 2, 2], np.int32)
    model = np.zeros(3), row, col, np.array([0.6, -0.5, 0.2])
    steps = 300
    parameters = machine(
        kind, steps=steps, pump=(0.0, 0.0), noise=0.01, num_reads=4000, amplitude=0.005
    )
    parameters["moments"] = np.array([steps])
    x = _native.evolve(*model, **parameters)[4][:, 0]
    M = np.eye(3) + 0.8 * matrix(model)
    power = 0.01**2 * (0.5 if kind == "wigner" else 1.0)
    # Stationary under x -> (1 - dt M) x + noise; for dt -> 0 it is power / 2M.
    want = power * np.linalg.inv(2 * M - 0.1 * M @ M)
    assert np.allclose(np.cov(x.T), want, atol=0.12 * want.diagonal().min())
    assert np.abs(x.mean(axis=0)).max() < 4 * 0.01 / np.sqrt(4000)


def test_noise_is_normal_and_independent():
    model = np.zeros(2), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
    parameters = machine(
        "mean_field", steps=2, noise=1.0, num_reads=20_000, amplitude=1e-9
    )
    parameters["schedule"][:, 4] = 1e3
    parameters["moments"] = np.array([0, 1])
    z = np.diff(_native.evolve(*model, **parameters)[4], axis=1)[:, 0] / 0.1**0.5
    assert scipy.stats.kstest(z[:, 0], "norm").pvalue > 1e-3
    assert scipy.stats.kstest(z[:, 1], "norm").pvalue > 1e-3
    neighbours = np.corrcoef(np.vstack([z[:-1].T, z[1:].T]))
    assert np.abs(neighbours - np.eye(4)).max() < 4 / np.sqrt(len(z))


def test_the_lowest_eigenvector_grows_first_at_its_threshold():
    model = glass(30, 1.0, 2, fields=0.0)
    values, vectors = np.linalg.eigh(matrix(model))
    threshold = 1 + 0.8 * values[0]
    for excess in (-0.05, 0.05):
        steps = 400
        p = threshold + excess
        parameters = machine(
            "mean_field", steps=steps, pump=(p, p), amplitude=1e-4, dt=0.05
        )
        parameters["moments"] = np.array([300, steps])
        early, late = (
            _native.evolve(*model, **parameters)[4].swapaxes(0, 1) @ vectors[:, 0]
        )
        rate = np.log(np.abs(late / early)) / (0.05 * 100)
        assert np.allclose(rate, excess, atol=0.005)


@pytest.mark.parametrize("kind", MODELS)
def test_dense_and_sparse_rows_agree(kind):
    model = glass(70, 0.3, 3)
    moments = np.array([0, 5, 30])
    noise = 0.1 if kind in ("mean_field", "wigner") else 0.0
    parameters = machine(kind, moments=moments, num_reads=40, noise=noise)
    dense = _native.evolve(*model, **parameters, form="dense")[4]
    sparse = _native.evolve(*model, **parameters, form="sparse")[4]
    assert np.array_equal(dense[:, 0], sparse[:, 0])
    assert np.allclose(dense, sparse, atol=1e-3)


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("kind", MODELS)
def test_reads_depend_on_their_number_alone(kind, form):
    model = glass(40, 0.4, 4)
    parameters = machine(kind, noise=0.1, form=form)
    parameters["num_reads"] = 150
    reads = _native.evolve(*model, **parameters, num_threads=1)[0]
    assert np.array_equal(reads, _native.evolve(*model, **parameters, num_threads=3)[0])
    fewer = _native.evolve(*model, **{**parameters, "num_reads": 5})[0]
    assert np.array_equal(reads[:5], fewer)


@pytest.mark.parametrize("kind", MODELS)
def test_the_best_state_is_at_most_the_last(kind):
    model = glass(50, 0.4, 5)
    parameters = machine(kind, noise=0.2, num_reads=32, interval=1)
    best = energies(model, _native.evolve(*model, **parameters)[0])
    last = energies(model, _native.evolve(*model, **parameters, keep_best=False)[0])
    assert (best <= last + 1e-5).all()


@pytest.mark.parametrize("kind", MODELS)
def test_ground_states_of_small_models(kind):
    for seed in range(3):
        # Fields beside uneven amplitudes distort these two.
        plain = kind in ("mean_field", "wigner")
        model = glass(12, 1.0, seed, fields=0.0 if plain else 1.0)
        states = np.array(list(itertools.product([-1, 1], repeat=12)))
        lowest = energies(model, states).min()
        parameters = machine(kind, steps=300, num_reads=64)
        found = energies(model, _native.evolve(*model, **parameters)[0])
        assert found.min() == pytest.approx(lowest)


@pytest.mark.parametrize("kind", MODELS)
def test_no_step_leads_to_nan(kind):
    model = glass(20, 1.0, 6)
    for dt in (50.0, 1e20):
        moments = np.arange(0, 31, 5)
        parameters = machine(kind, steps=30, dt=dt, noise=0.1, moments=moments)
        spins, _, _, _, record = _native.evolve(*model, **parameters)
        assert np.isfinite(record).all()
        assert set(np.unique(spins)) <= {-1, 1}


def test_limits_end_it():
    model = glass(40, 1.0, 7)
    long = machine("cac", steps=200_000)
    _, completed, _, reason, _ = _native.evolve(*model, **long, time_limit=0.05)
    assert reason == "time_limit"
    assert not completed.any()
    reason = _native.evolve(*model, **long, interrupt=lambda: True)[3]
    assert reason == "interrupt"
    lowest = energies(model, _native.evolve(*model, **machine("cac"))[0]).min()
    spins, completed, _, reason, _ = _native.evolve(
        *model, **machine("cac"), target_energy=lowest + 1e-6
    )
    assert reason == "target_energy"
    assert (energies(model, spins[completed]) <= lowest + 1e-5).all()


def test_bad_arguments_raise():
    h, row, col, value = glass(10, 0.5, 8)
    with pytest.raises(ValueError, match="'model' parameter of evolve"):
        _native.evolve(h, row, col, value, **machine("laser"))
    with pytest.raises(ValueError, match="must be finite"):
        _native.evolve(h, row, col, np.nan * value, **machine("cac"))
    wrong = np.ones((2, 10), dtype=np.int8)
    with pytest.raises(ValueError, match="initial must have the shape"):
        _native.evolve(h, row, col, value, **machine("cac"), initial=wrong)
