# SPDX-License-Identifier: Apache-2.0
"""The exact form: exactness, penalties, splines, sizes, bounds and building."""

import gc
import importlib.util
import itertools
import math
import pathlib
from functools import partial

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
from qestim.samplers import ExactSampler, SimulatedAnnealingSampler


def all_networks(problem):
    """Yield the weights of every network of a problem."""
    layers = problem.layers
    shapes = [layers.shape(k) for k in range(len(layers.units))]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    for flat in itertools.product(layers.code.levels, repeat=int(ends[-1])):
        parts = np.split(np.array(flat), ends[:-1])
        yield [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def exactness(quick):
    """Minimise over the auxiliary bits for every setting of the weight bits."""
    path = pathlib.Path(__file__).parent.parent / "tests" / "qubo" / "test_fip.py"
    spec = importlib.util.spec_from_file_location("test_fip", path)
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    rows = []
    for name in cases.CASES:
        problem = cases.make(name)
        losses = [problem.objective(w) for w in cases.networks(problem)[1]]
        row = {
            "case": name,
            "variables": problem.size_report().variables,
            "settings": len(losses),
            "losses": f"{min(losses):.4g} to {max(losses):.4g}",
        }
        for share in (1.0, 0.75, 0.5):
            energy = cases.landscape(problem, share * problem.penalty_bound())
            off = np.abs(energy - losses)
            row[f"off at {share:g}"] = float(off.max())
            row[f"wrong at {share:g}"] = float(np.mean(off > 1e-6))
        rows.append(row)
    return {
        "rows": rows,
        "note": "Off: greatest distance of the least energy to the loss of the "
        "network, over all settings, with that share of the default penalty; wrong: "
        "share of the settings that it concerns.",
    }


def splines(quick):
    pieces = np.array([8, 16, 32, 64])
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
            row[f"bound, 16 {kind} pieces"] = bounds[1]
            row[f"measured / bound, {kind}"] = worst
            falls = np.polyfit(np.log(pieces), np.log(np.maximum(bounds, 1e-12)), 1)[0]
            exact = max(bounds) < 1e-9
            row[f"exponent, {kind}"] = "exact" if exact else float(falls)
        rows.append(row)
    return {
        "rows": rows,
        "note": "On [-5, 5]. Exponent: slope of log bound against log pieces, 8 to 64.",
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
    draws = 300 if quick else 900
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
    for n in (8, 10, 12) if quick else (8, 10, 12, 14, 16, 18, 20):
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
        hot = sweeps_to_solution(model, beta, ground, 4 * 2**n // degeneracy, rng)
        cold = time_to_solution_bound(model, gap, 3.0, degeneracy=degeneracy, sweeps=1)
        drawn = ExactSampler(beta=3.0, num_reads=2000, seed=n).sample(bqm)
        hits = int((drawn.record.energy.round(9) <= ground).sum())
        law = time_to_solution(hits, 2000, 2000)
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
                "bound at beta 3, reads": cold,
                "measured there, high": law.high,
                "annealing, 10 sweeps": sa.value,
            }
        )
    return {
        "rows": rows,
        "note": "Sparse ±1 glasses with fields. Heat-bath reads of 5 sweeps at a beta "
        "at which the bound proves how fast they mix; at beta 3 exact draws from the "
        "law, one unit a read. Simulated annealing beside it: a bound is no forecast.",
    }


def sweeps_to_solution(model, beta, ground, reads, rng, sweeps=5):
    """Measure TTS99 in sweeps of plain heat-bath reads from random states."""
    J, n = model.dense, len(model)
    batch = 2**15
    hits, batches = 0, max(1, reads // batch)
    for _ in range(batches):
        s = rng.choice(np.array([-1, 1], dtype=np.float32), (n, batch))
        for _ in range(sweeps):
            for i in range(n):
                field = model.h[i] + J[i].astype(np.float32) @ s
                up = 1 / (1 + np.exp(np.float32(2 * beta) * field))
                s[i] = np.where(rng.random(batch, dtype=np.float32) < up, 1, -1)
        states = np.ascontiguousarray(s.T.astype(np.int8))
        hits += int((model.energies(states).round(9) <= ground).sum())
    return time_to_solution(hits, batches * batch, batches * batch * sweeps)


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

        problem = partial(FIPProblem, X, y, hidden, memory_limit=2**36, **options)
        arrays = problem().to_arrays()
        labels = list(arrays.variables)
        table = arrays.row.tolist(), arrays.col.tolist(), arrays.value.tolist()

        def labelled(table=table, labels=labels):
            couplings = {
                (labels[i], labels[j]): value
                for i, j, value in zip(*table, strict=True)
            }
            model = dimod.BinaryQuadraticModel(dimod.BINARY)
            model.add_quadratic_from(couplings)

        def timed(call):
            gc.collect()
            return cpu_seconds(call)[1]

        seconds = alternate(
            {
                "dict": lambda: timed(labelled),
                "arrays": lambda make=problem: timed(lambda: make().to_arrays()),
                "bqm": lambda make=problem: timed(lambda: make().to_bqm()),
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
        "made from finished couplings, so its formulas cost nothing. The labels of the "
        "arrays are made when they are asked for; those of the model are in its time.",
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
