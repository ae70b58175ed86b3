# SPDX-License-Identifier: Apache-2.0
"""Digits through a code of 16 numbers: accuracy with few labels and restoration.

The codes are learned on all training rows without labels, the classifier on a few
labels for each class, its C chosen by the same inner cross-validation for every code.
Differences are paired over the folds; the interval is Student's with the variance of
repeated cross-validation by Nadeau and Bengio (2003), doi:10.1023/A:1024068626366.
"""

import time

import numpy as np
from _paired import bracketed
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from qestim import QBMVAETransformer
from qestim.samplers import SimulatedAnnealingSampler

N_COMPONENTS = 16
LABELS = (5, 10, None)  # for each class; None is all
SAMPLED, CHAINS, UNCOUPLED = (
    "QBM-VAE, annealing sampler",
    "QBM-VAE, heat-bath chains",
    "QBM-VAE, J = 0",
)


def codes(seed):
    """Return the codes to compare, unfitted; 64 raw pixels are the upper reference."""

    def qbmvae(**params):
        return QBMVAETransformer(
            N_COMPONENTS, likelihood="bernoulli", random_state=seed, **params
        )

    return {
        SAMPLED: qbmvae(sampler=SimulatedAnnealingSampler(num_sweeps=100)),
        CHAINS: qbmvae(),
        UNCOUPLED: qbmvae(prior="bernoulli"),
        "PCA": PCA(N_COMPONENTS, random_state=seed),
        # The best of (0.1, 10), (0.05, 60) and (0.02, 100) rates and epochs.
        "BernoulliRBM": BernoulliRBM(
            N_COMPONENTS, learning_rate=0.05, n_iter=60, random_state=seed
        ),
        "raw pixels": FunctionTransformer(),
    }


def few(y, n, rng):
    """Return the positions of n labels of each class, or of all."""
    if n is None:
        return np.arange(len(y))
    return np.concatenate(
        [rng.permutation(np.flatnonzero(y == c))[:n] for c in np.unique(y)]
    )


def accuracy(train, y_train, test, y_test, n, n_draws, seed):
    """Return the mean accuracy over draws of the labels."""
    inner = StratifiedKFold(3 if n is None else 5, shuffle=True, random_state=0)
    scores = []
    for draw in range(1 if n is None else n_draws):
        rows = few(y_train, n, np.random.RandomState([seed, draw]))
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        search = GridSearchCV(
            model, {"logisticregression__C": np.logspace(-2, 2, 5)}, cv=inner
        )
        search.fit(train[rows], y_train[rows])
        scores.append(search.score(test, y_test))
    return float(np.mean(scores))


def occlusion(n, rng, size=4):
    """Return a mask of shape (n, 64): a square of pixels of each row is missing."""
    mask = np.zeros((n, 8, 8), dtype=bool)
    for row, (r, c) in zip(mask, rng.randint(0, 9 - size, (n, 2)), strict=True):
        row[r : r + size, c : c + size] = True
    return mask.reshape(n, 64)


def gaussian_restoration(pca, X, mask):
    """Return the conditional means under the Gaussian law of probabilistic PCA."""
    covariance, restored = pca.get_covariance(), X.copy()
    for row, gap in zip(restored, mask, strict=True):
        seen = ~gap
        known = np.linalg.solve(
            covariance[np.ix_(seen, seen)], row[seen] - pca.mean_[seen]
        )
        row[gap] = pca.mean_[gap] + covariance[np.ix_(gap, seen)] @ known
    return np.clip(restored, 0, 1)


def rbm_restoration(rbm, X, mask, start, n_steps=30):
    """Return the fixed point of the RBM's mean field with the seen pixels clamped."""
    X = np.where(mask, start, X)
    for _ in range(n_steps):
        field = rbm.transform(X) @ rbm.components_ + rbm.intercept_visible_
        X = np.where(mask, 1 / (1 + np.exp(-field)), X)
    return X


def restorations(fitted, train, test, mask):
    """Return the mean square error of each way to fill in the masked pixels."""
    gaps, mean = np.where(mask, np.nan, test), train.mean(axis=0)
    ways = {name: fitted[name].restore(gaps) for name in (SAMPLED, CHAINS, UNCOUPLED)}
    ways["PCA"] = gaussian_restoration(fitted["PCA"], test, mask)
    ways["BernoulliRBM"] = rbm_restoration(fitted["BernoulliRBM"], test, mask, mean)
    ways["mean of the pixel"] = np.where(mask, mean, test)
    neighbours = KNNImputer(n_neighbors=10, weights="distance").fit(train)
    ways["10 nearest training rows"] = neighbours.transform(gaps)
    return {n: float(np.mean((w - test)[mask] ** 2)) for n, w in ways.items()}


def run(quick):
    """Measure; quick takes the first 2 of the 25 folds and one draw of the labels."""
    X, y = load_digits(return_X_y=True)
    splitter = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=0)
    folds = list(splitter.split(X, y))[: 2 if quick else None]
    n_draws = 1 if quick else 3
    table: dict = {}

    def note(what, name, value):
        table.setdefault(what, {}).setdefault(name, []).append(value)

    for fold, (rows, held_out) in enumerate(folds):
        scaler = MinMaxScaler(clip=True).fit(X[rows])
        train, test = scaler.transform(X[rows]), scaler.transform(X[held_out])
        fitted = {}
        for name, code in codes(fold).items():
            start = time.process_time()
            fitted[name] = code.fit(train)
            note("fit, cpu seconds", name, time.process_time() - start)
            pair = fitted[name].transform(train), fitted[name].transform(test)
            for n in LABELS:
                what = f"accuracy, {n or 'all'} labels a class"
                score = accuracy(
                    pair[0], y[rows], pair[1], y[held_out], n, n_draws, fold
                )
                note(what, name, score)
            if hasattr(code, "sampler_report_"):
                note("held-out bound, nats", name, fitted[name].score(test))
        mask = occlusion(len(test), np.random.RandomState(fold))
        for name, error in restorations(fitted, train, test, mask).items():
            note("restoration, mean square error", name, error)
    shares = len(held_out) / len(rows)
    return {
        "rows": [
            {
                "measure": what,
                "code": name,
                "mean": float(np.mean(values)),
                "sd over folds": float(np.std(values, ddof=1)),
                **{
                    f"{ours} minus it [95 %]": bracketed(
                        np.subtract(row[ours], values), 4, shares
                    )
                    for ours in (SAMPLED, CHAINS)
                    if ours in row
                },
            }
            for what, row in table.items()
            for name, values in row.items()
        ],
        "note": f"scikit-learn's digits, pixels to [0, 1] inside the fold, codes of "
        f"{N_COMPONENTS}; {len(folds)} folds of RepeatedStratifiedKFold(5, 5), "
        f"{n_draws} draws of the labels in a fold; scaled LogisticRegression, its C by "
        "inner cross-validation for every code; restoration of a 4 x 4 square of each "
        "held-out row; intervals of the paired difference by the corrected t of Nadeau "
        "and Bengio. Less is better in CPU seconds and restoration.",
    }
