# SPDX-License-Identifier: Apache-2.0
"""
A Boltzmann machine in your own torch loop
==========================================
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

from qestim.nn import BoltzmannMachine, spin_entropy, straight_through_spins
from qestim.samplers import BoltzmannSampler

noise = torch.manual_seed(0)
pixels = torch.tensor(load_digits().data[:500] > 7).float() * 2 - 1
encoder, decoder = torch.nn.Linear(64, 24), torch.nn.Linear(24, 64)  # your modules
machine = BoltzmannMachine(24, "full")
sampler = BoltzmannSampler(num_reads=128, log_z=False)
networks = torch.nn.ModuleList([encoder, decoder, machine])
optimizer = torch.optim.Adam(networks.parameters(), 5e-3)
for step in range(200):
    logits = encoder(pixels)
    spins = straight_through_spins(logits, generator=noise)
    loss = torch.nn.functional.soft_margin_loss(decoder(spins), pixels) * 64
    h, J = machine.to_arrays()
    reads = torch.tensor(sampler.sample_arrays(J, h, seed=step).record.sample).float()
    divergence = machine.energy(torch.tanh(logits / 2)) - spin_entropy(logits)
    optimizer.zero_grad()
    (loss + divergence.mean() - machine.energy(reads).mean()).backward()
    optimizer.step()

# %%
# Eight draws of the machine, decoded.
figure, axes = plt.subplots(1, 8, figsize=(8, 1.2), layout="constrained")
for axis, image in zip(axes, decoder(reads[:8]).detach(), strict=True):
    axis.imshow(image.reshape(8, 8), cmap="gray")
    axis.set_axis_off()
plt.show()
