# SPDX-License-Identifier: Apache-2.0
"""The guide's league table says what the results file says."""

import importlib.util
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def league():
    path = ROOT / "benchmarks" / "league_page.py"
    spec = importlib.util.spec_from_file_location("league_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(sampler, gap, low=0.1, high=0.2, **more):
    minus = {"mean": (low + high) / 2, "min": low, "max": high}
    return {
        "instance": "made up",
        "spins": 2000,
        "sampler": sampler,
        "best": 10.0,
        "gap of best, %": gap,
        "gap of mean, %": gap,
        "success [95 %]": {"mean": 0.5, "min": 0.4, "max": 0.6},
        "TTS99, s [95 %]": "not reached",
        "mean gap minus annealing's [95 %]": "" if sampler == "annealing" else minus,
        **more,
    }


def test_the_page_matches_the_results(league):
    report = json.loads(league.RESULTS.read_text())
    page = league.PAGE.read_text()
    assert page == league.updated(page, report), (
        "docs/guide/league.md does not match benchmarks/results/league.json: "
        "run python benchmarks/league_page.py"
    )


def test_another_figure_makes_another_page(league):
    report = json.loads(league.RESULTS.read_text())
    page = league.PAGE.read_text()
    first = report["sections"][league.TABLE]["rows"][0]
    first["gap of mean, %"] += 1
    assert page != league.updated(page, report)


def test_only_a_whole_interval_below_zero_beats_annealing(league):
    rows = [row("annealing", 0.3), row("cac", 0.2, -0.2, -0.1), row("dSB", 0.25, -0.1)]
    assert "`cac` (-0.15 [-0.2, -0.1])" in league.findings(rows)
    assert "dSB" not in league.findings(rows)
    assert "On no instance" in league.findings(rows[:1])


def test_what_did_not_fit_has_no_figure(league):
    rows = [
        row("annealing", 0.3),
        {"instance": "made up", "spins": 2000, "sampler": "dSB"},
    ]
    assert "| made up | **0.300** | – |" in league.gaps(rows, "gap of mean, %")


def test_times_need_enough_hits(league):
    time = {"mean": 1.5, "min": 1.0, "max": 2.0}
    rows = [row("annealing", 0.0, **{"TTS99, s [95 %]": time}), row("cac", 0.1)]
    table = league.times(rows)
    assert "1.5 [1, 2]" in table
    assert "cac" not in table


def test_larger_models_have_the_wider_bound(league):
    rows = [row("annealing", 0.4), row("cac", 0.0)]
    assert "| annealing | 1 | 0 | 0 |" in league.within(rows)
    assert "| cac | 1 | 1 | 1 |" in league.within(rows)
    wide = [row("annealing", 0.4, spins=5000)]
    assert "| annealing | 1 | 0 | 1 |" in league.within(wide)
