# SPDX-License-Identifier: Apache-2.0
"""The solver beside samplers, a large pool, and features beside other selectors."""

import multiprocessing
import resource
import time

import numpy as np
from _measure import cpu_seconds
from _queries import difference, digits
from dwave.samplers import SteepestDescentSampler, TabuSampler
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils import gen_batches

from qestim import ActiveSampleSelector, QUBOFeatureSelector
from qestim.qubo import SelectionProblem
from qestim.samplers import (
    CIMSampler,
    DimodSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
)


def instances(n, n_candidates):
    """Return problems of queries on digits: the selector's and the plain form."""
    problems = []
    for seed in range(n):
        X, y, _, _ = digits(seed)
        labels = np.where(np.arange(len(y)) < 40, y, -1)
        selector = ActiveSampleSelector(
            LogisticRegression(), 20, n_candidates=n_candidates, random_state=seed
        ).fit(X, labels)
        problem = selector.problem_
        problems.append(("coverage", seed, problem))
        order = np.argsort(-problem.utility)[:n_candidates]
        S = np.exp(-np.square(X[order][:, None] - X[order]).sum(-1) / 4)
        plain = SelectionProblem(problem.utility[order], S, 20, redundancy=3.0)
        problems.append(("plain", seed, plain))
    return problems


def solvers(quick):
    sweeps = 100 if quick else 1000
    return {
        "simulated annealing": SimulatedAnnealingSampler(
            num_reads=8, num_sweeps=sweeps
        ),
        "simulated annealing, beta 0.05 to 200": SimulatedAnnealingSampler(
            num_reads=8, num_sweeps=sweeps, beta_range=(0.05, 200.0)
        ),
        "CIM (chaotic amplitude)": CIMSampler(num_reads=8, num_steps=sweeps),
        "discrete simulated bifurcation": SimulatedBifurcationSampler(
            num_reads=8, num_steps=sweeps
        ),
        "tabu (dwave-samplers)": DimodSampler(
            TabuSampler(), sample_params={"num_reads": 4, "timeout": 100}
        ),
        "steepest descent (dwave-samplers)": DimodSampler(
            SteepestDescentSampler(), sample_params={"num_reads": 8}
        ),
    }


def solver(quick):
    """Compare energies on the same problems, at the soft and at a hard penalty."""
    problems = instances(2 if quick else 10, 100 if quick else 200)
    rows = []
    for form in ("coverage", "plain"):
        mine = [(seed, problem) for name, seed, problem in problems if name == form]
        best: dict = {}
        table: dict = {}

        def note(name, seed, energy, seconds, feasible, table=table, best=best):
            table.setdefault(name, []).append((seed, energy, seconds, feasible))
            best[seed] = min(best.get(seed, np.inf), energy)

        for seed, problem in mine:
            greedy, seconds = cpu_seconds(problem.greedy)
            note("greedy", seed, problem.energy(greedy), seconds, 1.0)
            choice, seconds = cpu_seconds(problem.solve)
            note("native: best swap", seed, choice.energy, seconds, 1.0)
            choice, seconds = cpu_seconds(
                lambda problem=problem: problem.solve(num_sweeps=200, num_reads=4)
            )
            note("native: swaps and annealing", seed, choice.energy, seconds, 1.0)
            for name, sampler in solvers(quick).items():
                for penalty in ("auto", 5.0):
                    seconds = time.process_time()
                    reads = sampler.sample(problem.to_bqm(penalty=penalty), seed=seed)
                    energies = [
                        problem.energy(problem.decode(sample))
                        for sample in reads.samples(3)
                    ]
                    seconds = time.process_time() - seconds
                    bits = reads.record.sample > 0
                    feasible = float((bits.sum(axis=1) == problem.k).mean())
                    title = f"{name}, penalty {penalty}, repaired"
                    note(title, seed, min(energies), seconds, feasible)
                report = problem.solve(sampler, seed=seed).report
                note(
                    f"{name}, as the selector runs it",
                    seed,
                    min(report["energy_native"], report["energy_sampler"]),
                    np.nan,
                    report["feasible_fraction"],
                )
        for name, results in table.items():
            gaps = [(e - best[s]) / abs(best[s]) for s, e, _, _ in results]
            rows.append(
                {
                    "form": form,
                    "solver": name,
                    "mean gap to the best, %": 100 * float(np.mean(gaps)),
                    "worst gap, %": 100 * float(np.max(gaps)),
                    "best of all on": f"{sum(g < 1e-9 for g in gaps)}/{len(gaps)}",
                    "feasible reads": float(np.mean([f for *_, f in results])),
                    "cpu s": float(np.mean([t for _, _, t, _ in results])),
                }
            )
    return {
        "rows": rows,
        "note": "Queries on digits after 40 labels, 20 of the 200 most uncertain rows "
        "(100 in quick mode): the selector's form, and utility minus redundancy 3 with "
        "the plain kernel. The energy of a sampler's answer is that of the lowest of "
        "three repaired reads, without swaps; 'as the selector runs it' adds swaps and "
        "takes the better of it and the native answer. The second range of simulated "
        "annealing is about what dwave-samplers would take.",
    }


def _large_pool(n, d, k, connection):
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 3, (10, d))
    y = rng.integers(10, size=n)
    X = rng.standard_normal((n, d))
    for part in gen_batches(n, 10_000):  # lest the peak be that of the making
        X[part] += centres[y[part]] / 4
    labeled = rng.permutation(n)[:200]
    selector = ActiveSampleSelector(LogisticRegression(), 1, random_state=0)
    selector.fit(X[labeled], np.where(np.arange(200) < 199, y[labeled], -1))
    del y
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    chosen = selector.query(X, k)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    connection.send((cpu, wall, (peak - before) * 1024 / 1e9, len(set(chosen))))


def large_pool(quick):
    """Query a pool of a million rows, in a process of its own for its memory."""
    rows = []
    for n in (20_000,) if quick else (100_000, 1_000_000):
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_large_pool, args=(n, 64, 200, theirs))
        process.start()
        cpu, wall, gigabytes, distinct = ours.recv()
        process.join()
        rows.append(
            {
                "pool": f"{n} x 64",
                "k": 200,
                "distinct rows": distinct,
                "cpu s": cpu,
                "wall s": wall,
                "GB above the data": gigabytes,
            }
        )
    return {
        "rows": rows,
        "note": "ActiveSampleSelector(LogisticRegression()).query, 10 classes, "
        "float64, one thread; the peak of the resident memory over that with the data "
        "loaded.",
    }


def mrmr(X, relevance, k):
    """Peng, Long and Ding 2005, the difference form, one feature after the other."""
    scores = np.argsort(np.argsort(X, axis=0), axis=0).astype(float)
    rho = np.corrcoef(scores.T + 1e-9 * np.random.RandomState(0).randn(*scores.T.shape))
    shared = -0.5 * np.log1p(-np.clip(rho**2, 0, 0.999999))
    chosen = [int(relevance.argmax())]
    while len(chosen) < k:
        gain = relevance - shared[:, chosen].mean(axis=1)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    return np.isin(np.arange(X.shape[1]), chosen)


def feature_tables():
    X, y = load_diabetes(return_X_y=True)
    X = PolynomialFeatures(2, include_bias=False).fit_transform(X)
    return {
        "breast_cancer": (*load_breast_cancer(return_X_y=True), True, (3, 5, 10)),
        "digits": (*load_digits(return_X_y=True), True, (8, 16, 32)),
        "diabetes, squares and products": (X, y, False, (3, 5, 10)),
    }


def features(quick):
    """Score a linear model on k features, over the folds of repeated splits."""
    repeats, rows = (1 if quick else 5), []
    for name, (X, y, discrete, sizes) in feature_tables().items():
        if quick and name == "digits":
            continue
        model = LogisticRegression(max_iter=300) if discrete else Ridge()
        splitter = StratifiedKFold if discrete else KFold
        scores: dict = {}
        seconds: dict = {}
        for repeat in range(repeats):
            folds = splitter(5, shuffle=True, random_state=repeat).split(X, y)
            for train, test in folds:
                scaler = StandardScaler().fit(X[train])
                A, B = scaler.transform(X[train]), scaler.transform(X[test])
                for k, way, mask, cost in masks(A, y[train], sizes, discrete, repeat):
                    fitted = clone(model).fit(A[:, mask], y[train])
                    score = fitted.score(B[:, mask], y[test])
                    scores.setdefault((k, way), []).append(score)
                    seconds.setdefault((k, way), []).append(cost)
        rows += [
            {
                "data": name,
                "k": k,
                "features by": way,
                "score": float(np.mean(values)),
                **{
                    f"{own} minus it": ""
                    if way == own
                    else difference(scores[k, own], values)
                    for own in ("ours, mutual_info", "ours, hessian")
                },
                "cpu s": float(np.mean(seconds[k, way])),
            }
            for (k, way), values in scores.items()
        ]
    return {
        "rows": rows,
        "note": f"Accuracy of LogisticRegression or R2 of Ridge on k scaled features, "
        f"{repeats} repeats of 5 folds, features chosen inside the fold; differences "
        "paired over folds, mean ± standard error (folds share rows: too small an "
        "error by about a factor of 1.5). Mutual information of SelectKBest and mRMR: "
        "scikit-learn's by near neighbours; mRMR: own greedy difference form with rank "
        "correlations.",
    }


def masks(X, y, sizes, discrete, seed):
    """Yield each number, way, mask of features and CPU seconds for it."""
    measure = mutual_info_classif if discrete else mutual_info_regression
    relevance, measuring = cpu_seconds(lambda: measure(X, y, random_state=seed))

    def qubo(k, kind):
        estimator = None if discrete else Ridge()
        selector = QUBOFeatureSelector(
            k, relevance=kind, estimator=estimator, random_state=seed
        )
        return selector.fit(X, y).get_support()

    ways = {
        "SelectKBest, mutual information": (
            lambda k: np.isin(np.arange(X.shape[1]), np.argsort(-relevance)[:k]),
            measuring,
        ),
        "mRMR": (lambda k: mrmr(X, relevance, k), measuring),
        "ours, mutual_info": (lambda k: qubo(k, "mutual_info"), 0.0),
        "ours, hessian": (lambda k: qubo(k, "hessian"), 0.0),
    }
    for k in sizes:
        for way, (call, before) in ways.items():
            mask, cost = cpu_seconds(lambda call=call, k=k: call(k))
            yield k, way, mask, before + cost
