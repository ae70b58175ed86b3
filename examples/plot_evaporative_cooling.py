# SPDX-License-Identifier: Apache-2.0
"""
Cooling a cloud of rubidium: the machine designs the ramp
=========================================================

Eight parameters of an evaporation ramp, a noisy score, and 72 runs of a simulated
laboratory, four at a time. Beside it the best of as many random ramps, and a ramp of
constant rate, the textbook's choice. Takes about ten seconds.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from matplotlib import pyplot as plt

from qestim import ExperimentOptimizer
from qestim.datasets import EvaporativeCooling
from qestim.plotting import ExperimentDisplay

RUNS, BATCH = 72, 4
cooling, noise = EvaporativeCooling(), np.random.default_rng(0)
optimizer = ExperimentOptimizer(cooling.space, random_state=0)
while len(optimizer.y_) < RUNS:
    for x in optimizer.ask(BATCH):
        optimizer.tell(x, cooling.measure(x, noise))
best = optimizer.best_.x
print(f"found: score {cooling.score(best):.3f} after {len(optimizer.y_)} runs")

low, high = np.array([bounds[:2] for bounds in cooling.space.values()]).T
draws = np.random.default_rng(1).random((RUNS, len(low)))
ramps = low + draws * (high - low)
ramps[:, -1] = 20.0 ** draws[:, -1]  # the duration is logarithmic
by_chance = max(ramps, key=cooling.score)

# One rate, as long and as deep as a scan finds best.
scan = [[cut] * 7 + [t] for cut in np.linspace(0.1, 1.6, 12) for t in (3, 6, 10, 15)]
constant = max(scan, key=cooling.score)

names = {"found": best, "constant rate": constant, "random": by_chance}
scores = {name: cooling.score(x) for name, x in names.items()}
print({name: round(score, 3) for name, score in scores.items()})
assert scores["found"] > max(scores["constant rate"], scores["random"])

# %%
# The ramps, the way of the gas, the progress, and what was learned.
names["best known"] = [1.432, 1.182, 0.898, 0.736, 0.614, 0.501, 0.0, 11.22]
figure, axes = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
for name, x in names.items():
    run = cooling.simulate(x)
    label = f"{name}: {10 ** cooling.score(x):.0f}"
    axes[0, 0].semilogy(run.time, 1e6 * run.depth, label=label)
    axes[0, 1].loglog(run.atoms, run.phase_space_density)
axes[0, 0].set(xlabel="time (s)", ylabel="trap depth (µK)")
axes[0, 0].legend(title="atoms, discounted")
axes[0, 1].set(xlabel="atoms", ylabel="phase-space density")
axes[0, 1].invert_xaxis()
display = ExperimentDisplay.from_optimizer(optimizer)
display.plot(axes[1, 0])
display.plot(axes[1, 1], kind="landscape")
axes[1, 0].set(ylim=(2.5, None), ylabel="score (decades)")
plt.show()
