# SPDX-License-Identifier: Apache-2.0
"""What a representation of cells is worth: clusters, labels, mixing, agreement.

Small numpy versions, so that every method is measured by the same lines. Scores lie in
[0, 1] but for the adjusted Rand index, and more is better in every column. Cells whose
type is rarer than `RARE` are left out by the callers.
"""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import chi2
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_samples,
    silhouette_score,
)
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

RARE = 10
RESOLUTIONS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5)


def neighbours(Z, k):
    """Return the k nearest other rows of each row, int array of shape (n, k)."""
    found = NearestNeighbors(n_neighbors=k).fit(Z).kneighbors(return_distance=False)
    return np.asarray(found)


def inverse_simpson(near, batch):
    """Return the inverse Simpson index of the batches among each row's neighbours."""
    codes = np.unique(batch, return_inverse=True)[1]
    shares = np.stack([(codes[near] == b).mean(1) for b in range(codes.max() + 1)], 1)
    return 1 / (shares**2).sum(1)


def ilisi(near, batch):
    """Return the mixing of batches: 0 one batch around each cell, 1 all equally."""
    return (inverse_simpson(near, batch).mean() - 1) / (len(np.unique(batch)) - 1)


def ilisi_well_mixed(cell_type, batch, k=30, seed=0):
    """Return what `ilisi` is when a cell's neighbours are random cells of its type.

    More than this is reached only by mixing types.
    """
    rng = np.random.default_rng(seed)
    near = np.empty((len(batch), k), dtype=np.int64)
    for name in np.unique(cell_type):
        rows = np.flatnonzero(cell_type == name)
        for row in rows:
            others = rows[rows != row]
            near[row] = rng.choice(others, k, replace=len(others) < k)
    return ilisi(near, batch)


def ilisi_per_type(Z, cell_type, batch, k=30):
    """Return the mean over types of the mixing inside a type, 1 where it is random.

    Neighbours are sought among cells of the same type, so that neither types that a
    batch lacks nor the mixing of types change it.
    """
    scores = []
    for name in np.unique(cell_type):
        rows = cell_type == name
        size = min(k, int(rows.sum()) - 1)
        own = batch[rows]
        present, counts = np.unique(own, return_counts=True)
        if len(present) < 2:
            continue
        found = inverse_simpson(neighbours(Z[rows], size), own).mean()
        shares = counts / counts.sum()
        # Of `size` random draws: the mean of the sum of squared shares.
        random = 1 / ((1 - 1 / size) * (shares**2).sum() + 1 / size)
        scores.append(min(1.0, (found - 1) / (random - 1)))
    return float(np.mean(scores))


def kbet(near, cell_type, batch, level=0.05):
    """Return the share of cells whose neighbours' batches look like their type's."""
    kinds, codes = np.unique(batch, return_inverse=True)
    accepted = np.zeros(len(batch), dtype=bool)
    for name in np.unique(cell_type):
        rows = np.flatnonzero(cell_type == name)
        shares = np.bincount(codes[rows], minlength=len(kinds)) / len(rows)
        there = shares > 0
        if there.sum() < 2:
            continue
        seen = np.stack([(codes[near[rows]] == b).sum(1) for b in range(len(kinds))], 1)
        expected = shares[there] * near.shape[1]
        statistic = ((seen[:, there] - expected) ** 2 / expected).sum(1)
        fits = chi2.sf(statistic, there.sum() - 1) > level
        accepted[rows] = fits & (seen[:, ~there].sum(1) == 0)
    return float(accepted.mean())


def shared_neighbours(Z, k=15):
    """Return the Jaccard graph of the k nearest neighbours: (row, col, weight)."""
    near = neighbours(Z, k)
    n = len(Z)
    own = np.concatenate([near, np.arange(n)[:, None]], 1)
    member = csr_matrix(
        (np.ones(own.size), (np.repeat(np.arange(n), k + 1), own.ravel())), shape=(n, n)
    )
    linked = (member + member.T).sign()
    shared = (member @ member.T).multiply(linked).tocoo()
    upper = shared.row < shared.col
    weight = shared.data[upper] / (2 * (k + 1) - shared.data[upper])
    return shared.row[upper], shared.col[upper], weight


def communities(Z, resolution, seed):
    """Return clusters of the Jaccard graph: Leiden, or Louvain where it is absent."""
    row, col, weight = shared_neighbours(Z)
    try:
        import igraph
        import leidenalg
    except ImportError:
        import networkx as nx

        graph = nx.Graph()
        graph.add_nodes_from(range(len(Z)))
        graph.add_weighted_edges_from(zip(row, col, weight, strict=True))
        parts = nx.community.louvain_communities(
            graph, resolution=resolution, seed=seed
        )
    else:
        graph = igraph.Graph(n=len(Z), edges=np.stack([row, col], 1).tolist())
        parts = leidenalg.find_partition(
            graph,
            leidenalg.RBConfigurationVertexPartition,
            weights=weight.tolist(),
            resolution_parameter=resolution,
            seed=seed,
        )
    labels = np.empty(len(Z), dtype=np.int64)
    for label, part in enumerate(parts):
        labels[list(part)] = label
    return labels


def clusters(Z, n_clusters, seed):
    """Return the clusters that k-means finds."""
    return KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(Z)


def linear_accuracy(Z, cell_type, seed):
    """Return the accuracy of a linear classifier over five folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(cross_val_score(model, Z, cell_type, cv=folds).mean())


def left_out_batch_accuracy(Z, cell_type, batch, k=15):
    """Return the accuracy of k neighbours in the other batches, over all cells."""
    right = np.zeros(len(Z), dtype=bool)
    for name in np.unique(batch):
        out = batch == name
        model = KNeighborsClassifier(k).fit(Z[~out], cell_type[~out])
        right[out] = model.predict(Z[out]) == cell_type[out]
    return float(right.mean())


def batch_silhouette(Z, cell_type, batch):
    """Return the mean over types of 1 - |silhouette of the batches inside a type|."""
    scores = []
    for name in np.unique(cell_type):
        rows = cell_type == name
        counts = np.unique(batch[rows], return_counts=True)[1]
        if len(counts) > 1 and counts.min() > 1:
            found = silhouette_samples(Z[rows], batch[rows])
            scores.append(1 - np.abs(found).mean())
    return float(np.mean(scores))


def integration(Z, cell_type, batch, seed):
    """Return every score of one representation, {column: figure}."""
    n_types = len(np.unique(cell_type))
    near = neighbours(Z, 30)
    groups = clusters(Z, n_types, seed)
    graphs = [communities(Z, resolution, seed) for resolution in RESOLUTIONS]
    return {
        "k-means NMI": normalized_mutual_info_score(cell_type, groups),
        "k-means ARI": adjusted_rand_score(cell_type, groups),
        "Leiden NMI": max(normalized_mutual_info_score(cell_type, g) for g in graphs),
        "Leiden ARI": max(adjusted_rand_score(cell_type, g) for g in graphs),
        "silhouette": (silhouette_score(Z, cell_type) + 1) / 2,
        "linear": linear_accuracy(Z, cell_type, seed),
        "left-out batch": left_out_batch_accuracy(Z, cell_type, batch),
        "iLISI": ilisi(near, batch),
        "iLISI per type": ilisi_per_type(Z, cell_type, batch),
        "kBET": kbet(near, cell_type, batch),
        "batch silhouette": batch_silhouette(Z, cell_type, batch),
    }


def agreement(groups):
    """Return for each seed the mean Rand index of its clusters with the others'."""
    return [
        float(np.mean([adjusted_rand_score(a, b) for b in groups if b is not a]))
        for a in groups
    ]
