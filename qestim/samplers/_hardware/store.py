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

from qestim.exceptions import HardwareResultError, HardwareTimeoutError


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
        return json.loads(path.read_text()) if path.exists() else None

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
            return np.load(path, allow_pickle=False)
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
                    if seconds is not None and time.monotonic() - start > seconds:
                        raise HardwareTimeoutError(
                            f"Another process has held the job {name} for {seconds:g} "
                            "s. Wait for it or raise time_limit.",
                            name,
                        ) from None
                    time.sleep(0.05)
            yield
