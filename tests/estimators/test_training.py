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
@pytest.mark.parametrize(("work", "threads"), [(1000, 1), (10**9, 2)])
def test_small_networks_train_on_one_thread_and_give_the_others_back(work, threads):
    with threads_for(work):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2

    def die():
        with threads_for(work):
            raise KeyError("in training")

    with pytest.raises(KeyError):
        die()
    assert torch.get_num_threads() == 2
