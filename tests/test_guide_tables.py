# SPDX-License-Identifier: Apache-2.0
"""The figures in the guide are those of the results files."""

import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in (ROOT / "docs" / "guide").glob("*.md")
    if "<!-- table:" in page.read_text()
)


@pytest.fixture
def guide(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("_guide_tables")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_are_those_of_the_results(guide, page):
    text = page.read_text()
    assert text.count("<!-- table:") == len(guide.MARKED.findall(text))
    assert guide.fill(text) == text


def test_a_changed_figure_is_noticed(guide):
    assert PAGES
    text = PAGES[0].read_text()
    first = guide.MARKED.search(text)
    changed = text[: first.start(5)] + "| 1 |\n" + text[first.start(5) :]
    assert guide.fill(changed) == text != changed
