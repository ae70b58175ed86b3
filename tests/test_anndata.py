# SPDX-License-Identifier: Apache-2.0
"""AnnData in, AnnData out: in memory, backed, and with new cells."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from qestim.anndata import default_estimator, embed
from qestim.datasets import make_counts

anndata = pytest.importorskip("anndata")


def cells(n=90, n_genes=30, sparse=True):
    X, y, batch = make_counts(
        n, n_genes, n_types=3, n_batches=2, type_effect=3.0, random_state=0
    )
    X = X.astype(np.float32)
    adata = anndata.AnnData(scipy.sparse.csr_matrix(X) if sparse else X)
    adata.var_names = [f"gene{i}" for i in range(n_genes)]
    adata.obs["batch"] = [f"plate {b}" for b in batch]
    adata.obs["type"] = [f"type {t}" for t in y]
    return adata


@pytest.fixture(scope="module")
def small():
    return default_estimator(random_state=0).set_params(
        n_components=8, n_hidden=32, max_iter=80, batch_size=32, learning_rate=1e-2
    )


@pytest.fixture(scope="module")
def fitted(small):
    adata = cells()
    model = embed(adata, batch_key="batch", estimator=small)
    return model, adata


@pytest.mark.parametrize("space", ["denoised", "code"])
@pytest.mark.parametrize("sparse", [True, False])
def test_a_backed_file_gives_what_memory_gives(tmp_path, small, space, sparse):
    small = clone(small).set_params(max_iter=2)
    adata = cells(sparse=sparse)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    for one in (adata, backed):
        embed(one, batch_key="batch", estimator=small, space=space, chunk_size=17)
    np.testing.assert_array_equal(adata.obsm["X_qbmvae"], backed.obsm["X_qbmvae"])
    np.testing.assert_array_equal(
        adata.obs["qbmvae_energy"], backed.obs["qbmvae_energy"]
    )
    whole = cells(sparse=sparse)
    embed(whole, batch_key="batch", estimator=small, space=space)
    np.testing.assert_allclose(
        np.abs(whole.obsm["X_qbmvae"]), np.abs(adata.obsm["X_qbmvae"]), atol=1e-3
    )
    backed.file.close()


def test_representation_keeps_types_and_is_what_neighbour_graphs_take(fitted):
    _, adata = fitted
    Z = adata.obsm["X_qbmvae"]
    assert Z.dtype == np.float32
    assert np.isfinite(Z).all()
    near = NearestNeighbors(n_neighbors=5).fit(Z).kneighbors(return_distance=False)
    types = adata.obs["type"].to_numpy()
    assert (types[near] == types[:, None]).mean() > 0.8


def test_the_space_is_that_of_the_logarithm_of_denoised_expression(fitted):
    model, adata = fitted
    logs = np.log1p(np.concatenate(list(model.denoise(adata, key_added=None))))
    logs -= logs.mean(0)
    Z = adata.obsm["X_qbmvae"]
    np.testing.assert_allclose(Z.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(Z @ Z.T, logs @ logs.T, atol=0.05 * Z.var())


def test_energy_is_the_estimators(fitted):
    model, adata = fitted
    np.testing.assert_array_equal(
        adata.obs["qbmvae_energy"], model.estimator.energy(adata.X)
    )


def test_denoised_expression_is_closer_to_the_law_than_the_counts(fitted):
    model, adata = fitted
    adata = adata.copy()
    model.denoise(adata)
    shares = adata.layers["qbmvae"] / 1e4
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    X = adata.X.toarray()
    observed = X / X.sum(1, keepdims=True)
    types = adata.obs["type"].to_numpy()
    error = {"denoised": 0.0, "counts": 0.0}
    for name in np.unique(types):
        mean = observed[types == name].mean(0)
        error["denoised"] += ((shares[types == name] - mean) ** 2).sum()
        error["counts"] += ((observed[types == name] - mean) ** 2).sum()
    assert error["denoised"] < 0.5 * error["counts"]
    model.denoise(adata, batch="plate 0", key_added="first")
    model.denoise(adata, batch="plate 1", key_added="second")
    assert not np.allclose(adata.layers["first"], adata.layers["second"])


def test_denoised_chunks_and_layers_agree_in_any_order_of_genes(fitted):
    model, adata = fitted
    turned = adata[:, np.roll(np.arange(30), 7)].copy()
    model.denoise(turned)
    chunks = np.concatenate(list(model.denoise(turned, key_added=None)))
    np.testing.assert_array_equal(np.roll(turned.layers["qbmvae"], -7, axis=1), chunks)


def test_labels_reach_new_cells_of_a_new_batch(small):
    adata = cells(150)
    reference, query = adata[:110].copy(), adata[110:, ::-1].copy()
    model = embed(reference, batch_key="batch", estimator=small)
    truth = query.obs["type"].to_numpy()
    query.obs = query.obs.drop(columns="type")
    query.obs["batch"] = "a plate of its own"
    model.transfer_labels(reference, query, "type")
    assert (query.obs["type"].to_numpy() == truth).mean() > 0.85
    share = query.obs["type_share"].to_numpy()
    assert (share > 1 / 3 - 1e-9).all()
    assert (share <= 1).all()
    with pytest.raises(ValueError, match="did not occur"):
        model.denoise(query, batch="a plate of its own")


def test_cells_without_a_label_do_not_vote(fitted):
    model, adata = fitted
    reference, query = adata.copy(), adata[:20].copy()
    reference.obs["type"] = reference.obs["type"].where(np.arange(90) % 4 == 0)
    truth = query.obs.pop("type").to_numpy()
    model.transfer_labels(reference, query, "type", n_neighbors=3)
    assert (query.obs["type"].to_numpy() == truth).mean() > 0.85


def test_axes_come_from_some_of_the_cells(small, monkeypatch):
    # Most of the chunks have none of them.
    monkeypatch.setattr("qestim.anndata._PCA_CELLS", 6)
    adata = cells()
    model = embed(adata, estimator=clone(small).set_params(max_iter=1), chunk_size=4)
    assert model.axes.n_samples_ == 6
    assert adata.obsm["X_qbmvae"].shape == (90, 5)


def test_a_layer_of_counts_is_used(small):
    adata = cells()
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.multiply(0.37).tocsr()
    small = clone(small).set_params(max_iter=2)
    embed(adata, layer="counts", estimator=small)
    plain = cells()
    embed(plain, estimator=small)
    np.testing.assert_array_equal(adata.obsm["X_qbmvae"], plain.obsm["X_qbmvae"])


def test_missing_genes_are_named(fitted):
    model, adata = fitted
    with pytest.raises(ValueError, match=r"lacks 2 of the 30 genes .* gene0, gene1"):
        model.embed(adata[:, 2:].copy())


def test_denoise_refuses_a_layer_that_does_not_fit(fitted):
    model, adata = fitted
    more = anndata.concat([adata, adata[:, :1].copy()], axis=1, index_unique="-")
    more.var_names = [*adata.var_names, "another"]
    with pytest.raises(ValueError, match=r"all 31 genes .* knows 30"):
        model.denoise(more)


def test_wrong_space_and_absent_columns_are_named(small):
    for few in (cells()[:1].copy(), cells()[:, :1].copy()):
        with pytest.raises(ValueError, match=r"two cells and two genes.*space='code'"):
            embed(few, estimator=small)
    same = cells()
    same.var_names = ["gene"] * 30
    with pytest.raises(ValueError, match="var_names_make_unique"):
        embed(same, estimator=small)
    with pytest.raises(ValueError, match=r"space must be .* Got 'pca'"):
        embed(cells(), estimator=small, space="pca")
    with pytest.raises(KeyError, match="donor"):
        embed(cells(), estimator=small, batch_key="donor")


def test_a_backed_file_of_zeros_is_refused(tmp_path, small):
    adata = anndata.AnnData(scipy.sparse.csr_matrix((5, 4), dtype=np.float32))
    adata.write_h5ad(tmp_path / "zeros.h5ad")
    backed = anndata.read_h5ad(tmp_path / "zeros.h5ad", backed="r")
    with pytest.raises(ValueError, match="all zero"):
        embed(backed, estimator=small)
    backed.file.close()
