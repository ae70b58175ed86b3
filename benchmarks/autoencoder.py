# SPDX-License-Identifier: Apache-2.0
"""The QBM-VAE under each prior, and on a million cells.

``python benchmarks/autoencoder.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/autoencoder.json`` and ``.md`` (``autoencoder_quick`` with
``--quick``, which is not kept). Cells, images and the million rows need the folder that
QESTIM_DATA names; without it their sections say so and have no rows.
"""

import os

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _autoencoder_million
import _autoencoder_priors
from _measure import run_sections

# title: (function, whether it needs more than one core)
SECTIONS = {
    "Digits, held-out bound": (_autoencoder_priors.digits, False),
    "Cells, held-out bound": (_autoencoder_priors.cells, False),
    "Fashion-MNIST, test bound": (_autoencoder_priors.fashion, False),
    "A million cells": (_autoencoder_million.run, False),
}


if __name__ == "__main__":
    run_sections("autoencoder", "The QBM-VAE under each prior", SECTIONS, ())
