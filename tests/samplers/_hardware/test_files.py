# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import threading

import numpy as np
import pytest

from qestim.exceptions import HardwarePendingError, HardwareResultError
from qestim.samplers import FileBackend, HardwareSampler

COUPLINGS = {("a", "b"): 1.0, ("b", "c"): -1.0, ("a", "c"): 0.5}
READS = np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1], [1, -1, -1]])


@pytest.fixture
def booked(tmp_path):
    """Return a sampler whose four reads wait for an answer, and the answer's path.

    Nothing settles before a test says so: a busy machine is not to end the waiting.
    """
    machine = FileBackend(tmp_path, settle_seconds=1e6)
    sampler = HardwareSampler(
        machine, folder=tmp_path, seed=3, num_reads=4, poll_interval=0.01
    )
    with pytest.raises(HardwarePendingError) as pending:
        sampler.sample_ising({}, COUPLINGS, wait=False)
    return sampler, tmp_path / f"{pending.value.task_id}.answer.csv"


def lines(reads):
    return "".join(",".join(map(str, row)) + "\n" for row in reads)


def ask(sampler, **options):
    return sampler.sample_ising({}, COUPLINGS, **options).record.sample


@pytest.mark.parametrize("cut", [0, 3, 8, 14, 23, 28])
def test_an_answer_that_is_being_written_is_waited_for(booked, cut):
    sampler, answer = booked
    whole = lines(READS)
    answer.write_text(whole[:cut])
    # A copy may keep the old time of what it copies.
    os.utime(answer, (1e9, 1e9))
    with pytest.raises(HardwarePendingError):
        ask(sampler, wait=False)
    assert not list(answer.parent.glob("*-0.npy"))
    later = threading.Timer(0.1, answer.write_text, [whole])
    later.start()
    assert len(ask(sampler)) == 4
    later.join()


def test_a_whole_answer_is_taken_at_once(booked):
    sampler, answer = booked
    answer.write_text(lines(READS))
    assert len(ask(sampler, wait=False)) == 4


def test_half_an_array_is_waited_for(booked, tmp_path):
    sampler, answer = booked
    answer = answer.with_suffix(".npy")
    np.save(tmp_path / "whole.npy", READS.astype(np.int8))
    content = (tmp_path / "whole.npy").read_bytes()
    for cut in (0, 20, len(content) - 1):
        answer.write_bytes(content[:cut])
        with pytest.raises(HardwarePendingError):
            ask(sampler, wait=False)
    shutil.copy(tmp_path / "whole.npy", answer)
    assert len(ask(sampler, wait=False)) == 4


def test_fewer_reads_count_once_they_no_longer_change(booked):
    sampler, answer = booked
    answer.write_text(lines(READS[:3]))
    with pytest.raises(HardwarePendingError):
        ask(sampler, wait=False)
    sampler.backend.settle_seconds = 0.2
    assert len(ask(sampler)) == 3


@pytest.mark.parametrize("content", ["", "not a number\n", "1,-1,1\n1,-"])
@pytest.mark.parametrize("ending", ["csv", "npy"])
def test_what_stays_unreadable_is_an_error(booked, content, ending):
    sampler, answer = booked
    sampler.backend.settle_seconds = 0.2
    answer.with_suffix(f".{ending}").write_text(content)
    with pytest.raises(HardwareResultError, match=rf"answer\.{ending} cannot be read"):
        ask(sampler)
    answer.with_suffix(f".{ending}").unlink()
    answer.write_text(lines(READS))
    assert len(ask(sampler)) == 4
