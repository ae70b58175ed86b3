# SPDX-License-Identifier: Apache-2.0
"""The Ising machines of qestim against MindQuantum's, in turn, same instances."""

import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np
from _annealing import as_bqm, complete_graph, random_graph
from _measure import alternate, cpu_seconds, data_folder, ratios, read_gset, spread

from qestim.samplers import CIMSampler

MODELS = ("cac", "cfc", "sfc")
VARIABLE = "QESTIM_MINDQUANTUM_PYTHON"
# Of qestim, to find the shortest run that is as good as the peer's.
STEPS = (
    30,
    50,
    70,
    100,
    150,
    200,
    300,
    400,
    500,
    600,
    800,
    1000,
    1500,
    2000,
    3000,
    4000,
    6000,
)


def run(quick):
    """Replica-steps per CPU second, and CPU to the peer's mean cut."""
    interpreter = os.environ.get(VARIABLE)
    if not interpreter:
        return {
            "rows": [],
            "note": "Not measured: MindQuantum needs an interpreter of its own "
            "(python -m venv mq; mq/bin/pip install mindquantum). Name it in the "
            f"environment variable {VARIABLE}.",
        }
    rows = []
    for name, instance in _instances(quick).items():
        with tempfile.TemporaryDirectory() as folder:
            peer = _Peer(interpreter, pathlib.Path(folder) / "instance.npz", instance)
            rows += [_row(name, instance, model, peer, quick) for model in MODELS]
    return {"rows": rows, "note": _note(peer.version)}


def _note(version):
    return (
        f"MindQuantum {version} (float64, J as compressed rows) runs in a process of "
        "its own on the same core and reports its CPU time, without import and set-up; "
        "from ours a call of one step is subtracted in the first three columns. Equal "
        "mean cut: runs of its default length, 1000 steps, or of 100 where J is full, "
        f"against the shortest of ours, of {', '.join(map(str, STEPS))} steps, that "
        "got two standard errors above its mean cut in a trial; whole calls of ours, "
        "from the model to the sample set. MindQuantum squares J as a matrix where it "
        "means the sum of squared couplings, so on graphs of one sign its feedback is "
        "weaker than its documentation says."
    )


def _instances(quick):
    if quick or data_folder() is None:
        return {
            "complete +-1, 200": complete_graph(200),
            "random (400, 4000)": random_graph(400, 4000, 0),
        }
    return {
        # Its set-up multiplies J by itself: at 2000 spins that takes ten seconds.
        "complete +-1, 1000": complete_graph(1000),
        "G1": read_gset(data_folder() / "gset" / "G1.txt"),
    }


class _Peer:
    """MindQuantum on one instance: energies and seconds of a run."""

    def __init__(self, interpreter, path, instance):
        self.interpreter, self.path = interpreter, path
        n, row, col, weights = instance
        np.savez(path, n=n, row=row, col=col, weights=weights)

    def __call__(self, model, batch, steps, seed):
        script = pathlib.Path(__file__).with_name("_mindquantum_peer.py")
        words = [self.interpreter, str(script), str(self.path), model]
        words += [str(batch), str(steps), str(seed)]
        # Its interpreter has its own packages: ours must not come before them.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            words, capture_output=True, text=True, check=True, env=environment
        )
        answer = json.loads(done.stdout.splitlines()[-1])
        self.version = answer["version"]
        return np.array(answer["cuts"]), answer["seconds"]


def _row(name, instance, model, peer, quick):
    bqm, total = as_bqm(instance), instance[3].sum()
    dense = name.startswith("complete")
    rounds = 1 if quick else 3
    batch, steps = (16, 40) if dense else (64, 100)
    reads, own = (128, 100) if dense else (128, 400)

    def ours(num_steps, num_reads, seed):
        sampler = CIMSampler(
            model=model, num_steps=num_steps, num_reads=num_reads, num_threads=1
        )
        answer, seconds = cpu_seconds(lambda: sampler.sample(bqm, seed=seed))
        return (total - answer.record.energy) / 2, seconds

    def our_rate():
        return reads * own / (ours(own + 1, reads, 1)[1] - ours(1, reads, 1)[1])

    def their_rate():
        return batch * steps / peer(model, batch, steps, 1)[1]

    rates = alternate({"ours": our_rate, "theirs": their_rate}, rounds)
    seeds = {"peer": iter(range(10, 10 + rounds)), "qestim": iter(range(10, 99))}
    sample, long = (8, 100) if dense else (16, 1000)
    trial, _ = peer(model, sample, long, 9)
    # Two standard errors above the trial, which is of few reads.
    wanted = trial.mean() + 2 * trial.std() / np.sqrt(sample)
    chosen = next(
        (k for k in STEPS if ours(k, reads, 9)[0].mean() >= wanted), STEPS[-1]
    )
    runs = alternate(
        {
            "ours": lambda: ours(chosen, reads, next(seeds["qestim"])),
            "theirs": lambda: peer(model, sample, long, next(seeds["peer"])),
        },
        rounds,
    )
    cuts = {who: [float(cuts.mean()) for cuts, _ in done] for who, done in runs.items()}
    cost = {
        "ours": [seconds / reads for _, seconds in runs["ours"]],
        "theirs": [seconds / sample for _, seconds in runs["theirs"]],
    }
    return {
        "instance": name,
        "model": model,
        "qestim, replica-steps / cpu-s": spread(rates["ours"]),
        "MindQuantum": spread(rates["theirs"]),
        "ratio": ratios(rates["ours"], rates["theirs"]),
        "steps, qestim : MindQuantum": f"{chosen} : {long}",
        "mean cut qestim": spread(cuts["ours"]),
        "mean cut MindQuantum": spread(cuts["theirs"]),
        "cpu-s a read, qestim": spread(cost["ours"]),
        "cpu-s a read, MindQuantum": spread(cost["theirs"]),
        "ratio of cpu at equal cut": ratios(cost["theirs"], cost["ours"]),
    }
