# SPDX-License-Identifier: Apache-2.0
"""A small bidirectional transformer that guesses what is under the masks."""

import torch
from torch.nn import functional as F


class TransformerDenoiser(torch.nn.Module):
    """Bidirectional transformer: logits of every token, given those in sight.

    Tokens are ``0 .. n_tokens - 1``; ``n_tokens`` is the mask and ``n_tokens + 1``
    fills up sequences that are shorter than the others. The law of a token given those
    in sight does not depend on the time of the diffusion [1]_, so neither does this
    network. Blocks normalise first; positions are learned.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary, without mask and filling.
    length : int
        Longest sequence.
    width : int, default=64
        Numbers a position carries; a multiple of ``n_heads``.
    n_layers : int, default=2
        Blocks.
    n_heads : int, default=4
        Heads of attention.
    generator : torch.Generator, default=None
        Source of the first weights.

    Raises
    ------
    ValueError
        If ``width`` is not a multiple of ``n_heads``.

    References
    ----------
    .. [1] Ou et al., "Your absorbing discrete diffusion secretly models the conditional
           distributions of clean data", ICLR 2025, theorem 1. arXiv:2406.03736

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import TransformerDenoiser
    >>> denoiser = TransformerDenoiser(5, length=8)
    >>> masked = torch.full((2, 8), denoiser.mask_token)
    >>> denoiser.logits(masked, torch.ones(2)).shape
    torch.Size([2, 8, 5])
    """

    def __init__(
        self, n_tokens, length, *, width=64, n_layers=2, n_heads=4, generator=None
    ) -> None:
        super().__init__()
        if width % n_heads:
            raise ValueError(
                f"width must be a multiple of n_heads. Got width={width} and "
                f"n_heads={n_heads}."
            )
        self.n_tokens = n_tokens
        self.mask_token = n_tokens
        self.pad_token = n_tokens + 1
        # torch's layers draw from the global generator, which this leaves as it was.
        with torch.random.fork_rng(devices=[]):
            self.token = torch.nn.Embedding(n_tokens + 2, width)
            self.position = torch.nn.Parameter(torch.zeros(length, width))
            self.blocks = torch.nn.ModuleList(
                Block(width, n_heads) for _ in range(n_layers)
            )
            self.norm = torch.nn.LayerNorm(width)
            self.head = torch.nn.Linear(width, n_tokens)
        self._draw_weights(generator, n_layers)

    @torch.no_grad()
    def _draw_weights(self, generator, n_layers):
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                # What is added to the stream is small, the more blocks add to it.
                deep = name.endswith("out.weight")
                scale = 0.02 / (2 * n_layers) ** 0.5 if deep else 0.02
                if name.endswith(("into.weight", "qkv.weight")):
                    scale = weight.shape[1] ** -0.5 / 2
                weight.normal_(0, scale, generator=generator)
            elif name.endswith("bias"):
                weight.zero_()

    def logits(self, tokens, t) -> torch.Tensor:
        """Return the logits of the tokens at every position.

        Parameters
        ----------
        tokens : tensor of shape (batch, length), dtype int64
            Tokens, masks and filling.
        t : tensor of shape (batch,)
            Time of the diffusion in [0, 1]; not used, see above.

        Returns
        -------
        logits : tensor of shape (batch, length, n_tokens)
            Dimensionless.
        """
        padded = tokens == self.pad_token
        seen = None if not padded.any() else ~padded[:, None, None, :]
        stream = self.token(tokens) + self.position[: tokens.shape[1]]
        for block in self.blocks:
            stream = block(stream, seen)
        return self.head(self.norm(stream))


class Block(torch.nn.Module):
    """Attention and a two-layer network, each added to the stream."""

    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.norm_1 = torch.nn.LayerNorm(width)
        self.qkv = torch.nn.Linear(width, 3 * width)
        self.attention_out = torch.nn.Linear(width, width)
        self.norm_2 = torch.nn.LayerNorm(width)
        self.into = torch.nn.Linear(width, 4 * width)
        self.network_out = torch.nn.Linear(4 * width, width)

    def forward(self, stream, seen):
        """Return the stream after the block, tensor of shape (batch, length, width)."""
        batch, length, width = stream.shape
        qkv = self.qkv(self.norm_1(stream))
        q, k, v = qkv.view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        stream = stream + self.attention_out(mixed)
        return stream + self.network_out(F.gelu(self.into(self.norm_2(stream))))
