# SPDX-License-Identifier: Apache-2.0
"""What a search gives on a cluster of processes, and when a worker of it dies."""

import functools
import logging
import os
import signal

import joblib
import networkx as nx
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import qestim
from qestim.qubo import MaxCutProblem, spins_of
from qestim.samplers import (
    BoltzmannSampler,
    ParallelSampler,
    SimulatedAnnealingSampler,
)

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
X = load_digits().data[:200] / 16


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        processes=True,
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.ERROR,
    ) as cluster:
        yield cluster


@pytest.fixture
def on_cluster(cluster):
    from qestim.dask import Client

    with Client(cluster) as client, joblib.parallel_config(backend="dask"):
        client.wait_for_workers(2)
        yield client


@pytest.fixture
def model():
    sampler = BoltzmannSampler(num_reads=32)
    return qestim.QBMVAETransformer(4, sampler=sampler, max_iter=1, random_state=0)


def search_of(model, scoring=None):
    grid = {"sampler__num_reads": [16, 32], "learning_rate": [1e-3, 1e-2]}
    return GridSearchCV(
        model, grid, cv=2, scoring=scoring, error_score="raise", n_jobs=None
    )


def scores_of(search):
    return [search.cv_results_[f"split{k}_test_score"].tolist() for k in range(2)]


def score_or_die(folder, deaths, model, X, y=None):
    """Score, but let the first so many worker processes kill themselves instead."""
    known = len(os.listdir(folder))
    mark = os.path.join(folder, str(os.getpid()))
    if known < deaths and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return model.score(X, y)


def test_a_grid_search_is_that_of_one_process(model, request):
    alone = search_of(model).fit(X)
    request.getfixturevalue("on_cluster")
    there = search_of(model).fit(X)
    assert scores_of(there) == scores_of(alone)
    assert there.best_params_ == alone.best_params_
    assert np.array_equal(there.transform(X), alone.transform(X))


def test_compare_is_that_of_one_process(model, request):
    def table():
        return qestim.compare(
            model, X, samplers=[model.sampler, "controls"], cv=2, random_state=0
        ).scores

    alone = table()
    request.getfixturevalue("on_cluster")
    there = table()
    assert there.keys() == alone.keys()
    assert all(np.array_equal(there[name], alone[name]) for name in alone)


def test_reads_are_those_of_one_process(request):
    bqm = MaxCutProblem(nx.gnm_random_graph(100, 800, seed=0)).to_bqm()
    sampler = ParallelSampler(
        SimulatedAnnealingSampler(num_sweeps=2), num_reads=100, seed=0, reads_per_job=16
    )
    alone = spins_of(sampler.sample(bqm), bqm.variables)
    client = request.getfixturevalue("on_cluster")
    there = spins_of(sampler.sample(bqm), bqm.variables)
    assert np.array_equal(there, alone)
    ran = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert all(ran.values())  # the jobs were theirs, and of both


def test_a_search_outlives_each_of_its_workers(model, on_cluster, tmp_path):
    with joblib.parallel_config(backend="sequential"):
        alone = search_of(model).fit(X)
    scoring = functools.partial(score_or_die, str(tmp_path), 2)
    there = search_of(model, scoring).fit(X)
    assert len(os.listdir(tmp_path)) == 2  # both were killed
    assert scores_of(there) == scores_of(alone)
    assert there.best_params_ == alone.best_params_


def test_without_the_client_it_does_not(model, cluster, tmp_path):
    scoring = functools.partial(score_or_die, str(tmp_path), 1)
    with (
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
        pytest.raises(distributed.client.FutureCancelledError),
    ):
        search_of(model, scoring).fit(X)
