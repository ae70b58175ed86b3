# SPDX-License-Identifier: Apache-2.0
"""
What a machine's bits, noise and reading errors do to a spin glass
==================================================================

The same 60-spin glass on emulated machines: each panel changes one thing. The distance
is that of the mean read from the best energy known, in percent of it.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from qestim.exceptions import PrecisionWarning
from qestim.samplers import (
    CIMEmulatorBackend,
    HardwareSampler,
    SimulatedAnnealingSampler,
)

# Few bits warn of what this example shows.
warnings.simplefilter("ignore", PrecisionWarning)

n = 60
rng = np.random.default_rng(0)
J = np.triu(rng.standard_normal((n, n)) ** 3, 1)  # a wide range of couplings
J = J + J.T
best = SimulatedAnnealingSampler(num_reads=50, seed=0).sample_arrays(J)
ground = best.first.energy


def distance(**machine):
    """Return how far the mean read of an emulated machine is above the best."""
    backend = CIMEmulatorBackend(**{"bits": 8, "noise": 0.2, **machine})
    reads = HardwareSampler(backend, num_reads=300, seed=1).sample_arrays(J)
    return 100 * (1 - reads.record.energy.mean() / ground)


panels = {
    "bits": ("bits of a coupling", (2, 3, 4, 6, 8, 14)),
    "noise": ("noise of the amplitudes", (0.1, 0.3, 0.6, 1.0, 1.5, 2.0)),
    "read_noise": ("share of spins read wrongly", (0.0, 0.01, 0.02, 0.05, 0.1)),
}
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4), sharey=True, layout="constrained")
found = {}
for axis, (name, (label, values)) in zip(axes, panels.items(), strict=True):
    found[name] = [distance(**{name: value}) for value in values]
    axis.plot(values, found[name], "o-")
    axis.set_xlabel(label)
axes[0].set_ylabel("mean energy above the best (%)")

# Eight bits are enough here, three are not, and every misread spin costs.
assert abs(found["bits"][4] - found["bits"][5]) < 2
assert found["bits"][1] > found["bits"][5] + 2
assert found["read_noise"][-1] > found["read_noise"][0] + 10
plt.show()
