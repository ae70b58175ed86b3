# SPDX-License-Identifier: Apache-2.0
"""Time of a fit beside scVI: same epochs, minibatches, widths and one core.

Both have one hidden layer of 128, 10 dimensions, minibatches of 128 and a negative
binomial law; CPU seconds of whole fits, in turn.
"""

import numpy as np
from _cell_data import symphony, synthetic
from _cell_models import estimator
from _cell_peers import SCVI, scvi_model
from _measure import alternate, cpu_seconds, data_folder, ratios, spread

WIDTHS = {"n_components": 10, "n_hidden": 128, "batch_size": 128}


def run(quick):
    """Alternate the fits; without scVI our own times stand alone."""
    cells = synthetic() if quick or not data_folder() else symphony()
    epochs = 2 if quick else 15

    def ours(graph):
        model = estimator(graph, 0, False, max_iter=epochs, **WIDTHS)
        return lambda: cpu_seconds(lambda: model.fit(cells.counts, batch=cells.batch))[
            1
        ]

    contestants = {"QBM-VAE, RBM": ours("rbm"), "QBM-VAE, Gaussian": ours("gaussian")}
    if SCVI and not quick:
        contestants["scVI"] = lambda: cpu_seconds(
            lambda: scvi_model(cells, 0, 10, epochs, gene_likelihood="nb")
        )[1]
    for call in contestants.values():
        call()  # the first fit pays for imports
    seconds = alternate(contestants, 2 if quick else 5)
    rows = [
        {
            "model": name,
            "epochs": epochs,
            "fit, CPU seconds": spread(values),
            "ratio to scVI": ratios(values, seconds["scVI"])
            if "scVI" in seconds
            else "",
            "cells per second": len(cells.batch) * epochs / float(np.mean(values)),
        }
        for name, values in seconds.items()
    ]
    return {"rows": rows, "note": " ".join(__doc__.split("\n\n", 1)[1].split())}


SECTIONS = {"time": run}
