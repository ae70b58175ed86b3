# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
import torch

from qestim.nn import BoltzmannMachine, effective_beta


@pytest.fixture(scope="module")
def machine():
    machine = BoltzmannMachine(14, "full").double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        machine.h.normal_(0, 0.2, generator=generator)
        machine.J.normal_(0, 1.2 / 14**0.5, generator=generator)
    return machine


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_temperature_of_the_reads_is_found(machine, beta):
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=14)))
    energy = machine.energy(torch.tensor(states)).detach().numpy()
    law = np.exp(-beta * (energy - energy.min()))
    rows = np.random.RandomState(0).choice(len(law), 2000, p=law / law.sum())
    found, error = effective_beta(*machine.to_arrays(), states[rows])
    assert found == pytest.approx(beta, rel=0.1)
    assert 0 < error < 0.1


def test_ground_states_are_colder_than_the_limit_and_a_zero_model_says_nothing(machine):
    h, J = machine.to_arrays()
    spins = np.ones((4, 14))
    for _ in range(20):
        for i in range(14):
            spins[:, i] = -np.sign(spins @ J[i] + h[i])
    assert effective_beta(h, J, spins, upper=7.0)[0] == 7.0
    assert effective_beta(np.ones(14), 0 * J, np.ones((4, 14)))[0] == 0.0
    beta, error = effective_beta(np.zeros(14), np.zeros((14, 14)), spins)
    assert np.isnan(beta)
    assert error == np.inf
