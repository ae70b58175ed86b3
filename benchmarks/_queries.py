# SPDX-License-Identifier: Apache-2.0
"""Learning curves: which rows to label next, ours beside the strategies of others.

Every strategy sees the same start, test set, classifier and space. The area of a curve
is the mean accuracy over its points; differences of areas are paired over the seeds.
"""

import csv
import functools
import importlib.util
import time
import warnings

import numpy as np
from _measure import data_folder
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances

from qestim import ActiveSampleSelector

OURS, FACILITY, KMEANS = "ours", "facility location", "weighted k-means"
BATCH, POINTS = 20, 10
N_CANDIDATES = 600  # of facility location
PEERS = ("scikit-activeml Badge", "scikit-activeml TypiClust")
PEERS = (*PEERS, "scikit-activeml ProbCover")


class Round:
    """What a strategy may know: the pool, the labels so far and the classifier."""

    def __init__(self, X, y, labeled, model, seed):
        self.X, self.y, self.labeled, self.model = X, y, labeled, model
        self.free = np.setdiff1d(np.arange(len(X)), labeled)
        self.pool = X[self.free]
        self.seed = seed
        self.rng = np.random.RandomState(seed)
        self.probabilities = model.predict_proba(self.pool)
        top = np.sort(self.probabilities, axis=1)
        self.uncertainty = 1 - (top[:, -1] - top[:, -2])

    def marked(self, mark):
        """Return labels of the whole pool, others marked."""
        y = np.full(len(self.X), mark)
        y[self.labeled] = self.y[self.labeled]
        return y


def random(state):
    return state.rng.permutation(len(state.pool))[:BATCH]


def margin(state):
    return np.argsort(-state.uncertainty, kind="stable")[:BATCH]


def k_center(state):
    near = np.full(len(state.pool), np.inf)
    for first in range(0, len(state.labeled), 100):
        rows = state.X[state.labeled[first : first + 100]]
        near = np.minimum(near, euclidean_distances(state.pool, rows).min(axis=1))
    chosen = []
    for _ in range(BATCH):
        chosen.append(int(near.argmax()))
        new = euclidean_distances(state.pool, state.pool[chosen[-1:]])[:, 0]
        near = np.minimum(near, new)
    return np.array(chosen)


def badge(state, n_trials=4):
    """k-means++ on the gradients by the last layer (Ash et al. 2020).

    A gradient is the outer product of a step and a row: so are their products.
    """
    p = state.probabilities
    steps = p - np.eye(p.shape[1])[p.argmax(axis=1)]
    norms = (steps**2).sum(axis=1) * (state.pool**2).sum(axis=1)

    def squares(j):
        products = (steps @ steps[j]) * (state.pool @ state.pool[j])
        return np.maximum(norms + norms[j] - 2 * products, 0)

    chosen = [state.rng.randint(len(p))]
    near = squares(chosen[0])
    while len(chosen) < BATCH:
        draws = state.rng.random_sample(n_trials) * near.sum()
        trials = np.searchsorted(np.cumsum(near), draws).clip(max=len(p) - 1)
        options = [np.minimum(near, squares(j)) for j in trials]
        best = int(np.argmin([option.sum() for option in options]))
        chosen.append(int(trials[best]))
        near = options[best]
    return distinct(chosen, state)


def weighted_k_means(state, factor=10):
    """Zhdanov 2019: k-means of the most uncertain rows, weighted by uncertainty."""
    top = np.argsort(-state.uncertainty, kind="stable")[: factor * BATCH]
    means = KMeans(BATCH, n_init=3, random_state=state.seed)
    means.fit(state.pool[top], sample_weight=state.uncertainty[top])
    order = np.argsort(euclidean_distances(means.cluster_centers_, state.pool[top]))
    chosen: list[int] = []
    for row in order:
        chosen.append(next(j for j in row if j not in chosen))
    return top[chosen]


def facility_location(state):
    """Greedy; uncertainty as weight, the 600 most uncertain rows, 4 / median d^2."""
    top = np.argsort(-state.uncertainty, kind="stable")[:N_CANDIDATES]
    squares = euclidean_distances(state.pool[top], squared=True)
    gamma = 4 / np.median(squares[np.triu_indices(len(top), 1)])
    parts = np.exp(-gamma * squares) * state.uncertainty[top][:, None]
    covered, chosen = np.zeros(len(top)), []
    for _ in range(BATCH):
        gains = np.maximum(parts - covered[:, None], 0).sum(axis=0)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        covered = np.maximum(covered, parts[:, chosen[-1]])
    return top[chosen]


def ours(**params):
    def query(state):
        selector = ActiveSampleSelector(
            state.model, BATCH, random_state=state.seed, **params
        )
        chosen = selector.fit(state.X, state.marked(-1)).sample_indices_
        return np.searchsorted(state.free, chosen)

    return query


def scikit_activeml(name):
    import skactiveml.pool
    from skactiveml.classifier import SklearnClassifier

    def query(state):
        classes = np.unique(state.y)
        strategy = getattr(skactiveml.pool, name)
        if name == "ProbCover":
            strategy = strategy(n_classes=len(classes), random_state=state.seed)
        else:
            strategy = strategy(random_state=state.seed)
        more = {}
        if name == "Badge":
            model = SklearnClassifier(clone(state.model), classes=classes)
            more["clf"] = model
        chosen = strategy.query(state.X, state.marked(np.nan), batch_size=BATCH, **more)
        return np.searchsorted(state.free, chosen)

    return query


def distinct(chosen, state):
    """Fill up what was drawn twice with random rows."""
    chosen = np.unique(chosen)
    others = np.setdiff1d(state.rng.permutation(len(state.pool)), chosen)
    return np.concatenate([chosen, others[: BATCH - len(chosen)]])


OWN = {
    "random": random,
    "margin": margin,
    "k-center": k_center,
    "BADGE": badge,
    FACILITY: facility_location,
    KMEANS: weighted_k_means,
    OURS: ours(),
}
THEIRS = {**{name: scikit_activeml(name.split()[1]) for name in PEERS}, OURS: ours()}


def curve(query, data, model, seed, points):
    """Return accuracies after 20, 40, ... labels, and CPU seconds a query."""
    X, y, test, y_test = data
    rng = np.random.RandomState(seed)
    labeled, scores, seconds = rng.permutation(len(X))[:BATCH], [], []
    while len(np.unique(y[labeled])) < 2:
        labeled = rng.permutation(len(X))[:BATCH]
    for point in range(points):
        fitted = clone(model).fit(X[labeled], y[labeled])
        scores.append(fitted.score(test, y_test))
        if point + 1 < points:
            state = Round(X, y, labeled, fitted, 1000 * seed + point)
            start = time.process_time()
            chosen = query(state)
            seconds.append(time.process_time() - start)
            if len(set(chosen)) != BATCH:
                raise ValueError(f"{query} chose {len(set(chosen))} of {BATCH} rows.")
            labeled = np.concatenate([labeled, state.free[chosen]])
    return scores, float(np.mean(seconds))


def curves(make_data, model, n_seeds, points=POINTS, table=OWN):
    """Run every strategy on every seed: a row a strategy."""
    areas: dict = {name: [] for name in table}
    shapes: dict = {name: [] for name in table}
    costs: dict = {name: [] for name in table}
    for seed in range(n_seeds):
        # Pictures and texts are the same for every seed: only the start differs.
        data = make_data() if hasattr(make_data, "cache_info") else make_data(seed)
        for name, query in table.items():
            scores, seconds = curve(query, data, model, seed, points)
            areas[name].append(np.mean(scores))
            shapes[name].append(scores)
            costs[name].append(seconds)
    middle = points // 2 - 1
    return [
        {
            "strategy": name,
            "area": float(np.mean(areas[name])),
            "sd over seeds": float(np.std(areas[name], ddof=1)),
            "ours minus it, mean ± standard error": ""
            if name == OURS
            else difference(areas[OURS], areas[name]),
            f"at {BATCH * (middle + 1)}": float(np.mean(shapes[name], axis=0)[middle]),
            f"at {BATCH * points}": float(np.mean(shapes[name], axis=0)[-1]),
            "cpu s a query": float(np.mean(costs[name])),
        }
        for name in table
    ]


def difference(ours_, theirs):
    """Write the mean paired difference with its standard error."""
    gap = np.subtract(ours_, theirs)
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    ratio = f" ({gap.mean() / error:+.1f})" if error else ""
    return f"{gap.mean():+.4f} ± {error:.4f}{ratio}"


def digits(seed):
    X, y = load_digits(return_X_y=True)
    order = np.random.RandomState(seed).permutation(len(X))
    test, pool = order[:500], order[500:]
    return X[pool] / 16, y[pool], X[test] / 16, y[test]


def duplicated(seed):
    X, y, test, y_test = digits(seed)
    noise = np.random.RandomState(seed).normal(0, 0.01, (5 * len(X), X.shape[1]))
    return np.tile(X, (5, 1)) + noise, np.tile(y, 5), test, y_test


def spoiled(seed):
    """20 % of the labels are wrong, and 5 % of the pool is noise with random labels."""
    X, y, test, y_test = digits(seed)
    rng = np.random.RandomState(seed)
    wrong = rng.random_sample(len(y)) < 0.2
    y = np.where(wrong, (y + rng.randint(1, 10, len(y))) % 10, y)
    n = len(X) // 20
    X = np.vstack([X, rng.random_sample((n, X.shape[1]))])
    y = np.concatenate([y, rng.randint(0, 10, n)])
    order = rng.permutation(len(X))
    return X[order], y[order], test, y_test


@functools.cache
def fashion():
    file = np.load(data_folder() / "fashion_mnist_12k.npz")
    X = file["X_train"].reshape(-1, 784) / 255.0
    test = file["X_test"].reshape(-1, 784) / 255.0
    pca = PCA(50, whiten=False, random_state=0).fit(X)
    scale = pca.transform(X).std(axis=0)[0]
    return (
        pca.transform(X) / scale,
        file["y_train"].astype(int),
        pca.transform(test) / scale,
        file["y_test"].astype(int),
    )


@functools.cache
def banking():
    folder = data_folder() / "text" / "banking77"
    parts = []
    for name in ("train.csv", "test.csv"):
        with open(folder / name, newline="", encoding="utf-8") as lines:
            parts.append([(r["text"], r["category"]) for r in csv.DictReader(lines)])
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    svd = TruncatedSVD(100, random_state=0)
    train = svd.fit_transform(words.fit_transform([text for text, _ in parts[0]]))
    test = svd.transform(words.transform([text for text, _ in parts[1]]))
    names = sorted({label for _, label in parts[0]})
    y, y_test = (np.array([names.index(label) for _, label in p]) for p in parts)
    return train, y, test, y_test


def run(make_data, C=1.0, seeds=10, needs_data=False, table=OWN, note="64 pixels."):
    """Return a section's function of ``quick``."""

    def section(quick):
        if needs_data and data_folder() is None:
            return {"rows": [], "note": "Skipped: QESTIM_DATA names no folder."}
        if table is THEIRS and not importlib.util.find_spec("skactiveml"):
            return {"rows": [], "note": "Skipped: scikit-activeml is not installed."}
        model = LogisticRegression(C=C, max_iter=300)
        n_seeds, points = (2, 2) if quick else (seeds, POINTS)
        left_out: tuple[str, ...] = ()
        if needs_data and table is THEIRS:  # where they take seconds a query
            left_out = (PEERS[0], PEERS[2]) if quick else (PEERS[2],)
        strategies = {name: table[name] for name in table if name not in left_out}
        without = f"Too slow for this pool: {', '.join(left_out)}. " if left_out else ""
        start = time.process_time()
        with warnings.catch_warnings():
            # Of 77 classes and 20 labels: that many classes look like targets.
            warnings.filterwarnings("ignore", "The number of unique classes")
            rows = curves(make_data, model, n_seeds, points, strategies)
        return {
            "rows": rows,
            "note": f"{note} LogisticRegression(C={C:g}), {BATCH} to {BATCH * points} "
            f"labels in batches of {BATCH}, {n_seeds} seeds; area: mean accuracy over "
            "the points; in brackets: the difference in standard errors. All "
            f"strategies in the same space. {without}"
            f"{time.process_time() - start:.0f} CPU seconds.",
        }

    return section
