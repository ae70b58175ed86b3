# SPDX-License-Identifier: Apache-2.0
"""Runs M-LOOP on the cooling experiment, in an environment of its own.

    python -m venv mloop && mloop/bin/pip install "numpy<2.4" M-LOOP tensorflow-cpu
    PYTHONPATH=. mloop/bin/python benchmarks/_mloop_peer.py gp 0 100
    PYTHONPATH=. mloop/bin/python benchmarks/_mloop_peer.py gp seconds

M-LOOP 3.3.5 with numpy 2.4 waits for ever after its first fit. Each seed is added to
benchmarks/results/experiments_mloop.json, from which `experiments.py` reads it;
"seconds" measures its queries at 200 observations.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import tempfile

import numpy as np
from _experiment_tasks import TASKS, start_points

ARCHIVE = pathlib.Path(__file__).parent / "results" / "experiments_mloop.json"
SECONDS = ARCHIVE.with_name("experiments_mloop_seconds.json")
UNCERTAINTY = 0.015  # decades: 3 % of the atoms, and what the density adds


def play(kind, seed, n_runs, n_start=None):
    """Return settings, their scores without noise, and seconds of CPU."""
    import mloop.learners
    from mloop.controllers import create_controller
    from mloop.interfaces import Interface

    task = TASKS["cooling, 8 parameters"]
    start = start_points(task, seed)
    if n_start is not None:
        start = np.random.default_rng(seed).random((n_start, task.d))
    measure = task.measurer(seed)
    points, true = [], []

    class Experiment(Interface):
        def get_next_cost_dict(self, params_dict):
            u = np.clip(params_dict["params"], 0.0, 1.0)
            points.append(u.tolist())
            true.append(task.true(u))
            return {"cost": -measure(u), "uncer": UNCERTAINTY, "bad": False}

    def run_start(self):
        """Propose the points that all start from, and then M-LOOP's own random ones.

        M-LOOP asks its training learner again for every fifth run.
        """
        rng = mloop.utilities.rng
        try:
            for u in start:
                self.put_params_and_get_cost(u)
            while not self.end_event.is_set():
                self.put_params_and_get_cost(rng.uniform(size=task.d))
        except mloop.learners.LearnerInterrupt:
            pass
        self._shut_down()

    mloop.learners.RandomLearner.run = run_start
    mloop.utilities.rng = np.random.default_rng(seed)
    controller = create_controller(
        Experiment(),
        {"gp": "gaussian_process", "nn": "neural_net"}[kind],
        max_num_runs=n_runs,
        num_params=task.d,
        min_boundary=np.zeros(task.d),
        max_boundary=np.ones(task.d),
        training_type="random",
        num_training_runs=len(start) - 1,  # M-LOOP makes one more
        no_delay=False,
        console_log_level=40,
        controller_archive_filename=None,
        learner_archive_filename=None,
        log_filename=None,
        predict_global_minima_at_end=False,
    )
    before = sum(os.times()[:4])
    controller.optimize()
    return points[:n_runs], true[:n_runs], sum(os.times()[:4]) - before


def query_seconds(kind):
    """Return CPU seconds of a query at 200 observations, twice.

    Of ten more runs eight are the learner's, two the trainer's.
    """
    found = []
    for seed in range(2):
        short = play(kind, seed, 205, n_start=200)[2]
        found.append((play(kind, seed, 215, n_start=200)[2] - short) / 8)
    return found


def main():
    kind, seed = sys.argv[1:3]
    folder = tempfile.TemporaryDirectory()  # M-LOOP leaves files where it stands
    os.chdir(folder.name)
    if seed == "seconds":
        known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
        SECONDS.write_text(json.dumps({**known, kind: query_seconds(kind)}) + "\n")
        return
    seed = int(seed)
    points, true, seconds = play(kind, seed, int(sys.argv[3]))
    archive = json.loads(ARCHIVE.read_text()) if ARCHIVE.exists() else {"runs": []}
    archive["versions"] = {
        name: importlib.metadata.version(name)
        for name in ("M-LOOP", "numpy", "tensorflow")
    }
    archive["runs"] = [
        run for run in archive["runs"] if (run["kind"], run["seed"]) != (kind, seed)
    ]
    archive["runs"].append(
        {
            "kind": kind,
            "seed": seed,
            "points": np.round(points, 6).tolist(),
            "true": np.round(true, 6).tolist(),
            "cpu_seconds": round(seconds, 1),
        }
    )
    archive["runs"].sort(key=lambda run: (run["kind"], run["seed"]))
    ARCHIVE.write_text(json.dumps(archive) + "\n")


if __name__ == "__main__":
    main()
