# SPDX-License-Identifier: Apache-2.0
"""Masks of attention layers: what is drawn is what the layer does."""

import numpy as np
import pytest
import torch

from qestim.nn import QAMA
from qestim.plotting import AttentionDisplay


def layer_and_tokens(mode, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return QAMA(8, 2, k=3, mode=mode, dropout=0.5, **options), torch.randn(6, 8)


@pytest.mark.parametrize("mode", ["per_query", "shared"])
def test_terms_are_the_energy_of_the_masks(mode):
    layer, x = layer_and_tokens(mode, redundancy=0.5, cross_head=2.0)
    display = AttentionDisplay.from_layer(layer, x)
    assert layer.training
    kept = display.weights > 0
    assert (kept.sum(-1) == 3).all()
    problem = layer.problem(x)
    mask = kept[:, 0] if mode == "shared" else kept
    queries = 1 if mode == "shared" else 6
    energy = sum(part.sum() for part in display.terms.values()) * queries
    assert energy == pytest.approx(problem.objective(mask))
    assert display.terms["cross_head"][0] == pytest.approx(
        display.terms["cross_head"][1]
    )


def test_masks_are_passed_on():
    layer, x = layer_and_tokens("per_query")
    display = AttentionDisplay.from_layer(layer, x, is_causal=True)
    assert (display.weights[:, np.triu(np.ones((6, 6), dtype=bool), 1)] == 0).all()


def test_rows_are_heads_or_queries(ax):
    layer, x = layer_and_tokens("shared")
    display = AttentionDisplay.from_layer(layer, x, labels=list("abcdef"))
    display.plot(ax=ax)
    np.testing.assert_allclose(ax.images[0].get_array(), display.weights.mean(1))
    dots = ax.lines[0].get_xydata().astype(int)
    assert {(h, j) for j, h in dots} == set(
        zip(*np.nonzero(display.weights[:, 0] > 0), strict=True)
    )
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    energy = sum(part[1] for part in display.terms.values())
    assert names[1] == f"1  (E = {energy:.2f})"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list("abcdef")
    display.plot(head=1)
    np.testing.assert_allclose(display.ax_.images[0].get_array(), display.weights[1])


def test_sparsemax_has_no_energy_of_a_mask(ax):
    layer, x = layer_and_tokens("sparsemax")
    display = AttentionDisplay.from_layer(layer, x).plot(ax=ax)
    assert display.terms is None
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0", "1"]


def test_a_batch_is_refused():
    layer, x = layer_and_tokens("shared")
    with pytest.raises(AssertionError, match="one sample"):
        AttentionDisplay.from_layer(layer, x[None])
