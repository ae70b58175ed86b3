# SPDX-License-Identifier: Apache-2.0
"""Our rows of the benchmark: one model, five laws of its code."""

import numpy as np

from qestim.anndata import default_estimator, embed

NAMES = {
    "rbm": "QBM-VAE, RBM",
    "full": "QBM-VAE, full",
    "bernoulli": "QBM-VAE, J = 0",
    "mixture": "QBM-VAE, mixture",
    "gaussian": "QBM-VAE, Gaussian",
}

# For the sections that fit many models.
SMALL = {"n_hidden": 128, "max_iter": 50}
# For cells drawn from a model and for its bound: maximum likelihood, drawn spins.
GENERATIVE = SMALL | {"prior__relaxation": "straight_through", "kl_weight": 1.0}


def estimator(graph, seed, quick, **params):
    """Return the unfitted estimator that `qestim.anndata.embed` uses by default."""
    model = default_estimator(random_state=seed).set_params(prior__graph=graph)
    model.set_params(**params)
    if quick:
        model.set_params(max_iter=20, n_components=12, n_hidden=32, batch_size=32)
    return model


def method(graph, quick, *, space="denoised", **params):
    """Return the method that embeds cells with a prior."""

    def represent(cells, seed):
        adata = cells.adata()
        model = estimator(graph, seed, quick, **params)
        embed(adata, estimator=model, batch_key="batch", space=space)
        return np.asarray(adata.obsm["X_qbmvae"])

    return represent


def ours(quick):
    """Return a method for each prior and control, {name: method}."""
    return {name: method(graph, quick) for graph, name in NAMES.items()}
