# SPDX-License-Identifier: Apache-2.0
"""
A network of one-bit weights, tuned together with its sampler
=============================================================

Each hidden neuron of this digit classifier is 64 spins: the answer of an Ising machine.
The weight of the proximal term and the sweeps of the annealer that finds the spins are
searched in one grid, and the cheap control stands beside the winner.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import qestim
from qestim.samplers import SimulatedAnnealingSampler

X, y = load_digits(return_X_y=True)
train, test, y_train, y_test = train_test_split(
    X, y, train_size=800, stratify=y, random_state=0
)

# %%
# One grid for the learning method and for the machine.
sampler = SimulatedAnnealingSampler(num_reads=2, num_threads=1)
network = qestim.QuantizedQNNClassifier(
    (16,), sampler=sampler, max_iter=4, random_state=0
)
grid = {
    "quantizedqnnclassifier__penalty": [0.03, 0.3],
    "quantizedqnnclassifier__sampler__num_sweeps": [5, 50],
}
search = GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=2)
search.fit(train, y_train)
print(search.best_params_)
print(f"accuracy on new digits: {search.score(test, y_test):.3f}")
assert search.score(test, y_test) > 0.88

# %%
# Does the machine matter? The same network on the same folds, controls beside it.
scaled = StandardScaler().fit_transform(train)
best = search.best_estimator_[-1]
table = qestim.compare(best, scaled, y_train, [best.sampler, "controls"], cv=2)
print(table)
means = {row["name"]: row["mean"] for row in table.rows}
assert max(means, key=means.get) != "random spins"

# %%
# What the neurons look for, and what is left to carry: bytes instead of floats.
packed = best.to_packed()
print(f"{packed.n_bytes} bytes; first layer {best.weights_[0].dtype}, spins only")
figure, axes = plt.subplots(2, 8, figsize=(8, 2.4), layout="constrained")
for neuron, axis in zip(best.weights_[0].T, axes.flat, strict=True):
    axis.imshow(neuron.reshape(8, 8), cmap="gray")
    axis.set_axis_off()
figure.suptitle("The one-bit weights of 16 hidden neurons")
plt.show()
