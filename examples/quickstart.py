# SPDX-License-Identifier: Apache-2.0
"""A tour in two minutes: digits through a code of 16 spins, and what the sampler buys.

Run it with ``make demo``. Everything printed is computed here; the pictures go to
``demo_output/``.
"""

import os
import pathlib
import time

# Before numpy: matrices as small as these are fastest on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib
import networkx as nx
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
)
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from tqdm import tqdm

import qestim
from qestim.qubo import MaxCutProblem
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler

matplotlib.use("Agg")
from matplotlib import pyplot as plt

OUTPUT = pathlib.Path("demo_output")
N_SPLITS = 3
N_DRAWS = 4  # of the few labels in each split
OURS, UNCOUPLED = "QBM-VAE", "QBM-VAE, J = 0"
COLUMNS = ("5 labels", "10 labels", "all labels", "bound", "restoration")
REFERENCES = ("raw pixels", "10 nearest rows")  # they keep more than 16 numbers


def codes(seed):
    """Return the codes by name, unfitted."""
    ours = qestim.QBMVAETransformer(
        n_components=16,
        likelihood="bernoulli",
        sampler=SimulatedAnnealingSampler(num_sweeps=100),
        random_state=seed,
    )
    uncoupled = qestim.QBMVAETransformer(
        n_components=16, likelihood="bernoulli", prior="bernoulli", random_state=seed
    )
    rbm = BernoulliRBM(16, learning_rate=0.05, n_iter=60, random_state=seed)
    return {
        OURS: ours,
        UNCOUPLED: uncoupled,
        "PCA": PCA(16, random_state=seed),
        "BernoulliRBM": rbm,
        "raw pixels": FunctionTransformer(),
    }


def accuracy(train, y_train, test, y_test, n_labels, seed):
    """Return the mean accuracy of classifiers that know a few labels of each class."""
    scores = []
    for draw in range(1 if n_labels is None else N_DRAWS):
        rows = np.random.RandomState([seed, draw]).permutation(len(y_train))
        if n_labels is not None:
            rows = [rows[y_train[rows] == c][:n_labels] for c in range(10)]
            rows = np.concatenate(rows)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
            {"logisticregression__C": np.logspace(-2, 2, 5)},
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
        )
        search.fit(train[rows], y_train[rows])
        scores.append(search.score(test, y_test))
    return np.mean(scores)


def hide(n, rng):
    """Return a mask: a square of 4 x 4 of the 8 x 8 pixels of each row."""
    mask = np.zeros((n, 8, 8), dtype=bool)
    for row, (top, left) in zip(mask, rng.randint(0, 5, (n, 2)), strict=True):
        row[top : top + 4, left : left + 4] = True
    return mask.reshape(n, 64)


def by_pca(pca, X, mask):
    """Return conditional means under the Gaussian law of probabilistic PCA."""
    law, filled = pca.get_covariance(), X.copy()
    for row, gap in zip(filled, mask, strict=True):
        there = row[~gap] - pca.mean_[~gap]
        known = np.linalg.solve(law[np.ix_(~gap, ~gap)], there)
        row[gap] = pca.mean_[gap] + law[np.ix_(gap, ~gap)] @ known
    return np.clip(filled, 0, 1)


def by_rbm(rbm, X, mask, start):
    """Return the mean field of the RBM with the visible pixels held."""
    filled = np.where(mask, start, X)
    for _ in range(30):
        field = rbm.transform(filled) @ rbm.components_ + rbm.intercept_visible_
        filled = np.where(mask, 1 / (1 + np.exp(-field)), filled)
    return filled


def restorations(fitted, train, test, mask):
    """Return each way's rows, with the hidden pixels filled in."""
    gaps, mean = np.where(mask, np.nan, test), train.mean(axis=0)
    nearest = KNNImputer(n_neighbors=10, weights="distance").fit(train)
    return {
        OURS: fitted[OURS].restore(gaps),
        UNCOUPLED: fitted[UNCOUPLED].restore(gaps),
        "PCA": by_pca(fitted["PCA"], test, mask),
        "BernoulliRBM": by_rbm(fitted["BernoulliRBM"], test, mask, mean),
        "mean of the pixel": np.where(mask, mean, test),
        "10 nearest rows": nearest.transform(gaps),
    }


def digits_table(X, y):
    """Measure every code on a few splits; return the table and the last split."""
    table = {}
    splits = RepeatedStratifiedKFold(n_splits=5, n_repeats=1, random_state=0)
    splits = list(splits.split(X, y))[:N_SPLITS]
    bar = tqdm(total=N_SPLITS * 5, desc="codes of the digits")
    for seed, (rows, held_out) in enumerate(splits):
        scaler = MinMaxScaler(clip=True).fit(X[rows])
        train, test = scaler.transform(X[rows]), scaler.transform(X[held_out])
        fitted = {}
        for name, code in codes(seed).items():
            fitted[name] = code.fit(train)
            pair = code.transform(train), y[rows], code.transform(test), y[held_out]
            line = table.setdefault(name, {column: [] for column in COLUMNS})
            for column, n in zip(COLUMNS, (5, 10, None), strict=False):
                line[column].append(accuracy(*pair, n, seed))
            if name in (OURS, UNCOUPLED):
                line["bound"].append(code.score(test))
            bar.update()
        mask = hide(len(test), np.random.RandomState(seed))
        filled = restorations(fitted, train, test, mask)
        for name, X_filled in filled.items():
            line = table.setdefault(name, {column: [] for column in COLUMNS})
            line["restoration"].append(np.mean((X_filled - test)[mask] ** 2))
        # The same likelihood with pixels that know nothing of each other.
        mean = train.mean(axis=0).clip(1e-3, 1 - 1e-3)
        alone = (test * np.log(mean) + (1 - test) * np.log(1 - mean)).sum(axis=1)
        table["mean of the pixel"]["bound"].append(alone.mean())
    bar.close()
    return table, fitted, test, mask, filled


def print_table(table):
    """Print means over the splits and, for each column, who is above whom."""
    print(f"\n{'':20s}" + "".join(f"{column:>14s}" for column in COLUMNS))
    for name, line in table.items():
        cells = [f"{np.mean(line[c]):14.4f}" if line[c] else " " * 14 for c in COLUMNS]
        print(f"{name:20s}" + "".join(cells))
    print(
        "QBM-VAE is qestim.QBMVAETransformer; J = 0: without couplings between its "
        f"spins.\nMeans over {N_SPLITS} splits. Labels: accuracy with so many labels a "
        "class. Bound: nats of a held-out\nrow. Restoration: mean square error of 16 "
        "hidden pixels. Raw pixels and nearest rows keep more than\n16 numbers.\n"
    )
    for column in COLUMNS:
        sign = -1 if column == "restoration" else 1
        mean = {n: sign * np.mean(v[column]) for n, v in table.items() if v[column]}
        rivals = [name for name in mean if name != OURS]
        above = [name for name in rivals if mean[OURS] > mean[name]]
        below = [name for name in rivals if name not in above]
        verdict = (
            "above every control" if not below else "not above " + ", ".join(below)
        )
        if below and all(name in REFERENCES for name in below):
            verdict = "above every code of 16 numbers; " + verdict
        print(f"  {column:12s} {OURS} is {verdict}")


def draw_digits(fitted, test, mask, filled):
    """Write the pictures of drawn samples and of restorations."""
    figure, axes = plt.subplots(4, 12, figsize=(9, 3.4))
    drawn = fitted[OURS].sample(36, noise=False)
    for k, axis in enumerate(axes.flat):
        image = test[k] if k < 12 else drawn[k - 12]
        axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    figure.suptitle("First line: held-out digits. Below: draws from the model")
    figure.tight_layout()
    figure.savefig(OUTPUT / "samples.png", dpi=130)
    lines = {"original": test, "hidden": np.where(mask, np.nan, test), **filled}
    figure, axes = plt.subplots(len(lines), 14, figsize=(10.5, 6))
    for (name, images), line in zip(lines.items(), axes, strict=True):
        error = np.mean((images - test)[mask] ** 2)
        label = name if name in ("original", "hidden") else f"{name}\n{error:.4f}"
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        for image, axis in zip(images, line, strict=False):
            axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[], facecolor="tab:orange")
    figure.suptitle("Hidden pixels restored; mean square error, last split")
    figure.tight_layout()
    figure.savefig(OUTPUT / "restoration.png", dpi=130)


def grid_search(X, y):
    """Tune a weight of the loss and a parameter of the sampler in one grid."""
    code = qestim.QBMVAETransformer(
        16,
        likelihood="bernoulli",
        sampler=SimulatedAnnealingSampler(),
        max_iter=20,
        random_state=0,
    )
    model = Pipeline(
        [
            ("scale", MinMaxScaler(clip=True)),
            ("code", code),
            ("classify", LogisticRegression(max_iter=500)),
        ]
    )
    grid = {"code__kl_weight": [0.1, 1.0], "code__sampler__num_sweeps": [1, 100]}
    search = GridSearchCV(model, grid, cv=3, verbose=1).fit(X, y)
    results = search.cv_results_
    for params, mean, sd in zip(
        results["params"],
        results["mean_test_score"],
        results["std_test_score"],
        strict=True,
    ):
        setting = ", ".join(f"{k[6:]}={v}" for k, v in params.items())
        print(f"  {setting:40s} accuracy {mean:.4f} ± {sd:.4f}")
    print(f"  chosen: {search.best_params_}")


def max_cut():
    """Cut a graph with an annealer and with the greedy control; draw the cut."""
    graph = nx.random_geometric_graph(150, 0.14, seed=1)
    problem = MaxCutProblem(graph)
    start = time.perf_counter()
    sampler = SimulatedAnnealingSampler(num_reads=100, seed=0)
    reads = sampler.sample(problem.to_bqm())
    annealing = time.perf_counter() - start
    side = problem.decode(reads.first.sample)
    start = time.perf_counter()
    greedy, _ = nx.algorithms.approximation.one_exchange(graph, seed=0)
    exchange = time.perf_counter() - start
    print(
        f"  {graph.number_of_nodes()} vertices, {graph.number_of_edges()} edges: "
        f"annealing, best of 100 reads, cuts {problem.cut_size(side):.0f} in "
        f"{annealing:.2f} s;\n  networkx's greedy exchange cuts {greedy} "
        f"in {exchange:.2f} s"
    )
    place = nx.get_node_attributes(graph, "pos")
    cut = [edge for edge in graph.edges if (edge[0] in side) != (edge[1] in side)]
    kept = [edge for edge in graph.edges if (edge[0] in side) == (edge[1] in side)]
    figure, axis = plt.subplots(figsize=(6.5, 6))
    colours = ["tab:orange" if v in side else "tab:blue" for v in graph]
    nx.draw_networkx_edges(graph, place, cut, edge_color="0.75", ax=axis)
    nx.draw_networkx_edges(graph, place, kept, edge_color="crimson", width=1.5, ax=axis)
    nx.draw_networkx_nodes(graph, place, node_size=45, node_color=colours, ax=axis)
    axis.set_title(f"{len(cut)} of {graph.number_of_edges()} edges cut; red: not cut")
    axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(OUTPUT / "cut.png", dpi=130)


def main():
    """Run the tour."""
    start = time.perf_counter()
    OUTPUT.mkdir(exist_ok=True)
    X, y = load_digits(return_X_y=True)

    print("1. Digits: scaler, code of 16 numbers, logistic regression")
    table, *last_split = digits_table(X, y)
    print_table(table)
    draw_digits(*last_split)
    report = last_split[0][OURS].sampler_report_
    print(
        f"\n  the sampler's share of one fit: {report['calls']} calls, "
        f"{report['reads']} reads, {report['seconds']:.2f} s"
    )

    print("\n2. A grid over a weight of the loss and a parameter of the sampler")
    grid_search(X[:600], y[:600])

    print("\n3. Max-Cut")
    max_cut()

    print("\n4. What does the sampler buy? The held-out bound of the same model")
    code = qestim.QBMVAETransformer(
        16, likelihood="bernoulli", max_iter=20, random_state=0
    )
    samplers = [SimulatedAnnealingSampler(), BoltzmannSampler(), "controls"]
    options = {"cv": 3, "random_state": 0, "verbose": 1}
    print(qestim.compare(code, X[:900] / 16, samplers=samplers, **options))

    names = ", ".join(sorted(p.name for p in OUTPUT.glob("*.png")))
    print(f"\nPictures in {OUTPUT}: {names}")
    print("Next: docs/start.md explains the words and the tables.")
    print(f"Done in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
