# SPDX-License-Identifier: Apache-2.0
"""The same autoencoder under each prior: bounds on rows that it never saw.

The bound is at KL weight 1 whatever the weight in training, and takes the upper end of
the bracket of log Z. Every prior has the same networks, seeds and splits.
"""

import json
import os
import pathlib
import time

import anndata
import matplotlib
import numpy as np
from _guide_tables import GUIDE
from _measure import data_folder
from _paired import bracketed
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from qestim import QBMVAETransformer

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PRIORS = ("rbm", "full", "bernoulli", "mixture", "gaussian")
WORTH = (
    "In training: the same bound on rows of the fit. Couplings worth: the divergence "
    "from the best factorised prior minus that from this one."
)
NO_DATA = {"rows": [], "note": "QESTIM_DATA names no folder: not run."}


def measured(key, model, train, test):
    """Fit and return the figures of one fit and the model.

    Both are kept between runs where QESTIM_CACHE names a folder.
    """
    folder = os.environ.get("QESTIM_CACHE")
    path = pathlib.Path(folder or ".") / f"autoencoder_{key}"
    if folder and path.with_suffix(".json").exists():
        line = json.loads(path.with_suffix(".json").read_text())
        return line, type(model).load(path.with_suffix(".safetensors"))
    start = time.process_time()
    model.fit(**train)
    seconds = time.process_time() - start
    facts = model.diagnostics_
    line = {
        "bound": model.score(**test),
        "in training": facts["elbo"],
        "divergence": facts["divergence"],
        "couplings worth": facts.get("couplings_worth", 0.0),
        "bracket of log Z": float(np.ptp(model.log_partition_bounds_)),
        "CPU seconds": seconds,
    }
    if folder:
        model.save(path.with_suffix(".safetensors"))
        path.with_suffix(".json").write_text(json.dumps(line))
    return line, model


def compare(key, model, split, seeds, test_share):
    """Fit the model under each prior; return the rows of the table.

    ``split(seed)`` gives train and test as keyword arguments of fit and score.
    """
    found: dict = {prior: {} for prior in PRIORS}
    models = {}
    for seed in range(seeds):
        for prior in PRIORS:
            line, models[prior] = measured(
                f"{key}_{prior}_{seed}", model(prior, seed), *split(seed)
            )
            for name, value in line.items():
                found[prior].setdefault(name, []).append(value)
    return rows_of(found, test_share), models


def rows_of(found, test_share):
    """Return rows of means, with paired differences from the controls."""
    return [
        {
            "prior": prior,
            "held-out bound, nats a row": float(np.mean(line["bound"])),
            **{
                f"minus {name} [95 %]": ""
                if prior == name
                else bracketed(
                    np.subtract(line["bound"], found[name]["bound"]), 4, test_share
                )
                for name in ("bernoulli", "mixture")
            },
            **{
                name: float(np.mean(values))
                for name, values in line.items()
                if name != "bound"
            },
        }
        for prior, line in found.items()
    ]


def digits(quick):
    """Measure on scikit-learn's digits, 32 components."""
    X = load_digits(return_X_y=True)[0] / 16
    seeds = 1 if quick else 5

    def split(seed):
        train, test = train_test_split(X, test_size=0.2, random_state=seed)
        return {"X": train}, {"X": test}

    def model(prior, seed):
        return QBMVAETransformer(
            32,
            likelihood="bernoulli",
            prior=prior,
            max_iter=4 if quick else 30,
            random_state=seed,
        )

    return {
        "rows": compare(f"digits{quick:d}", model, split, seeds, 1 / 4)[0],
        "note": f"32 components, 30 epochs, KL weight 0.1 in training. {seeds} splits "
        "into four fifths and one; differences are paired, "
        "their intervals by the corrected t of Nadeau and Bengio. " + WORTH,
    }


def cells(quick):
    """Measure on counts of blood cells by three technologies, with their batch."""
    folder = data_folder()
    if folder is None:
        return NO_DATA
    table = anndata.read_h5ad(folder / "singlecell" / "symphony_pbmc_3tech.h5ad")
    X, batch = table.X.tocsr(), table.obs["batch"].to_numpy().astype(str)
    seeds = 1 if quick else 5

    def split(seed):
        parts = train_test_split(
            np.arange(len(batch)), test_size=0.2, random_state=seed, stratify=batch
        )
        return [{"X": X[rows], "batch": batch[rows]} for rows in parts]

    def model(prior, seed):
        return QBMVAETransformer(
            64,
            likelihood="nb",
            prior=prior,
            kl_weight=1.0,
            n_hidden=128,
            batch_size=128,
            max_iter=2 if quick else 60,
            random_state=seed,
        )

    return {
        "rows": compare(f"cells{quick:d}", model, split, seeds, 1 / 4)[0],
        "note": f"1200 cells, 1767 genes, 64 components, {seeds} splits into four "
        "fifths and one, by technology; intervals as above. " + WORTH,
    }


def fashion(quick):
    """Measure on Fashion-MNIST, and draw what each prior makes of it."""
    folder = data_folder()
    if folder is None:
        return NO_DATA
    file = np.load(folder / "fashion_mnist_12k.npz")
    train, test = (file[k].reshape(-1, 784) / 255 for k in ("X_train", "X_test"))
    if quick:
        train, test = train[:600], test[:100]

    def model(prior, seed):
        return QBMVAETransformer(
            64,
            likelihood="bernoulli",
            prior=prior,
            kl_weight=1.0,
            batch_size=128,
            max_iter=2 if quick else 25,
            random_state=seed,
        )

    def split(seed):
        return {"X": train}, {"X": test}

    seeds = 1 if quick else 5
    rows, models = compare(f"fashion{quick:d}", model, split, seeds, 0)
    if not quick:
        draw(models, test)
    return {
        "rows": rows,
        "note": f"{len(train)} rows to train on, {len(test)} to test; grey values as "
        f"frequencies of bits; 64 components; {seeds} seeds. " + WORTH,
    }


def draw(models, test):
    """Write a picture: test rows, then reconstructions and draws of each model."""
    figure, axes = plt.subplots(1 + 2 * len(models), 12, figsize=(7.2, 7.2))
    lines = {"test": test[:12]}
    for name, model in models.items():
        lines[f"{name}\nrebuilt"] = model.inverse_transform(model.transform(test[:12]))
        lines[f"{name}\ndrawn"] = model.sample(12, noise=False)
    for (name, images), line in zip(lines.items(), axes, strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=7)
        for image, axis in zip(images, line, strict=True):
            axis.imshow(image.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
    figure.tight_layout(pad=0.2)
    path = GUIDE / "fashion_priors.png"
    figure.savefig(path, dpi=80)
    plt.close(figure)
    Image.open(path).convert("L").quantize(24).save(path, optimize=True)
