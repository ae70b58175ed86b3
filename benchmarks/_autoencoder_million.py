# SPDX-License-Identifier: Apache-2.0
"""A million cells from a CSR matrix on disk: time of an epoch, memory, held-out bound.

The cells are resampled from real ones: a row is drawn, each of its counts is replaced
by a draw of a Poisson law of that mean. The real cells that score the fits are never
drawn from.
"""

import pathlib
import tempfile
import threading
import time

import anndata
import numpy as np
import scipy.sparse
from _autoencoder_priors import NO_DATA
from _measure import data_folder

from qestim import QBMVAETransformer


def write(cells, n, folder, rng):
    """Write n resampled cells as the three arrays of a CSR matrix; return its shape."""
    indptr, total = [np.zeros(1, np.int32)], 0
    with open(folder / "data", "wb") as data, open(folder / "indices", "wb") as cols:
        for start in range(0, n, 10_000):
            rows = cells[rng.randint(cells.shape[0], size=min(10_000, n - start))]
            rows.data = rng.poisson(rows.data).astype(np.float32)
            rows.eliminate_zeros()
            rows.data.tofile(data)
            rows.indices.astype(np.int32).tofile(cols)
            indptr.append((rows.indptr[1:] + total).astype(np.int32))
            total += rows.nnz
    np.concatenate(indptr).tofile(folder / "indptr")
    return n, cells.shape[1]


def mapped(folder, shape):
    """Return the matrix with its arrays as memory maps."""
    kinds = {"data": np.float32, "indices": np.int32, "indptr": np.int32}
    arrays = [np.memmap(folder / k, kind, mode="r") for k, kind in kinds.items()]
    return scipy.sparse.csr_matrix(tuple(arrays), shape=shape)


class Peak:
    """The most memory of the process inside a block above that at its start, in GB.

    ``own`` is what the process holds; ``mapped`` adds the pages of files, which the
    system takes back when it wants them.
    """

    def __enter__(self):
        self._start = self._most = self._now()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _now(self):
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        kilobytes = [int(fields[k].split()[0]) for k in ("RssAnon", "VmRSS")]
        return np.array(kilobytes) * 1024 / 1e9

    def _watch(self):
        while not self._done.wait(0.2):
            self._most = np.maximum(self._most, self._now())

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()
        self.own, self.mapped = (self._most - self._start).tolist()


def run(quick):
    """Measure; quick takes 20,000 and 5,000 cells."""
    folder = data_folder()
    if folder is None:
        return NO_DATA
    many, few = (20_000, 5_000) if quick else (1_000_000, 50_000)
    rng = np.random.RandomState(0)
    cells = anndata.read_h5ad(folder / "singlecell" / "pbmc4k_scdcc.h5ad").X.tocsr()
    order = rng.permutation(cells.shape[0])
    test, source = cells[order[:500]], cells[order[500:]]
    rows = []
    for n in (few, many):
        with tempfile.TemporaryDirectory() as name:
            shape = write(source, n, pathlib.Path(name), rng)
            X = mapped(pathlib.Path(name), shape)
            # As many minibatches for both: one epoch of the many.
            epochs = many // n
            model = QBMVAETransformer(
                64,
                likelihood="nb",
                kl_weight=1.0,
                n_hidden=128,
                batch_size=128,
                max_iter=epochs,
                random_state=0,
            )
            start = time.process_time()
            with Peak() as memory:
                model.fit(X)
            seconds = time.process_time() - start
        a_million = seconds / (n * epochs) * 1e6
        rows.append(
            {
                "cells": n,
                "genes": shape[1],
                "epochs": epochs,
                "CPU seconds of the fit": seconds,
                "cells a CPU second": n * epochs / seconds,
                "CPU hours for 60 epochs of a million": 60 * a_million / 3600,
                "memory above start, GB": memory.own,
                "with the mapped file, GB": memory.mapped,
                "held-out bound, nats a real cell": model.score(test),
            }
        )
    return {
        "rows": rows,
        "note": "Cells resampled with Poisson noise from 3771 cells of pbmc4k, in CSR "
        "form on disk; scored on 500 real cells that none was drawn from. Both fits "
        "have as many minibatches, of 128. The hours are those of the measured epoch "
        "times 60. The pages of the mapped file are the system's, which takes them "
        "back when it wants them; the rest is what the fit holds.",
    }
