# SPDX-License-Identifier: Apache-2.0
"""The Kaiwu SDK's side of the machine: runs on Python 3.10 with numpy alone.

``python kaiwu_worker.py SPOOL IDLE_SECONDS`` serves a folder until it has been idle so
long. Protocol, version 1: a job NAME is ``NAME.request.npz`` with ``matrix`` and a JSON
text ``request`` (``protocol``, ``name``, ``solver``, ``num_reads``, ``mode``,
``project_no``, ``profile``, ``credentials_file``, ``again_after``); the answer is
``NAME.reads.npy`` or ``NAME.error.json`` (``kind``, ``message``). Every file appears
whole. The lock ``worker.lock`` is held as long as the worker lives, so there is one.
"""

import configparser
import contextlib
import fcntl
import inspect
import io
import json
import os
import pathlib
import sys
import threading
import time

import numpy as np

PROTOCOL = 1
USER, CODE = "KAIWU_USER_ID", "KAIWU_SDK_CODE"
_one_at_a_time = threading.Lock()
_licensed: set = set()


def credentials(profile=None, credentials_file=None):
    """Return (user id, SDK code) from a file's section or the environment, or None."""
    if credentials_file is not None:
        parser = configparser.ConfigParser(interpolation=None)
        path = pathlib.Path(credentials_file).expanduser()
        try:
            found = parser.read(path)
        except (configparser.Error, UnicodeError):
            found = []  # what these say quotes the file
        if not found:
            raise PermissionError(
                f"The credentials file {path} cannot be read as an INI file."
            )
        section = profile or "kaiwu"
        try:
            return parser[section]["user_id"], parser[section]["sdk_code"]
        except KeyError as error:
            raise PermissionError(
                f"The credentials file {path} lacks {error} for profile {section!r}."
            ) from None
    if os.environ.get(USER) and os.environ.get(CODE):
        return os.environ[USER], os.environ[CODE]
    return None


def solve(request, matrix, folder):
    """Ask the SDK: reads of shape (k, N), or None while a task is unfinished.

    The same name and matrix mean the same task to the SDK, however often they come.
    """
    import kaiwu

    secrets = credentials(request["profile"], request["credentials_file"])
    # What the SDK prints may hold anything, so nobody keeps it.
    nowhere = contextlib.redirect_stdout(io.StringIO())
    with _one_at_a_time, _no_input(), nowhere:
        keep = kaiwu.common.CheckpointManager
        before = getattr(keep, "save_dir", None)
        keep.save_dir = str(folder)
        try:
            if request["solver"] == "cim" and secrets and secrets not in _licensed:
                kaiwu.license.init(*secrets)
                _licensed.add(secrets)
            return _solver(kaiwu, request).solve(matrix)
        finally:
            keep.save_dir = before


def _solver(kaiwu, request):
    name, reads = request["solver"], request["num_reads"]
    if name == "brute_force":
        return kaiwu.classical.BruteForceOptimizer()
    if name == "tabu":
        return kaiwu.classical.TabuSearchOptimizer(max_iter=500, size_limit=reads)
    if name == "annealing":
        return kaiwu.sampler.SimulatedAnnealingSampler(size_limit=reads)
    known = inspect.signature(kaiwu.cim.CIMOptimizer.__init__).parameters
    wanted = {
        "wait": False,
        "project_no": request["project_no"],
        "task_mode": _mode(kaiwu, request["mode"]),
        "sample_number": reads,
    }
    wanted = {key: value for key, value in wanted.items() if key in known}
    return kaiwu.cim.CIMOptimizer(request["name"], **wanted)


def _mode(kaiwu, mode):
    """Return a mode under the name that this SDK has for it: 1.3 has its own."""
    modes = getattr(kaiwu.cim, "TaskMode", None)
    if modes is not None and hasattr(modes, mode.upper()):
        return getattr(modes, mode.upper())
    return {"sampling": "sample", "optimization": "quota"}[mode]


@contextlib.contextmanager
def _no_input():
    """Let whoever asks at the terminal find its end."""
    before = sys.stdin
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before


def describe(error, request):
    """Return what kind of failure an exception is, and its text without secrets."""
    text = f"{type(error).__name__}: {error}"
    lower = text.lower()
    kind = "other"
    if isinstance(error, PermissionError) or any(
        word in lower for word in ("eof when reading", "lost sys.stdin", "license")
    ):
        kind = "license"
    elif "资源不足" in text or "quota" in lower or "insufficient resources" in lower:
        kind = "quota"
    elif isinstance(error, ImportError):
        kind = "import"
    elif isinstance(error, (ConnectionError, TimeoutError)) or any(
        word in lower for word in ("connection", "timed out", "timeout", "unreachable")
    ):
        kind = "network"
    return kind, scrub(text, request)


def scrub(text, request):
    """Return a text in which no credential stands."""
    try:
        found = credentials(request.get("profile"), request.get("credentials_file"))
    except PermissionError:
        found = None
    for secret in (*(found or ()), os.environ.get(USER), os.environ.get(CODE)):
        if secret:
            text = text.replace(secret, "***")
    return text


def write(path, data):
    """Write a file so that it appears whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _answer(spool, path, name):
    """Work on one request: seconds until asking again, the kind of failure, or None."""
    request: dict = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            request = json.loads(str(file["request"]))
            matrix = np.ascontiguousarray(file["matrix"], dtype=np.float64)
        if request["protocol"] != PROTOCOL:
            raise ValueError(
                f"The request speaks protocol {request['protocol']}, this worker "
                f"{PROTOCOL}."
            )
        reads = solve(request, matrix, spool / "checkpoints")
        if reads is None:
            return request["again_after"]
        data = io.BytesIO()
        np.save(data, np.asarray(reads), allow_pickle=False)
        write(spool / f"{name}.reads.npy", data.getvalue())
    except Exception as error:  # noqa: BLE001, the parent raises it
        if not path.exists():
            return None  # taken back before it was read
        kind, message = describe(error, request)
        text = json.dumps({"kind": kind, "message": message})
        write(spool / f"{name}.error.json", text.encode())
        return kind
    return None


def serve(spool, idle_seconds):
    """Answer the requests of a folder until none has come for a while."""
    lock = open(spool / "worker.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    (spool / "checkpoints").mkdir(exist_ok=True)
    later: dict = {}
    last = time.monotonic()
    while time.monotonic() - last < idle_seconds:
        for path in sorted(spool.glob("*.request.npz")):
            name = path.name[: -len(".request.npz")]
            done = [spool / f"{name}.{end}" for end in ("reads.npy", "error.json")]
            if any(answer.exists() for answer in done):
                continue
            last = time.monotonic()
            if last >= later.get(name, 0.0):
                outcome = _answer(spool, path, name)
                if outcome in ("license", "import"):
                    return  # what would help is not seen by a process that runs
                last = time.monotonic()
                later[name] = last + (0.0 if isinstance(outcome, str) else outcome or 0)
        time.sleep(0.02)


if __name__ == "__main__":
    sys.path.pop(0)  # this file's neighbours are not the SDK's
    serve(pathlib.Path(sys.argv[1]), float(sys.argv[2]))
