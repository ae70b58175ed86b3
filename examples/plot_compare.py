# SPDX-License-Identifier: Apache-2.0
"""
What does the Ising machine buy on your data?
=============================================

Digits through a code of 16 spins in a Pipeline, judged by a linear classifier.
`qestim.compare` swaps the sampler behind the prior, and puts the controls beside it:
the same estimator without a sampler, and without couplings. With all the labels and a
short fit the couplings do not pay, and the table says so.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import qestim
from qestim.plotting import TrainingCurveDisplay
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler

X, y = load_digits(return_X_y=True)
X, y = X[:900], y[:900]
pipeline = make_pipeline(
    MinMaxScaler(clip=True),
    qestim.QBMVAETransformer(16, likelihood="bernoulli", max_iter=8),
    LogisticRegression(max_iter=800),
)
table = qestim.compare(
    pipeline,
    X,
    y,
    samplers={
        "Boltzmann": BoltzmannSampler(num_threads=1),
        "annealing": SimulatedAnnealingSampler(num_sweeps=100, num_threads=1),
        "controls": "controls",
    },
    cv=4,
    random_state=0,
)
print(table)

# %%
# Every fold of every row; the lines join the folds, so that a difference that is only
# the folds' own can be seen as such.

names = [row["name"] for row in table.rows]
scores = np.array([table.scores[name] for name in names])
figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
axis.plot(scores, color="0.8", zorder=1)
axis.plot(scores, "o", color="tab:blue", zorder=2)
axis.plot(scores.mean(1), "_", color="black", markersize=28, zorder=3)
axis.set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names])
axis.set_ylabel("accuracy on held-out folds")
plt.show()

# %%
# Was it trained long enough? The loss, and the bound on held-out rows (dashed),
# with a machine as the prior and without couplings. The loss leaves the machine's log Z
# out; the bound has it, and sees the couplings that the classifier did not need.
curves = None
for name, graph in (("Boltzmann machine", "rbm"), ("no couplings", "bernoulli")):
    model = qestim.QBMVAETransformer(
        16,
        likelihood="bernoulli",
        prior=qestim.BoltzmannPrior(graph),
        max_iter=8,
        n_iter_no_change=8,
        random_state=0,
    ).fit(X / 16)
    display = TrainingCurveDisplay.from_estimator(model)
    curves = display.plot(curves and curves.ax_, name=name)
plt.show()
