# SPDX-License-Identifier: Apache-2.0
"""A user's script passes the type checker, and a slip in it does not."""

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
        capture_output=True,
        text=True,
    )
    return answer.stdout


@pytest.mark.slow
def test_a_script_of_a_user_passes_and_a_slip_does_not(tmp_path):
    assert "Success" in check(tmp_path, SCRIPT)
    slips = ["qestim.QBMVAETransformer(4, max_itr=3)", "x: int = BoltzmannSampler()"]
    found = check(tmp_path, SCRIPT + "\n".join(slips))
    assert "max_itr" in found
    assert "BoltzmannSampler" in found


def test_the_type_checker_knows_every_public_name():
    source = open(qestim.__file__).read()
    for name in set(qestim.__all__) - {"__version__"}:
        assert f" {name} as {name}" in source
