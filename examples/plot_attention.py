# SPDX-License-Identifier: Apache-2.0
"""
Attention to few keys
=====================

Swap the attention of a trained encoder for QAMA, and fine-tune it.

The task is associative recall: 15 pairs of a key and a value, then a key whose value
is wanted. Softmax attention learns it; then one line puts QAMA in its place, with the
trained weights, and a few steps adapt them. A mask for each query loses nothing. One
mask a head for all queries has to guess what will be asked; the same mask without joint
terms, which is top-k and needs no annealer, is the control of the Ising problem.
"""

import os

# Before torch: matrices as small as these are fastest on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy

from qestim.nn import QAMA
from qestim.plotting import AttentionDisplay

KEYS, VALUES, PAIRS, WIDTH, HEADS = 24, 8, 15, 32, 4


class Recaller(torch.nn.Module):
    """One encoder layer over pairs and a question; the answer is read at the question.

    Parameters
    ----------
    attention : torch.nn.Module
        Attention with the interface of `torch.nn.MultiheadAttention`.
    """

    def __init__(self, attention):
        super().__init__()
        self.key = torch.nn.Embedding(KEYS, WIDTH)
        self.value = torch.nn.Embedding(VALUES + 1, WIDTH)
        self.layer = torch.nn.TransformerEncoderLayer(
            WIDTH, HEADS, 64, dropout=0.0, batch_first=True
        )
        self.layer.self_attn = attention
        self.out = torch.nn.Linear(WIDTH, VALUES)

    def forward(self, keys, values):
        """Return logits (B, VALUES) of int64 keys and values (B, PAIRS + 1)."""
        x = self.key(keys) + self.value(values)
        return self.out(self.layer(x)[:, -1])


def batch(size, generator):
    """Return keys, values (the last one unknown) and the wanted values."""
    keys = torch.rand(size, KEYS, generator=generator).argsort(1)[:, :PAIRS]
    values = torch.randint(VALUES, (size, PAIRS), generator=generator)
    asked = torch.randint(PAIRS, (size, 1), generator=generator)
    unknown = torch.full((size, 1), VALUES)
    return (
        torch.cat([keys, keys.gather(1, asked)], 1),
        torch.cat([values, unknown], 1),
        values.gather(1, asked)[:, 0],
    )


def train(model, steps, rate):
    """Train with a one-cycle schedule."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    for _ in range(steps):
        keys, values, wanted = batch(128, generator)
        optimizer.zero_grad()
        cross_entropy(model(keys, values), wanted).backward()
        optimizer.step()
        cycle.step()


@torch.no_grad()
def accuracy(model):
    """Return the share of right answers among 2,000."""
    keys, values, wanted = batch(2000, torch.Generator().manual_seed(2))
    return (model(keys, values).argmax(1) == wanted).double().mean().item()


torch.manual_seed(0)
model = Recaller(torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True))
train(model, 700, 8e-3)
print(f"softmax attention: {accuracy(model):.3f}")
trained = model.state_dict()

variants = {
    "per_query, k = 4": {"k": 4},
    "shared, k = 8, top-k": {
        "k": 8,
        "mode": "shared",
        "redundancy": 0,
        "cross_head": 0,
    },
    "shared, k = 8, Ising": {"k": 8, "mode": "shared"},
}
adapted = {}
for name, options in variants.items():
    attention = QAMA(WIDTH, HEADS, batch_first=True, **options)
    adapted[name] = Recaller(attention)
    adapted[name].load_state_dict(trained)
    before = accuracy(adapted[name])
    train(adapted[name], 250, 4e-3)
    after = accuracy(adapted[name])
    print(f"{name}: swapped in {before:.3f}, fine-tuned {after:.3f}")

# %%
# Dots are keys that a head keeps for every query. The joint terms of the last picture
# keep its heads apart.
keys, values, _ = batch(1, torch.Generator().manual_seed(3))
figure, axes = plt.subplots(3, 1, layout="constrained", figsize=(7, 7))
for ax, (name, recaller) in zip(axes, adapted.items(), strict=True):
    with torch.no_grad():
        x = (recaller.key(keys) + recaller.value(values))[0]
    labels = [f"{a}:{b}" for a, b in torch.stack([keys[0], values[0]], 1)[:-1]]
    attention = recaller.layer.self_attn
    display = AttentionDisplay.from_layer(attention, x, labels=[*labels, "?"])
    display.plot(ax=ax)
    ax.set_title(name)
plt.show()
