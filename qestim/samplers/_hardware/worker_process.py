# SPDX-License-Identifier: Apache-2.0
"""Starts the Kaiwu worker so that it outlives the program that wanted it."""

import fcntl
import os

from qestim.samplers._hardware import kaiwu_worker


class WorkerProcess:
    """A worker of our own making, in a session of its own.

    Parameters
    ----------
    python : str
        Its interpreter.
    spool : str
        The folder that it serves.
    idle_seconds : float
        How long it waits for requests.

    Raises
    ------
    OSError
        If the interpreter cannot be run.
    """

    def __init__(self, python, spool, idle_seconds):
        # What PYTHONPATH holds is for this Python, not for that one.
        own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        env = {name: value for name, value in os.environ.items() if name not in own}
        nothing = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        # A session of its own, so that what kills this program spares it.
        self.pid = os.posix_spawnp(
            python,
            [python, kaiwu_worker.__file__, spool, str(idle_seconds)],
            env,
            file_actions=nothing,
            setsid=True,
        )
        self._status = None

    def status(self):
        """Return the exit status, minus the signal's number; None while it lives."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


def is_served(spool):
    """Return whether a worker, anybody's, serves a folder."""
    with open(spool / "worker.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
