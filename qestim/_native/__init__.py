# SPDX-License-Identifier: Apache-2.0
"""The compiled kernels, or the same functions in numpy where they were not built.

``QESTIM_REQUIRE_NATIVE=1`` makes the import fail without the compiled kernels;
``QESTIM_DISABLE_NATIVE=1`` chooses the numpy functions.
"""

import os
import warnings

import numpy as np


def _load():
    if os.environ.get("QESTIM_DISABLE_NATIVE") == "1":
        from qestim._native import _fallback

        return _fallback, "numpy"
    try:
        from qestim._native import _kernels
    except ImportError as error:
        if os.environ.get("QESTIM_REQUIRE_NATIVE") == "1":
            raise ImportError(
                "QESTIM_REQUIRE_NATIVE=1, but qestim was installed without its "
                "compiled kernels. Install a C++17 compiler and reinstall qestim."
            ) from error
        from qestim._native import _fallback

        warnings.warn(
            "qestim was installed without its compiled kernels; numpy does their "
            "work, 10 to 100 times slower. Install a C++17 compiler and reinstall "
            "qestim, or set QESTIM_DISABLE_NATIVE=1 to silence this warning.",
            RuntimeWarning,
            stacklevel=2,
        )
        return _fallback, "numpy"
    return _kernels, f"compiled-{_kernels.instruction_set()}"


_functions, kernel_name = _load()


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_functions, name)


def available_threads():
    """Return how many threads a kernel uses when nobody says how many.

    That is ``OMP_NUM_THREADS`` where it is set (joblib sets it in its workers), else
    the number of cores that this process may use.
    """
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1)
    )


def stream_key(seed):
    """Return the 64-bit key of a call's random streams, from a seed of any size."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
