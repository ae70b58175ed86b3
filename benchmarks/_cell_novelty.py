# SPDX-License-Identifier: Apache-2.0
"""A type of cells that the model never saw, found among held-out cells of the others.

Every model is fitted on three quarters of the cells of the other types; the score is
the area under the curve that tells the left-out type from the remaining quarter. Beside
the energy of the prior and the bound stand the reconstruction error, the depth of a
cell alone, and the 95th percentile of 1,000 permutations of the labels. One hidden
layer of 128 and 50 epochs.
"""

import numpy as np
import scipy.stats
from _cell_cache import represent
from _cell_data import symphony, synthetic
from _cell_models import GENERATIVE, estimator
from _cell_seeds import SEEDS, mean_and_sd
from _measure import data_folder
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

LEFT_OUT = ("B", "NK", "Mono_CD16")
# More of each is newer.
KINDS = (
    "energy",
    "- bound",
    "- bound per count",
    "reconstruction error",
    "depth",
    "- depth",
)


def reconstruction_error(model, cells):
    """Return the mean Poisson deviance of the counts from their reconstruction."""
    X = cells.counts.toarray()
    mean = model.inverse_transform(model.transform(cells.counts))
    mean *= X.sum(1, keepdims=True) / mean.sum(1, keepdims=True)
    ratio = np.where(X > 0, X, 1.0) / mean
    return 2 * (X * np.log(ratio) - X + mean).sum(1) / X.sum(1)


def scores_of(graph, test, quick):
    """Return a method that fits and gives the `KINDS` of scores, one a row."""

    def measure(train, seed):
        model = estimator(graph, seed, quick, **GENERATIVE)
        model.fit(train.counts, batch=train.batch)
        depth = np.asarray(test.counts.sum(1)).ravel()
        bound = model.score_samples(test.counts, batch=test.batch)
        energy = model.energy(test.counts)
        error = reconstruction_error(model, test)
        return np.stack([energy, -bound, -bound / depth, error, depth, -depth])

    return measure


def permuted(score, new, seed):
    """Return the 95th percentile of the area under permuted labels."""
    rng = np.random.default_rng(seed)
    ranks = scipy.stats.rankdata(score)
    n, m = int(new.sum()), len(new)
    sums = np.array([rng.permutation(ranks)[:n].sum() for _ in range(1000)])
    return float(np.quantile((sums - n * (n + 1) / 2) / (n * (m - n)), 0.95))


def run(quick):
    """Leave out one type at a time."""
    cells = synthetic() if quick else symphony() if data_folder() else None
    if cells is None:
        return {"rows": [], "note": "The data folder is absent."}
    seeds = list(SEEDS)[: 2 if quick else None]
    names = ("0",) if quick else LEFT_OUT
    rows = []
    for name in names:
        found: dict = {}
        for seed in seeds:
            known = np.flatnonzero(cells.cell_type != name)
            train, rest = train_test_split(known, test_size=0.25, random_state=seed)
            new = np.flatnonzero(cells.cell_type == name)
            test = cells.take(np.concatenate([rest, new]))
            is_new = np.repeat([False, True], [len(rest), len(new)])
            scores = represent(
                scores_of("rbm", test, quick), f"new {name}", cells.take(train), seed
            )
            for kind, score in zip(KINDS, scores, strict=True):
                figures = {
                    "AUROC": roc_auc_score(is_new, score),
                    "permutation": permuted(score, is_new, seed),
                    "Spearman with depth": scipy.stats.spearmanr(
                        score, scores[KINDS.index("depth")]
                    ).statistic,
                }
                for column, figure in figures.items():
                    found.setdefault(kind, {}).setdefault(column, []).append(figure)
        rows += [
            {"left-out type": name, "score": kind}
            | {column: mean_and_sd(values) for column, values in row.items()}
            for kind, row in found.items()
        ]
        print(f"  {name}", flush=True)
    about = " ".join(__doc__.split("\n\n", 1)[1].split())
    return {"rows": rows, "note": f"{about} {len(SEEDS)} seeds."}


SECTIONS = {"a type never seen": run}
