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


def test_an_equation_has_one_row():
    rows = (DOCS / "equations.md").read_text().splitlines()
    equations = [row.split(" | ")[0] for row in rows if ".py::" in row]
    assert sorted(set(equations)) == sorted(equations)


def test_every_equation_leads_to_code():
    places = re.findall(
        r"`(qestim/[\w/]+\.py)::(\w+)`", (DOCS / "equations.md").read_text()
    )
    assert len(places) > 20
    for path, name in places:
        tree = ast.parse((DOCS.parent / path).read_text())
        assert name in {getattr(node, "name", None) for node in ast.walk(tree)}, path


def docstrings():
    """Yield (where, docstring) of every module, class and function of the package."""
    for path in sorted((DOCS.parent / "qestim").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                where = f"{path.name}::{getattr(node, 'name', '')}"
                yield where, ast.get_docstring(node) or ""


def test_every_paper_of_a_docstring_is_among_the_equations():
    rows = (DOCS / "equations.md").read_text().splitlines()
    entry = re.compile(
        r"^\.\. \[\d\] (.*?)(?=^\.\. \[|^\S|\Z)", re.DOTALL | re.MULTILINE
    )
    papers = [(where, p) for where, text in docstrings() for p in entry.findall(text)]
    assert len(papers) > 60
    for where, paper in papers:
        author = re.match(r'"?([\w\'-]+)', paper).group(1)
        years = set(re.findall(r"\b(?:19|20)\d\d\b", paper))
        found = [row for row in rows if re.search(rf"\b{author}\b", row)]
        assert any(year in row for row in found for year in years), (where, paper)


def test_every_page_that_a_docstring_names_exists():
    pages = [
        (where, page)
        for where, text in docstrings()
        for page in re.findall(r"docs/[\w/]+\.md", text)
    ]
    assert len(pages) > 20
    assert [place for place in pages if not (DOCS.parent / place[1]).exists()] == []


# The way to more machines is a way, not a method.
METHODS = [
    page
    for page in sorted((DOCS / "guide").glob("*.md"))
    if page.stem not in {"index", "scaling"}
]


@pytest.mark.parametrize("page", METHODS, ids=lambda page: page.stem)
def test_every_method_has_a_picture_and_says_when_not_to_use_it(page):
    text = page.read_text()
    images = re.findall(r"^!\[.+\]\((.+)\)$", text, re.M)
    scripts = re.findall(r"^\[Picture: .+\]\((.+)\)$", text, re.M)
    assert images or scripts
    assert all((page.parent / place).exists() for place in images + scripts)
    assert re.search(r"^## .*[Ww]hen not\b|\*\*Do not use", text, re.M)


@pytest.fixture
def errors(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("_messages")


# What is said where the text is not known before: a failure that another machine named.
PASSED_ON = {"RuntimeError(message)"}


def test_the_page_of_errors_has_every_message(errors):
    package = DOCS.parent / "qestim"
    page = errors.page(package)
    said = 0
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        made = list(errors.calls(tree))
        raised = [n.exc for n in ast.walk(tree) if isinstance(n, ast.Raise)]
        calls = [call for _, call in made]
        assert all(e in calls for e in raised if isinstance(e, ast.Call)), path
        for call in calls:
            known = call.args and errors.template(call.args[0])
            assert known or ast.unparse(call) in PASSED_ON, (path, ast.unparse(call))
        said += len(set(errors.messages(tree)))
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) - page.count("| where |") == said > 300


def test_messages_are_found_where_they_are_made(errors):
    source = """
def refuse(x):
    warnings.warn(f"n is {x}", UserWarning, stacklevel=2)
    return HardwareError("too " "large" + x)
"""
    found = set(errors.messages(ast.parse(source)))
    assert found == {("UserWarning", "n is …"), ("HardwareError", "too large…")}


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


def untyped(thing):
    """Say whether a function, or how a class is made, has no annotation at all."""
    made = inspect.unwrap(thing.__init__ if inspect.isclass(thing) else thing)
    ours = inspect.isfunction(made) and made.__module__.startswith("qestim")
    return ours and not made.__annotations__


def test_a_strict_script_may_call_every_public_function():
    # mypy --strict refuses calls of functions without any annotation.
    assert [name for name, thing in OBJECTS.items() if untyped(thing)] == []


# These state no law, equation or algorithm of their own, each for the reason given.
# Everything else that is public names a paper or the page that derives it.
NO_LAW = {
    "qestim.FitOnSelected": "hands the rows of a selector to an estimator",
    "qestim.anndata.CellModel": "holds a fitted estimator and its settings",
    "qestim.anndata.default_estimator": "settings of QBMVAETransformer",
    "qestim.anndata.embed": "fits an estimator and stores its output",
    "qestim.dask.Client": "restores data of workers that were lost",
    "qestim.datasets.CoolingRun": "holds what EvaporativeCooling computes",
    "qestim.plotting.AttentionDisplay": "draws given arrays",
    "qestim.plotting.EnergyHistogramDisplay": "draws given energies",
    "qestim.plotting.ExperimentDisplay": "draws what an optimizer knows",
    "qestim.plotting.TrainingCurveDisplay": "draws recorded losses",
    "qestim.qubo.IsingArrays": "holds a model, in the sign that it states",
    "qestim.qubo.Problem": "names the methods of a problem",
    "qestim.qubo.spins_of": "orders the columns of a sample set",
    "qestim.samplers.Backend": "names the methods of a machine",
    "qestim.samplers.BaseSampler": "names the methods of a sampler",
    "qestim.samplers.CallableBackend": "calls a function",
    "qestim.samplers.DimodBackend": "calls another sampler",
    "qestim.samplers.DimodSampler": "calls another sampler",
    "qestim.samplers.FileBackend": "writes and reads files",
    "qestim.samplers.KaiwuBackend": "calls the Kaiwu SDK",
    "qestim.samplers.MachineTask": "holds one submission",
    "qestim.samplers.ParallelSampler": "divides the reads of another sampler",
    "qestim.testing.FaultyBackend": "spoils the answers of another backend",
    "qestim.testing.KnownProblem": "holds a model and its ground energy",
    "qestim.testing.random_rbm": "draws normal numbers for ExactRBM",
}


@pytest.mark.parametrize("name", [n for n in TOP if not is_error(TOP[n])])
def test_a_docstring_names_its_source(name):
    text = inspect.cleandoc(TOP[name].__doc__ or "")
    section = text.partition("\nReferences\n----------\n")[2].partition("\nExamples\n")[
        0
    ]
    sourced = bool(re.search(r"\b(?:19|20)\d\d\b|docs/guide/\w+\.md", section))
    assert sourced != (name in NO_LAW)


def test_the_exceptions_are_public():
    assert set(NO_LAW) <= set(TOP)
