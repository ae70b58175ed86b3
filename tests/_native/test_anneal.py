# SPDX-License-Identifier: Apache-2.0
"""The annealing kernels: their law, their bookkeeping and how they stop."""

import itertools
import signal
import time

import numpy as np
import pytest
import scipy.stats

from qestim import _native

COMPILED = _native.kernel_name != "numpy"
needs_compiled = pytest.mark.skipif(not COMPILED, reason="needs the compiled kernels")
ISAS = ["baseline", "avx2", "avx512"]
ISAS = ISAS[: 1 + ISAS.index(_native.kernel_name.partition("-")[2])] if COMPILED else []


def arrays(n, density, draw, fields=True, seed=0):
    """A random model whose coefficients come from ``draw(rng, size)``."""
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    keep = rng.random(len(row)) < density
    row, col = row[keep].astype(np.int32), col[keep].astype(np.int32)
    h = np.asarray(draw(rng, n) if fields else np.zeros(n), dtype=float)
    return h, row, col, np.asarray(draw(rng, len(row)), dtype=float)


def signs(rng, size):
    return rng.choice([-1.0, 1.0], size)


def small(rng, size):
    return rng.integers(-3, 4, size)


def large(rng, size):
    return rng.integers(-900, 901, size)


def real(rng, size):
    return rng.normal(size=size)


def energies(model, spins):
    h, row, col, value = model
    spins = np.asarray(spins, dtype=float)
    return spins @ h + (spins[:, row] * spins[:, col]) @ value


def states(n):
    return np.array(list(itertools.product([-1, 1], repeat=n)), dtype=np.int8)


def codes(spins):
    return (spins > 0) @ (1 << np.arange(spins.shape[1])[::-1])


def run(model, betas, num_reads, seed=0, **options):
    betas = np.asarray(betas, dtype=float)
    return _native.anneal(*model, betas, num_reads, seed, **options)


BITS = "dense-bits" if len(ISAS) > 1 else "dense-int8 signs"
KERNELS = {
    "sparse-int8": (arrays(60, 0.05, signs), signs),
    "sparse-int8 weights": (arrays(60, 0.1, small), small),
    "sparse-int16": (arrays(60, 0.2, large), large),
    "sparse-float32": (arrays(60, 0.1, real), real),
    "dense-int8": (arrays(150, 0.9, small), small),
    BITS: (arrays(193, 1.0, signs), signs),
    "dense-float32": (arrays(150, 0.9, real), real),
}
kernels = pytest.mark.parametrize("name", KERNELS)


def padded(model, n):
    """The model beside free spins and far pairs, so that a dense kernel takes it."""
    h, row, col, value = model
    extra = 130
    far_row, far_col = np.triu_indices(extra, 1)
    return (
        np.concatenate([h, np.zeros(extra)]),
        np.concatenate([row, far_row + n]).astype(np.int32),
        np.concatenate([col, far_col + n]).astype(np.int32),
        np.concatenate([value, np.full(len(far_row), np.abs(value).max())]),
    )


def coupling_of(model):
    h, row, col, value = model
    coupling = np.zeros((len(h), len(h)))
    coupling[row, col] = value
    return coupling + coupling.T


@kernels
def test_cold_sweeps_follow_the_local_fields(name):
    # At infinite beta Metropolis is deterministic, zero fields flip: any mistake that
    # the hot sweeps left in the local fields shows.
    model = KERNELS[name][0]
    hot = np.geomspace(1e-3, 2, 40) / np.abs(model[3]).max()
    spins, completed, kernel, reason = run(model, hot, 20, seed=3)
    assert completed.all()
    assert reason == ""
    assert kernel == (name.split()[0] if COMPILED else "numpy")
    coupling, expected = coupling_of(model), spins.astype(float)
    for _ in range(3):
        for i in range(len(coupling)):
            gain = expected[:, i] * (expected @ coupling[i] + model[0][i])
            expected[gain >= 0, i] *= -1
    found = run(model, np.append(hot, [1e9] * 3), 20, seed=3)[0]
    np.testing.assert_array_equal(found, expected)


@kernels
@pytest.mark.parametrize("gibbs", [False, True])
@pytest.mark.parametrize("random_order", [False, True])
def test_quenches_end_in_local_minima(name, gibbs, random_order):
    model = KERNELS[name][0]
    model = (model[0] + 1 / 3, *model[1:]) if "int8" in name else model  # no ties
    betas = np.append(np.geomspace(1e-3, 5, 30), [1e9] * 60)
    spins, _, _, _ = run(
        model,
        betas / np.abs(model[3]).max(),
        20,
        seed=3,
        gibbs=gibbs,
        random_order=random_order,
    )
    local = spins * (spins @ coupling_of(model) + model[0])
    assert local.max() < 0


@needs_compiled
@kernels
def test_instruction_sets_and_widths_agree_to_the_bit(name):
    model = KERNELS[name][0]
    betas = np.linspace(0.01, 1.5, 30) / np.abs(model[3]).max()
    for options in ({}, {"gibbs": True}, {"random_order": True}):
        expected = run(model, betas, 150, seed=5, **options)[0]
        for isa in ISAS:
            found = run(model, betas, 150, seed=5, isa=isa, **options)[0]
            np.testing.assert_array_equal(found, expected)
    assert len(np.unique(expected, axis=0)) > 1


@kernels
@pytest.mark.parametrize("num_reads", [1, 3, 7, 12, 20, 33, 65])
def test_reads_depend_on_neither_threads_nor_company(name, num_reads):
    model = KERNELS[name][0]
    betas = np.linspace(0.01, 0.5, 8) / np.abs(model[3]).max()
    everyone = run(model, betas, 70, seed=9)[0]
    for num_threads in (1, 3):
        found = run(model, betas, num_reads, seed=9, num_threads=num_threads)[0]
        np.testing.assert_array_equal(found, everyone[:num_reads])
    assert not np.array_equal(run(model, betas, 70, seed=10)[0], everyone)


LAWS = {
    "sparse-int8": lambda seed: arrays(6, 0.7, signs, seed=seed),
    "sparse-int8 even": lambda seed: arrays(6, 1.0, signs, fields=False, seed=seed),
    "sparse-int8 weights": lambda seed: arrays(6, 0.7, small, seed=seed),
    "sparse-int16": lambda seed: arrays(6, 0.7, large, seed=seed),
    "sparse-float32": lambda seed: arrays(6, 0.7, real, seed=seed),
    "dense-int8": lambda seed: arrays(6, 0.7, small, seed=seed),
    "dense-float32": lambda seed: arrays(6, 0.7, real, seed=seed),
}


def chi_square_p(model, n, betas, spins):
    exact = np.exp(-betas[-1] * (e := energies(model, states(n))) + betas[-1] * e.min())
    expected = exact / exact.sum() * len(spins)
    observed = np.bincount(codes(spins), minlength=2**n)
    order = np.argsort(expected)
    # Cells are pooled from the rarest until each expects five.
    cells, pool = [], np.zeros(2)
    for k in order:
        pool += expected[k], observed[k]
        if pool[0] >= 5:
            cells.append(pool)
            pool = np.zeros(2)
    cells[-1] = cells[-1] + pool
    want, got = np.array(cells).T
    return scipy.stats.chi2.sf(((got - want) ** 2 / want).sum(), len(want) - 1)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("gibbs", [False, True])
@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_a_fixed_beta_samples_the_boltzmann_law(name, gibbs, beta):
    model = LAWS[name](seed=int(10 * beta))
    beta = beta / np.sqrt(np.mean(model[3] ** 2)) / 1.5
    whole = padded(model, 6) if name.startswith("dense") and COMPILED else model
    num_reads = 20000 if COMPILED else 4000
    if name.startswith("dense"):
        num_reads = 4000
    betas = np.full(60, beta)
    # Metropolis in a fixed order is not ergodic where fields vanish.
    spins, _, kernel, _ = run(
        whole, betas, num_reads, seed=11, gibbs=gibbs, random_order=not gibbs
    )
    assert kernel == (name.split()[0] if COMPILED else "numpy")
    assert chi_square_p(model, 6, betas, spins[:, :6]) > 1e-4
    # The test can tell a law 20 % away.
    assert chi_square_p(model, 6, betas * 1.2, spins[:, :6]) < 1e-4


@needs_compiled
@pytest.mark.parametrize("name", ["sparse-int8", "sparse-int16", "sparse-float32"])
def test_rare_flips_happen_at_their_rate(name):
    # One spin in a field: P(up) = 1 / (1 + exp(2 beta h)), far below 2^-16.
    scale = {"sparse-int8": 1.0, "sparse-int16": 500.0, "sparse-float32": 1.0}[name]
    ups, visits, beta = 0, 0, 5.9
    h = np.full(2000, 1.0)
    if name == "sparse-float32":
        h[1] = 0.777777
    model = (h * scale, *(np.zeros(0, np.int32),) * 2, np.zeros(0))
    if name == "sparse-int16":
        model[0][1] = 1.0
    for seed in range(4):
        spins, _, kernel, _ = run(
            model, np.full(60, beta / scale), 2048, seed=seed, gibbs=True
        )
        assert kernel == name
        ups += (spins[:, 2:] > 0).sum()
        visits += spins[:, 2:].size
    expected = visits / (1 + np.exp(2 * beta))
    assert abs(ups - expected) < 6 * np.sqrt(expected)


@pytest.mark.parametrize("name", LAWS)
def test_small_models_reach_their_ground_state(name):
    model = LAWS[name](seed=4)
    spins = run(model, np.geomspace(0.05, 20, 100) / np.abs(model[3]).max(), 30)[0]
    assert energies(model, spins).min() == pytest.approx(
        energies(model, states(6)).min()
    )


@pytest.mark.parametrize("factor", [1e-305, 1e-300, 1e-12, 0.25, 1 / 3, 1e9, 1e300])
@pytest.mark.parametrize("name", ["sparse-int8 weights", "dense-int8", "dense-float32"])
def test_the_size_of_the_coefficients_is_harmless(name, factor):
    model = KERNELS[name][0]
    betas = np.linspace(0.01, 1, 20)
    h, row, col, value = model
    expected, _, kernel, _ = run(model, betas, 5)
    found, _, scaled_kernel, _ = run(
        (h * factor, row, col, value * factor), betas / factor, 5
    )
    assert scaled_kernel == kernel
    if "float" not in kernel and COMPILED:
        np.testing.assert_array_equal(found, expected)
    spread = energies(model, expected).std() + 1e-9
    assert abs(energies(model, found) - energies(model, expected)).max() < 8 * spread


def test_edges():
    none = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)
    # one spin; isolated spins; all zero
    spins = run((np.array([1.0]), *none), [0.1, 30.0], 9)[0]
    np.testing.assert_array_equal(spins, -np.ones((9, 1)))
    spins = run((np.array([2.0, 0.0, -1.0]), *none), [1.0, 30.0], 50)[0]
    assert (spins[:, 0] == -1).all()
    assert (spins[:, 2] == 1).all()
    spins = run((np.zeros(3), *none), [1.0], 400, gibbs=True)[0]
    assert abs(spins.mean()) < 0.2
    tiny = 5e-324 * np.array([1.0, -1.0, 2.0])
    ends = np.array([0], np.int32), np.array([1], np.int32), np.array([5e-324])
    spins = run((tiny, *ends), [1.0], 400, gibbs=True)[0]
    assert abs(spins.mean()) < 0.2
    assert run((np.zeros(0), *none), [1.0], 4)[0].shape == (4, 0)
    assert run((np.zeros(2), *none), [1.0], 0)[0].shape == (0, 2)


@kernels
def test_no_sweeps_return_the_initial_states(name):
    model = KERNELS[name][0]
    initial = np.where(np.random.default_rng(1).random((9, len(model[0]))) < 0.5, 1, -1)
    initial = initial.astype(np.int8)
    spins, completed, _, reason = run(model, [], 9, initial=initial)
    np.testing.assert_array_equal(spins, initial)
    assert completed.all()
    assert reason == ""
    # Infinitely cold from a given state: nothing but descent.
    after = run(model, [1e9] * 3, 9, initial=initial)[0]
    assert (energies(model, after) <= energies(model, initial) + 1e-9).all()
    drawn = run(model, [], 300)[0]
    assert abs(drawn.mean()) < 0.05


@kernels
def test_beta_zero_flips_every_spin_in_turn(name):
    model = KERNELS[name][0]
    initial = np.ones((5, len(model[0])), dtype=np.int8)
    spins = run(model, [0.0] * 3, 5, initial=initial)[0]
    np.testing.assert_array_equal(spins, -initial)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_target_energy_keeps_the_reads_up_to_the_first_hit(num_threads):
    model = KERNELS["sparse-float32"][0]
    betas = np.linspace(0.1, 2, 30)
    spins = run(model, betas, 200, seed=2)[0]
    found = energies(model, spins)
    for hit in (0, 40, 130):
        target = np.sort(found[: hit + 1])[0]
        first = int(np.argmax(found <= target + 1e-9))
        part, completed, _, reason = run(
            model, betas, 200, seed=2, num_threads=num_threads, target_energy=target
        )
        assert reason == "target_energy"
        np.testing.assert_array_equal(np.flatnonzero(completed), np.arange(first + 1))
        np.testing.assert_array_equal(part[completed], spins[: first + 1])
    _, completed, _, reason = run(model, betas, 200, target_energy=-1e9)
    assert completed.all()
    assert reason == ""


@kernels
@pytest.mark.parametrize("num_threads", [1, 2])
def test_time_limit_keeps_whole_reads(name, num_threads):
    model = KERNELS[name][0]
    start = time.process_time()  # which other processes do not lengthen
    spins, completed, _, reason = run(
        model, np.full(10**7, 0.1), 70, time_limit=0.2, num_threads=num_threads
    )
    assert time.process_time() - start < 2
    assert reason == "time_limit"
    assert not completed.any()
    assert set(np.unique(spins)) == {-1, 1}


def test_time_limit_returns_what_the_seed_gives():
    model = KERNELS["sparse-float32"][0]
    betas = np.full(4000 if COMPILED else 40, 0.5)
    spins, completed, _, reason = run(model, betas, 20000, time_limit=0.5, seed=4)
    assert reason == "time_limit"
    done = int(completed.sum())
    assert 0 < done < 20000
    assert completed[:done].all()
    expected = run(model, betas, min(done, 64), seed=4)[0]
    np.testing.assert_array_equal(spins[: len(expected)], expected)


def test_interrupt_function_stops():
    asked = []

    def interrupt():
        asked.append(1)
        return len(asked) >= 3

    model = KERNELS["sparse-float32"][0]
    _, completed, _, reason = run(model, np.full(10**7, 0.1), 8, interrupt=interrupt)
    assert reason == "interrupt"
    assert len(asked) == 3
    assert not completed.any()

    def fails():
        raise RuntimeError("from the caller")

    with pytest.raises(RuntimeError, match="from the caller"):
        run(model, np.full(10**7, 0.1), 8, interrupt=fails, num_threads=2)


def test_control_c_stops_within_a_second(soon):
    model = KERNELS["dense-float32"][0]
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            run(model, np.full(10**7, 0.1), 8, num_threads=2)
        assert time.perf_counter() - start < 0.2 + soon
    finally:
        signal.signal(signal.SIGALRM, before)


def test_wrong_arrays_are_refused():
    h, row, col, value = KERNELS["sparse-int8"][0]
    with pytest.raises(ValueError, match="must be finite"):
        run((h * np.nan, row, col, value), [1.0], 1)
    with pytest.raises(ValueError, match="must be finite"):
        run((h, row, col, value * np.inf), [1.0], 1)
    with pytest.raises(ValueError, match="different spins"):
        run((h, row, row, value), [1.0], 1)
    with pytest.raises(ValueError, match="different spins"):
        run((h, row + 100, col, value), [1.0], 1)
    with pytest.raises(ValueError, match="same length"):
        run((h, row[:-1], col, value), [1.0], 1)
    with pytest.raises(ValueError, match="betas"):
        run((h, row, col, value), [np.nan], 1)
    with pytest.raises(ValueError, match="initial"):
        run((h, row, col, value), [1.0], 2, initial=np.ones((1, 60), dtype=np.int8))
