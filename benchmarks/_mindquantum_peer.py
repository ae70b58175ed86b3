# SPDX-License-Identifier: Apache-2.0
"""One run of MindQuantum, in an interpreter that has it: prints cuts and CPU seconds.

``python _mindquantum_peer.py INSTANCE.npz MODEL BATCH STEPS SEED``. MindQuantum pins
packages, so it lives apart: this file must not import qestim.
"""

import json
import sys
import time
from importlib.metadata import version

import numpy as np
from mindquantum.algorithm import qaia
from scipy.sparse import csr_matrix


def main():
    path, model, batch, steps, seed = sys.argv[1:]
    data = np.load(path)
    row, col, weights, n = data["row"], data["col"], data["weights"], int(data["n"])
    # It maximises; its energy has the other sign.
    ends = np.concatenate([row, col]), np.concatenate([col, row])
    couplings = csr_matrix((-np.concatenate([weights, weights]), ends), shape=(n, n))
    np.random.seed(int(seed))  # it draws from the global generator
    solver = getattr(qaia, model.upper())(
        couplings, batch_size=int(batch), n_iter=int(steps)
    )
    start = time.process_time()
    solver.update()
    seconds = time.process_time() - start
    cuts = solver.calc_cut()
    print(
        json.dumps(
            {
                "cuts": cuts.tolist(),
                "seconds": seconds,
                "version": version("mindquantum"),
            }
        )
    )


if __name__ == "__main__":
    main()
