# SPDX-License-Identifier: Apache-2.0
"""
Learning digits from few labels: which ones to ask for
======================================================

Forty labels at random, then batches of twenty: at random, by margin, and chosen so that
together they settle the most uncertainty. Takes about ten seconds.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from qestim import ActiveSampleSelector
from qestim.plotting import LearningCurveDisplay

SEEDS, BATCHES, BATCH = 3, 5, 20
X, y = load_digits(return_X_y=True)
X = X / 16


def at_random(X, labels, model, seed):
    rng = np.random.default_rng(seed)
    return rng.choice(np.flatnonzero(labels == -1), BATCH, replace=False)


def by_margin(X, labels, model, seed):
    top = np.sort(model.fit(X[labels >= 0], labels[labels >= 0]).predict_proba(X))
    margins = np.where(labels == -1, top[:, -1] - top[:, -2], np.inf)
    return np.argsort(margins)[:BATCH]


def together(X, labels, model, seed):
    selector = ActiveSampleSelector(model, BATCH, random_state=seed)
    return selector.fit(X, labels).sample_indices_


def curve(choose, seed):
    order = np.random.default_rng(seed).permutation(len(X))
    pool, test = order[500:], order[:500]
    labels, model, scores = np.full(len(pool), -1), LogisticRegression(max_iter=300), []
    labels[:40] = y[pool[:40]]  # the pool's order is random
    for batch in range(BATCHES + 1):
        known = labels >= 0
        scores.append(model.fit(X[pool[known]], labels[known]).score(X[test], y[test]))
        chosen = choose(X[pool], labels, model, 100 * seed + batch)
        labels[chosen] = y[pool[chosen]]
    return scores


strategies = {"random": at_random, "margin": by_margin, "qestim": together}
curves = {
    name: [curve(choose, seed) for seed in range(SEEDS)]
    for name, choose in strategies.items()
}
labels = 40 + BATCH * np.arange(BATCHES + 1)
display = LearningCurveDisplay.from_scores(labels, curves).plot(score_name="accuracy")
plt.show()

# %%
# The mean accuracy along each curve. Three repetitions make wide bands; the same splits
# for every way make the differences surer than the bands look.
areas = display.areas()
for name, area in areas.items():
    ahead = area - areas["random"]
    print(f"{name:7s} {area.mean():.3f}, over random {np.round(ahead, 3)}")
assert areas["qestim"].mean() > areas["margin"].mean() > areas["random"].mean()
