# SPDX-License-Identifier: Apache-2.0
"""A user's script passes the type checker, and a slip in it does not."""

import os
import pathlib
import subprocess
import sys

import pytest

import qestim

# What a user would write; under --strict every function that it calls must have types.
SCRIPT = """
import dimod
import networkx as nx
import numpy as np
import torch

import qestim
from qestim import QBMVAETransformer
from qestim.datasets import make_counts
from qestim.exceptions import HardwareError
from qestim.nn import QAMA, BoltzmannMachine
from qestim.plotting import EnergyHistogramDisplay
from qestim.qubo import FIPProblem, IsingArrays, MaxCutProblem, SelectionProblem
from qestim.samplers import (
    BoltzmannSampler,
    CIMEmulatorBackend,
    ExactSampler,
    HardwareSampler,
    SimulatedAnnealingSampler,
    default_beta_range,
)
from qestim.testing import check_sampler, planted


def main() -> None:
    X = np.zeros((10, 4))
    y = np.arange(10) % 2
    bqm = dimod.BinaryQuadraticModel.from_ising({}, {("a", "b"): 1.0})
    sampler = SimulatedAnnealingSampler(num_reads=10, seed=0)
    reads = sampler.sample(bqm, num_sweeps=10)
    hot: float = default_beta_range(bqm)[0]
    print(reads.first.energy, hot, ExactSampler().log_partition(bqm))
    prior = qestim.BoltzmannPrior("full")
    model: QBMVAETransformer = qestim.QBMVAETransformer(4, prior=prior, sampler=sampler)
    codes: np.ndarray = model.fit_transform(X)
    score: float = model.score(X)
    print(codes, score, model.sample(3).shape, qestim.__version__)
    network = qestim.QuantizedQNNClassifier((8,)).fit(X, y)
    print(network.predict(X), network.predict_proba(X))
    selector = qestim.ActiveSampleSelector(network, 3).fit(X, y)
    print(selector.query(X), qestim.FitOnSelected(network, selector).fit(X, y))
    optimizer = qestim.ExperimentOptimizer({"a": (0.0, 1.0)})
    optimizer.tell(optimizer.ask(), 1.0)
    print(optimizer.best_.x["a"], qestim.QDiffusionGenerator().fit(["ab"]).sample(3))
    print(BoltzmannMachine(4).energy(torch.ones(1, 4)).item(), QAMA(8, 2, k=3))
    print(SelectionProblem([1.0, 0.5], [[1, 0], [0, 1]], k=1).solve().indices)
    problem = MaxCutProblem(nx.path_graph(3))
    print(problem.objective(problem.decode({0: 1, 1: -1, 2: 1})))
    print(FIPProblem([[1, 1]], [1], hidden_layer_sizes=(2,)).size_report().variables)
    print(IsingArrays.from_bqm(bqm).energies(np.ones((1, 2), dtype=np.int8)))
    try:
        HardwareSampler(CIMEmulatorBackend.preset("cim-550"), seed=0).sample(bqm)
    except HardwareError as error:
        print(error.task_id)
    check_sampler(sampler)
    print(planted(12).ground_energy, make_counts(20, 10)[0].shape)
    EnergyHistogramDisplay.from_sampleset({"a": reads}).plot()
    table = qestim.compare(model, X, samplers=[BoltzmannSampler(), "controls"])
    print(table.rows[0]["mean"], qestim.diagnose(bqm, reads).beta_eff)
    print(qestim.device_report(bqm, CIMEmulatorBackend()).fits)


main()
"""
SLIPS = {
    "qestim.QBMVAETransformer(4, max_itr=3)": "max_itr",
    "qestim.QBMVAETransformer(4).score([[0.0]]).shape": '"float" has no attribute',
    "ExactSampler().sample(None).frist": '"SampleSet" has no attribute',
}


def check(folder, script):
    (folder / "script.py").write_text(script)
    silent = ["--strict", "--follow-imports=silent", "--ignore-missing-imports"]
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", *silent, "script.py"],
        cwd=folder,
        env=os.environ | {"MYPYPATH": str(pathlib.Path(qestim.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    return answer.stdout


@pytest.mark.slow
def test_a_script_of_a_user_passes_and_a_slip_does_not(tmp_path):
    assert "Success" in check(tmp_path, SCRIPT)
    found = check(tmp_path, SCRIPT + "\n".join(SLIPS))
    assert [said for said in SLIPS.values() if said not in found] == [], found


def test_the_type_checker_knows_every_public_name():
    source = pathlib.Path(qestim.__file__).read_text()
    for name in set(qestim.__all__) - {"__version__"}:
        assert f" {name} as {name}" in source
