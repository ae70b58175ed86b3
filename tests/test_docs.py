# SPDX-License-Identifier: Apache-2.0
"""Every Python block of the pages runs, and the reference names what is public."""

import ast
import importlib
import importlib.util
import pathlib
import re
import sys
import types

import pytest

DOCS = pathlib.Path(__file__).parent.parent / "docs"
# A block that a page shows, or one in a comment that only prepares for it.
BLOCK = re.compile(r"(?:<!-- setup|```python)\n(.*?)(?:-->|```)", re.DOTALL)
BUILT = {"_build", "results", "auto_examples", "generated", "errors.md"}
PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if not BUILT.intersection(page.relative_to(DOCS).parts)
    and BLOCK.search(page.read_text())
]
PUBLIC = [
    "qestim",
    "qestim.qubo",
    "qestim.samplers",
    "qestim.nn",
    "qestim.plotting",
    "qestim.testing",
    "qestim.datasets",
    "qestim.anndata",
    "qestim.dask",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # where pickle looks for classes
    for block in BLOCK.findall(page.read_text()):
        exec(compile(block, str(page), "exec"), module.__dict__)


def test_every_page_with_python_is_found():
    assert {page.name for page in PAGES} >= {"start.md", "sampler.md", "attention.md"}


@pytest.mark.parametrize("package", PUBLIC)
def test_the_reference_has_every_public_name(package):
    text = (DOCS / "api.md").read_text()
    section = text.split(f"\n## {package}\n")[1].split("\n## ")[0]
    listed = set(re.findall(r"^   (\w+)$", section, re.MULTILINE))
    module = importlib.import_module(package)
    modules = set()
    if hasattr(module, "__path__"):
        modules = {name for name in module.__all__ if is_module(f"{package}.{name}")}
    assert listed == set(module.__all__) - modules - {"__version__"}


def test_every_equation_leads_to_code():
    places = re.findall(
        r"`(qestim/[\w/]+\.py)::(\w+)`", (DOCS / "equations.md").read_text()
    )
    assert len(places) > 20
    for path, name in places:
        tree = ast.parse((DOCS.parent / path).read_text())
        assert name in {getattr(node, "name", None) for node in ast.walk(tree)}, path


def is_module(name):
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("page", ["sampler", "problem", "estimator"])
def test_an_extension_takes_under_forty_lines(page):
    first = BLOCK.search((DOCS / "extend" / f"{page}.md").read_text()).group(1)
    assert len([line for line in first.splitlines() if line.strip()]) < 40
