# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from qestim.samplers._diagnostics import (
    autocorrelation_time,
    effective_sample_size,
    log_ratios,
    split_r_hat,
)


def autoregressive(rho, chains, draws, seed=0):
    rng = np.random.default_rng(seed)
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains) / np.sqrt(1 - rho**2)
    noise = rng.normal(size=(chains, draws))
    for t in range(1, draws):
        x[:, t] = rho * x[:, t - 1] + noise[:, t]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autocorrelation_time_of_an_autoregressive_chain(rho):
    x = autoregressive(rho, 16, 4000)
    expected = (1 + rho) / (1 - rho)
    assert autocorrelation_time(x) == pytest.approx(expected, rel=0.2)
    assert effective_sample_size(x) == pytest.approx(x.size / expected, rel=0.2)


def test_chains_that_disagree_are_worth_little():
    x = autoregressive(0.0, 8, 500)
    apart = x + np.arange(8)[:, None]
    assert effective_sample_size(x) > 2000
    assert effective_sample_size(apart) < 50
    assert split_r_hat(x) < 1.01
    assert split_r_hat(apart) > 1.5


def test_a_drift_inside_the_chains_raises_r_hat():
    x = autoregressive(0.0, 8, 500)
    assert split_r_hat(x + np.linspace(0, 3, 500)) > 1.2


def test_frozen_chains():
    same, different = np.ones((4, 100)), np.arange(4.0)[:, None] * np.ones(100)
    assert (autocorrelation_time(same), split_r_hat(same)) == (1.0, 1.0)
    assert autocorrelation_time(different) == split_r_hat(different) == np.inf


def test_log_ratios_of_gaussian_energies():
    # A density of states exp(-E^2 / 2v) has log Z(beta) = beta^2 v / 2.
    rng = np.random.default_rng(0)
    betas, v = np.linspace(0, 2, 9), 4.0
    energies = rng.normal(-betas[:, None] * v, np.sqrt(v), size=(16, 9, 2000))
    ratio, influences = log_ratios(energies, betas)
    error = influences.std(ddof=1) / 4
    assert error < 0.05
    assert abs(ratio - 8.0) < 4 * error
