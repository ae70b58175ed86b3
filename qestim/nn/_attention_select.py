# SPDX-License-Identifier: Apache-2.0
"""The native solver of the mask: greedy and best swaps over whole batches in torch."""

import torch

INF = float("inf")


@torch.library.custom_op("qestim::select_keys", mutates_args=())
def select_keys(
    relevance: torch.Tensor,
    unit: torch.Tensor,
    k: int,
    redundancy: float,
    cross_head: float,
    starts: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Choose k keys a head at a low energy, for a batch of problems.

    .. math:: E(x) = -\sum_{hj} a_{hj} x_{hj}
              + \frac{\lambda_r}{k-1} \sum_h \sum_{j<l} R^h_{jl} x_{hj} x_{hl}
              + \frac{\lambda_x}{H-1} \sum_j \sum_{h<h'} x_{hj} x_{h'j}

    with :math:`R^h_{jl} = \hat k_j \cdot \hat k_l`. Greedy choices are followed by the
    best swap of a chosen and a free key in each head, until no swap lowers the energy.
    Only rows of R that belong to chosen keys are ever computed.

    Parameters
    ----------
    relevance : tensor of shape (B, H, Q, S)
        The a of B * Q problems; -inf forbids a key.
    unit : tensor of shape (B, H, S, d)
        Unit keys; R is their Gram matrix.
    k : int
        Keys a head. With fewer allowed, forbidden ones fill up.
    redundancy, cross_head : float
        The two :math:`\lambda`, in the units of the relevance.
    starts : int
        Greedy choices from which to descend; all but the first see a relevance with
        noise, always the same. The lowest energy counts.

    Returns
    -------
    indices : tensor of int64 of shape (B, H, Q, k)
        The chosen keys.
    marginals : tensor of shape (B, H, Q, S)
        By how much the energy falls when a key enters, the others being as they are;
        -inf where it is forbidden.
    """
    heads = relevance.shape[1]
    pair = redundancy / max(k - 1, 1)
    cross = cross_head / max(heads - 1, 1)
    # Heads that do not see each other move at once, others one after the other.
    step = 1 if cross else heads
    blocks = [slice(h, h + step) for h in range(0, heads, step)]
    state = _State(relevance.repeat(1, 1, starts, 1), unit, k, pair, cross)
    noise = _noise(relevance, starts)
    state.field += noise
    for slot in range(k):
        for block in blocks:
            state.enter(block, slot)
    state.field -= noise
    while any([state.swap(block) for block in blocks]):
        pass
    if starts == 1:
        return state.chosen, state.marginals()
    parts = (relevance.shape[0], heads, starts, relevance.shape[2])
    best = state.energies().unflatten(1, parts[2:]).argmin(1)
    picked = []
    for tensor in (state.chosen, state.marginals()):
        index = best[:, None, None, :, None].expand(
            parts[0], heads, 1, parts[3], tensor.shape[-1]
        )
        picked.append(tensor.unflatten(2, parts[2:]).gather(2, index).squeeze(2))
    return picked[0], picked[1]


@select_keys.register_fake
def _(relevance, unit, k, redundancy, cross_head, starts):
    shape = (*relevance.shape[:-1], k)
    return relevance.new_empty(shape, dtype=torch.int64), torch.empty_like(relevance)


def _noise(relevance, starts):
    """Return what the starts add to the fields, of the size of their spread."""
    _, heads, _, size = relevance.shape
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(starts, heads, size, generator=generator)
    noise[0] = 0.0
    seen = torch.where(relevance > -INF, relevance, 0.0)
    deviation = seen - seen.mean(-1, keepdim=True)
    spread = deviation.square().mean(-1, keepdim=True).sqrt()
    noise = noise.to(relevance).transpose(0, 1)[None, :, :, None]
    return (noise * spread.unsqueeze(2)).flatten(2, 3)


class _State:
    """Masks under construction: their keys, the fields on all keys and rows of R."""

    def __init__(self, relevance, unit, k, pair, cross):
        self.relevance = relevance
        self.allowed = relevance > -INF
        self.field = torch.where(self.allowed, -relevance, 0.0)
        scale = self.field.abs().amax(-1).clamp_min(abs(pair) * k + abs(cross))
        # Below this a change is rounding.
        self.least = 64 * torch.finfo(relevance.dtype).eps * scale
        self.unit, self.pair, self.cross = unit, pair, cross
        shape = relevance.shape[:-1]
        self.chosen = relevance.new_zeros((*shape, k), dtype=torch.int64)
        self.mask = torch.zeros_like(self.allowed)
        self.rows = relevance.new_zeros((*shape, k, relevance.shape[-1]))

    def row(self, block, key):
        """Return the couplings of one key of each problem, without its own."""
        if not self.pair:
            return torch.zeros_like(self.field[:, block])
        unit = self.unit[:, block]
        index = key.unsqueeze(-1).expand(*key.shape, unit.shape[-1])
        row = self.pair * (unit.gather(2, index) @ unit.transpose(-1, -2))
        return row.scatter_(-1, key.unsqueeze(-1), 0.0)

    def put(self, block, slot, key, where):
        """Let a key enter a slot; ``where`` says in which problems."""
        row = self.row(block, key)
        index = slot.unsqueeze(-1)
        wide = index.unsqueeze(-1).expand(*index.shape, row.shape[-1])
        old = self.rows[:, block].gather(-2, wide).squeeze(-2)
        new = torch.where(where.unsqueeze(-1), row, old)
        self.field[:, block] += new - old
        self.rows[:, block].scatter_(-2, wide, new.unsqueeze(-2))
        now = torch.where(where, key, self.chosen[:, block].gather(-1, index)[..., 0])
        self.chosen[:, block].scatter_(-1, index, now.unsqueeze(-1))

    def mark(self, block, key, value, where):
        """Set bits of the mask, and the fields that the other heads feel."""
        index = key.unsqueeze(-1)
        old = self.mask[:, block].gather(-1, index)
        new = torch.where(where.unsqueeze(-1), value, old)
        self.mask[:, block].scatter_(-1, index, new)
        if self.cross:
            change = self.cross * (new.to(self.field) - old.to(self.field))
            everywhere = torch.zeros_like(self.field[:, block])
            everywhere.scatter_(-1, index, change)
            self.field += everywhere.sum(1, keepdim=True)
            self.field[:, block] -= everywhere

    def free_field(self, block):
        free = self.allowed[:, block] & ~self.mask[:, block]
        return self.field[:, block].masked_fill(~free, INF)

    def enter(self, block, slot):
        """Let the best free key of each head enter."""
        field = self.free_field(block)
        # Forbidden keys fill up, but none twice.
        field = torch.where(
            self.mask[:, block], INF, field.clamp_max(torch.finfo(field.dtype).max)
        )
        key = field.argmin(-1)
        everywhere = torch.ones_like(key, dtype=torch.bool)
        self.put(block, torch.full_like(key, slot), key, everywhere)
        self.mark(block, key, True, everywhere)

    def swap(self, block):
        """Make the best swap of each head; say whether there was any."""
        chosen = self.chosen[:, block]
        leaving = self.field[:, block].gather(-1, chosen)
        # Forbidden keys in the mask are there for want of others.
        leaving = leaving.masked_fill(~self.allowed[:, block].gather(-1, chosen), -INF)
        change = self.free_field(block).unsqueeze(-2) - self.rows[:, block]
        best, entering = change.min(-1)
        gain, slot = (best - leaving).min(-1)
        better = gain < -self.least[:, block]
        if not better.any():
            return False
        pick = slot.unsqueeze(-1)
        old, new = (t.gather(-1, pick).squeeze(-1) for t in (chosen, entering))
        self.mark(block, old, False, better)
        self.mark(block, new, True, better)
        self.put(block, slot, new, better)
        return True

    def energies(self):
        """Return the energies of the masks, tensor of shape (B, Q)."""
        alone = torch.where(self.allowed, self.relevance, 0.0)
        own = torch.where(self.mask, self.field - alone, 0.0)
        return own.sum((1, 3)) / 2

    def marginals(self):
        return (-self.field).masked_fill(~self.allowed, -INF)
