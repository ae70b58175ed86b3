# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from qestim.estimators._training import threads_for


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("n_weights", "threads"), [(1000, 1), (10**9, 2)])
def test_small_networks_keep_to_one_thread_and_give_the_others_back(n_weights, threads):
    with threads_for(n_weights):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2

    def die():
        with threads_for(n_weights):
            raise KeyError("in training")

    with pytest.raises(KeyError):
        die()
    assert torch.get_num_threads() == 2
