# SPDX-License-Identifier: Apache-2.0
"""Numbers in [-1, 1] that describe a candidate in the light of what was in sight."""

import torch
from torch.nn import functional as F

from qestim.nn._denoiser import Block

_SPAN = 5  # tokens that the first layer sees together


class CandidateFeatures(torch.nn.Module):
    """Features of pairs (noisy sequence, candidate).

    Each position sums up three things: the candidate's tokens around it, whether it was
    masked, and what the denoiser expected there. The last is computed once for all
    candidates of a sequence, so that the denoiser is not called again. A block of
    attention mixes positions; the features are means over positions.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary, without mask and filling.
    length : int
        Longest sequence.
    n_features : int
        Numbers a candidate.
    width : int, default=64
        Numbers a position carries; a multiple of 4.
    n_layers : int, default=1
        Blocks of attention.

    References
    ----------
    Ours; set out in docs/guide/diffusion.md.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import CandidateFeatures
    >>> features = CandidateFeatures(3, 4, 2, width=8)
    >>> noisy = torch.tensor([[0, 3, 1, 3]])  # 3 is the mask
    >>> candidates = torch.tensor([[[0, 2, 1, 0], [0, 0, 1, 2]]])
    >>> features(noisy, candidates, torch.zeros(1, 4, 3)).shape
    torch.Size([1, 2, 2])
    """

    def __init__(self, n_tokens, length, n_features, *, width=64, n_layers=1) -> None:
        super().__init__()
        self.mask_token = n_tokens
        self.pad_token = n_tokens + 1
        # Filling is all zeros, as is what lies beyond the ends.
        self.token = torch.nn.Embedding(n_tokens + 2, width, padding_idx=self.pad_token)
        self.position = torch.nn.Parameter(torch.zeros(length, width))
        self.around = torch.nn.Conv1d(width, width, _SPAN, padding=_SPAN // 2)
        self.expected = torch.nn.Linear(n_tokens + 1, width)
        self.blocks = torch.nn.ModuleList(Block(width, 4) for _ in range(n_layers))
        self.norm = torch.nn.LayerNorm(width)
        self.out = torch.nn.Linear(width, n_features)

    def forward(self, noisy, candidates, logits) -> torch.Tensor:
        """Return the features.

        Parameters
        ----------
        noisy : tensor of shape (batch, length), dtype int64
            Sequences with masks.
        candidates : tensor of shape (batch, n_candidates, length), dtype int64
            The same without masks.
        logits : tensor of shape (batch, length, n_tokens)
            Of the denoiser for ``noisy``.

        Returns
        -------
        features : tensor of shape (batch, n_candidates, n_features)
            In [-1, 1].
        """
        batch, n_candidates, length = candidates.shape
        masked = (noisy == self.mask_token)[:, :, None]
        # In sight: no expectation, only the sign that there was nothing to guess.
        p = logits.float().softmax(2).sqrt() * masked
        context = (
            self.expected(torch.cat([p, masked.to(p)], 2)) + self.position[:length]
        )
        near = self.token(candidates.reshape(-1, length)).transpose(1, 2)
        near = (
            self.around(near).transpose(1, 2).reshape(batch, n_candidates, length, -1)
        )
        stream = F.gelu(near + context[:, None]).flatten(0, 1)
        real = (noisy != self.pad_token)[:, None].expand(-1, n_candidates, -1)
        real = real.flatten(0, 1)
        seen = None if real.all() else real[:, None, None, :]
        for block in self.blocks:
            stream = block(stream, seen)
        each = torch.tanh(self.out(self.norm(stream))) * real[:, :, None]
        means = each.sum(1) / real.sum(1, keepdim=True)
        return means.float().view(batch, n_candidates, -1)
