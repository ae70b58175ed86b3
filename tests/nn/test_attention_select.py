# SPDX-License-Identifier: Apache-2.0
"""The native solver of masks against enumeration."""

from itertools import combinations

import numpy as np
import pytest
import torch

from qestim.nn._attention_select import select_keys
from qestim.qubo._attention_masks import MaskForm


def problems(batch, heads, size, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    kind = {"generator": generator, "dtype": dtype}
    relevance = torch.randn(batch, heads, 1, size, **kind)
    unit = torch.randn(batch, heads, size, 3, **kind)
    return relevance, torch.nn.functional.normalize(unit, dim=-1)


def solve(relevance, unit, k, redundancy, cross, starts=8):
    """Return masks, marginals and the numpy form of the same problems."""
    indices, marginals = select_keys(relevance, unit, k, redundancy, cross, starts)
    mask = torch.zeros(relevance.shape, dtype=torch.bool).scatter_(-1, indices, True)
    form = MaskForm(relevance.numpy(), unit.numpy(), k, redundancy, cross)
    return mask.numpy(), marginals.numpy(), form


def lowest(form):
    """Return the lowest energies over all masks, shape (B, Q)."""
    batch, heads, _, size = form.relevance.shape
    rows = [np.isin(range(size), c) for c in combinations(range(size), form.k)]
    choice = np.indices((len(rows),) * heads).reshape(heads, -1).T
    best = np.full((batch, 1), np.inf)
    for part in np.array_split(choice, len(choice) // 1000 + 1):
        masks = np.array(rows)[part][:, None, :, None]
        masks = np.broadcast_to(masks, (len(part), *form.relevance.shape))
        best = np.minimum(best, form.energies(masks).min(0))
    return best


@pytest.mark.parametrize(
    ("heads", "size", "k"),
    [(2, 7, 2), (2, 8, 3), (2, 8, 4), (4, 4, 2), (3, 5, 2), (1, 16, 8), (4, 4, 1)],
)
def test_optimal_in_95_of_100_and_always_feasible(heads, size, k):
    mask, _, form = solve(*problems(100, heads, size), k, 1.0, 1.0)
    assert (mask.sum(-1) == k).all()
    optimal = form.energies(mask) <= lowest(form) + 1e-9
    assert optimal.mean() >= 0.95


def test_marginals_are_minus_the_fields():
    mask, marginals, form = solve(*problems(5, 3, 9), 3, 0.7, 1.1)
    np.testing.assert_allclose(marginals, -form.fields(mask), atol=1e-12)


def test_no_swap_lowers_the_energy():
    mask, _, form = solve(*problems(3, 2, 12), 4, 1.0, 1.0, starts=1)
    energy = form.energies(mask)
    for head in range(2):
        for out, into in np.ndindex(12, 12):
            other = mask.copy()
            other[:, head, 0, [out, into]] = other[:, head, 0, [into, out]]
            assert (form.energies(other) >= energy - 1e-9).all()


def test_more_starts_are_never_worse():
    relevance, unit = problems(50, 3, 10)
    one, _, form = solve(relevance, unit, 3, 2.0, 2.0, starts=1)
    many, _, _ = solve(relevance, unit, 3, 2.0, 2.0, starts=16)
    gain = form.energies(one) - form.energies(many)
    assert (gain >= -1e-9).all()
    assert gain.max() > 0


def test_a_problem_does_not_depend_on_its_batch():
    relevance, unit = problems(6, 2, 9, dtype=torch.float32)
    together, _ = select_keys(relevance, unit, 3, 1.0, 1.0, 4)
    alone, _ = select_keys(relevance[2:3], unit[2:3], 3, 1.0, 1.0, 4)
    assert torch.equal(together[2:3].sort().values, alone.sort().values)


def test_several_queries_share_keys():
    relevance, unit = problems(2, 2, 6)
    relevance = torch.cat([relevance, -relevance], 2)
    both, _ = select_keys(relevance, unit, 2, 1.0, 1.0, 2)
    second, _ = select_keys(relevance[:, :, 1:], unit, 2, 1.0, 1.0, 2)
    assert torch.equal(both[:, :, 1:].sort().values, second.sort().values)


def test_forbidden_keys_only_fill_up():
    relevance, unit = problems(4, 2, 8)
    relevance[..., 3:] = -torch.inf
    indices, marginals = select_keys(relevance, unit, 5, 1.0, 1.0, 2)
    for row in indices.flatten(0, 2):
        assert len(set(row.tolist())) == 5
        assert {0, 1, 2} <= set(row.tolist())
    assert (marginals[..., 3:] == -torch.inf).all()
    assert marginals[..., :3].isfinite().all()
    indices, _ = select_keys(relevance, unit, 2, 1.0, 1.0, 2)
    assert (indices < 3).all()


def test_large_problems_build_nothing_quadratic():
    # A matrix of pairs would need 40 GB.
    relevance, unit = problems(1, 1, 100_000, dtype=torch.float32)
    indices, _ = select_keys(relevance, unit, 3, 1.0, 0.0, 1)
    assert indices.shape == (1, 1, 1, 3)


def test_registered_operator():
    torch.library.opcheck(select_keys, (*problems(2, 2, 5), 2, 1.0, 1.0, 2))
