# SPDX-License-Identifier: Apache-2.0
"""
Cells of three batches, embedded and labelled
=============================================

Synthetic counts of four types of cells in three batches. One call writes a
representation in which types are apart and batches together; the cells of a fourth
batch, which the model never saw, get their types from it.
"""

import anndata
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from qestim.anndata import default_estimator, embed
from qestim.datasets import make_counts

X, cell_type, batch = make_counts(
    800, 120, n_batches=4, batch_effect=0.5, type_effect=1.5, random_state=0
)
adata = anndata.AnnData(X.astype("float32"))
adata.obs["batch"] = [f"batch {b}" for b in batch]
adata.obs["cell_type"] = [f"type {t}" for t in cell_type]
new = batch == 3
reference, query = adata[~new].copy(), adata[new].copy()

small = default_estimator(random_state=0).set_params(
    n_components=16, n_hidden=64, learning_rate=3e-3
)
model = embed(reference, batch_key="batch", estimator=small)

truth = query.obs["cell_type"].to_numpy()
del query.obs["cell_type"]
model.transfer_labels(reference, query, "cell_type")
accuracy = (query.obs["cell_type"].to_numpy() == truth).mean()
print(f"types of {len(truth)} cells of a new batch: {accuracy:.3f} correct")
assert accuracy > 0.9

logs = np.log1p(1e4 * X / X.sum(1, keepdims=True))[~new]
panels = {"logarithms of the counts": logs, "X_qbmvae": reference.obsm["X_qbmvae"]}
figure, rows = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
for axes, (title, Z) in zip(rows.T, panels.items(), strict=True):
    x, y = PCA(2).fit_transform(Z).T
    for ax, key in zip(axes, ("cell_type", "batch"), strict=True):
        for label in np.unique(reference.obs[key]):
            there = (reference.obs[key] == label).to_numpy()
            ax.plot(x[there], y[there], ".", markersize=3, label=label)
        ax.set_title(f"{title}, by {key}", fontsize=10)
        ax.set_axis_off()
        ax.legend(fontsize=8, markerscale=3)
plt.show()
