# SPDX-License-Identifier: Apache-2.0
"""
What a Boltzmann machine sees in digits
=======================================

A restricted machine of 64 pixels and 36 hidden spins, fitted without labels. Each panel
on the left is what one hidden spin looks for; on the right are draws from the law. How
likely the machine holds a digit is known to the width of a bracket around log Z.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from qestim import BoltzmannMachineTransformer

X = (load_digits().data[:1000] > 7).astype(float)
machine = BoltzmannMachineTransformer(
    36, visible="binary", max_iter=20, random_state=0
).fit(X)
share = X.mean(0).clip(0.01, 0.99)
alone = (X * np.log(share) + (1 - X) * np.log(1 - share)).sum(1).mean()
print(f"log-likelihood of a digit: {machine.score(X):.1f} nats")
print(f"with independent pixels:   {alone:.1f} nats")
print(f"width of the bracket of log Z: {machine.log_partition_.width:.3f} nats")
assert machine.score(X) > alone + 3

# %%
# A coupling is negative where pixel and hidden spin go together: energies are dimod's.
_, J = machine.machine_.to_arrays()
seen = -J[:64, 64:].T
panels = {"what 36 hidden spins look for": seen, "36 draws": machine.sample(36)}
figure, axes = plt.subplots(1, 2, figsize=(7, 3.7), layout="constrained")
for axis, (title, images) in zip(axes, panels.items(), strict=True):
    tiles = np.pad(
        images.reshape(6, 6, 8, 8), ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=0
    )
    axis.imshow(tiles.transpose(0, 2, 1, 3).reshape(54, 54), cmap="gray")
    axis.set_title(title)
    axis.set_axis_off()
plt.show()
