# SPDX-License-Identifier: Apache-2.0
"""A sign of life from calls that cannot say how far they are."""

import contextlib
import threading

from tqdm.auto import tqdm

_QUIET_SECONDS = 2.0


@contextlib.contextmanager
def elapsed(name, verbose):
    """Show how long the block has run, once that is more than two seconds.

    The clock ticks in a thread of its own: the kernels run without the GIL.

    Parameters
    ----------
    name : str
        What is running.
    verbose : int
        0 shows nothing.
    """
    if not verbose:
        yield
        return
    done = threading.Event()

    def tick():
        if done.wait(_QUIET_SECONDS):
            return
        with tqdm(desc=name, bar_format="{desc}: {elapsed}") as clock:
            while not done.wait(0.5):
                clock.refresh()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
