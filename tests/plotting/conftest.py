# SPDX-License-Identifier: Apache-2.0
import pytest


@pytest.fixture
def plt():
    """Give matplotlib's pyplot without a screen; what was drawn is closed again."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def ax(plt):
    """Give new axes."""
    return plt.subplots()[1]
