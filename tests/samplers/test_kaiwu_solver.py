# SPDX-License-Identifier: Apache-2.0
import dimod
import numpy as np
import pytest

from qestim.samplers import (
    BoltzmannSampler,
    DimodSampler,
    ExactSampler,
    KaiwuSolver,
    SimulatedAnnealingSampler,
)


def states(n):
    return 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def cost(matrix, reads):
    return -((reads @ matrix) * reads).sum(axis=1)


@pytest.mark.parametrize("triangular", [False, True])
def test_it_minimises_kaiwus_cost(triangular):
    rng = np.random.default_rng(0)
    for _ in range(20):
        M = rng.standard_normal((6, 6))
        M = np.triu(M) if triangular else M + M.T
        reads = KaiwuSolver(SimulatedAnnealingSampler(), num_reads=10, seed=0).solve(M)
        assert reads.dtype == np.int8
        assert (reads[:, -1] == 1).all()
        # The diagonal is a constant.
        assert cost(M, reads).min() == pytest.approx(cost(M, states(6)).min())


def test_the_law_is_that_of_kaiwus_cost():
    rng = np.random.default_rng(1)
    M = 0.2 * rng.standard_normal((5, 5))
    M = M + M.T
    reads = KaiwuSolver(BoltzmannSampler(), num_reads=20_000, seed=0).solve(M)
    every = states(5)
    every = every[every[:, -1] == 1]
    p = np.exp(-cost(M, every))
    p /= p.sum()
    seen = np.array([(reads == state).all(axis=1).mean() for state in every])
    assert 0.5 * np.abs(seen - p).sum() < 0.02


def test_calls_differ_and_repeat():
    M = np.zeros((9, 9))
    one = KaiwuSolver(BoltzmannSampler(), num_reads=5, seed=3)
    two = KaiwuSolver(BoltzmannSampler(), num_reads=5, seed=3)
    first, second = one.solve(M), one.solve(M)
    assert not np.array_equal(first, second)
    assert np.array_equal(two.solve(M), first)
    foreign = KaiwuSolver(DimodSampler(dimod.ExactSolver()))
    assert len(foreign.solve(M[:3, :3])) == 4


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        (np.zeros((2, 3)), "square"),
        (np.zeros((1, 1)), "two spins"),
        (np.full((2, 2), np.nan), "finite"),
    ],
)
def test_what_is_no_matrix_is_refused(matrix, word):
    with pytest.raises(ValueError, match=word):
        KaiwuSolver(ExactSampler()).solve(matrix)


def test_kaiwus_own_machine_learns_with_it():
    plugin = pytest.importorskip(
        "kaiwu.torch_plugin",
        reason="needs kaiwu-torch-plugin (pip install --no-deps kaiwu-torch-plugin)",
    )
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rbm = plugin.RestrictedBoltzmannMachine(3, 2, device=torch.device("cpu"))
        for parameter in rbm.parameters():
            torch.nn.init.normal_(parameter, 0, 1.0)
    bits = (states(5) + 1) // 2
    with torch.no_grad():
        energy = rbm(torch.tensor(bits, dtype=torch.float32)).double().numpy()
    p = np.exp(-(energy - energy.min()))
    p /= p.sum()
    solver = KaiwuSolver(BoltzmannSampler(log_z=False), num_reads=20_000, seed=0)
    reads = rbm.sample(solver).numpy()
    seen = np.array([(reads == state).all(axis=1).mean() for state in bits])
    assert 0.5 * np.abs(seen - p).sum() < 0.02
