# SPDX-License-Identifier: Apache-2.0
"""Where jobs are remembered: a folder that outlives the process, or memory."""

import contextlib
import fcntl
import io
import json
import os
import pathlib
import time

import numpy as np

from qestim.exceptions import (
    HardwareError,
    HardwareResultError,
    HardwareTimeoutError,
)

_FACTS = {"version", "status", "backend", "ticket"}


def write_atomically(path, data):
    """Write a file so that readers see all of it or none, a crash included.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder exists.
    data : bytes
        Its content.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_array(path):
    """Read a ``.npy`` file, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    array : ndarray
        Its content.

    Raises
    ------
    ValueError
        If the file is empty, cut off or something else.
    """
    with open(path, "rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


class MemoryStore:
    """Records and reads of one call, gone with it."""

    def __init__(self):
        self._records, self._reads = {}, {}

    def record(self, name):
        """Return what is known of a job, None if nothing."""
        return self._records.get(name)

    def write(self, name, record):
        """Remember what is known of a job."""
        self._records[name] = record

    def reads(self, name):
        """Return the kept reads of a job, None if there are none."""
        return self._reads.get(name)

    def keep(self, name, reads):
        """Keep the reads of a job."""
        self._reads[name] = reads

    @contextlib.contextmanager
    def lock(self, name, seconds):
        """Nobody else shares the memory."""
        yield


class FolderStore:
    """Records and reads as files: ``NAME.json``, ``NAME.npy``, ``NAME.lock``.

    Locks are those of POSIX systems.

    Parameters
    ----------
    folder : str or path-like
        The folder; it is made if it is not there.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _path(self, name, ending):
        return self.folder / f"{name}.{ending}"

    def record(self, name):
        """Return what is known of a job, None if nothing."""
        path = self._path(name, "json")
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(record, dict) or not record.keys() >= _FACTS:
                raise ValueError(f"it must hold {', '.join(sorted(_FACTS))}")
        except ValueError as error:
            raise HardwareError(
                f"The record {path} cannot be read: {error}. Look at the machine "
                "whether it has the job; to submit it again remove that file.",
                name,
            ) from error
        return record

    def write(self, name, record):
        """Remember what is known of a job."""
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(self._path(name, "json"), text.encode())

    def reads(self, name):
        """Return the kept reads of a job, None if there are none."""
        path = self._path(name, "npy")
        if not path.exists():
            return None
        try:
            return read_array(path)
        except ValueError as error:
            raise HardwareResultError(
                f"The kept reads {path} cannot be read: {error}. Remove that file to "
                "collect them again.",
                name,
            ) from error

    def keep(self, name, reads):
        """Keep the reads of a job."""
        data = io.BytesIO()
        np.save(data, reads, allow_pickle=False)
        write_atomically(self._path(name, "npy"), data.getvalue())

    @contextlib.contextmanager
    def lock(self, name, seconds):
        """Hold a job against other processes; the lock falls with its holder."""
        with open(self._path(name, "lock"), "w") as file:
            start = time.monotonic()
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    waited = time.monotonic() - start
                    if seconds is not None and waited > seconds:
                        raise HardwareTimeoutError(
                            f"Another process holds the job {name}; waited {waited:.1f}"
                            " s for it, until time_limit. Wait for it or raise "
                            "time_limit.",
                            name,
                        ) from None
                    time.sleep(0.05)
            yield
