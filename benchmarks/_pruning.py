# SPDX-License-Identifier: Apache-2.0
"""A small part of the training data: images and text, ours beside other ways."""

import importlib.util
import time

import numpy as np
from _language import CharacterModel
from _measure import data_folder
from _queries import difference, fashion
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances

from qestim import ActiveSampleSelector

SHARE = 0.1
KEPT_TEXT = 0.3


def rbf(X):
    squares = euclidean_distances(X, squared=True)
    draw = squares[:500, :500]
    gamma = 4 / np.median(draw[np.triu_indices(len(draw), 1)])
    return np.exp(-gamma * squares)


def herding(X, k):
    """Greedy herding in the kernel's space (Welling 2009)."""
    S = rbf(X)
    mean, taken, chosen = S.mean(axis=0), np.zeros(len(X)), []
    for step in range(k):
        gain = mean - taken / (step + 1)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        taken += S[chosen[-1]]
    return np.array(chosen)


def k_center(X, k, rng):
    chosen = [int(rng.randint(len(X)))]
    near = euclidean_distances(X, X[chosen])[:, 0]
    while len(chosen) < k:
        chosen.append(int(near.argmax()))
        near = np.minimum(near, euclidean_distances(X, X[chosen[-1:]])[:, 0])
    return np.array(chosen)


def facility_location(X, k):
    """Lazy greedy: gains only fall, so an old one is an upper bound."""
    S = rbf(X).astype(np.float32)
    covered, chosen = np.zeros(len(X), np.float32), []
    bounds = S.sum(axis=0)
    for _ in range(k):
        while True:
            j = int(bounds.argmax())
            gain = float(np.maximum(S[j] - covered, 0).sum())
            bounds[j] = gain
            if gain >= bounds.max() - 1e-6:
                break
        chosen.append(j)
        covered = np.maximum(covered, S[j])
        bounds[j] = -np.inf
    return np.array(chosen)


def apricot(X, k):
    """The peer's facility location, in its own default of distances."""
    from apricot import FacilityLocationSelection

    return FacilityLocationSelection(k).fit(X).ranking


def within(way, X, y, k):
    """Apply a way of choosing to each class, in its proportion."""
    chosen = []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        chosen.append(rows[way(X[rows], max(1, round(k * len(rows) / len(X))))])
    return np.concatenate(chosen)


def images(quick):
    """Train on a tenth of Fashion-MNIST, as it is and with a fifth of wrong labels."""
    if data_folder() is None:
        return {"rows": [], "note": "Skipped: QESTIM_DATA names no folder."}
    X, y, test, y_test = fashion()
    size = 1000 if quick else 8000
    rows = []
    for wrong in (0.0, 0.2):
        scores: dict = {}
        seconds: dict = {}
        for seed in range(2 if quick else 5):
            rng = np.random.RandomState(seed)
            part = rng.permutation(len(X))[:size]
            A = X[part]
            b = np.where(
                rng.random_sample(size) < wrong,
                (y[part] + rng.randint(1, 10, size)) % 10,
                y[part],
            )
            for name, choose in image_ways(A, b, rng, seed).items():
                start = time.process_time()
                kept = choose()
                seconds.setdefault(name, []).append(time.process_time() - start)
                model = LogisticRegression(max_iter=300).fit(A[kept], b[kept])
                scores.setdefault(name, []).append(model.score(test, y_test))
        rows += [
            {
                "wrong labels": wrong,
                "kept by": name,
                "accuracy": float(np.mean(values)),
                "ours minus it": ""
                if name == "ours"
                else difference(scores["ours"], values),
                "cpu s": float(np.mean(seconds[name])),
            }
            for name, values in scores.items()
        ]
    return {
        "rows": rows,
        "note": f"{SHARE:.0%} of {size} random training rows of Fashion-MNIST (50 "
        "principal components) is kept; LogisticRegression; accuracy on 2,000 test "
        f"rows; {2 if quick else 5} seeds. Herding, k-center and facility location are "
        "applied within each class, in its proportion; apricot-select, where it is "
        "installed, likewise: facility location by its own distances. All: no pruning.",
    }


def image_ways(X, y, rng, seed):
    k = round(SHARE * len(X))

    def ours(estimator):
        selector = ActiveSampleSelector(estimator, k, random_state=seed)
        return selector.fit(X, y).sample_indices_

    theirs = {}
    if importlib.util.find_spec("apricot"):
        theirs["apricot-select"] = lambda: within(apricot, X, y, k)
    return {
        "all": lambda: np.arange(len(X)),
        "random": lambda: rng.permutation(len(X))[:k],
        "herding": lambda: within(herding, X, y, k),
        "k-center": lambda: within(lambda Z, n: k_center(Z, n, rng), X, y, k),
        "facility location": lambda: within(facility_location, X, y, k),
        **theirs,
        "ours, without a model": lambda: ours(None),
        "ours": lambda: ours(LogisticRegression(max_iter=300)),
    }


def text(quick, corpus=None):
    """Train a character model on 30 % of a corpus with copies and junk in it."""
    if corpus is None:
        if data_folder() is None:
            return {"rows": [], "note": "Skipped: QESTIM_DATA names no folder."}
        corpus = data_folder() / "text" / "tinyshakespeare.txt"
    characters = corpus.read_text(encoding="utf-8", errors="replace")
    characters = characters[: 100_000 if quick else 600_000]
    cut = int(0.9 * len(characters))
    held_out = characters[cut:]
    clean = [characters[i : i + 200] for i in range(0, cut - 199, 200)]
    scores: dict = {}
    junk_kept: dict = {}
    for seed in range(1 if quick else 3):
        rng = np.random.RandomState(seed)
        chunks, junk = spoil(clean, rng)
        for name, kept in text_ways(chunks, rng, seed).items():
            model = CharacterModel().fit([chunks[i] for i in kept])
            scores.setdefault(name, []).append(model.perplexity(held_out))
            junk_kept.setdefault(name, []).append(float(junk[kept].mean()))
    return {
        "rows": [
            {
                "kept by": name,
                "perplexity": float(np.mean(values)),
                "ours minus it": ""
                if name == "ours" or len(values) == 1
                else difference(scores["ours"], values),
                "junk among the kept": float(np.mean(junk_kept[name])),
            }
            for name, values in scores.items()
        ],
        "note": f"{corpus.name}, {len(clean)} chunks of 200 characters of its first "
        f"nine tenths, plus 20 % copies and 10 % junk (letters in random order, "
        f"repeated scraps, random characters); {KEPT_TEXT:.0%} kept, but for the whole "
        "corpus; per-character perplexity of an interpolated 6-gram model on the last "
        "tenth; lower is better. Losses: the model of the other half; the filter drops "
        "the tenth with the largest. Ours: difficulty=1.",
    }


def spoil(clean, rng):
    """Return chunks in random order with copies and junk, and which are junk."""
    copies = [clean[i] for i in rng.choice(len(clean), len(clean) // 5)]
    junk = []
    for i in rng.choice(len(clean), len(clean) // 10):
        kind = rng.randint(3)
        if kind == 0:
            junk.append("".join(rng.permutation(list(clean[i]))))
        elif kind == 1:
            junk.append((clean[i][:7] * 40)[:200])
        else:
            junk.append("".join(chr(c) for c in rng.randint(33, 127, 200)))
    chunks = [*clean, *copies, *junk]
    is_junk = np.arange(len(chunks)) >= len(clean) + len(copies)
    order = rng.permutation(len(chunks))
    return [chunks[i] for i in order], is_junk[order]


def text_ways(chunks, rng, seed):
    k = round(KEPT_TEXT * len(chunks))
    losses = cross_losses(chunks)
    counts = HashingVectorizer(
        analyzer="char", ngram_range=(2, 4), n_features=2**14, alternate_sign=False
    ).transform(chunks)
    points = TruncatedSVD(50, random_state=0).fit_transform(
        TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    )
    first = np.unique(np.array(chunks), return_index=True)[1]
    low = first[losses[first] <= np.quantile(losses, 0.9)]
    hard_ones = ActiveSampleSelector(None, k, difficulty=1.0, random_state=seed)
    selector = ActiveSampleSelector(None, k, random_state=seed)
    hardest = low[np.argsort(-losses[low])][:k]
    return {
        "whole corpus": np.arange(len(chunks)),
        "random": rng.permutation(len(chunks))[:k],
        "deduplication + loss filter": rng.permutation(low)[:k],
        "deduplication + hardest below the loss filter": hardest,
        "ours, without losses": selector.fit(points).sample_indices_,
        "ours, difficulty 0": selector.fit(points, losses=losses).sample_indices_,
        "ours": hard_ones.fit(points, losses=losses).sample_indices_,
    }


def cross_losses(chunks):
    """Return each chunk's mean log loss under the model of the other half."""
    half = np.arange(len(chunks)) % 2
    losses = np.empty(len(chunks))
    for side in (0, 1):
        model = CharacterModel().fit([chunks[i] for i in np.flatnonzero(half != side)])
        for i in np.flatnonzero(half == side):
            losses[i] = np.log(model.perplexity(chunks[i]))
    return losses
