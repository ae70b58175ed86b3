# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from qestim import _native


@pytest.fixture
def soon():
    """Seconds within which a stopped call must be back: one, more without kernels.

    On a machine with more to do than cores everybody waits for a turn.
    """
    alone = 1.0 if _native.kernel_name != "numpy" else 6.0
    busy = os.getloadavg()[0] / os.cpu_count() if hasattr(os, "getloadavg") else 1.0
    return alone * max(1.0, busy)
