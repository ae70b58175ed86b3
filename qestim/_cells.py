# SPDX-License-Identifier: Apache-2.0
"""Genes by their names, and counts on disk as arrays that can be fitted."""

import numpy as np
import scipy.sparse


def columns_of(adata, genes):
    """Return where in cells the genes are.

    Parameters
    ----------
    adata : anndata.AnnData
        Cells.
    genes : list of str
        Names, among ``adata.var_names``.

    Returns
    -------
    columns : ndarray of shape (n_genes,), dtype int64
        Positions among ``adata.var_names``.

    Raises
    ------
    ValueError
        If names of genes repeat, or one of the genes is absent.
    """
    if not adata.var_names.is_unique:
        raise ValueError(
            "adata.var_names has genes of the same name; make them differ with "
            "adata.var_names_make_unique()."
        )
    columns = adata.var_names.get_indexer(genes)
    if (columns < 0).any():
        missing = [genes[i] for i in np.flatnonzero(columns < 0)]
        raise ValueError(
            f"adata lacks {len(missing)} of the {len(genes)} genes that the "
            f"model was fitted with: {', '.join(missing[:5])}. Add them, with the "
            "counts 0 if they were not measured."
        )
    return columns


def spool(counts, shape, chunk_size, folder):
    """Copy a matrix on disk into mapped files, as a CSR matrix; dense stays dense.

    Parameters
    ----------
    counts : h5py.Dataset or sparse dataset of shape (n_cells, n_genes)
        The matrix, read by slices of rows.
    shape : tuple of int
        Its shape.
    chunk_size : int
        Rows to read at a time.
    folder : pathlib.Path
        Where the files go.

    Returns
    -------
    copy : numpy.memmap or scipy.sparse.csr_matrix of shape (n_cells, n_genes), float32
        The same numbers.

    Raises
    ------
    ValueError
        If all of them are zero.
    """
    starts = range(0, shape[0], chunk_size)
    if isinstance(counts[:1], np.ndarray):
        copy = np.lib.format.open_memmap(
            folder / "dense.npy", mode="w+", dtype=np.float32, shape=shape
        )
        for start in starts:
            copy[start : start + chunk_size] = counts[start : start + chunk_size]
        return copy
    lengths = []
    with open(folder / "data", "wb") as data, open(folder / "indices", "wb") as indices:
        for start in starts:
            part = scipy.sparse.csr_matrix(counts[start : start + chunk_size])
            data.write(part.data.astype(np.float32).tobytes())
            indices.write(part.indices.astype(np.int32).tobytes())
            lengths.append(np.diff(part.indptr))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)])
    if indptr[-1] == 0:
        raise ValueError("The counts are all zero; name the layer that has them.")
    arrays = (
        np.memmap(folder / "data", dtype=np.float32, mode="r"),
        np.memmap(folder / "indices", dtype=np.int32, mode="r"),
        indptr,
    )
    return scipy.sparse.csr_matrix(arrays, shape=shape)
