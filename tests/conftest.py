# SPDX-License-Identifier: Apache-2.0
import pytest

from qestim import _native


@pytest.fixture
def soon():
    """Seconds within which a stopped call must be back: one, more without kernels."""
    return 1.0 if _native.kernel_name != "numpy" else 6.0
