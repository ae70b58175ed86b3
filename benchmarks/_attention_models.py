# SPDX-License-Identifier: Apache-2.0
"""One attention layer that reads an answer at the asking token, and its training."""

import torch
from torch import nn

# Training ends where the loss over so many steps is below this: nothing is left.
WINDOW, DONE = 50, 0.005


class Reader(nn.Module):
    """Tokens, one attention layer with a residual, a small network at token 0."""

    read_only_first = False

    def __init__(self, task, make_attention):
        super().__init__()
        self.tokens = task.tokens()
        self.norm = nn.LayerNorm(task.width)
        self.attention = make_attention(task.width, task.heads)
        self.head = nn.Sequential(
            nn.LayerNorm(task.width),
            nn.Linear(task.width, 2 * task.width),
            nn.GELU(),
            nn.Linear(2 * task.width, task.CLASSES),
        )

    def forward(self, inputs):
        tokens, padding = self.tokens(inputs)
        x = self.norm(tokens)
        query = x[:, :1] if self.read_only_first else x
        mixed, _ = self.attention(
            query, x, x, key_padding_mask=padding, need_weights=False
        )
        return self.head(tokens[:, 0] + mixed[:, 0])


def train(task, make_attention, seed, steps=None, weights=None, rate=None):
    """Train with AdamW on a one-cycle rate; return the model.

    ``weights`` are those of another model to start from.
    """
    steps, rate = steps or task.steps, rate or task.rate
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Reader(task, make_attention)
        if weights is not None:
            model.load_state_dict(weights)
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=steps
        )
        generator = torch.Generator().manual_seed(seed)
        losses = []
        for _ in range(steps):
            inputs, labels = task.draw(task.batch, generator)
            loss = nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if len(losses) >= WINDOW and sum(losses[-WINDOW:]) < WINDOW * DONE:
                break
    return model.eval()


@torch.no_grad()
def accuracy(model, task, size, rows=500):
    """Return the share of right answers on the fixed test cases."""
    inputs, labels = task.test(size)
    right = 0
    for part in torch.arange(len(labels)).split(rows):
        right += (model(take(inputs, part)).argmax(-1) == labels[part]).sum().item()
    return right / len(labels)


def take(inputs, rows):
    """Return some cases of a batch of inputs, a tensor or a tuple of them."""
    if isinstance(inputs, tuple):
        return tuple(part[rows] for part in inputs)
    return inputs[rows]
