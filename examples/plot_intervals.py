# SPDX-License-Identifier: Apache-2.0
"""
Intervals through a network
===========================

What forward interval propagation knows of one sample before any weight is chosen: the
lattice points that each layer's pre-activation can reach, the pieces of the activation
that are left, and the bits that mark them.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from qestim.qubo import FIPProblem

# %%
# One sample, two hidden layers of tanh staircases, weights of one bit.
problem = FIPProblem(
    [[3, -2, 1]],
    [1.0],
    (3, 2),
    activation="tanh",
    pieces=5,
    degree=0,
    bias=False,
    weight_scale=[0.4, 0.7, 1.0],
    activation_step=0.25,
)
layers = problem.layers
report = problem.size_report()

figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout="constrained")
for layer, (reach, axis) in enumerate(zip(layers.reaches, axes, strict=True)):
    points = np.arange(reach.low, reach.high + 1, reach.gap)
    unit = layers.units[layer]
    if layer < len(layers.tables):
        table = layers.tables[layer]
        curve = np.linspace(reach.low, reach.high, 400)
        axis.plot(unit * curve, table.spline.true(unit * curve), color="0.7")
        axis.plot(unit * points, table.step * table(points), "o", ms=4, color="C0")
        for start in table.starts[1:]:
            axis.axvline(unit * start, color="C1", lw=0.8, ls="--")
        used = len(table.ends(reach)[0])
        title = f"hidden layer {layer + 1}: {used} pieces"
    else:
        axis.plot(unit * points, 0 * points, "|", ms=12, color="C0")
        title = "output"
    axis.set_title(f"{title}\n{report.layer_bits[layer]} bits", fontsize=10)
    axis.set_xlabel(f"pre-activation, {len(points)} lattice points")
axes[0].set_ylabel("activation")
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1])

# %%
# No network leaves the intervals, and some network reaches their ends.
rng = np.random.default_rng(0)
levels = layers.code.levels
outputs = [
    layers.forward(
        problem.X, [rng.choice(levels, layers.shape(k)) for k in range(3)]
    ).item()
    for _ in range(2000)
]
assert (min(outputs), max(outputs)) == (layers.reaches[2].low, layers.reaches[2].high)
