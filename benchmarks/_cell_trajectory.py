# SPDX-License-Identifier: Apache-2.0
"""Known order: RNA of three lines mixed in known shares, and mixtures of nine cells.

Pseudotime is the length of the shortest way over the graph of 15 neighbours from the
well nearest to the mean of a path's first group, all batches of a path together; the
score is the absolute Spearman correlation with the known step, the mean of three paths.
Proportions are predicted by ridge regression over five folds (of whole wells where
batches share them): the mean R² of the three lines. Our models have one hidden
layer of 128 and 50 epochs.
"""

import numpy as np
import scipy.stats
from _cell_cache import represent
from _cell_data import read
from _cell_models import NAMES, SMALL, method
from _cell_peers import SCVI, gaussian_vae, pca, scvi
from _cell_seeds import SEEDS, mean_and_sd
from _measure import data_folder
from _paired import bracketed
from scipy.sparse.csgraph import shortest_path
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PATHS = ("H2228_to_H1975", "H2228_to_HCC827", "H1975_to_HCC827")
SETS = {
    "RNAmix": (
        "rnamix_2protocols",
        ("H2228_prop", "H1975_prop", "HCC827_prop"),
    ),
    "cellmix": ("cellmix_traj", ("H2228", "H1975", "HCC827")),
}


def cells_of(name):
    """Return the wells on the paths, 2,000 variable genes."""
    cells = read(name, label="group", n_genes=2000)
    on_path = cells.obs[list(PATHS)].notna().any(axis=1).to_numpy()
    return cells.take(np.flatnonzero(on_path))


def pseudotime(Z, step):
    """Return the distance of each well from the first group along the graph."""
    first = np.flatnonzero(step == step.min())
    centre = Z[first].mean(0)
    root = first[((Z[first] - centre) ** 2).sum(1).argmin()]
    graph = kneighbors_graph(Z, 15, mode="distance")
    way = shortest_path(graph, directed=False, indices=root)
    reached = np.isfinite(way)
    return np.where(reached, way, 2 * way[reached].max())


def order(Z, obs):
    """Return the mean over the paths of the correlation with the known order."""
    scores = []
    for path in PATHS:
        step = obs[path].to_numpy(dtype=float)
        there = ~np.isnan(step)
        time = pseudotime(Z[there], step[there])
        scores.append(abs(scipy.stats.spearmanr(time, step[there]).statistic))
    return float(np.mean(scores))


def proportions(Z, obs, columns):
    """Return how much of the known shares a linear model explains, out of fold."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7)))
    wells = obs["well"].to_numpy(dtype=str)
    shares = obs[list(columns)].to_numpy(dtype=float)
    shares = shares / shares.sum(1, keepdims=True)
    folds = GroupKFold(5, shuffle=True, random_state=0)
    found = cross_val_score(model, Z, shares, groups=wells, cv=folds, scoring="r2")
    return float(found.mean())


def run(quick):
    """Measure both sets; there is nothing to measure without the data folder."""
    if quick or not data_folder():
        return {"rows": [], "note": "Needs the data folder; not part of quick mode."}
    code, flat = "QBM-VAE, RBM (spins)", NAMES["rbm"]
    theirs = {"PCA": pca, "Gaussian VAE": gaussian_vae}
    if SCVI:
        theirs["scVI 10, 100 epochs"] = scvi(10, 2 * SMALL["max_iter"])
    methods = theirs | {
        flat: method("rbm", quick, **SMALL),
        code: method("rbm", quick, space="code", **SMALL),
        NAMES["gaussian"]: method("gaussian", quick, **SMALL),
    }
    rows = []
    for title, (name, columns) in SETS.items():
        cells = cells_of(name)
        found: dict = {}
        for label, make in methods.items():
            for seed in SEEDS:
                Z = represent(make, label, cells, seed)
                figures = {
                    "order": order(Z, cells.obs),
                    "proportions": proportions(Z, cells.obs, columns),
                }
                for column, figure in figures.items():
                    found.setdefault(label, {}).setdefault(column, []).append(figure)
            print(f"  {title}, {label}", flush=True)
        rows += [
            {"set": title, "method": label}
            | {column: mean_and_sd(values) for column, values in scores.items()}
            | {
                f"RBM minus this, {column} [95 %]": ""
                if label == flat
                else bracketed(np.subtract(found[flat][column], scores[column]))
                for column in scores
            }
            for label, scores in found.items()
        ]
    about = " ".join(__doc__.split("\n\n", 1)[1].split())
    return {"rows": rows, "note": f"{about} {len(SEEDS)} seeds."}


SECTIONS = {"trajectory": run}
