# SPDX-License-Identifier: Apache-2.0
"""Single cells: integration, drawn cells, order, new types and time, beside peers.

``python benchmarks/single_cell.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/single_cell.json`` and ``.md`` (``single_cell_quick`` with
``--quick``, which is not kept). The data come from QESTIM_DATA; quick mode runs on
synthetic counts without it. Harmony, scVI and leidenalg are measured where they are
installed: ``pip install scvi-tools harmonypy leidenalg``. QESTIM_CACHE names a folder
that keeps representations between runs (empty it when a model changes); QESTIM_SCVI the
dimensions of scVI on blood cells ("10 30 64"), and QESTIM_SEEDS the seeds (5).
"""

import importlib.util
import os

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from _measure import gathered, run_sections

PARTS = ("integration", "fidelity", "trajectory", "novelty", "time")
PEERS = ("anndata", "scvi-tools", "harmonypy", "leidenalg")


def installed(name):
    """Say whether a peer is there; scvi-tools is imported as scvi."""
    return importlib.util.find_spec(name.removesuffix("-tools")) is not None


if __name__ == "__main__":
    run_sections(
        "single_cell",
        "Single cells",
        gathered(*(f"_cell_{part}" for part in PARTS)),
        tuple(name for name in PEERS if installed(name)),
    )
