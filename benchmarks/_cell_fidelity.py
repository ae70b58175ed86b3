# SPDX-License-Identifier: Apache-2.0
"""Cells drawn from the fitted model beside held-out cells.

The batches and depths of the draws are those of the held-out cells for every model, so
that only the law of the code and the decoder are compared. AUC is that of a random
forest that tells draws from held-out cells (out of fold, on 30 principal components of
the log-normalised held-out and drawn cells; 0.5 cannot tell). The correlation error is
the root mean square over pairs of the 200 most variable genes of the difference between
Pearson correlations in 2,000 draws and in the held-out cells. Training cells stand for
the best that can be reached. Our models have one hidden
layer of 128, 50 epochs and the KL at its full weight.
"""

import numpy as np
from _cell_cache import represent
from _cell_data import lognorm, symphony, synthetic, variable_genes
from _cell_models import GENERATIVE, NAMES, estimator
from _cell_peers import SCVI, scvi_model
from _cell_seeds import SEEDS, mean_and_sd
from _measure import data_folder
from _paired import bracketed
from scipy.sparse import csr_matrix, issparse
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split

FLOOR = "training cells"


def two_sample_auc(drawn, held_out, seed):
    """Return how well draws are told from held-out cells, area under the curve."""
    X = np.concatenate([lognorm(drawn), lognorm(held_out)])
    Z = PCA(min(30, *X.shape), random_state=seed).fit_transform(X)
    y = np.repeat([0, 1], [drawn.shape[0], held_out.shape[0]])
    forest = RandomForestClassifier(100, min_samples_leaf=3, random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    p = cross_val_predict(forest, Z, y, cv=folds, method="predict_proba")
    return roc_auc_score(y, p[:, 1])


def correlation_error(drawn, held_out, genes):
    """Return the root mean square difference of gene-gene correlations."""
    pairs = np.triu_indices(len(genes), 1)
    found = []
    for counts in (drawn, held_out):
        X = lognorm(counts)[:, genes].astype(np.float64)
        X = X - X.mean(0)
        X /= np.maximum(np.sqrt((X**2).sum(0)), 1e-12)
        found.append((X.T @ X)[pairs])
    return float(np.sqrt(np.mean((found[0] - found[1]) ** 2)))


def draw_ours(graph, quick):
    """Return a method that fits a prior and draws cells like those asked for."""

    def draw(train, seed, like):
        model = estimator(graph, seed, quick, **GENERATIVE)
        model.fit(train.counts, batch=train.batch)
        # In counts, as the model was fitted without size factors.
        size = np.asarray(like.counts.sum(1)).ravel()
        return model.sample(len(like.batch), batch=like.batch, size_factor=size)

    return draw


def draw_scvi(train, seed, like):
    """Fit scVI (10 dimensions, twice our epochs) and draw from its prior."""
    import torch

    model = scvi_model(train, seed, 10, 2 * GENERATIVE["max_iter"])
    torch.manual_seed(seed)
    names = np.unique(train.batch)
    batch = torch.as_tensor(np.searchsorted(names, like.batch))[:, None]
    size = torch.as_tensor(np.asarray(like.counts.sum(1)), dtype=torch.float32)
    with torch.no_grad():
        z = torch.randn(len(batch), 10)
        law = model.module.generative(z=z, library=size.log(), batch_index=batch)
        return law["px"].sample().numpy()


def draw_training(train, seed, like):
    """Return training cells, as many as asked for, none twice before all are used."""
    rng, n = np.random.default_rng(seed), len(train.batch)
    rounds = -(-len(like.batch) // n)
    rows = np.concatenate([rng.permutation(n) for _ in range(rounds)])
    return train.counts[rows[: len(like.batch)]]


def dense(counts):
    """Return counts as an array of small integers."""
    array = counts.toarray() if issparse(counts) else counts
    return np.asarray(array, dtype=np.uint16)


def run(quick):
    """Measure every model on the same splits; differences are paired over seeds."""
    cells = synthetic() if quick else symphony() if data_folder() else None
    if cells is None:
        return {"rows": [], "note": "The data folder is absent."}
    methods = {FLOOR: draw_training}
    methods |= {name: draw_ours(graph, quick) for graph, name in NAMES.items()}
    if SCVI and not quick:
        methods["scVI 10, 100 epochs"] = draw_scvi
    found: dict = {}
    genes = variable_genes(cells.counts, 200)
    for seed in list(SEEDS)[: 2 if quick else None]:
        train, test = train_test_split(
            np.arange(len(cells.batch)), test_size=0.25, random_state=seed
        )
        train, test = cells.take(train), cells.take(test)
        rows = np.random.default_rng(seed).integers(
            len(test.batch), size=300 if quick else 2000
        )
        # Once each held-out cell, for the classifier; then more of their kind.
        like = test.take(np.concatenate([np.arange(len(test.batch)), rows]))
        for name, method in methods.items():
            drawn = represent(
                lambda cells, seed, method=method, like=like: dense(
                    method(cells, seed, like)
                ),
                f"drawn by {name}",
                train,
                seed,
            )
            drawn = csr_matrix(drawn)
            drawn = drawn[np.asarray(drawn.sum(1)).ravel() > 0]
            n = len(test.batch)
            figures = {
                "AUC": two_sample_auc(drawn[:n], test.counts, seed),
                "correlation error": correlation_error(drawn[n:], test.counts, genes),
            }
            for column, figure in figures.items():
                found.setdefault(name, {}).setdefault(column, []).append(figure)
        print(f"  seed {seed}", flush=True)
    ours = found[NAMES["rbm"]]
    rows = [
        {"model": name}
        | {column: mean_and_sd(values) for column, values in columns.items()}
        | {
            f"RBM minus this, {column} [95 %]": ""
            if columns is ours
            else bracketed(np.subtract(ours[column], columns[column]))
            for column in columns
        }
        for name, columns in found.items()
    ]
    about = " ".join(__doc__.split("\n\n", 1)[1].split())
    return {"rows": rows, "note": f"{about} {len(SEEDS)} seeds."}


SECTIONS = {"fidelity": run}
