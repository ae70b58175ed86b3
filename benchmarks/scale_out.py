# SPDX-License-Identifier: Apache-2.0
"""One process, two Dask workers, two DDP ranks; and from one machine to 10^8 cells.

``python benchmarks/scale_out.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/scale_out.json`` and ``.md`` (``scale_out_quick`` with ``--quick``,
which is not kept). Two cores are needed. Where something else runs on them the ratio of
wall clocks says little; the ratio of CPU seconds, those of one process over those of
the busier of the two, says what two free cores would give.
"""

import json
import os
import pathlib
import sys
import tempfile
import time

# Before numpy and torch: a process has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import dask.distributed
import joblib
import networkx as nx
import numpy as np
import torch
from _measure import RESULTS, alternate, data_folder, ratios, run_sections, spread
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from torch.nn.parallel import DistributedDataParallel

import qestim
from qestim.dask import Client
from qestim.qubo import MaxCutProblem
from qestim.samplers import (
    BoltzmannSampler,
    ParallelSampler,
    SimulatedAnnealingSampler,
)

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

import distributed_vae

CELLS = 1e8
ROUNDS = 3


def row(work, one, two, **facts):
    """Set the rounds of one process, (wall, CPU) each, beside those of two."""
    (wall, cpu), (walls, busiest) = zip(*one, strict=True), zip(*two, strict=True)
    return {
        "work": work,
        "one process, s": spread(wall),
        "two, s": spread(walls),
        "ratio": ratios(wall, walls),
        "ratio of CPU seconds": ratios(cpu, busiest),
        **facts,
        "load of the machine": round(os.getloadavg()[0], 1),
    }


def tasks(quick):
    """Return what to run, {name: call that returns an array}."""
    X = load_digits().data[: 300 if quick else 600] / 16
    sampler = BoltzmannSampler(num_reads=64)
    model = qestim.QBMVAETransformer(
        8, sampler=sampler, max_iter=1 if quick else 12, random_state=0
    )
    grid = {"learning_rate": [1e-3, 3e-3], "sampler__num_reads": [32, 64]}
    graph = nx.gnm_random_graph(800, 19176, seed=0)
    bqm = MaxCutProblem(graph).to_bqm()
    anneal = SimulatedAnnealingSampler(
        num_sweeps=200 if quick else 10_000, num_threads=1
    )

    def search():
        found = GridSearchCV(model, grid, cv=2, refit=False).fit(X)
        return found.cv_results_["mean_test_score"]

    def compare():
        samplers = [sampler, "controls"]
        found = qestim.compare(model, X, samplers=samplers, cv=2, random_state=0)
        return np.concatenate(list(found.scores.values()))

    def reads():
        found = ParallelSampler(anneal, num_reads=512, seed=0).sample(bqm)
        return found.record.sample

    return {
        "GridSearchCV, 8 fits": search,
        "compare, 6 fits": compare,
        "512 reads": reads,
    }


def on_dask(quick):
    """Measure searches and reads in one process and on two workers."""
    cluster = dask.distributed.LocalCluster(
        processes=True, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    )
    rows = []
    with cluster, Client(cluster) as client:
        client.wait_for_workers(2)

        def alone(call):
            start, used = time.perf_counter(), time.process_time()
            with joblib.parallel_config(backend="sequential"):
                answer = call()
            return answer, time.perf_counter() - start, time.process_time() - used

        def there(call):
            before, start = client.run(time.process_time), time.perf_counter()
            with joblib.parallel_config(backend="dask"):
                answer = call()
            wall, after = time.perf_counter() - start, client.run(time.process_time)
            return answer, wall, max(after[k] - before[k] for k in after)

        for name, call in tasks(quick).items():
            client.run(importing)
            there(call), alone(call)  # the first time is not counted
            pair = {"one": lambda: alone(call), "two": lambda: there(call)}  # noqa: B023
            found = alternate(pair, 1 if quick else ROUNDS)
            first = found["one"][0][0]
            same = all(
                np.array_equal(answer, first)
                for answers in found.values()
                for answer, *_ in answers
            )
            times = {who: [r[1:] for r in runs] for who, runs in found.items()}
            rows.append(row(name, times["one"], times["two"], same=same))
    return {
        "rows": rows,
        "note": "Workers have imported everything before. The reads are of a Max-Cut "
        "model with 800 spins and 19176 couplings.",
    }


def importing():
    """Import what the first task of a worker would wait for."""
    import qestim.estimators  # noqa: F401


def timed(rows, *arguments):
    """Train and return the losses, wall clock and CPU seconds of this process."""
    distributed_vae.ROWS = rows
    start, used = time.perf_counter(), time.process_time()
    losses = distributed_vae.train(*arguments)[0]
    return losses, time.perf_counter() - start, time.process_time() - used


def on_ranks(quick):
    """Measure the training of examples/distributed_vae.py on one and on two ranks."""
    rows = []
    digits = torch.tensor(load_digits().data / 16).float()
    noise = torch.Generator().manual_seed(0)
    wide = torch.rand((1024 if quick else 2048, 2000), generator=noise)
    context = torch.multiprocessing.get_context("spawn")
    for X, size in ((digits, 128), (wide, 128), (wide, 1024)):
        name = f"{len(X)} rows of {X.shape[1]}, {size} a step"
        with context.Pool(2, torch.set_num_threads, (1,)) as pool:
            pool.map(abs, range(2), chunksize=1)

            def two(X=X, size=size, pool=pool):
                with tempfile.TemporaryDirectory() as folder:
                    meet, wrap = f"{folder}/meet", DistributedDataParallel
                    both = [(size, X, rank, 2, 0, wrap, meet) for rank in range(2)]
                    return pool.starmap(timed, both, chunksize=1)

            two(), timed(size, X)  # the first time is not counted
            found = alternate(
                {"one": lambda X=X, size=size: timed(size, X), "two": two},
                1 if quick else ROUNDS,
            )
        one = [r[1:] for r in found["one"]]
        both = [
            (max(r[1] for r in ranks), max(r[2] for r in ranks))
            for ranks in found["two"]
        ]
        curves = found["one"][0][0], found["two"][0][0][0]
        apart = float(np.abs(np.subtract(*curves)).mean())
        rows.append(
            row(name, one, both, **{"loss": curves[0][-1], "curves apart by": apart})
        )
    return {
        "rows": rows,
        "note": "10 epochs and 256 chains in all; losses in "
        "nats a row. The wide rows are random: they stand for the width of cells.",
    }


def rates(quick):
    """Reckon from the rates that other benchmarks measured what 10^8 cells take."""
    found = {}
    single = json.loads((RESULTS / "single_cell.json").read_text())["sections"]
    for part in single["time"]["rows"]:
        if "VAE" in part["model"]:
            found[f"single_cell, {part['model']}"] = part["cells per second"]
    auto = json.loads((RESULTS / "autoencoder.json").read_text())["sections"]
    for part in auto.get("A million cells", {"rows": []})["rows"]:
        name = f"autoencoder, {part['cells']} cells on disk"
        found[name] = part["cells a CPU second"]
    rows = [
        {
            "measured in": name,
            "cells a CPU second": rate,
            "CPU hours for one pass of 10^8": CELLS / rate / 3600,
            "cores for 15 passes in a day": 15 * CELLS / rate / 86400,
        }
        for name, rate in found.items()
    ]
    return {"rows": rows, "note": "Rates of whole fits, on one core."}


def sizes(quick):
    """Reckon the size of 10^8 cells from that of real ones."""
    folder = data_folder()
    if folder is None:
        return {"rows": [], "note": "QESTIM_DATA names no folder of cells."}
    X = anndata.read_h5ad(folder / "singlecell" / "pbmc4k_scdcc.h5ad").X.tocsr()
    # float32 counts and int32 columns, as the benchmark of a million cells writes them.
    size = 8 * X.nnz / X.shape[0] + 4
    row = {
        "cells": "pbmc4k",
        "genes": X.shape[1],
        "counts above 0 a cell": X.nnz / X.shape[0],
        "bytes a cell, sparse": size,
        "TB for 10^8, sparse": CELLS * size / 1e12,
        "TB for 10^8, dense float32": CELLS * 4 * X.shape[1] / 1e12,
    }
    return {"rows": [row], "note": ""}


SECTIONS = {
    "Dask": (on_dask, True),
    "DDP": (on_ranks, True),
    "rates": (rates, False),
    "sizes": (sizes, False),
}


if __name__ == "__main__":
    run_sections("scale_out", "Several processes", SECTIONS, ("dask", "distributed"))
