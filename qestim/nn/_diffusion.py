# SPDX-License-Identifier: Apache-2.0
"""Absorbing-mask diffusion: tokens turn into masks, and the bound of undoing it."""

from typing import Any

import torch


class AbsorbingDiffusion:
    r"""Noise that hides each token on its own: at time t with probability t.

    This is the log-linear schedule, :math:`\alpha_t = 1 - t`. The negative evidence
    lower bound of a sequence of l tokens in continuous time is

    .. math:: \mathcal{L}(x) = \int_0^1 \frac{1}{t}\,
              \mathbb{E}_{x_t} \sum_{i: x_t^i = m} -\log \mu(x^i | x_t, t)\, dt
              = \mathbb{E}_{n \sim U\{1..l\}}\, \mathbb{E}_{x_t | n}\, \frac{l}{n}
              \sum_{i: x_t^i = m} -\log \mu(x^i | x_t, t),

    n the number of masks. The second form is exact too, and its weights are at most l
    where 1 / t has no bound: with l uniform numbers, the n smallest are masked and t is
    the n-th smallest, which has the law that t has given n masks (derived in
    docs/guide/diffusion.md).

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary; ``n_tokens`` is the mask, ``n_tokens + 1`` the filling
        behind short sequences.

    References
    ----------
    .. [1] Sahoo et al., "Simple and effective masked diffusion language models",
           NeurIPS 2024, equation 10. arXiv:2406.07524

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import AbsorbingDiffusion
    >>> process = AbsorbingDiffusion(5)
    >>> noisy, t, weight = process.corrupt(torch.zeros(3, 8, dtype=torch.int64))
    >>> bool(((noisy == 5).sum(1) * weight == 8).all())
    True
    """

    def __init__(self, n_tokens) -> None:
        self.n_tokens = n_tokens
        self.mask_token = n_tokens
        self.pad_token = n_tokens + 1

    def corrupt(
        self, tokens, *, generator=None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mask tokens at random times.

        The numbers of masks are spread evenly over the batch.

        Parameters
        ----------
        tokens : tensor of shape (batch, length), dtype int64
            Sequences of at least one token, filled up with ``pad_token``.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        noisy : tensor of shape (batch, length), dtype int64
            At least one mask a sequence.
        t : tensor of shape (batch,)
            Times in (0, 1).
        weight : tensor of shape (batch,)
            Weight of a masked token's log-likelihood in the bound: tokens / masks.
        """
        batch, where = len(tokens), {"device": tokens.device}
        real = tokens != self.pad_token
        n_real = real.sum(1)
        strata = torch.randperm(batch, generator=generator, **where)
        u = torch.rand(batch, generator=generator, **where)
        share = ((strata + u) / batch).clamp(max=1 - 1e-7)
        n_masks = (share * n_real).long() + 1
        ranks = torch.rand(tokens.shape, generator=generator, **where)
        ranks = ranks.masked_fill(~real, 2.0)
        t = ranks.sort(1).values.gather(1, n_masks[:, None] - 1)
        noisy = torch.where(ranks <= t, self.mask_token, tokens)
        return noisy, t[:, 0], n_real / n_masks

    def nelbo(self, backbone, tokens, *, n_draws=1, generator=None) -> torch.Tensor:
        """Estimate the negative evidence lower bound of sequences, without bias.

        Parameters
        ----------
        backbone : object
            With ``logits(tokens, t)``, of shape (batch, length, n_tokens).
        tokens : tensor of shape (batch, length), dtype int64
            Sequences, filled up with ``pad_token``.
        n_draws : int, default=1
            Times a sequence.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        nelbo : tensor of shape (batch,)
            Bound of -log p of each sequence given its length, in nats.
        """
        total: Any = 0.0
        for _ in range(n_draws):
            noisy, t, weight = self.corrupt(tokens, generator=generator)
            logits = backbone.logits(noisy, t)
            total = total + weight * self.masked_loss(logits, noisy, tokens)
        return total / n_draws

    def masked_loss(self, logits, noisy, tokens) -> torch.Tensor:
        """Return the sum of -log p over each sequence's masks.

        Parameters
        ----------
        logits : tensor of shape (batch, length, n_tokens)
            Of the denoiser; those where ``noisy`` has no mask are not read.
        noisy : tensor of shape (batch, length), dtype int64
            Sequences with masks.
        tokens : tensor of shape (batch, length), dtype int64
            The same sequences without.

        Returns
        -------
        losses : tensor of shape (batch,), dtype float32
            In nats; 0 for a sequence without masks.
        """
        masked = noisy == self.mask_token
        losses = torch.nn.functional.cross_entropy(
            logits[masked].float(), tokens[masked], reduction="none"
        )
        rows = masked.nonzero()[:, 0]
        return losses.new_zeros(len(tokens)).index_add(0, rows, losses)
