# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, and how large a file may grow."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent / "qestim"
FILES = sorted(ROOT.rglob("*.py"))
FLOORS = {
    "_native": 0,
    "_sklearn": 0,
    "exceptions": 0,
    "qubo": 1,
    "nn": 2,
    "samplers": 2,
    "estimators": 3,
}
TOP = 4


def room(dotted):
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


def module_level_imports(tree):
    """Names imported when the module is, so not those inside functions."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def complaints(name, tree):
    """Say what a module of the given dotted name imports that it may not."""
    here = FLOORS.get(room(name), TOP)
    for imported in module_level_imports(tree):
        if imported.startswith("qestim."):
            there = room(imported)
            if there != room(name) and FLOORS.get(there, TOP) >= here and here < TOP:
                yield f"{name} (floor {here}) imports {imported}"
        if imported.split(".")[0] == "torch" and room(name) not in ("nn", "estimators"):
            yield f"{name} imports torch at module level"
        private = imported.startswith("sklearn") and "._" in imported
        if private and name != "qestim._sklearn":
            yield f"{name} imports the private {imported}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_upward(path):
    name = ".".join(["qestim", *path.relative_to(ROOT).with_suffix("").parts])
    assert list(complaints(name, ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("qestim.samplers._x", "from qestim.estimators import QBMVAETransformer"),
        ("qestim.samplers._x", "import qestim.nn"),
        ("qestim.qubo._x", "if True:\n    import torch"),
        ("qestim.nn._x", "from sklearn.utils._testing import ignore_warnings"),
    ],
)
def test_the_guard_sees_a_wrong_import(name, source):
    assert len(list(complaints(name, ast.parse(source)))) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_stay_small(path):
    assert len(path.read_text().splitlines()) <= 400
    assert path.stem not in ("utils", "helpers", "base")


def test_samplers_import_without_torch_and_matplotlib():
    code = (
        "import sys, qestim, qestim.qubo, qestim.samplers\n"
        "sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
