# SPDX-License-Identifier: Apache-2.0
"""A user's script passes the type checker, and a slip in it does not."""

import os
import pathlib
import subprocess
import sys

import pytest

import qestim

SCRIPT = """
import networkx as nx
import numpy as np

import qestim
from qestim import QBMVAETransformer
from qestim.qubo import MaxCutProblem
from qestim.samplers import BoltzmannSampler

X = np.zeros((10, 4))
model: QBMVAETransformer = qestim.QBMVAETransformer(4, sampler=BoltzmannSampler())
codes: np.ndarray = model.fit_transform(X)
table = qestim.compare(model, X, samplers=[BoltzmannSampler(), "controls"])
print(table.rows[0]["mean"], qestim.__version__)
problem = MaxCutProblem(nx.path_graph(3))
print(BoltzmannSampler(num_reads=3).sample(problem.to_bqm()).first)
"""


def check(folder, script):
    (folder / "script.py").write_text(script)
    silent = ["--follow-imports=silent", "--ignore-missing-imports"]
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
    found = check(tmp_path, SCRIPT + "qestim.QBMVAETransformer(4, max_itr=3)\n")
    assert "max_itr" in found


def test_the_type_checker_knows_every_public_name():
    source = pathlib.Path(qestim.__file__).read_text()
    for name in set(qestim.__all__) - {"__version__"}:
        assert f" {name} as {name}" in source
