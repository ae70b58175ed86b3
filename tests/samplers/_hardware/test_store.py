# SPDX-License-Identifier: Apache-2.0
import io

import numpy as np
import pytest

from qestim.exceptions import HardwareError, HardwareResultError
from qestim.samplers import CallableBackend, HardwareSampler
from qestim.samplers._hardware.store import FolderStore


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"{}", b'{"version": 1, "status": "submitted"}', b"\xff"],
)
def test_a_spoilt_record_is_named_with_the_way_out(tmp_path, content):
    (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(HardwareError, match=r"job\.json .*remove that file") as caught:
        FolderStore(tmp_path).record("job")
    assert caught.value.task_id == "job"


def _npy(array):
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"half a file",
        _npy(np.ones((9, 9), np.int8))[:-1],
        _npy(np.ones((9, 9), np.int8))[:40],
        _npy(np.array([None])),
    ],
)
def test_spoilt_reads_are_named_with_the_way_out(tmp_path, content):
    (tmp_path / "job.npy").write_bytes(content)
    with pytest.raises(HardwareResultError, match=r"job\.npy .*Remove that file"):
        FolderStore(tmp_path).reads("job")


@pytest.mark.parametrize("ending", ["json", "npy"])
def test_the_way_out_leads_out(tmp_path, ending):
    def machine(matrix, num_reads):
        return np.ones((num_reads, len(matrix)))

    sampler = HardwareSampler(CallableBackend(machine), folder=tmp_path, seed=1)
    sampler.sample_ising({}, {("a", "b"): -1.0})
    (tmp_path / next(tmp_path.glob("*.json")).stem).with_suffix(".npy").unlink()
    spoilt = next(tmp_path.glob("*.json")).with_suffix(f".{ending}")
    spoilt.write_bytes(b"")
    with pytest.raises(HardwareError, match="cannot be read"):
        sampler.sample_ising({}, {("a", "b"): -1.0})
    spoilt.unlink()
    for path in tmp_path.glob("*.json"):
        path.unlink()  # the function's answer is gone with its call
    assert sampler.sample_ising({}, {("a", "b"): -1.0}).first.energy == -1
