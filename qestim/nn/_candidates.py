# SPDX-License-Identifier: Apache-2.0
"""Whole candidates for the masked tokens, and the choice among them by energy."""

from collections.abc import Callable

import torch


def draw_candidates(
    noisy, logits, mask_token, n_candidates, *, generator=None
) -> torch.Tensor:
    """Fill every mask from its own logits, some times over.

    Parameters
    ----------
    noisy : tensor of shape (batch, length), dtype int64
        Sequences with masks.
    logits : tensor of shape (batch, length, n_tokens)
        Of the denoiser.
    mask_token : int
        The mask.
    n_candidates : int
        Candidates a sequence.
    generator : torch.Generator, default=None
        Source of randomness.

    Returns
    -------
    candidates : tensor of shape (batch, n_candidates, length), dtype int64
        Equal to ``noisy`` where that has no mask.

    References
    ----------
    Derived in docs/guide/diffusion.md: the law mu of its section on the energy.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import draw_candidates
    >>> noisy = torch.tensor([[0, 2]])  # 2 is the mask
    >>> logits = torch.tensor([[[0.0, 0.0], [-99.0, 99.0]]])
    >>> draw_candidates(noisy, logits, 2, n_candidates=3).tolist()
    [[[0, 1], [0, 1], [0, 1]]]
    """
    where = noisy == mask_token
    candidates = noisy[:, None].repeat(1, n_candidates, 1)
    p = logits[where].float().softmax(1)
    if len(p):
        drawn = torch.multinomial(p, n_candidates, True, generator=generator)
        candidates.transpose(1, 2)[where] = drawn
    return candidates


def log_likelihood(noisy, candidates, logits, mask_token) -> torch.Tensor:
    """Return the denoiser's log-likelihood of candidates' new tokens.

    Parameters
    ----------
    noisy : tensor of shape (batch, length), dtype int64
        Sequences with masks.
    candidates : tensor of shape (batch, n_candidates, length), dtype int64
        Their fillings, as `draw_candidates` gives them.
    logits : tensor of shape (batch, length, n_tokens)
        Of the denoiser.
    mask_token : int
        The mask.

    Returns
    -------
    log_mu : tensor of shape (batch, n_candidates)
        In nats.

    References
    ----------
    Derived in docs/guide/diffusion.md: the law mu of its section on the energy.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import log_likelihood
    >>> noisy = torch.tensor([[0, 2]])  # 2 is the mask
    >>> candidates = torch.tensor([[[0, 0], [0, 1]]])
    >>> log_mu = log_likelihood(noisy, candidates, torch.zeros(1, 2, 2), 2)
    >>> [round(value, 4) for value in log_mu[0].tolist()]  # -log 2
    [-0.6931, -0.6931]
    """
    masked = noisy == mask_token
    safe = torch.where(masked[:, None], candidates, 0)
    log_p = logits.float().log_softmax(2)
    each = log_p.gather(2, safe.transpose(1, 2))  # (batch, length, n_candidates)
    return (each * masked[:, :, None]).sum(1)


class CandidateGuide(torch.nn.Module):
    r"""A guide that chooses among candidates by self-normalised importance weights.

    The target is :math:`p(x | x_t) \propto \mu(x | x_t)\, e^{-E(x, x_t)}` with the
    denoiser's :math:`\mu`, in which the masked tokens are independent. Of k candidates
    drawn from :math:`\mu`, one is taken with probability proportional to
    :math:`e^{-E}`; its law differs from the target by a term of order 1 / k.

    Further rounds lead from there to the target itself, whatever k: some of the chosen
    candidate's new tokens are drawn again k - 1 times, the others stay, and the choice
    is made anew with the present candidate among the k. Such a step leaves the target
    as it is [1]_, since the denoiser draws the tokens independently.

    A guide defines ``energy(noisy, candidates, logits, *, generator=None)``, of shape
    (batch, n_candidates); the generator is for energies that are estimated by draws.

    Parameters
    ----------
    n_tokens : int
        Size of the vocabulary; ``n_tokens`` is the mask.

    References
    ----------
    .. [1] Andrieu, Lee and Vihola, "Uniform ergodicity of the iterated conditional SMC
           and geometric ergodicity of particle Gibbs samplers", Bernoulli 24, 842
           (2018), section 2 (iterated sampling importance resampling).

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import CandidateGuide
    >>> class Zeros(CandidateGuide):
    ...     def energy(self, noisy, candidates, logits, *, generator=None):
    ...         return 99.0 * candidates.sum(2)
    >>> noisy = torch.tensor([[0, 2]])  # 2 is the mask
    >>> Zeros(2).choose(noisy, torch.zeros(1, 2, 2), 64).tolist()
    [[0, 0]]
    """

    energy: Callable[..., torch.Tensor]

    def __init__(self, n_tokens) -> None:
        super().__init__()
        self.n_tokens = n_tokens
        self.mask_token = n_tokens

    @torch.no_grad()
    def choose(
        self, noisy, logits, n_candidates, *, n_rounds=1, generator=None
    ) -> torch.Tensor:
        """Return one candidate a sequence.

        Parameters
        ----------
        noisy : tensor of shape (batch, length), dtype int64
            Sequences with masks.
        logits : tensor of shape (batch, length, n_tokens)
            Of the denoiser.
        n_candidates : int
            Candidates to choose from.
        n_rounds : int, default=1
            Choices, each among so many candidates.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        tokens : tensor of shape (batch, length), dtype int64
            Without masks.
        """
        candidates = draw_candidates(
            noisy, logits, self.mask_token, n_candidates, generator=generator
        )
        if n_candidates == 1:
            return candidates[:, 0]
        tokens = self._pick(noisy, candidates, logits, generator)
        for _ in range(n_rounds - 1):
            candidates = self._neighbours(
                noisy, tokens, logits, n_candidates, generator
            )
            tokens = self._pick(noisy, candidates, logits, generator)
        return tokens

    def _pick(self, noisy, candidates, logits, generator):
        energy = self.energy(noisy, candidates, logits, generator=generator)
        weights = (-energy).softmax(1)
        index = torch.multinomial(weights, 1, generator=generator)
        return candidates[torch.arange(len(noisy)), index[:, 0]]

    def _neighbours(self, noisy, tokens, logits, n_candidates, generator):
        """Return tokens first, then others that share a random part of them."""
        fresh = draw_candidates(
            noisy, logits, self.mask_token, n_candidates, generator=generator
        )
        where = {"generator": generator, "device": noisy.device}
        share = torch.rand((len(noisy), 1), **where)
        redrawn = (noisy == self.mask_token) & (
            torch.rand(noisy.shape, **where) < share
        )
        candidates = torch.where(redrawn[:, None], fresh, tokens[:, None])
        candidates[:, 0] = tokens
        return candidates

    def contrast(
        self, noisy, tokens, logits, n_negatives, *, generator=None
    ) -> torch.Tensor:
        r"""Return the loss of telling the truth from the denoiser's own candidates.

        Noise-contrastive estimation that ranks: the log-loss of finding the true
        sequence among itself and ``n_negatives`` candidates by :math:`e^{-E}`. Its
        minimum is at :math:`E = \log \mu(x|x_t) - \log p(x|x_t)` up to a function of
        :math:`x_t`, which no choice sees.

        Parameters
        ----------
        noisy : tensor of shape (batch, length), dtype int64
            Masked sequences.
        tokens : tensor of shape (batch, length), dtype int64
            The same sequences before.
        logits : tensor of shape (batch, length, n_tokens)
            Of the denoiser; no gradient reaches them.
        n_negatives : int
            Candidates a sequence.
        generator : torch.Generator, default=None
            Source of randomness.

        Returns
        -------
        loss : tensor of shape (batch,)
            In nats; log(1 + n_negatives) for an energy that knows nothing.

        References
        ----------
        .. [1] Ma and Collins, "Noise contrastive estimation and negative sampling for
               conditional models", EMNLP 2018, section 3. arXiv:1809.01812
        """
        logits = logits.detach()
        negatives = draw_candidates(
            noisy, logits, self.mask_token, n_negatives, generator=generator
        )
        candidates = torch.cat([tokens[:, None], negatives], 1)
        energy = self.energy(noisy, candidates, logits, generator=generator)
        return -(-energy).log_softmax(1)[:, 0]
