# SPDX-License-Identifier: Apache-2.0
"""The Kaiwu path against a copy of the SDK's interface and, where it is, the SDK."""

import logging
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import time
import traceback

import numpy as np
import pytest

from qestim.exceptions import (
    HardwareError,
    HardwareLicenseError,
    HardwareNetworkError,
    HardwarePendingError,
    HardwareQuotaError,
)
from qestim.qubo import IsingArrays
from qestim.samplers import HardwareSampler, KaiwuBackend, MachineTask
from qestim.samplers._hardware import kaiwu_worker
from qestim.testing import ExactLaw

SDK = pathlib.Path(__file__).with_name("fake_sdk")
J = np.array([[0, 1.0, -0.5], [1.0, 0, 0.25], [-0.5, 0.25, 0]])
h = np.array([0.3, -0.2, 0.1])
USER, CODE = "user-4711", "a secret code"


def best(reads):
    """Whether every read is the ground state."""
    lowest = ExactLaw(IsingArrays.from_matrix(J, h)).energies.min()
    return np.allclose(reads.record.energy, lowest)


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """A cloud in a folder, and credentials for it."""
    folder = tmp_path / "cloud"
    folder.mkdir()
    (folder / "modes").write_text("sampling optimization")
    monkeypatch.setenv("FAKE_CLOUD", str(folder))
    monkeypatch.setenv("KAIWU_USER_ID", USER)
    monkeypatch.setenv("KAIWU_SDK_CODE", CODE)
    return folder


@pytest.fixture
def python(tmp_path):
    """An interpreter that has the SDK: this one, with the copy on its path."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{SDK}" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def here(monkeypatch):
    """The SDK in this process."""
    monkeypatch.syspath_prepend(str(SDK))
    kaiwu_worker._licensed.clear()
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "kaiwu"]:
        del sys.modules[name]


def sampler_of(tmp_path, python=None, **options):
    backend = {"again_after": 0.05, "idle_seconds": 10.0}
    backend |= {
        k: options.pop(k) for k in list(options) if k in KaiwuBackend("").get_params()
    }
    jobs = tmp_path / "jobs"
    machine = KaiwuBackend(jobs, python=python, **backend)
    options = {"num_reads": 10, "seed": 1, "time_limit": 30, **options}
    return HardwareSampler(machine, folder=jobs, **options)


def ledger(cloud):
    path = cloud / "ledger"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("modes", ["sampling optimization", "sample quota"])
@pytest.mark.parametrize("where", ["here", "beside"])
def test_the_names_of_both_versions(
    tmp_path, cloud, python, monkeypatch, modes, where, request
):
    (cloud / "modes").write_text(modes)
    if where == "here":
        request.getfixturevalue("here")
        python = None
    sampler = sampler_of(tmp_path, python)
    reads = sampler.sample_arrays(J, h)
    assert best(reads)
    assert ledger(cloud) == [f"{reads.info['job_names'][0]} 10"]
    again = sampler.sample_arrays(J, h)
    assert np.array_equal(again.record.sample, reads.record.sample)
    assert again.info["resumed"] == 1
    sampler.sample_arrays(J, h, seed=2, num_reads=3)  # ten at least
    assert len(ledger(cloud)) == 2
    assert ledger(cloud)[1].endswith(" 10")


def test_an_unfinished_task_is_found_later(tmp_path, cloud, here):
    import kaiwu

    (cloud / "busy").touch()
    kaiwu.common.CheckpointManager.save_dir = "mine"
    with pytest.raises(HardwarePendingError):
        sampler_of(tmp_path, wait=False).sample_arrays(J, h)
    assert kaiwu.common.CheckpointManager.save_dir == "mine"
    (cloud / "busy").unlink()
    assert best(sampler_of(tmp_path).sample_arrays(J, h))
    assert len(ledger(cloud)) == 1


@pytest.mark.parametrize("where", ["here", "beside"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("insufficient resources (资源不足)", HardwareQuotaError),
        ("Connection aborted", HardwareNetworkError),
        ("License expired", HardwareLicenseError),
        ("strange", HardwareError),
    ],
)
def test_failures_have_kinds(tmp_path, cloud, python, where, text, kind, request):
    if where == "here":
        request.getfixturevalue("here")
        python = None
    (cloud / "fail").write_text(text)
    with pytest.raises(kind, match=text.split()[0]) as caught:
        sampler_of(tmp_path, python, max_retries=1).sample_arrays(J, h)
    assert type(caught.value) is kind
    assert caught.value.task_id
    (cloud / "fail").unlink()
    assert best(sampler_of(tmp_path, python).sample_arrays(J, h))
    assert len(ledger(cloud)) == 1


@pytest.mark.parametrize("where", ["here", "beside"])
def test_without_a_licence_nobody_is_asked(
    tmp_path, cloud, python, monkeypatch, where, request, capfd
):
    if where == "here":
        request.getfixturevalue("here")
        python = None
    monkeypatch.delenv("KAIWU_SDK_CODE")
    monkeypatch.setattr(sys, "stdin", None)
    start = time.monotonic()
    with pytest.raises(HardwareLicenseError, match="KAIWU_SDK_CODE"):
        sampler_of(tmp_path, python).sample_arrays(J, h)
    assert time.monotonic() - start < 5
    assert "user ID" not in capfd.readouterr().err
    assert ledger(cloud) == []


@pytest.mark.parametrize("where", ["here", "beside"])
def test_no_secret_is_anywhere(
    tmp_path, cloud, python, monkeypatch, where, request, capfd, caplog
):
    caplog.set_level(logging.DEBUG)
    if where == "here":
        request.getfixturevalue("here")
        python = None
    wrong = "a mistyped code"
    profile = tmp_path / "credentials.ini"
    profile.write_text(f"[lab]\nuser_id = {USER}\nsdk_code = {wrong}\n")
    monkeypatch.setenv("KAIWU_SDK_CODE", "")
    secrets = (USER, CODE, wrong)
    shown = []
    sampler = sampler_of(tmp_path, python, credentials_file=profile, profile="lab")
    with pytest.raises(HardwareLicenseError) as caught:  # whose text has both
        sampler.sample_arrays(J, h)
    shown += traceback.format_exception(caught.value)
    shown += [repr(caught.value.__cause__), repr(caught.value.__context__)]
    profile.write_text(f"[lab]\nuser_id = {USER}\nsdk_code = {CODE}\n")
    shown.append(str(sampler.sample_arrays(J, h).info))
    shown += [repr(sampler), sampler._repr_html_(), str(sampler.get_params())]
    shown += [pickle.dumps(sampler).decode("latin1"), caplog.text]
    shown += capfd.readouterr()
    files = [path for path in (tmp_path / "jobs").rglob("*") if path.is_file()]
    assert len(files) >= 3
    shown += [path.read_bytes().decode("latin1") for path in files]
    assert not [text for text in shown if any(secret in text for secret in secrets)]


def test_a_profile_that_is_not_there(tmp_path, cloud, here):
    with pytest.raises(HardwareLicenseError, match=r"none\.ini"):
        sampler_of(tmp_path, credentials_file=tmp_path / "none.ini").sample_arrays(J, h)
    (tmp_path / "empty.ini").write_text("[kaiwu]\nuser_id = 1\n")
    with pytest.raises(HardwareLicenseError, match="sdk_code"):
        sampler_of(tmp_path, credentials_file=tmp_path / "empty.ini").sample_arrays(
            J, h
        )


@pytest.mark.parametrize("content", [b"user_id = %s\n", b"[kaiwu]\n%s", b"\xff%s"])
def test_a_spoilt_credentials_file_is_not_quoted(tmp_path, cloud, here, content):
    path = tmp_path / "credentials.ini"
    path.write_bytes(content % CODE.encode())
    with pytest.raises(HardwareLicenseError, match=r"credentials\.ini") as caught:
        sampler_of(tmp_path, credentials_file=path).sample_arrays(J, h)
    assert CODE not in "".join(traceback.format_exception(caught.value))


PROGRAM = """
import sys, numpy as np
from qestim.samplers import HardwareSampler, KaiwuBackend, MachineTask
folder, python = sys.argv[1:]
machine = KaiwuBackend(folder, python=python, again_after=0.05, idle_seconds=10.0)
J = np.array([[0, 1.0, -0.5], [1.0, 0, 0.25], [-0.5, 0.25, 0]])
HardwareSampler(machine, folder=folder, num_reads=10, seed=1).sample_arrays(
    J, np.array([0.3, -0.2, 0.1])
)
"""


def wait_for(condition):
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < 30
        time.sleep(0.02)


def test_the_worker_survives_its_parent(tmp_path, cloud, python):
    (cloud / "busy").touch()
    root = pathlib.Path(__file__).parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path / "jobs", python],
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    wait_for(lambda: ledger(cloud))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    (cloud / "busy").unlink()
    # Nobody asks, and the answer comes.
    wait_for(lambda: list((tmp_path / "jobs").glob("*.reads.npy")))
    assert best(sampler_of(tmp_path, python).sample_arrays(J, h))
    assert len(ledger(cloud)) == 1


def test_a_killed_worker_is_replaced(tmp_path, cloud, python):
    (cloud / "kill").touch()  # as soon as the cloud has the task
    assert best(sampler_of(tmp_path, python).sample_arrays(J, h))
    assert len(ledger(cloud)) == 1


def test_a_worker_that_cannot_live(tmp_path, cloud, monkeypatch):
    sick = tmp_path / "python"
    sick.write_text("#!/bin/sh\nexit 7\n")
    sick.chmod(0o755)
    with pytest.raises(HardwareError, match=r"died 3 times.*status 7"):
        sampler_of(tmp_path, sick).sample_arrays(J, h)
    with pytest.raises(HardwareError, match="cannot be run"):
        sampler_of(tmp_path, tmp_path / "nothing").sample_arrays(J, h)
    monkeypatch.delenv("QESTIM_KAIWU_PYTHON", raising=False)
    with pytest.raises(HardwareError, match=r"3\.10 only"):
        sampler_of(tmp_path).sample_arrays(J, h)
    without = tmp_path / "plain"
    without.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    without.chmod(0o755)
    with pytest.raises(HardwareError, match=r"No module named 'kaiwu'.*pip install"):
        sampler_of(tmp_path, without).sample_arrays(J, h)


def test_another_protocol_is_refused(tmp_path, cloud, python, monkeypatch):
    monkeypatch.setattr(kaiwu_worker, "PROTOCOL", 2)
    with pytest.raises(HardwareError, match="protocol 2, this worker 1"):
        sampler_of(tmp_path, python).sample_arrays(J, h)


@pytest.fixture(scope="module")
def real_python(tmp_path_factory):
    """An interpreter that has the real SDK, found by running every candidate."""
    named = os.environ.get("QESTIM_KAIWU_PYTHON")
    candidates = [named] if named else [shutil.which("python3.10"), sys.executable]
    for candidate in filter(None, candidates):
        tried = subprocess.run(
            [candidate, "-c", "import kaiwu.cim, kaiwu.classical"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if tried.returncode == 0:
            return candidate
    pytest.skip(
        f"none of {candidates} has the Kaiwu SDK; name a Python 3.10 that has it in "
        "QESTIM_KAIWU_PYTHON"
    )


@pytest.mark.parametrize("solver", ["brute_force", "tabu"])
def test_the_real_local_solvers_agree_with_enumeration(tmp_path, real_python, solver):
    rng = np.random.default_rng(0)
    sampler = sampler_of(tmp_path, real_python, solver=solver, bits=14)
    for _ in range(20 if solver == "brute_force" else 4):
        n = int(rng.integers(2, 9))
        A = np.triu(rng.integers(-9, 10, (n, n)), 1).astype(float)
        A[0, 1] = 9
        b = rng.integers(-9, 10, n).astype(float) * (rng.random() < 0.7)
        exact = ExactLaw(IsingArrays.from_matrix(A + A.T, b)).energies.min()
        assert sampler.sample_arrays(A + A.T, b).first.energy == exact


def test_the_real_machine_wants_a_licence(tmp_path, real_python, monkeypatch):
    for name in ("KAIWU_USER_ID", "KAIWU_SDK_CODE"):
        monkeypatch.delenv(name, raising=False)
    start = time.monotonic()
    with pytest.raises(HardwareLicenseError, match=r"EOF|stdin"):
        sampler_of(tmp_path, real_python).sample_arrays(J, h)
    assert time.monotonic() - start < 5


def test_a_request_that_was_taken_back_has_no_answer(tmp_path):
    """A worker may have seen its name just before."""
    taken_back = tmp_path / "job.request.npz"
    assert kaiwu_worker._answer(tmp_path, taken_back, "job") is None
    taken_back.write_bytes(b"no archive")
    assert kaiwu_worker._answer(tmp_path, taken_back, "job") == "other"
    assert [path.name for path in tmp_path.glob("*.json")] == ["job.error.json"]


@pytest.mark.parametrize("name", ["job.reads.npy", "job.error.json"])
def test_a_spoilt_answer_is_named_with_the_way_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    task = MachineTask("job", np.zeros((2, 2)), 1, 0)
    machine = KaiwuBackend(tmp_path, python=sys.executable)
    with pytest.raises(HardwareError, match=rf"{name} cannot be read.*Remove"):
        machine.collect(task, {})
