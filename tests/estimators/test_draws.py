# SPDX-License-Identifier: Apache-2.0
"""Where the draws of a fitted model get their randomness from."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from qestim import BoltzmannMachineTransformer, QBMVAETransformer
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler


@pytest.mark.parametrize("kind", [BoltzmannMachineTransformer, QBMVAETransformer])
@pytest.mark.parametrize(
    "sampler", [None, BoltzmannSampler(), SimulatedAnnealingSampler()]
)
def test_a_random_state_of_the_call_gives_other_rows(kind, sampler):
    X = load_iris().data
    model = kind(4, sampler=sampler, max_iter=1, random_state=0).fit(X)
    own = model.sample(20)
    np.testing.assert_array_equal(own, model.sample(20))
    np.testing.assert_array_equal(own, model.sample(20, random_state=0))
    other = model.sample(20, random_state=1)
    np.testing.assert_array_equal(other, model.sample(20, random_state=1))
    assert not np.isclose(own, other).all(axis=1).any()
    source = np.random.RandomState(2)
    first = model.sample(20, random_state=source)
    assert not np.isclose(first, model.sample(20, random_state=source)).any()
