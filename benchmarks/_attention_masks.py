# SPDX-License-Identifier: Apache-2.0
"""What the masks of a trained encoder show, with each joint term on and off.

The weights are those of the softmax encoder on cluttered Fashion-MNIST, loaded into
QAMA as they are; differences are paired over the seeds of the encoder.
"""

import numpy as np
import torch
from _attention_accuracy import MHA, trained
from _attention_tasks import CLUTTER
from _paired import plus_minus

from qestim.nn import QAMA

KEEP, DELETE = 4, 2
TERMS = {
    "none": (0.0, 0.0),
    "redundancy": (3.0, 0.0),
    "cross-head": (0.0, 3.0),
    "both": (3.0, 3.0),
}
PER_QUERY = "per_query"


def masks(model, inputs, k, name):
    """Return the keys kept for the asking token, bool (B, H, N), and centred keys."""
    task, old = CLUTTER, model.attention
    settings = {"mode": "per_query"}
    if name != PER_QUERY:
        redundancy, cross_head = TERMS[name]
        settings = {
            "mode": "shared",
            "redundancy": redundancy,
            "cross_head": cross_head,
        }
    layer = QAMA(task.width, task.heads, batch_first=True, k=k, **settings).eval()
    layer.load_state_dict(old.state_dict())
    x = model.norm(model.tokens(inputs)[0])
    _, weights = layer(x, x, x, average_attn_weights=False)
    parts = torch.nn.functional.linear(x, old.in_proj_weight, old.in_proj_bias)
    keys = parts.chunk(3, -1)[1].unflatten(-1, (task.heads, -1)).transpose(1, 2)
    return weights[:, :, 0] > 0, keys - keys.mean(2, keepdim=True)


def shape_of(kept, keys):
    """Return overlap of heads, coverage of keys, similarity inside a head."""
    kept = kept.float()
    both = torch.einsum("bhn,bgn->bhg", kept, kept)
    size = kept.sum(-1)
    jaccard = both / (size[:, :, None] + size[:, None] - both)
    heads = kept.shape[1]
    off = ~torch.eye(heads, dtype=torch.bool)
    unit = torch.nn.functional.normalize(keys, dim=-1) * kept[..., None]
    total = unit.sum(2).square().sum(-1) - size
    return {
        "overlap": jaccard[:, off].mean().item(),
        "coverage": (kept.amax(1)).mean().item(),
        "similarity": (total / (size * (size - 1))).mean().item(),
    }


def deleted_accuracy(model, inputs, labels, gone):
    """Return the accuracy of softmax attention that may not see some keys."""
    tokens, _ = model.tokens(inputs)
    x = model.norm(tokens)
    mixed, _ = model.attention(x[:, :1], x, x, key_padding_mask=gone)
    answer = model.head(tokens[:, 0] + mixed[:, 0]).argmax(-1)
    return (answer == labels).float().mean().item()


@torch.no_grad()
def figures(model, seed, cases):
    """Return {selection: {measure: value}} of one encoder."""
    inputs, labels = CLUTTER.test(cases)
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name in (PER_QUERY, *TERMS):
        found[name] = shape_of(*masks(model, inputs, KEEP, name))
        gone = masks(model, inputs, DELETE, name)[0].any(1)
        # As many keys of each case, drawn at random.
        noise = torch.rand(gone.shape, generator=generator).argsort(-1).argsort(-1)
        random = noise < gone.sum(-1, keepdim=True)
        found[name]["deleted"] = gone.float().sum(-1).mean().item()
        for what, mask in (("its keys", gone), ("random keys", random)):
            found[name][what] = deleted_accuracy(model, inputs, labels, mask)
    return found


def run(quick):
    seeds, steps, cases = (2, 10, 200) if quick else (5, None, 2000)
    each = []
    for seed in range(seeds):
        model = trained(CLUTTER, MHA, None, seed, steps)[0]
        each.append(figures(model, seed, cases))

    def values(name, measure):
        return np.array([found[name][measure] for found in each])

    def change(name, measure):
        return plus_minus(values(name, measure) - values("none", measure))

    rows = []
    for name in (PER_QUERY, *TERMS):
        row = {"mask": name if name == PER_QUERY else f"shared, joint terms: {name}"}
        for measure in ("overlap", "coverage", "similarity"):
            row[measure] = float(values(name, measure).mean())
            row[f"{measure}, change [95 %]"] = (
                "" if name in (PER_QUERY, "none") else change(name, measure)
            )
        row["keys deleted"] = float(values(name, "deleted").mean())
        for measure in ("its keys", "random keys"):
            row[f"accuracy % without {measure}"] = 100 * float(
                values(name, measure).mean()
            )
        gap = 100 * (values(name, "its keys") - values(name, "random keys"))
        row["difference, points [95 %]"] = plus_minus(gap, 2)
        rows.append(row)
    return {"rows": rows}
