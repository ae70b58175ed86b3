# SPDX-License-Identifier: Apache-2.0
"""Other ways to attend, each a substitute for nn.MultiheadAttention, batch first.

Controls (uniform weights, a random mask), the classical rivals of a selection (top-k,
sparsemax) and the published operator, written from the description of its released code
in docs/guide/attention.md. They read scores of shape (B, H, L, N) and return weights of
that shape; ``allowed`` is a boolean mask that broadcasts to it.
"""

import torch
from torch import nn


class Attention(nn.MultiheadAttention):
    """Scaled dot products; a subclass says what becomes of them in ``weigh``."""

    def __init__(self, embed_dim, num_heads, *, k=None, seed=0):
        super().__init__(embed_dim, num_heads, batch_first=True)
        self.k = k
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=False):
        q, k, v = (
            x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for x in self._project(query, key, value)
        )
        batch, n = key.shape[:2]
        allowed = torch.ones(batch, 1, 1, n, dtype=torch.bool)
        if key_padding_mask is not None:
            allowed = ~key_padding_mask[:, None, None, :]
        mixed, weights = self.attend(q, k, v, allowed)
        return self.out_proj(mixed.transpose(1, 2).flatten(-2)), weights

    def _project(self, *inputs):
        parts = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        return [
            nn.functional.linear(x, weight, bias)
            for x, weight, bias in zip(inputs, *parts, strict=True)
        ]

    def attend(self, q, k, v, allowed):
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        weights = self.weigh(scores, allowed)
        return weights @ v, weights

    def weigh(self, scores, allowed):
        return scores.masked_fill(~allowed, -torch.inf).softmax(-1)


class Uniform(Attention):
    """The same weight for every key: a bag of values."""

    def weigh(self, scores, allowed):
        return (allowed / allowed.sum(-1, keepdim=True)).expand_as(scores)


class RandomMask(Attention):
    """Softmax over k keys drawn anew for every query and head."""

    def weigh(self, scores, allowed):
        noise = torch.rand(scores.shape, generator=self.generator)
        return super().weigh(scores, top(noise, self.k, allowed))


class TopK(Attention):
    """Softmax over the k best keys of every query."""

    def weigh(self, scores, allowed):
        return super().weigh(scores, top(scores, self.k, allowed))


class Sparsemax(Attention):
    """Projection of the scores to the simplex: Martins and Astudillo (2016)."""

    def weigh(self, scores, allowed):
        # Far enough below every other score to get no weight, and still a number.
        z = scores.masked_fill(~allowed, -1e6)
        ranked = z.detach().sort(-1, descending=True).values
        rank = torch.arange(1, z.shape[-1] + 1)
        size = (1 + rank * ranked > ranked.cumsum(-1)).sum(-1, keepdim=True)
        support = z >= ranked.gather(-1, size - 1)
        threshold = (z.where(support, 0).sum(-1, keepdim=True) - 1) / support.sum(
            -1, keepdim=True
        )
        return (z - threshold).clamp(min=0)


class Published(Attention):
    """The released operator: one level in [0, 1] a token and head, no weighted sum.

    Levels of 4 bits minimise E = -w J w - h w + P sum_r x_r x'_r by coordinate descent
    over whole levels, which replaces its annealing; gradients treat them as constant.
    """

    BITS, PENALTY, SWEEPS = 4, 2.0, 2

    def __init__(self, embed_dim, num_heads, **settings):
        super().__init__(embed_dim, num_heads, **settings)
        self.norm_pairs = nn.BatchNorm1d(num_heads)
        self.norm_linear = nn.BatchNorm1d(num_heads)
        self.norm_out = nn.BatchNorm2d(num_heads)

    def attend(self, q, k, v, allowed):
        coupling = divergence(q.softmax(-1), k.softmax(-1))  # (B, H, N, N)
        n = coupling.shape[-1]
        off = ~torch.eye(n, dtype=torch.bool)
        normed = torch.empty_like(coupling)
        normed[..., ~off] = coupling[..., ~off]
        normed[..., off] = self.norm_pairs(coupling[..., off])
        share = (v / v.sum(-1, keepdim=True)).clamp(1e-6, 1)
        entropy = -share * share.log2()
        linear = self.norm_linear(entropy.sum(-1))
        with torch.no_grad():
            level = self.levels(normed, linear)
        energy = -((normed @ level[..., None])[..., 0] * level) - linear * level
        out = self.norm_out(-energy[..., None] * entropy / linear[..., None])
        return out, level[:, :, None].expand(-1, -1, n, -1)

    def levels(self, coupling, linear):
        batch, heads, n = linear.shape
        pattern = torch.arange(2**self.BITS)
        bits = (pattern[:, None] >> torch.arange(self.BITS) & 1).float()
        value = pattern / (2**self.BITS - 1)
        symmetric = coupling + coupling.transpose(-1, -2)
        own = coupling.diagonal(dim1=-2, dim2=-1)
        weight = self.PENALTY / (heads * (heads - 1) / 2)
        chosen = torch.full((batch, heads, n), 2**self.BITS - 1)
        for _ in range(self.SWEEPS):
            for h in range(heads):
                for i in range(n):
                    w = value[chosen[:, h]]
                    field = (symmetric[:, h, i] * w).sum(-1) + linear[:, h, i]
                    field -= 2 * own[:, h, i] * w[:, i]
                    shared = bits[chosen[:, :, i]].sum(1) - bits[chosen[:, h, i]]
                    energy = weight * shared @ bits.T - field[:, None] * value
                    energy -= own[:, h, i, None] * value**2
                    chosen[:, h, i] = energy.argmin(-1)
        return value[chosen]


def top(scores, k, allowed):
    """Mark the k largest allowed scores of every row, or all where there are fewer."""
    scores = scores.masked_fill(~allowed, -torch.inf)
    index = scores.topk(min(k, scores.shape[-1])).indices
    chosen = torch.zeros(scores.shape, dtype=torch.bool).scatter(-1, index, True)
    return chosen & allowed


def divergence(p, q):
    """Jensen-Shannon divergence in bits of every row of p and q: (..., N, N)."""
    p, q = p[..., :, None, :], q[..., None, :, :]
    middle = (p + q) / 2
    return ((p * (p / middle).log2()) + (q * (q / middle).log2())).sum(-1) / 2
