# SPDX-License-Identifier: Apache-2.0
"""What a fit gives is kept between runs where QESTIM_CACHE names a folder."""

import hashlib
import os
import pathlib

import numpy as np


def represent(method, name, cells, seed):
    """Return the array ``method(cells, seed)``, from the folder if it is there."""
    folder = os.environ.get("QESTIM_CACHE")
    if not folder:
        return np.asarray(method(cells, seed))
    counts = cells.counts
    data = hashlib.sha1(counts.data.tobytes() + counts.indices.tobytes()).hexdigest()
    path = pathlib.Path(folder) / f"{name.replace(' ', '_')}_{data[:10]}_{seed}.npz"
    if path.exists():
        return np.load(path)["Z"]
    Z = np.asarray(method(cells, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, Z=Z)
    return Z
