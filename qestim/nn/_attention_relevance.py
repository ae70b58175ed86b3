# SPDX-License-Identifier: Apache-2.0
"""What a mask is chosen by: relevance, similarity of keys, margins of the gates."""

import torch
from torch.nn.functional import normalize

INF = float("inf")


def as_float(tensor):
    """Return a tensor of at least single precision."""
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if half else tensor


def mean_relevance(q, k, pad, same):
    r"""Return how well keys serve the mean query, without a score for each pair.

    :math:`a_{hj} = \bar q_h \cdot k_{hj}`, standardised over the keys of a head.

    Parameters
    ----------
    q : tensor of shape (B, H, L, d)
        Queries.
    k : tensor of shape (B, H, S, d)
        Keys.
    pad : tensor of shape (B, 1, 1, S), or None
        Added to the relevance; -inf leaves a key out.
    same : bool
        Whether queries and keys are the same tokens, so that padding is on both.

    Returns
    -------
    relevance : tensor of shape (B, H, 1, S)
        Dimensionless, of mean 0 and variance 1 but for ``pad``.
    """
    q, k = as_float(q), as_float(k)
    length = q.shape[2]
    if pad is None:
        raw = q.mean(2, keepdim=True) @ k.transpose(-1, -2)
        deviation = raw - raw.mean(-1, keepdim=True)
        variance = deviation.square().mean(-1, keepdim=True)
        return deviation * (variance + torch.finfo(raw.dtype).eps).rsqrt()
    seen = (pad > -INF).to(q.dtype)
    count = seen.sum(-1, keepdim=True).clamp_min(1.0)
    if same:
        query = (seen[..., :length] @ q) / count
    else:
        query = q.mean(2, keepdim=True)
    raw = query @ k.transpose(-1, -2)
    deviation = (raw - (raw * seen).sum(-1, keepdim=True) / count) * seen
    variance = deviation.square().sum(-1, keepdim=True) / count
    relevance = deviation * (variance + torch.finfo(raw.dtype).eps).rsqrt()
    return relevance + pad


def unit_keys(keys, relevance, centre):
    """Return the directions of the keys.

    Parameters
    ----------
    keys : tensor of shape (B, H, S, d)
        Keys.
    relevance : tensor of shape (B, H, Q, S)
        Gives the dtype; keys that are -inf to every problem are not in the mean.
    centre : bool
        Whether to take directions around the mean of the keys. The mean changes no
        softmax, so it should have no say in their similarity.

    Returns
    -------
    unit : tensor of shape (B, H, S, d), without gradient
        Of length 1, or 0 for a key of length 0.
    """
    keys = keys.detach().to(relevance.dtype)
    if centre:
        seen = (relevance > -INF).any(2).to(keys.dtype).unsqueeze(-1)
        number = seen.sum(2, keepdim=True).clamp_min(1)
        keys = (keys - (keys * seen).sum(2, keepdim=True) / number) * seen
    return normalize(keys, dim=-1)


def gate_margin(marginal, k):
    """Return by how much keys are above the threshold between kept and rejected.

    Parameters
    ----------
    marginal : tensor of shape (B, H, Q, S)
        What each key adds; -inf where it is forbidden.
    k : int
        Keys to keep, fewer than S.

    Returns
    -------
    margin : tensor of shape (B, H, Q, S)
        Above the midpoint of the k-th and the next marginal; infinite where no
        allowed key is left out, so that there is nothing to choose.
    """
    around = marginal.topk(k + 1, -1).values[..., -2:]
    free = around[..., 1:] == -INF
    threshold = around.mean(-1, keepdim=True).masked_fill(free, 0.0)
    return (marginal - threshold).masked_fill(free, INF)


def gather_keys(tensor, indices):
    """Return the rows of some keys.

    Parameters
    ----------
    tensor : tensor of shape (B, H, S, d)
        A row a key.
    indices : tensor of int64 of shape (B, H, m)
        Keys.

    Returns
    -------
    rows : tensor of shape (B, H, m, d)
        Only they are read.
    """
    wide = indices.unsqueeze(-1).expand(-1, -1, -1, tensor.shape[-1])
    return tensor.gather(2, wide)
