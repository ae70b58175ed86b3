# SPDX-License-Identifier: Apache-2.0
"""Every Python block of the pages runs, and the reference names what is public."""

import ast
import doctest
import importlib
import importlib.util
import inspect
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


def public_objects():
    """Yield (name, object) of what is public, and of its own public methods."""
    for package in [*PUBLIC, "qestim.exceptions"]:
        module = importlib.import_module(package)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                yield f"{package}.{name}", thing
            if inspect.isclass(thing):
                for own, raw in vars(thing).items():
                    method = getattr(raw, "__func__", raw)
                    if inspect.isfunction(method) and own[0] != "_":
                        yield f"{package}.{name}.{own}", method


OBJECTS = dict(public_objects())
TOP = {name: thing for name, thing in OBJECTS.items() if inspect.isclass(thing)} | {
    name: thing for name, thing in OBJECTS.items() if name.rpartition(".")[0] in PUBLIC
}


def is_error(thing):
    return inspect.isclass(thing) and issubclass(thing, Exception)


def undocumented(thing):
    """Return the parameters that the section Parameters does not name."""
    text = inspect.cleandoc(thing.__doc__ or "")
    section = re.search(
        r"^Parameters\n-{3,}\n(.*?)(?=^[^\n]+\n---|\Z)", text, re.DOTALL | re.MULTILINE
    )
    heads = re.findall(r"^\S.*", section.group(1) if section else "", re.MULTILINE)
    named = {name.strip() for head in heads for name in head.split(" : ")[0].split(",")}
    wanted = set()
    for name, parameter in inspect.signature(thing).parameters.items():
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        wanted.add(stars.get(parameter.kind, "") + name)
    return wanted - named - {"self", "cls"}


# Warnings and the root of the errors have Python's own constructor, and the client of
# Dask passes on what Dask's documents.
BORROWED = {
    name
    for name, thing in TOP.items()
    if is_error(thing) and not inspect.isfunction(thing.__init__)
}
BORROWED.add("qestim.dask.Client")


@pytest.mark.parametrize("name", [n for n in OBJECTS if n not in BORROWED])
def test_a_docstring_names_every_parameter(name):
    assert undocumented(OBJECTS[name]) == set()


def test_an_undocumented_parameter_is_found():
    def scale(x, factor, power=1, **more):
        """Scale a number.

        Parameters
        ----------
        x, power : float
            Dimensionless; factor is only mentioned here.

        Returns
        -------
        factor : float
            Not a parameter.
        """

    assert undocumented(scale) == {"factor", "**more"}
    assert undocumented(lambda x: x) == {"x"}


@pytest.mark.parametrize("name", [n for n in TOP if not is_error(TOP[n])])
def test_a_docstring_has_an_example(name):
    text = inspect.cleandoc(TOP[name].__doc__ or "")
    section = text.partition("\nExamples\n--------\n")[2]
    assert doctest.DocTestParser().get_examples(section)
