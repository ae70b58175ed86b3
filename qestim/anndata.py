# SPDX-License-Identifier: Apache-2.0
"""QBMVAETransformer on AnnData objects: one call for single-cell work.

Needs the extra ``anndata`` (``pip install qestim[anndata]``); scanpy reads what is
written here, for example by ``scanpy.pp.neighbors(adata, use_rep="X_qbmvae")``.
"""

import contextlib
import dataclasses
import pathlib
import tempfile
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from qestim._cells import columns_of, spool
from qestim.estimators import BoltzmannPrior, QBMVAETransformer

__all__ = ["CellModel", "default_estimator", "embed"]

_PCA_CELLS = 20_000  # cells that the axes of the denoised space are found from
_PER_CELL = 1e4  # denoised expression is counts per so many


def default_estimator(n_cells=None, *, random_state=None) -> QBMVAETransformer:
    """Return the unfitted estimator that `embed` uses when none is given.

    It is made to compare cells: its decoder learns from the means of the spins. To draw
    cells or to compare bounds set ``prior__relaxation="straight_through"`` and
    ``kl_weight=1``.

    Parameters
    ----------
    n_cells : int, default=None
        Cells it will be fitted to: from 20,000 on the epochs fall as their number
        grows, so that the steps stay the same. None is for fewer.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.

    Returns
    -------
    estimator : QBMVAETransformer
        Negative binomial counts, 64 spins, a restricted Boltzmann machine as prior.

    Examples
    --------
    >>> from qestim.anndata import default_estimator
    >>> default_estimator(200_000).max_iter
    7
    """
    epochs = 70 if n_cells is None else min(70, max(1, round(70 * 20_000 / n_cells)))
    return QBMVAETransformer(
        64,
        likelihood="nb",
        prior=BoltzmannPrior("rbm", relaxation="mean"),
        kl_weight=0.1,
        n_hidden=(256, 256),
        learning_rate=1e-3,
        batch_size=128,
        max_iter=epochs,
        random_state=random_state,
    )


def embed(
    adata,
    *,
    layer=None,
    batch_key=None,
    estimator=None,
    space="denoised",
    key_added="X_qbmvae",
    chunk_size=4096,
    random_state=0,
) -> "CellModel":
    """Fit a `QBMVAETransformer` to the cells and write their representation.

    Writes ``adata.obsm[key_added]`` and the energy of each cell's code,
    ``adata.obs["qbmvae_energy"]``. A backed file is read chunk by chunk; for the fit
    its counts are spooled to a temporary file that is mapped, not loaded.

    Parameters
    ----------
    adata : anndata.AnnData
        Cells by genes, raw counts; in memory or backed.
    layer : str, default=None
        Layer of the raw counts; None is ``adata.X``.
    batch_key : str or list of str, default=None
        Columns of ``adata.obs`` with the batch and other categorical covariates.
    estimator : QBMVAETransformer, default=None
        What to fit, a clone of it; None is `default_estimator`.
    space : {"denoised", "code"}, default="denoised"
        What the representation is: ``"denoised"`` is up to 30 principal components of
        the logarithm of the expression that the decoder makes of the code, averaged
        over the batches; distances in it are those between profiles. ``"code"`` is the
        means of the spins, as `QBMVAETransformer.transform` gives them.
    key_added : str, default="X_qbmvae"
        Where in ``adata.obsm`` the representation goes.
    chunk_size : int, default=4096
        Cells read, encoded and decoded at a time.
    random_state : int, default=0
        Seed of the default estimator and of the principal components.

    Returns
    -------
    model : CellModel
        The fitted model, for denoising, new cells and labels.

    Raises
    ------
    ValueError
        If ``space`` is unknown, names of genes repeat, the counts are none, or a single
        cell or gene leaves no axis of the denoised space.
    KeyError
        If the layer or a column of ``batch_key`` is absent.

    Examples
    --------
    >>> import anndata
    >>> from qestim.anndata import default_estimator, embed
    >>> from qestim.datasets import make_counts
    >>> X, _, batch = make_counts(60, 20, n_batches=2, random_state=0)
    >>> adata = anndata.AnnData(X.astype("float32"))
    >>> adata.obs["batch"] = [f"plate {b}" for b in batch]
    >>> small = default_estimator(random_state=0).set_params(max_iter=2, n_hidden=16)
    >>> _ = embed(adata, batch_key="batch", estimator=small)
    >>> adata.obsm["X_qbmvae"].shape
    (60, 19)
    """
    if space not in ("denoised", "code"):
        raise ValueError(f"space must be 'denoised' or 'code'. Got {space!r}.")
    if space == "denoised" and min(adata.shape) < 2:
        raise ValueError(
            "space='denoised' needs two cells and two genes for an axis. Got "
            f"{adata.n_obs} x {adata.n_vars}; take space='code'."
        )
    if estimator is None:
        estimator = default_estimator(adata.n_obs, random_state=random_state)
    model = CellModel(
        clone(estimator), list(adata.var_names), layer, batch_key, space, chunk_size
    )
    columns_of(adata, model.genes)  # whether names are unique, before the fit
    with contextlib.ExitStack() as stack:
        counts = model.counts(adata)
        if adata.isbacked and layer is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            counts = spool(counts, adata.shape, chunk_size, pathlib.Path(folder))
        model.estimator.fit(counts, batch=model.batches(adata))
    if space == "denoised":
        model.find_axes(adata, random_state)
    model.embed(adata, key_added=key_added)
    return model


@dataclasses.dataclass
class CellModel:
    """A fitted estimator and how it reads cells.

    `embed` makes one.

    Parameters
    ----------
    estimator : QBMVAETransformer
        Fitted to the cells that `embed` was called with.
    genes : list of str
        Their genes, in order; other cells must have them, in any order.
    layer : str or None
        Layer of counts; None is ``adata.X``.
    batch_key : str, list of str or None
        Columns of ``adata.obs`` with the covariates, if any.
    space : {"denoised", "code"}
        What represents a cell.
    chunk_size : int
        Cells read, encoded and decoded at a time.
    axes : sklearn.decomposition.PCA or None, default=None
        Axes of the denoised space; None before `find_axes`, and for the code.

    Examples
    --------
    >>> import anndata
    >>> from qestim.anndata import default_estimator, embed
    >>> from qestim.datasets import make_counts
    >>> X = make_counts(60, 20, random_state=0)[0]
    >>> adata = anndata.AnnData(X.astype("float32"))
    >>> small = default_estimator(random_state=0).set_params(max_iter=2, n_hidden=16)
    >>> model = embed(adata, estimator=small, space="code")
    >>> next(model.chunks(adata[:, ::-1])).shape
    (60, 20)
    """

    estimator: QBMVAETransformer
    genes: list
    layer: str | None
    batch_key: str | list | None
    space: str
    chunk_size: int
    axes: PCA | None = None

    def embed(self, adata, *, key_added="X_qbmvae") -> None:
        """Write the representation and the energy of cells, seen before or not.

        Their batches may be new: the code of a cell does not depend on its batch.

        Parameters
        ----------
        adata : anndata.AnnData
            Cells with the genes of the fit.
        key_added : str, default="X_qbmvae"
            Where in ``adata.obsm`` the representation goes.
        """
        Z, energy = [], []
        for counts in self.chunks(adata):
            Z.append(self.represent(counts))
            energy.append(self.estimator.energy(counts))
        adata.obsm[key_added] = np.concatenate(Z).astype(np.float32)
        adata.obs["qbmvae_energy"] = np.concatenate(energy)

    def denoise(self, adata, *, batch=None, key_added="qbmvae") -> Any:
        """Write the expression that the decoder makes of each cell's code.

        Parameters
        ----------
        adata : anndata.AnnData
            Cells with the genes of the fit.
        batch : label, default=None
            Batch to decode all cells to; None is the mean over the batches of the fit.
        key_added : str, default="qbmvae"
            Layer to write: counts per 10,000, float32, the genes in the order of
            ``adata``. None writes nothing and yields the chunks instead, arrays of
            shape (at most chunk_size, n_genes), genes in the order of the fit.

        Returns
        -------
        chunks : iterator of ndarray or None
            With ``key_added=None``.

        Raises
        ------
        ValueError
            If the layer would not fit the genes of ``adata``.
        """
        chunks = (self._expression(counts, batch) for counts in self.chunks(adata))
        if key_added is None:
            return chunks
        if adata.n_vars != len(self.genes):
            raise ValueError(
                f"A layer has all {adata.n_vars} genes of adata; the model knows "
                f"{len(self.genes)}. Take adata[:, model.genes], or key_added=None."
            )
        place = np.argsort(columns_of(adata, self.genes))
        adata.layers[key_added] = np.concatenate([c[:, place] for c in chunks])
        return None

    def transfer_labels(
        self, reference, query, label_key, *, n_neighbors=15, key="X_qbmvae"
    ) -> None:
        """Give new cells the labels of their neighbours among known ones.

        Writes ``query.obs[label_key]`` and the share of neighbours that agree,
        ``query.obs[label_key + "_share"]``; `query` is embedded where it is not.

        Parameters
        ----------
        reference, query : anndata.AnnData
            Cells with labels, and cells without; the reference is embedded.
        label_key : str
            Column of ``reference.obs``; cells without a label there do not vote.
        n_neighbors : int, default=15
            Neighbours that vote.
        key : str, default="X_qbmvae"
            Where in ``obsm`` the representations are.
        """
        if key not in query.obsm:
            self.embed(query, key_added=key)
        labels = reference.obs[label_key]
        known = labels.notna().to_numpy()
        vote = KNeighborsClassifier(n_neighbors)
        vote.fit(reference.obsm[key][known], np.asarray(labels[known], dtype=str))
        share = vote.predict_proba(query.obsm[key])
        query.obs[label_key] = vote.classes_[share.argmax(1)]
        query.obs[f"{label_key}_share"] = share.max(1)

    def represent(self, counts) -> np.ndarray:
        """Return the representation of some cells.

        Parameters
        ----------
        counts : array-like or CSR matrix of shape (n_cells, n_genes)
            Counts of the genes of the fit, in its order.

        Returns
        -------
        Z : ndarray of shape (n_cells, n_dimensions)
            Log-expression along the axes of the denoised space, or the code.
        """
        if self.axes is None:
            return self.estimator.transform(counts)
        return self.axes.transform(np.log1p(self._expression(counts, None)))

    def find_axes(self, adata, random_state) -> None:
        """Find the axes of the denoised space from at most 20,000 cells.

        Parameters
        ----------
        adata : anndata.AnnData
            Cells with the genes of the fit.
        random_state : int or None
            Seed of the choice of the cells and of the principal components.
        """
        n = adata.n_obs
        rng = np.random.default_rng(random_state)
        chosen = rng.choice(n, min(n, _PCA_CELLS), replace=False)
        kept = np.zeros(n, dtype=bool)
        kept[chosen] = True
        start, parts = 0, []
        for counts in self.chunks(adata):
            stop = start + counts.shape[0]
            if kept[start:stop].any():
                parts.append(self._expression(counts[kept[start:stop]], None))
            start = stop
        X = np.log1p(np.concatenate(parts))
        self.axes = PCA(min(30, X.shape[1] - 1, len(X) - 1), random_state=random_state)
        self.axes.fit(X)

    def counts(self, adata) -> Any:
        """Return the matrix of counts of `adata`, on disk where it is backed.

        Parameters
        ----------
        adata : anndata.AnnData
            Cells.

        Returns
        -------
        counts : array-like or sparse matrix of shape (n_cells, n_vars)
            ``adata.X``, or the layer of the fit.
        """
        return adata.X if self.layer is None else adata.layers[self.layer]

    def batches(self, adata) -> np.ndarray | None:
        """Return the covariates of the cells, or None.

        Parameters
        ----------
        adata : anndata.AnnData
            Cells with the columns of ``batch_key``.

        Returns
        -------
        batch : ndarray of shape (n_cells,) or (n_cells, n_keys), or None
            Labels, as ``adata.obs`` has them; None if the fit had no ``batch_key``.
        """
        if self.batch_key is None:
            return None
        return adata.obs[self.batch_key].to_numpy()

    def chunks(self, adata) -> Any:
        """Yield the counts of the genes of the fit, some cells at a time.

        Parameters
        ----------
        adata : anndata.AnnData
            Cells with the genes of the fit.

        Yields
        ------
        counts : array-like or sparse matrix of shape (at most chunk_size, n_genes)
            Of the next cells, the genes in the order of the fit.

        Raises
        ------
        ValueError
            If names of genes repeat, or a gene of the fit is absent.
        """
        columns, counts = columns_of(adata, self.genes), self.counts(adata)
        in_order = np.array_equal(columns, np.arange(adata.n_vars))
        for start in range(0, adata.n_obs, self.chunk_size):
            part = counts[start : min(start + self.chunk_size, adata.n_obs)]
            yield part if in_order else part[:, columns]

    def _expression(self, counts, batch):
        code = self.estimator.transform(counts)
        mean = self.estimator.inverse_transform(code, batch=batch)
        return (_PER_CELL * mean / mean.sum(1, keepdims=True)).astype(np.float32)
