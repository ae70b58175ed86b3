# SPDX-License-Identifier: Apache-2.0
"""
Amplitudes of a coherent Ising machine as they bifurcate
========================================================

The same spin glass on two machines. ``python examples/plot_amplitudes.py FILE`` writes
the picture of docs/guide/samplers.md.
"""

import io
import sys

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from qestim.plotting import TrajectoryDisplay
from qestim.samplers import CIMSampler

TITLES = {
    "mean_field": "mean field: the lowest mode grows first",
    "cac": "chaotic amplitude control: amplitudes kept equal",
}


def glass(n, seed):
    """Draw couplings of +1 and -1 between all pairs."""
    upper = np.triu(np.random.default_rng(seed).choice([-1.0, 1.0], (n, n)), 1)
    return upper + upper.T


J = glass(40, seed=1)
figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
for panel, (model, title) in zip(panels, TITLES.items(), strict=True):
    sampler = CIMSampler(model=model, num_steps=500, return_trajectory=True, seed=4)
    reads = sampler.sample_arrays(J)
    (amplitudes,) = reads.record.trajectory
    steps, info = np.array(reads.info["trajectory_steps"]), reads.info
    times = steps * info["dt"]
    part = np.minimum(steps / (sampler.ramp * sampler.num_steps), 1)
    first, last = info["pump"]
    TrajectoryDisplay.from_arrays(
        amplitudes, pump=first + (last - first) * part, times=times
    ).plot(panel)
    panel.set_title(title, fontsize=10, pad=26)
    panel.set_xlabel("time (photon lifetimes)")
if len(sys.argv) > 1:
    # 32 colours are enough for lines, and keep the file small.
    picture = io.BytesIO()
    figure.savefig(picture, dpi=80)
    Image.open(picture).convert("RGB").quantize(32).save(sys.argv[1], optimize=True)
plt.show()
