# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from qestim import _native

LAYOUTS = ["sparse", "dense", "bipartite"]


def random_model(n, layout, seed, field=1.0):
    rng = np.random.default_rng(seed)
    row, col = np.triu_indices(n, 1)
    if layout == "bipartite":
        across = (row < n // 2) & (col >= n // 2)
        row, col = row[across], col[across]
    h, value = field * rng.normal(size=n), rng.normal(size=len(row))
    return h, row.astype(np.int32), col.astype(np.int32), value


def temper(model, betas, layout, chains=2000, reads=1, burn_in=40, thin=1, **more):
    return _native.temper(
        *model,
        np.asarray(betas, dtype=float),
        chains,
        reads,
        burn_in,
        thin,
        more.pop("seed", 0),
        layout=layout,
        **more,
    )


def p_value(spins, model, beta):
    """Chi-square against enumeration, cells pooled to an expectation of 5."""
    energies = _native.enumerate_energies(*model, 1)
    p = np.exp(-beta * (energies - energies.min()))
    p /= p.sum()
    state = (spins.reshape(-1, spins.shape[-1]) > 0) @ (1 << np.arange(spins.shape[-1]))
    order = np.argsort(p)
    expected, observed = (
        p[order] * len(state),
        np.bincount(state, minlength=len(p))[order],
    )
    cell = np.floor(np.cumsum(expected) / 5.000001).astype(int)
    # A cell closes with the state that takes it past 5: the last may be short.
    cell = np.concatenate([[0], cell[:-1]])
    e, o = np.bincount(cell, expected), np.bincount(cell, observed)
    e, o = e[e > 0], o[e > 0]
    small = e < 5
    if small.any():
        e = np.append(e[~small], e[small].sum())
        o = np.append(o[~small], o[small].sum())
    return stats.chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("field", [0.0, 1.0])
@pytest.mark.parametrize("betas", [[0.3], [0.3, 0.6, 1.0]])
def test_reads_follow_the_law(layout, field, betas):
    p = []
    for seed in range(3):
        model = random_model(8, layout, seed, field)
        spins = temper(model, betas, layout, seed=seed)[0]
        p.append(p_value(spins, model, betas[-1]))
    assert min(p) > 1e-3 / 36


def test_the_chi_square_sees_a_wrong_temperature():
    model = random_model(8, "sparse", 0)
    assert p_value(temper(model, [0.3], "sparse")[0], model, 0.4) < 1e-3 / 36


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fields_out_of_the_range_of_integers_follow_the_law_too(layout):
    # A strong field on one spin leaves its row no bits for the couplings.
    h, row, col, value = random_model(8, layout, 1)
    h[0] = 1e9
    *_, kernel = spins, *_ = temper((h, row, col, value), [0.5], layout)
    if _native.kernel_name != "numpy":
        assert kernel.endswith("float64")
    assert (spins[..., 0] == -1).all()
    frozen = h[1:].copy()
    first = row == 0
    np.add.at(frozen, col[first] - 1, -value[first])
    rest = (frozen, row[~first] - 1, col[~first] - 1, value[~first])
    rest = tuple(np.ascontiguousarray(x) for x in rest)
    assert p_value(spins[..., 1:], rest, 0.5) > 1e-3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_energies_belong_to_the_reads(layout):
    model = random_model(70, layout, 2)
    spins, energies, *_ = temper(model, [0.2, 0.5, 1], layout, 5, 20, 3, 2)
    direct = _native.energies(*model, spins.reshape(-1, 70), 1).reshape(20, 5)
    np.testing.assert_allclose(energies[:, -1].T, direct, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_threads_do_not_change_a_bit(layout):
    model = random_model(30, layout, 3)
    one = temper(model, [0.2, 0.5, 1], layout, 7, 5, num_threads=1)
    two = temper(model, [0.2, 0.5, 1], layout, 7, 5, num_threads=2)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(_native.kernel_name == "numpy", reason="numpy draws in one stream")
def test_a_chain_does_not_depend_on_the_other_chains():
    model = random_model(30, "sparse", 3)
    few, many = (temper(model, [0.2, 1], "sparse", c, 5)[0] for c in (3, 40))
    np.testing.assert_array_equal(few, many[:, :3])


@pytest.mark.skipif(_native.kernel_name == "numpy", reason="numpy has one layout")
def test_layouts_agree_on_a_large_bipartite_model():
    # 100 + 70 spins: two tiles on one side, an odd rest on the other.
    n, beta = 170, 0.05
    row, col = (
        x.ravel().astype(np.int32) for x in np.mgrid[:100, 100:n].reshape(2, -1)
    )
    rng = np.random.default_rng(0)
    model = rng.normal(size=n), row, col, rng.normal(size=len(row))
    means = []
    for layout in LAYOUTS:
        spins = temper(model, [beta], layout, 64, 100, 100, 5)[0]
        means.append(spins.mean(axis=0))  # of each chain
    for other in means[1:]:
        error = np.sqrt((means[0].var(axis=0) + other.var(axis=0)) / 63)
        z = (means[0] - other).mean(axis=0) / error
        assert np.abs(z).max() < 5
        assert 0.8 < z.std() < 1.25


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fewer_energies_are_those_of_the_last_reads(layout):
    model = random_model(70, layout, 4)
    for betas in [0.5], [0.2, 0.5]:
        every, few = (
            temper(model, betas, layout, 5, 20, num_energies=k) for k in (-1, 3)
        )
        np.testing.assert_array_equal(every[0], few[0])
        np.testing.assert_array_equal(every[1][..., -3:], few[1])


def test_one_sweep_is_the_product_of_its_heat_baths():
    # Two spins: the transition matrix of a sweep, and detailed balance of its steps.
    h, J, beta = np.array([0.3, -0.5]), 0.8, 0.9
    states = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]])
    law = np.exp(-beta * (states @ h + J * states.prod(axis=1)))
    law /= law.sum()
    steps = []
    for i in range(2):
        field = h[i] + J * states[:, 1 - i]
        up = 1 / (1 + np.exp(2 * beta * field))
        step = np.zeros((4, 4))
        for a in range(4):
            for b in range(4):
                if states[a, 1 - i] == states[b, 1 - i]:
                    step[a, b] = up[a] if states[b, i] > 0 else 1 - up[a]
        flow = law[:, None] * step
        np.testing.assert_allclose(flow, flow.T)
        steps.append(step)
    sweep = steps[0] @ steps[1]
    chains = 40000
    index = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    for a in range(4):
        start = np.broadcast_to(states[a].astype(np.int8), (chains, 1, 2)).copy()
        spins = temper(
            (h, *index, np.array([J])), [beta], "sparse", chains, 1, 0, initial=start
        )[0][0]
        counts = np.bincount((spins > 0) @ [1, 2], minlength=4)
        assert stats.chisquare(counts, chains * sweep[a]).pvalue > 1e-4


def test_ladder_reports_swaps_and_round_trips():
    model = random_model(20, "sparse", 1)
    result = temper(model, np.linspace(0.1, 1, 6), "sparse", 4, 200)
    accepted, trips = result[3], result[4]
    assert accepted.shape == (4, 5)
    assert (accepted > 2).all()
    assert (accepted <= 120).all()  # even and odd pairs in turn, 240 sweeps
    assert trips.sum() > 4


def test_interrupt_and_time_limit_keep_complete_reads():
    model = random_model(200, "dense", 1)
    result = temper(model, [1.0], "dense", 4, 10**5, time_limit=0.1)
    done = result[5]
    assert (done < 10**5).all()
    full = temper(model, [1.0], "dense", 4, int(done.max()) + 1)
    for chain in range(4):
        np.testing.assert_array_equal(
            result[0][: done[chain], chain], full[0][: done[chain], chain]
        )
    result = temper(model, [1.0], "dense", 4, 10**5, interrupt=lambda: True)
    assert (result[5] < 10**5).all()
