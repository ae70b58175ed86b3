# SPDX-License-Identifier: Apache-2.0
"""What holds for every model: random ones by the thousand, long use, interruption."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import warnings

import dimod
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qestim import _native
from qestim.exceptions import MixingWarning, TimeLimitWarning
from qestim.qubo import IsingArrays, spins_of
from qestim.samplers import BoltzmannSampler, ExactSampler, SimulatedAnnealingSampler
from qestim.testing import ExactLaw, sherrington_kirkpatrick

MINIMISERS = [SimulatedAnnealingSampler(num_sweeps=20, num_reads=3)]
SAMPLERS = [*MINIMISERS, BoltzmannSampler(num_sweeps=20, num_reads=3, log_z=False)]


LABELS = ["numbers", "numbers with gaps", "strings", "tuples", "a mixture"]


def labels_of(kind, n):
    return {
        "numbers": list(range(n)),
        "numbers with gaps": [7 * i + 3 for i in range(n)][::-1],
        "strings": [f"x{i}" for i in range(n)],
        "tuples": [("q", i) for i in range(n)],
        "a mixture": [
            (i, str(i), (i,), frozenset([i]), i + 0.5)[i % 5] for i in range(n)
        ],
    }[kind]


@st.composite
def models(draw, largest=60):
    """Models of any size, label, vartype, density, sign, scale and degeneracy."""
    n = draw(st.integers(0, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = draw(st.sampled_from(["normal", "signs", "zeros", "integers", "wild"]))
    scale = 10.0 ** draw(st.sampled_from([0, 0, 0, -280, -30, -6, 6, 30, 280]))
    density = draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    row, col = np.triu_indices(n, 1)
    kept = rng.random(len(row)) < density

    def values(count):
        if weights == "wild":  # many magnitudes in one model
            return rng.normal(size=count) * 10.0 ** rng.uniform(-12, 3, count)
        return {
            "normal": rng.normal(size=count),
            "signs": rng.choice([-1.0, 1.0], count),
            "zeros": np.zeros(count),
            "integers": rng.integers(-9, 10, count).astype(float),
        }[weights]

    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
        scale * values(n) * draw(st.sampled_from([0.0, 1.0])),
        (row[kept], col[kept], scale * values(int(kept.sum()))),
        scale * draw(st.sampled_from([0.0, -1.5])),
        draw(st.sampled_from(["SPIN", "BINARY"])),
    )
    labels = labels_of(draw(st.sampled_from(LABELS)), n)
    return bqm.relabel_variables(
        dict(zip(range(n), labels, strict=True)), inplace=False
    )


def check_reads(sampler, bqm, seed):
    with warnings.catch_warnings():
        # A random model may be too hard for 20 sweeps, and the sampler says so.
        warnings.simplefilter("ignore", MixingWarning)
        found = sampler.sample(bqm, seed=seed, num_threads=1)
        again = sampler.sample(bqm, seed=seed, num_threads=2)
    assert found.vartype is bqm.vartype
    assert list(found.variables) == list(bqm.variables)
    assert found.record.sample.shape == (3, bqm.num_variables)
    assert np.isin(found.record.sample, list(bqm.vartype.value)).all()
    np.testing.assert_array_equal(found.record.sample, again.record.sample)
    size = sum(map(abs, [*bqm.linear.values(), *bqm.quadratic.values(), bqm.offset]))
    want = bqm.energies((found.record.sample, list(found.variables)))
    assert np.abs(found.record.energy - want).max(initial=0) <= 1e-12 * size


PROPERTY = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "database": None,
}


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@settings(max_examples=150, **PROPERTY)
@given(bqm=models(), seed=st.integers(0, 2**31))
def test_reads_belong_to_any_model(sampler, bqm, seed):
    check_reads(sampler, bqm, seed)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@settings(max_examples=4000, **PROPERTY)
@given(bqm=models(), seed=st.integers(0, 2**31))
def test_reads_belong_to_thousands_of_models(sampler, bqm, seed):
    check_reads(sampler, bqm, seed)


@settings(max_examples=100, **PROPERTY)
@given(bqm=models(largest=9))
def test_annealing_finds_the_ground_state_of_small_models(bqm):
    law = ExactLaw(IsingArrays.from_bqm(bqm))
    sampler = SimulatedAnnealingSampler(num_reads=200, num_sweeps=200, seed=1)
    found = sampler.sample(bqm).record.energy.min()
    size = sum(map(abs, [*bqm.linear.values(), *bqm.quadratic.values(), bqm.offset]))
    # Below 1e-6 of the whole lies what an annealer need not resolve.
    assert found <= law.energies.min() + 1e-6 * size


@settings(max_examples=100, **PROPERTY)
@given(bqm=models(largest=9))
def test_exact_sampler_agrees_with_plain_enumeration(bqm):
    model = IsingArrays.from_bqm(bqm)
    law = ExactLaw(model)
    info = ExactSampler(num_reads=1, seed=0).sample(bqm).info
    unit = max(1.0, float(np.abs(law.energies).max()))
    if len(model):
        assert abs(info["log_z"] - law.log_z(1.0)) <= 1e-10 * unit + 1e-9
        assert abs(info["ground_energy"] - law.energies.min()) <= 1e-10 * unit


def resident_bytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(_native.kernel_name == "numpy", reason="tests the kernels' memory")
@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(
    ("calls", "limit"), [(800, 2e6), pytest.param(10_000, 5e6, marks=pytest.mark.slow)]
)
def test_many_calls_do_not_grow_memory(sampler, calls, limit):
    bqm = sherrington_kirkpatrick(20, 0)
    options = {"num_threads": 1, "num_sweeps": 5}
    if isinstance(sampler, BoltzmannSampler):
        options["num_temperatures"] = 1

    def call(times):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixingWarning)
            for seed in range(times):
                sampler.sample(bqm, seed=seed, **options)

    call(300)
    before = resident_bytes()
    call(calls)
    assert resident_bytes() - before < limit


LONG = {
    "SimulatedAnnealingSampler": {"num_sweeps": 10**6, "num_reads": 64},
    "BoltzmannSampler": {"num_sweeps": 10**9, "num_reads": 8, "num_temperatures": 2},
}


@pytest.mark.parametrize("name", sorted(LONG))
def test_time_limit_ends_a_call_within_a_second(name, soon):
    sampler = {type(s).__name__: s for s in SAMPLERS}[name]
    bqm = sherrington_kirkpatrick(300, 0)
    start = time.monotonic()
    with pytest.warns(TimeLimitWarning, match="stopped"):
        found = sampler.sample(bqm, time_limit=0.3, seed=1, **LONG[name])
    assert 0.2 < time.monotonic() - start < 0.3 + soon
    assert np.isin(spins_of(found, bqm.variables), (-1, 1)).all()
    after = sampler.sample(bqm, seed=1, num_threads=1, num_sweeps=5, num_reads=2)
    assert len(after) == 2


@pytest.mark.skipif(
    _native.kernel_name == "numpy", reason="numpy anneals all reads in one group"
)
def test_reads_that_a_time_limit_leaves_are_those_of_the_seed():
    bqm = sherrington_kirkpatrick(60, 0)
    sampler = SimulatedAnnealingSampler(num_sweeps=2000, num_reads=20_000, seed=3)
    found = sampler.sample(bqm, time_limit=0.5)
    assert 0 < len(found) < 20_000, "the limit should cut this call"
    whole = spins_of(sampler.sample(bqm, num_reads=2000), bqm.variables)
    first = spins_of(found, bqm.variables)[: len(whole)]
    rows = {row.tobytes() for row in whole}
    assert np.mean([row.tobytes() in rows for row in first[:200]]) == 1


INTERRUPTED = """
import signal, sys, threading, time
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler
from qestim.testing import sherrington_kirkpatrick

# A shell starts what it puts into the background with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
bqm = sherrington_kirkpatrick(300, 0)
sampler = {name}(seed=1)
sampler.sample(bqm, num_sweeps=5, num_reads=2)
print("ready", flush=True)
try:
    sampler.sample(bqm, **{options})
except KeyboardInterrupt:
    print("interrupted", flush=True)
else:
    sys.exit("the call came to its end")
assert len(sampler.sample(bqm, num_sweeps=5, num_reads=2)) == 2
print("usable", threading.active_count(), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("name", sorted(LONG))
@pytest.mark.parametrize("num_threads", [1, 2])
def test_ctrl_c_returns_within_a_second(name, num_threads, soon):
    options = {**LONG[name], "num_threads": num_threads}
    root = pathlib.Path(__file__).parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED.format(**locals())],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        watchdog = threading.Timer(60, process.kill)  # a deaf child must not hang us
        watchdog.start()
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - start < soon
        assert process.stdout.readline() == "usable 1\n"
        assert process.wait(timeout=30) == 0
        watchdog.cancel()
