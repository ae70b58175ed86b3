# SPDX-License-Identifier: Apache-2.0
"""Attention with chosen keys: per query, shared by all queries, or sparsemax."""

import math

import torch
from torch.nn.functional import dropout

from qestim.nn._attention_gradients import (
    CovarianceGate,
    GatedSoftmax,
    Sparsemax,
    StraightThroughGate,
)
from qestim.nn._attention_relevance import (
    as_float,
    gate_margin,
    gather_keys,
    mean_relevance,
    unit_keys,
)
from qestim.nn._attention_sampler import sample_keys
from qestim.nn._attention_select import select_keys

# Reads of a sampler, starts of the native solver, and the bits a sample from which
# there are fewer starts.
READS, STARTS, BITS = 10, 8, 4096


def attention_scores(q, k, bias):
    """Return scaled products of queries and keys plus a bias, at least in float32."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return as_float(scores if bias is None else scores + bias)


def attend_shared(module, q, k, v, pad, same, need_weights):
    """Attend with one mask a head, reading the kept keys only.

    Parameters
    ----------
    module : QAMA
        Whose parameters count.
    q : tensor of shape (B, H, L, d)
        Queries.
    k, v : tensor of shape (B, H, S, d)
        Keys and values.
    pad : tensor of shape (B, 1, 1, S), or None
        Added to the scores.
    same : bool
        Whether queries and keys are the same tokens.
    need_weights : bool
        Whether to return the weights, which are not linear in the length.

    Returns
    -------
    out : tensor of shape (B, H, L, d)
        Attended values.
    weights : tensor of shape (B, H, L, S), or None
        0 for keys that were not kept.
    """
    size = k.shape[2]
    relevance = mean_relevance(q, k, pad, same)
    chosen, marginal, gate = _select(module, relevance, k, centre=True)
    # Beside the kept keys, those that come next: their gates have gradients too.
    rest = 0 if gate is None else size - module.k
    if module.grad == "ste":
        rest = min(rest, module.k)
    # Chosen keys come behind forbidden ones, so that none is in both parts.
    others = marginal.clamp_min(torch.finfo(marginal.dtype).min)
    after = others.scatter(-1, chosen, -float("inf")).topk(rest, -1).indices
    indices = torch.cat([chosen, after], -1)
    kept = torch.arange(module.k + rest, device=q.device) < module.k
    keys, values = (gather_keys(t, indices.squeeze(2)) for t in (k, v))
    hidden = None if pad is None else pad.expand_as(relevance).gather(-1, indices)
    scores = attention_scores(q, keys, hidden)
    gate = None if gate is None else gate.gather(-1, indices)
    weights = GatedSoftmax.apply(scores, gate, kept)
    weights = dropout(weights, module.dropout, module.training)
    out = weights.to(values.dtype) @ values
    if not need_weights:
        return out, None
    wide = indices.expand(*weights.shape[:-1], -1)
    return out, weights.new_zeros(*q.shape[:3], size).scatter(-1, wide, weights)


def attend_per_query(module, q, k, v, bias):
    """Attend with a mask for each query.

    Parameters
    ----------
    module : QAMA
        Whose parameters count.
    q : tensor of shape (B, H, L, d)
        Queries.
    k, v : tensor of shape (B, H, S, d)
        Keys and values.
    bias : tensor broadcastable to (B, H, L, S), or None
        Added to the scores.

    Returns
    -------
    out : tensor of shape (B, H, L, d)
        Attended values.
    weights : tensor of shape (B, H, L, S)
        0 for keys that were not kept.
    """
    scores = attention_scores(q, k, bias)
    if module.mode == "sparsemax":
        weights = Sparsemax.apply(scores)
    elif module.k == k.shape[2]:
        everything = torch.ones((), dtype=torch.bool, device=scores.device)
        weights = GatedSoftmax.apply(scores, None, everything)
    else:
        # The mean of the keys would tell a query about keys that it may not see.
        indices, _, gate = _select(module, scores, k, centre=False)
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, indices, True)
        weights = GatedSoftmax.apply(scores, gate, kept)
    weights = dropout(weights, module.dropout, module.training)
    return weights.to(v.dtype) @ v, weights


def _select(module, relevance, keys, centre):
    """Return the keys to keep, the marginals and the gates.

    ``relevance`` and the last two have shape (B, H, Q, S), the first (B, H, Q, k).
    """
    fixed, reads = relevance.detach(), None
    joint = float(module.redundancy), float(module.cross_head)
    if module.sampler is not None:
        unit = unit_keys(keys, fixed, centre)
        indices, marginal, reads = sample_keys(
            module.sampler, module.num_reads or READS, fixed, unit, module.k, *joint
        )
    elif any(joint):
        unit = unit_keys(keys, fixed, centre)
        bits = max(math.prod(fixed.shape[1:]), 1)
        starts = module.num_reads or min(max(BITS // bits, 1), STARTS)
        indices, marginal = select_keys(fixed, unit, module.k, *joint, starts)
    else:
        indices, marginal = fixed.topk(module.k, -1, sorted=False).indices, fixed
    if module.grad == "none" or not torch.is_grad_enabled():
        gate = None
    elif module.grad == "ste":
        margin = gate_margin(marginal, module.k)
        gate = StraightThroughGate.apply(relevance, margin, module.temperature)
    else:
        beta, across = module.sampler.beta, module.cross_head > 0
        gate = CovarianceGate.apply(relevance, reads, beta, across)
    return indices, marginal, gate
