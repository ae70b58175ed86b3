# SPDX-License-Identifier: Apache-2.0
"""What others make of the cells: PCA, Harmony, a Gaussian VAE and scVI.

Each function takes cells and a seed and returns an array of shape (cells, dimensions).
Harmony and scVI are asked for only where they are installed.
"""

import importlib.util
import logging
import os
import warnings

import numpy as np
import torch
from _cell_data import lognorm
from sklearn.decomposition import PCA

HARMONY = importlib.util.find_spec("harmonypy") is not None
DIMENSIONS = [int(n) for n in os.environ.get("QESTIM_SCVI", "10 30 64").split()]
SCVI = importlib.util.find_spec("scvi") is not None


def pca(cells, seed, n_components=50):
    """Return the principal components of the log-normalised counts."""
    X = lognorm(cells.counts)
    n_components = min(n_components, *X.shape)
    return PCA(n_components, svd_solver="randomized", random_state=seed).fit_transform(
        X
    )


def harmony(cells, seed):
    """Return principal components with the batches moved together."""
    import harmonypy
    import pandas

    logging.getLogger("harmonypy").setLevel(logging.ERROR)
    Z = pca(cells, seed)
    batch = pandas.DataFrame({"batch": cells.batch})
    found = harmonypy.run_harmony(Z, batch, ["batch"], random_state=seed, verbose=False)
    moved = np.asarray(found.Z_corr)
    return moved if len(moved) == len(Z) else moved.T


class GaussianVAE(torch.nn.Module):
    """The usual autoencoder of log-normalised counts, batches given to the decoder."""

    def __init__(self, n_genes, n_batches, n_latent=32, n_hidden=256):
        super().__init__()
        self.encoder = _network(n_genes, n_hidden, 2 * n_latent)
        self.decoder = _network(n_latent + n_batches, n_hidden, n_genes)

    def forward(self, x, batch):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        out = self.decoder(torch.cat([z, batch], 1))
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return ((x - out) ** 2).sum(1), divergence


def _network(n_in, n_hidden, n_out):
    def block(width):
        return (
            torch.nn.Linear(width, n_hidden),
            torch.nn.LayerNorm(n_hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.1),
        )

    return torch.nn.Sequential(
        *block(n_in), *block(n_hidden), torch.nn.Linear(n_hidden, n_out)
    )


def gaussian_vae(cells, seed, epochs=60, kl_weight=0.01):
    """Return the means of a Gaussian VAE (32 dimensions, squared error)."""
    X = torch.as_tensor(lognorm(cells.counts))
    codes = np.unique(cells.batch, return_inverse=True)[1]
    batch = torch.nn.functional.one_hot(torch.as_tensor(codes)).float()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = GaussianVAE(X.shape[1], batch.shape[1])
        adam = torch.optim.Adam(vae.parameters(), 1e-3)
        for _ in range(epochs):
            for rows in torch.randperm(len(X)).split(128):
                error, divergence = vae(X[rows], batch[rows])
                loss = (error + kl_weight * divergence).mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
    with torch.no_grad():
        return vae.eval().encoder(X)[:, :32].numpy()


def scvi_model(cells, seed, n_latent, epochs=None, **params):
    """Train scVI with its defaults (epochs None: its own rule) and return it."""
    import anndata
    import pandas

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import scvi

        logging.getLogger("scvi").setLevel(logging.ERROR)
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        scvi.settings.seed = seed
        obs = pandas.DataFrame(
            {"batch": cells.batch}, index=[str(i) for i in range(len(cells.batch))]
        )
        adata = anndata.AnnData(cells.counts.astype(np.float32).copy(), obs=obs)
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        model = scvi.model.SCVI(adata, n_latent=n_latent, **params)
        model.train(
            max_epochs=epochs,
            accelerator="cpu",
            enable_progress_bar=False,
            logger=False,
            enable_checkpointing=False,
        )
    return model


def scvi(n_latent, epochs=None):
    """Return the method scVI with so many dimensions."""

    def method(cells, seed):
        return scvi_model(cells, seed, n_latent, epochs).get_latent_representation()

    return method


def peers(quick):
    """Return the methods that are installed, {name: method}."""
    found = {"PCA": pca}
    if HARMONY:
        found["Harmony"] = harmony
    found["Gaussian VAE"] = gaussian_vae
    if SCVI and not quick:
        found |= {f"scVI {n}": scvi(n) for n in DIMENSIONS}
    return found
