# SPDX-License-Identifier: Apache-2.0
"""Optimising experiments, beside the optimisers of others from the same start.

``python benchmarks/experiments.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/experiments.json`` and ``.md`` (``experiments_quick`` with
``--quick``, which is not kept). M-LOOP runs apart: see `_mloop_peer.py`.
"""

import os
import warnings

# Before numpy: CPU seconds are those of one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _experiment_checks
import _experiment_runs
from _experiment_tasks import TASKS
from _measure import run_sections
from sklearn.exceptions import ConvergenceWarning

warnings.simplefilter("ignore", ConvergenceWarning)  # of the textbook contestant

SECTIONS = {
    **{title: (_experiment_runs.play(title), False) for title in TASKS},
    "cooling, 300 runs": (_experiment_runs.long_run, False),
    "laboratory tables": (_experiment_checks.tables, False),
    "what the queries do": (_experiment_runs.ablation, False),
    "other units": (_experiment_checks.invariance, False),
    "seconds per ask": (_experiment_checks.seconds, False),
}
if __name__ == "__main__":
    run_sections("experiments", "Which experiment to run next", SECTIONS, ["cma"])
