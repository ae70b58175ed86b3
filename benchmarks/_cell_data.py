# SPDX-License-Identifier: Apache-2.0
"""The cells of the benchmark: real sets, or synthetic counts where there are none."""

import dataclasses

import numpy as np
from _cell_metrics import RARE
from _measure import data_folder
from scipy.sparse import csr_matrix, issparse

from qestim.datasets import make_counts


@dataclasses.dataclass
class Cells:
    """Raw counts with labels, one row a cell."""

    counts: csr_matrix
    cell_type: np.ndarray
    batch: np.ndarray
    obs: object = None

    def take(self, rows):
        """Return some of the cells."""
        obs = None if self.obs is None else self.obs.iloc[rows]
        return Cells(self.counts[rows], self.cell_type[rows], self.batch[rows], obs)

    def adata(self):
        """Return the cells as an AnnData object of their own."""
        import anndata
        import pandas

        obs = pandas.DataFrame(
            {"batch": self.batch, "cell_type": self.cell_type},
            index=[f"cell{i}" for i in range(len(self.batch))],
        )
        return anndata.AnnData(self.counts.astype(np.float32).copy(), obs=obs)

    def genes(self, columns):
        """Return the cells with some of the genes."""
        return dataclasses.replace(self, counts=self.counts[:, columns])


def lognorm(counts):
    """Return log(1 + counts per 10,000), float32 array of shape (cells, genes)."""
    dense = counts.toarray() if issparse(counts) else np.asarray(counts)
    depth = dense.sum(1, keepdims=True)
    return np.log1p(1e4 * dense / depth).astype(np.float32)


def variable_genes(counts, n_genes, theta=100.0):
    """Return the genes of most variable Pearson residuals under a common NB law.

    Reference: Lause, Berens and Kobak, Genome Biology 22, 258 (2021), equation 4.
    """
    dense = counts.toarray().astype(np.float64)
    mean = np.outer(dense.sum(1), dense.sum(0)) / dense.sum()
    scale = np.sqrt(np.maximum(mean + mean**2 / theta, 1e-12))  # genes of zeros: 0
    residual = (dense - mean) / scale
    limit = np.sqrt(len(dense))
    spread = np.clip(residual, -limit, limit).var(0)
    return np.sort(np.argsort(spread)[::-1][:n_genes])


def read(name, *, label="cell_type", n_genes=None):
    """Read a set of the data folder; cells of rare types are left out."""
    import anndata

    path = data_folder() / "singlecell" / f"{name}.h5ad"
    adata = anndata.read_h5ad(path)
    cells = Cells(
        csr_matrix(adata.X),
        np.asarray(adata.obs[label], dtype=str),
        np.asarray(adata.obs["batch"], dtype=str),
        adata.obs,
    )
    if label == "cell_type":
        names, counts = np.unique(cells.cell_type, return_counts=True)
        kept = np.isin(cells.cell_type, names[counts >= RARE])
        cells = cells.take(np.flatnonzero(kept))
    if n_genes is not None and n_genes < cells.counts.shape[1]:
        cells = cells.genes(variable_genes(cells.counts, n_genes))
    return cells


def symphony():
    """Return human blood cells of three chemistries, seven types."""
    return read("symphony_pbmc_3tech")


def mixology():
    """Return five cancer cell lines over five protocols."""
    return read("sc_mixology_5batch", n_genes=2000)


def synthetic(n_cells=300, n_genes=120):
    """Return cells of four types in three batches that need no data folder."""
    counts, cell_type, batch = make_counts(
        n_cells, n_genes, n_types=4, n_batches=3, random_state=0
    )
    return Cells(csr_matrix(counts), cell_type.astype(str), batch.astype(str))
