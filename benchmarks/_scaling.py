# SPDX-License-Identifier: Apache-2.0
"""How the samplers' cost grows with spins and with reads, against the arithmetic."""

from unittest.mock import patch

import numpy as np
from _measure import alternate, cpu_seconds, spread

from qestim import _native
from qestim.qubo import IsingArrays
from qestim.samplers import (
    CIMSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
    _bifurcation,
    _cim_models,
    default_beta_range,
)

DEGREE = 6
SAMPLERS = {
    "annealing": SimulatedAnnealingSampler(num_threads=1, seed=1),
    "dSB": SimulatedBifurcationSampler(dt=0.5, num_threads=1, seed=1),
    "bSB": SimulatedBifurcationSampler(mode="ballistic", dt=0.5, num_threads=1, seed=1),
    **{
        model: CIMSampler(model=model, num_threads=1, seed=1)
        for model in ("cac", "cfc", "sfc", "mean_field", "wigner")
    },
}
EVENTS = ("annealing", "dSB")
KERNELS = ("anneal", "bifurcate", "evolve")


def graph_with_signs(n, degree):
    """Draw a random graph with couplings +-1 as arrays."""
    rng = np.random.default_rng(n)
    ends = np.sort(rng.integers(0, n, (n * degree, 2)), axis=1)
    codes = np.unique(ends[ends[:, 0] < ends[:, 1]] @ np.array([n, 1]))
    codes = rng.permutation(codes)[: n * degree // 2]
    signs = rng.choice([-1.0, 1.0], len(codes))
    return _arrays(n, codes // n, codes % n, signs)


def complete_with_signs(n):
    """Draw a complete graph with couplings +-1 as arrays."""
    row, col = np.triu_indices(n, 1)
    return _arrays(n, row, col, np.random.default_rng(n).choice([-1.0, 1.0], len(row)))


def _arrays(n, row, col, value):
    return IsingArrays(np.zeros(n), row.astype(np.int32), col.astype(np.int32), value)


def cost(name, model, reads, steps, begin=1, **parameters):
    """CPU seconds of a read and a step in the kernel.

    Building the rows of J is in a run of ``begin`` steps too, which is subtracted.
    """
    word = "num_sweeps" if name == "annealing" else "num_steps"

    def run(count):
        settings = {word: count, "num_reads": reads, **parameters}
        call = SAMPLERS[name]._for_call(settings)
        return kernel_seconds(lambda: call._sample_ising(model, None, reads, 1))

    return (run(begin + steps) - run(begin)) / (reads * steps)


def kernel_seconds(call):
    """CPU seconds that a call spends in compiled kernels.

    The spectrum is given: finding it takes longer than some steps of large models,
    and only the size of a step depends on it.
    """
    spent = []

    def timed(kernel):
        def run(*arguments, **settings):
            answer, seconds = cpu_seconds(lambda: kernel(*arguments, **settings))
            spent.append(seconds)
            return answer

        return run

    kernels = {name: timed(getattr(_native, name)) for name in KERNELS}
    with (
        patch.multiple(_native, **kernels),
        patch.object(_cim_models, "extreme_eigenvalues", lambda model: (-2.0, 2.0)),
        patch.object(_bifurcation, "extreme_eigenvalues", lambda model: (-2.0, 2.0)),
    ):
        call()
    return sum(spent)


def work(name, n, dense, quick):
    """Reads and steps that take some tenths of a CPU second."""
    share = 0.05 if quick else 1.0
    if name in EVENTS:
        # The whole schedule, since flips become rare in its course.
        group, most = (32, 8000) if dense else (64, 20000)
        return group * int(np.ceil(share * most / n)), 200
    reads, products = (128, n * n) if dense else (32, n)
    budget = 4e9 if dense else 2e8
    return reads, 10 * max(1, round(share * budget / (reads * products) / 10))


def slope(sizes, values):
    """Exponent of the power law through some points."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def spin_cost(name):
    """CPU seconds of a read, a step and a spin, couplings aside."""
    n = 1000
    if name == "annealing":  # frozen: every attempt is refused
        model = complete_with_signs(n)
        return cost(name, model, 64, 200, begin=100, beta_range=(50.0, 60.0)) / n
    if name == "dSB":  # nothing moves far enough to change its sign
        return cost(name, complete_with_signs(n), 64, 200, dt=1e-6) / n
    return cost(name, graph_with_signs(n, DEGREE), 32, 2000) / n


def growth(dense, quick):
    """Cost of a step against the number of spins, and the slope that it should have."""
    draw = complete_with_signs if dense else lambda n: graph_with_signs(n, DEGREE)
    sizes = (500, 1000, 2000, 4000, 8000) if dense else (500, 2000, 5000, 10000, 20000)
    if quick:
        sizes = (200, 400, 800)
    models = {n: draw(n) for n in sizes}
    rows = []
    for name in SAMPLERS:
        calls = {
            n: lambda n=n, name=name: cost(
                name, models[n], *work(name, n, dense, quick)
            )
            for n in sizes
        }
        times = alternate(calls, 1 if quick else 3)
        slopes = [slope(sizes, found) for found in zip(*times.values(), strict=True)]
        expected = 1.0
        if dense:
            middle = sizes[len(sizes) // 2]
            single = spin_cost(name)
            pair = (np.mean(times[middle]) / middle - single) / middle
            expected = slope(sizes, [single * n + pair * n * n for n in sizes])
        rows.append(
            {
                "sampler": name,
                "slope": spread(slopes),
                "of the arithmetic": expected,
                "over it": spread([found / expected for found in slopes]),
                **{
                    f"ns a spin, n = {n}": float(np.mean(found) / n * 1e9)
                    for n, found in times.items()
                },
            }
        )
    return rows


def sparse_growth(quick):
    return {
        "rows": growth(False, quick),
        "note": f"Random graphs of degree {DEGREE} with couplings +-1, CPU time of a "
        "read and step. The arithmetic: edges grow like spins, so the slope is 1. What "
        "bends it is the cache. With AVX-512 a group of 16 amplitude reads takes 192 "
        "bytes a spin, of 64 annealed reads 128 bytes, visited at random: the first "
        "cache (48 kB) is full at some hundred spins, the second (2 MB) at 10,000 and "
        "16,000. Tried: groups of one vector of reads with the sums taken in the step "
        "(kept: before, the slopes of cac and bSB were 1.36 and 1.39); fetching "
        "neighbours ahead (5 % better at 20,000 spins, 10 % worse below 5,000: left "
        "out).",
    }


def dense_growth(quick):
    sizes = (200, 400) if quick else (500, 1000, 2000)
    counted = ", ".join(
        f"{annealing_flips(n):.4f} and {bifurcation_flips(n):.4f} at n = {n}"
        for n in sizes
    )
    return {
        "rows": growth(True, quick),
        "note": "Complete graphs with couplings +-1, CPU time of a read and step. The "
        "arithmetic: a n + b n^2, a being the time of a spin with its couplings at "
        "rest, b that of a coupling, both from the middle size and below. Annealing "
        "and dSB touch a row of J only for a flip; flips a spin and step do not grow "
        f"with n: {counted} (annealing and dSB). dSB bends above 2000, where its rows, "
        "a byte a coupling, leave the second cache and a flip streams its row from the "
        "third. Tried there without gain: pages of 2 MB for the rows, and fetching "
        "rows ahead.",
    }


def annealing_flips(n, sweeps=100):
    """Count flips a spin and sweep of the default schedule: distances of states."""
    model = complete_with_signs(n)
    beta_range = default_beta_range(model.to_bqm())
    state, flips = None, 0
    for k, beta in enumerate(np.linspace(*beta_range, sweeps)):
        call = SAMPLERS["annealing"]._for_call(
            {"num_sweeps": 1, "beta_range": (beta, beta), "seed": k}
        )
        before = state
        state = call._sample_ising(model, before, 4, k)[0]
        flips += 0 if before is None else np.count_nonzero(state != before)
    return flips / (4 * n * (sweeps - 1))


def bifurcation_flips(n, steps=200, dt=0.5):
    """Count changes of sign a spin and step of dSB, integrated here in numpy."""
    matrix = complete_with_signs(n).dense.astype(np.float32)
    kick = dt * 0.5 / np.sqrt(n - 1)
    x, y = np.random.default_rng(0).uniform(-0.1, 0.1, (2, n, 4)).astype(np.float32)
    flips = 0
    for pump in np.linspace(0, 1, steps):
        signs = np.where(x < 0, -1, 1).astype(np.float32)
        y -= dt * (1 - pump) * x + kick * (matrix @ signs)
        x += dt * y
        y[np.abs(x) > 1] = 0
        np.clip(x, -1, 1, out=x)
        flips += np.count_nonzero((x < 0) != (signs < 0))
    return flips / (4 * n * steps)


def reads_growth(quick):
    """Cost of a step against the number of reads."""
    n = 300 if quick else 2000
    counts = (64, 256) if quick else (128, 256, 512, 1024)
    rows = []
    for kind, model in (
        ("sparse", graph_with_signs(n, DEGREE)),
        ("dense", complete_with_signs(n)),
    ):
        for name in SAMPLERS:
            steps = 200 if name in EVENTS else 10 if kind == "dense" else 50
            calls = {
                reads: lambda reads=reads, name=name, model=model, steps=steps: (
                    reads * cost(name, model, reads, steps)
                )
                for reads in (1, 16, *counts)
            }
            times = alternate(calls, 1 if quick else 3)
            slopes = [
                slope(counts, found)
                for found in zip(*(times[k] for k in counts), strict=True)
            ]
            rows.append(
                {
                    "model": kind,
                    "sampler": name,
                    f"slope, {counts[0]} to {counts[-1]} reads": spread(slopes),
                    **{
                        f"us a read, {reads}": float(np.mean(found) / reads * 1e6)
                        for reads, found in times.items()
                    },
                }
            )
    return {
        "rows": rows,
        "note": f"n = {n}, CPU time of a step. The arithmetic: slope 1. Reads go side "
        "by side in vector lanes, 16 to 64 of them: below that a read costs nearly "
        "what a group of lanes costs.",
    }
