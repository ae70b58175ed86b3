# SPDX-License-Identifier: Apache-2.0
"""The exact form: exactness, penalties, splines, sizes, bounds and building."""

import gc
import itertools
import math

import dimod
import numpy as np
from _measure import alternate, cpu_seconds, ratios, spread

from qestim._success import time_to_solution
from qestim.qubo import (
    ACTIVATIONS,
    FIPProblem,
    IsingArrays,
    generalization_bound,
    interpolate,
    quantize_inputs,
    time_to_solution_bound,
)
from qestim.samplers import BoltzmannSampler, ExactSampler, SimulatedAnnealingSampler

SIGNS = np.array(list(itertools.product((-1, 1), repeat=3)))


def all_networks(problem):
    """Yield the weights of every network of a problem."""
    layers = problem.layers
    shapes = [layers.shape(k) for k in range(len(layers.units))]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    for flat in itertools.product(layers.code.levels, repeat=int(ends[-1])):
        parts = np.split(np.array(flat), ends[:-1])
        yield [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def exactness(quick):
    """Compare the best network by listing with the least energy of the whole form."""
    cases = {
        "sign, squares": {"bias": False},
        "2 bit": {"weight_bits": 2, "bias": False},
        "ternary": {"weight_bits": "ternary", "bias": False},
        "relu": {"activation": "relu", "bias": False},
        "hinge": {"loss": "hinge", "bias": False},
        "one-hot": {"encoding": "onehot", "bias": False},
    }
    rows = []
    X, y = np.array([[1, 2], [-1, 1]]), np.array([1, -1])
    for name, options in cases.items():
        problem = FIPProblem(X, y, (1,), **options)
        losses = [problem.objective(weights) for weights in all_networks(problem)]
        row = {"case": name, "variables": problem.size_report().variables}
        for share in (1.0, 0.5):
            model = problem.to_bqm(share * problem.penalty_bound())
            least = ExactSampler().lowest(model, 1).first.energy
            row[f"least energy, {share:g} of the penalty"] = least
        rows.append(row | {"best loss": min(losses)})
    return {
        "rows": rows,
        "note": "All states of the whole form, auxiliary bits included. For every "
        "single network: tests/qubo/test_fip.py, 23 cases.",
    }


def splines(quick):
    pieces = np.array([4, 8, 16, 32, 64])
    rows = []
    for name in ACTIVATIONS:
        row = {"function": name}
        for degree in (0, 1):
            bounds, worst = [], 0.0
            for count in pieces:
                spline = interpolate(name, -5, 5, int(count), degree=degree)
                grid = np.linspace(-5, 5, 100_003)
                measured = np.abs(spline(grid) - spline.true(grid)).max()
                bounds.append(spline.error)
                if spline.error > 1e-9:
                    worst = max(worst, measured / spline.error)
            kind = "linear" if degree else "constant"
            row[f"bound, 16 {kind} pieces"] = bounds[2]
            row[f"measured / bound, {kind}"] = worst
            falls = np.polyfit(np.log(pieces), np.log(np.maximum(bounds, 1e-12)), 1)[0]
            exact = max(bounds) < 1e-9
            row[f"exponent, {kind}"] = "exact" if exact else float(falls)
        rows.append(row)
    return {
        "rows": rows,
        "note": "On [-5, 5]. Exponent: slope of log bound against log pieces, 4 to 64.",
    }


def approximation(quick):
    """How well quantized networks come close to a function, by width and bits."""
    rng = np.random.default_rng(0)
    grid = np.linspace(-1, 1, 41)[:, None]
    X, step = quantize_inputs(grid, bits=6)
    targets = {
        "sine": np.sin(np.pi * grid[:, 0]),
        "absolute value": np.abs(grid[:, 0]),
        "step": np.sign(grid[:, 0]),
    }
    rows = []
    draws = 300 if quick else 4000
    for name, target in targets.items():
        for bits in (1, 2, 4):
            row = {"target": name, "bits": bits}
            for width in (2, 4, 8, 16):
                greatest = 2**bits - 1
                problem = FIPProblem(
                    X,
                    target,
                    (width,),
                    weight_bits=bits,
                    activation="tanh",
                    pieces=32,
                    input_step=step,
                    weight_scale=[3 / greatest, 1.5 / (greatest * math.sqrt(width))],
                )
                row[f"width {width}"] = local_search(problem, draws, rng) / len(X)
            rows.append(row)
    return {
        "rows": rows,
        "note": "Mean squared error of the best network that a local search over the "
        f"weights finds ({draws} flips, best of 3 starts).",
    }


def local_search(problem, steps, rng):
    """Return the lowest loss that changing one weight at a time reaches."""
    levels = problem.layers.code.levels
    shapes = [problem.layers.shape(k) for k in range(2)]
    best = np.inf
    for _ in range(3):
        weights = [rng.choice(levels, shape) for shape in shapes]
        loss = problem.objective(weights)
        for _ in range(steps // 3):
            layer = rng.integers(2)
            place = tuple(rng.integers(size) for size in shapes[layer])
            before = weights[layer][place]
            weights[layer][place] = rng.choice(levels)
            after = problem.objective(weights)
            if after <= loss:
                loss = after
            else:
                weights[layer][place] = before
        best = min(best, loss)
    return best


def generalisation(quick):
    """Compare the gap of all networks at once with the bound."""
    rng = np.random.default_rng(0)
    points = np.array(list(itertools.product((-1, 1), repeat=6)))
    rows = []
    for hidden, weight_bits in (((), 1), ((), 2), ((2,), 1)):
        inputs = 4 if hidden else 6
        X = np.unique(points[:, :inputs], axis=0)
        y = rng.choice([-1, 1], len(X))
        options = {"loss": "zero_one", "bias": False, "weight_bits": weight_bits}
        problem = FIPProblem(X, y, hidden, **options)
        losses = np.array([problem.losses(w) for w in all_networks(problem)])
        for n_samples in (20, 100, 1000):
            bound = generalization_bound(problem.log_networks, n_samples)
            gaps = []
            for _ in range(30 if quick else 400):
                drawn = rng.integers(len(X), size=n_samples)
                gap = losses[:, drawn].mean(axis=1) - losses.mean(axis=1)
                gaps.append(np.abs(gap).max())
            rows.append(
                {
                    "layers": "-".join(map(str, (inputs, *hidden, 1))),
                    "bits": weight_bits,
                    "networks": len(losses),
                    "samples": n_samples,
                    "bound": bound,
                    "gap": spread(gaps),
                    "share above the bound": float(np.mean(np.array(gaps) > bound)),
                    "bound / 95 % quantile": bound / float(np.quantile(gaps, 0.95)),
                }
            )
    return {"rows": rows, "note": "Random labels, 0/1 loss, delta = 0.05."}


def time_to_solution_bounds(quick):
    """Compare the bound with sweeps that were measured."""
    rows = []
    reads = 20_000 if quick else 400_000
    for n in (8, 10, 12, 14, 16, 18, 20):
        rng = np.random.default_rng(n)
        J = np.triu(rng.choice([-1, 0, 1], (n, n), p=[0.1, 0.8, 0.1]), 1)
        model = IsingArrays.from_matrix(J + J.T, rng.choice([-0.5, 0.5], n))
        bqm = model.to_bqm()
        lowest = ExactSampler().lowest(bqm, 256).record.energy.round(9)
        ground = lowest.min()
        degeneracy = int((lowest == ground).sum())
        gap = float(np.unique(lowest)[1] - ground)
        beta = 0.9 / np.abs(model.dense).sum(axis=1).max()
        bound = time_to_solution_bound(model, gap, beta, degeneracy=degeneracy)
        hot = sweeps_to_solution(model, beta, ground, reads, rng)
        cold = time_to_solution_bound(
            model, gap, 3.0, degeneracy=degeneracy, sweeps=100
        )
        sampler = BoltzmannSampler(beta=3.0, num_reads=2000, num_sweeps=100, seed=n)
        drawn = sampler.sample(bqm)
        hits = int((drawn.record.energy.round(9) <= ground).sum())
        boltzmann = time_to_solution(hits, 2000, 2000 * 100)
        annealed = SimulatedAnnealingSampler(num_reads=2000, num_sweeps=10, seed=n)
        energies = annealed.sample(bqm).record.energy.round(9)
        sa = time_to_solution(int((energies <= ground).sum()), 2000, 2000 * 10)
        rows.append(
            {
                "spins": n,
                "beta": float(beta),
                "bound, sweeps": bound,
                "measured TTS99": hot.value,
                "95 % low": hot.low,
                "95 % high": hot.high,
                "bound / high": bound / hot.high,
                "bound at beta 3": cold,
                "measured there, high": boltzmann.high,
                "annealing, 10 sweeps": sa.value,
            }
        )
    return {
        "rows": rows,
        "note": "Sparse ±1 glasses with fields. Heat-bath reads of 5 sweeps at a beta "
        "at which the bound proves how fast they mix; at beta 3 the 100 sweeps a read "
        "are taken on trust. Simulated annealing beside it: a bound is no forecast.",
    }


def sweeps_to_solution(model, beta, ground, reads, rng, sweeps=5):
    """Measure TTS99 in sweeps of plain heat-bath reads from random states."""
    J, n = model.dense, len(model)
    s = rng.choice(np.array([-1, 1], dtype=np.int8), (n, reads))
    for _ in range(sweeps):
        for i in range(n):
            field = np.full(reads, model.h[i])
            for j in np.flatnonzero(J[i]):
                field += J[i, j] * s[j]
            up = rng.random(reads) < 1 / (1 + np.exp(2 * beta * field))
            s[i] = np.where(up, 1, -1)
    energies = model.energies(np.ascontiguousarray(s.T)).round(9)
    return time_to_solution(int((energies <= ground).sum()), reads, reads * sweeps)


def build(quick):
    """Compare building with creating and adding a dict of labelled couplings."""
    rng = np.random.default_rng(0)
    share = 10 if quick else 1
    digits = rng.integers(-1, 2, (18 // min(share, 9), 64))
    small = rng.integers(-8, 9, (3200 // share, 4))
    wide = rng.integers(-4, 5, (260 // share, 16))
    cases = {
        "65-32-10, squares": (digits, 10, (32,), {}),
        "5-4-3, squares": (small, 3, (4,), {}),
        "5-4-3, 2 bit, hinge": (small[: 820 // share], 3, (4,), {"weight_bits": 2}),
        "17-16-2, squares": (wide, 2, (16,), {}),
    }
    rows = []
    for name, (X, n_outputs, hidden, options) in cases.items():
        y = rng.choice([-1, 1], (len(X), n_outputs))
        if options:
            options = {**options, "loss": "hinge"}

        def problem(X=X, y=y, hidden=hidden, options=options):
            return FIPProblem(X, y, hidden, memory_limit=2**36, **options)

        arrays = problem().to_arrays()
        bqm = problem().to_bqm()
        vectors = bqm.to_numpy_vectors(arrays.variables, return_labels=True)
        pairs = [part.tolist() for part in vectors.quadratic]

        def labelled(pairs=pairs, labels=list(arrays.variables)):
            couplings = {
                (labels[i], labels[j]): value
                for i, j, value in zip(*pairs, strict=True)
            }
            model = dimod.BinaryQuadraticModel(dimod.BINARY)
            model.add_quadratic_from(couplings)

        def timed(call):
            gc.collect()
            return cpu_seconds(call)[1]

        seconds = alternate(
            {
                "dict": lambda: timed(labelled),
                "arrays": lambda: timed(lambda: problem().to_arrays()),
                "bqm": lambda: timed(lambda: problem().to_bqm()),
            },
            2 if quick else 5,
        )
        rows.append(
            {
                "network": name,
                "samples": len(X),
                "variables": len(arrays),
                "couplings": len(arrays.row),
                "dict, s": spread(seconds["dict"]),
                "arrays, s": spread(seconds["arrays"]),
                "bqm, s": spread(seconds["bqm"]),
                "dict / arrays": ratios(seconds["dict"], seconds["arrays"]),
                "dict / bqm": ratios(seconds["dict"], seconds["bqm"]),
            }
        )
    return {
        "rows": rows,
        "note": "CPU seconds. Ours from the data, everything included; the dict is "
        "made from finished couplings, so its formulas cost nothing.",
    }


def sizes(quick):
    """The sizes of the exact form of known networks."""
    rows = []
    for widths, n_samples in (
        ((3, 2, 1), 4),
        ((5, 4, 3), 120),
        ((14, 8, 3), 142),
        ((31, 8, 2), 455),
        ((65, 32, 10), 1437),
        ((785, 32, 10), 60_000),
    ):
        X = np.ones((1, widths[0]), dtype=np.int64)
        y = np.ones((1, widths[-1]))
        report = FIPProblem(X, y, widths[1:-1], bias=False).size_report()
        auxiliary = int(report.auxiliary_bits[0])
        rows.append(
            {
                "network": "-".join(map(str, widths)),
                "weight bits": report.weight_bits,
                "auxiliary bits a sample": auxiliary,
                "samples": n_samples,
                "variables": report.weight_bits + n_samples * auxiliary,
            }
        )
    return {"rows": rows, "note": "1 bit, sign, squares, inputs of ±1, constant first."}


SECTIONS = {
    "Exact form: least energy": exactness,
    "Exact form: sizes": sizes,
    "Exact form: splines": splines,
    "Exact form: width and bits": approximation,
    "Exact form: generalisation": generalisation,
    "Exact form: time to solution": time_to_solution_bounds,
    "Exact form: building": build,
}
