# SPDX-License-Identifier: Apache-2.0
"""From masks back to tokens, in a given number of steps."""

import torch

from qestim.nn._candidates import draw_candidates


@torch.no_grad()
def decode(
    backbone,
    tokens,
    *,
    mask_token,
    n_steps,
    guide=None,
    n_candidates=8,
    n_rounds=1,
    window=(0.0, 1.0),
    remask="ancestral",
    generator=None,
) -> list:
    r"""Fill the masks of sequences, some at each of equal steps in time.

    At time t every mask is filled; at the next time s some of the filled are masks
    again. ``"ancestral"`` masks each with probability s / t and never one that was left
    standing: the reverse of the diffusion. ``"confidence"`` masks the share s that the
    denoiser was least sure of when it drew them, noise of t times a Gumbel variable
    added, even if they were left standing before [1]_.

    Parameters
    ----------
    backbone : object
        With ``logits(tokens, t)``, of shape (batch, length, n_tokens).
    tokens : tensor of shape (batch, length), dtype int64
        Masks where tokens are wanted; everything else stays.
    mask_token : int
        The mask.
    n_steps : int
        Steps, one call of the backbone each.
    guide : object, default=None
        With ``choose(noisy, logits, n_candidates, n_rounds=..., generator=...)``, as
        `EnergyGuide`; None draws the masked tokens independently.
    n_candidates : int, default=8
        Candidates the guide chooses from.
    n_rounds : int, default=1
        Choices a step, see `CandidateGuide`; the backbone is called once all the same.
    window : (float, float), default=(0.0, 1.0)
        Times, ends included, at which the guide chooses.
    remask : {"ancestral", "confidence"}, default="ancestral"
        Which tokens become masks again.
    generator : torch.Generator, default=None
        Source of randomness.

    Returns
    -------
    states : list of tensor of shape (batch, length), dtype int64
        What each step began with, and at the end the sequences without masks.

    Raises
    ------
    ValueError
        If ``n_steps`` is not positive, or ``remask`` is neither of the two.

    References
    ----------
    .. [1] Chang et al., "MaskGIT: masked generative image transformer", CVPR 2022,
           section 3.2. arXiv:2202.04200

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import TransformerDenoiser, decode
    >>> denoiser = TransformerDenoiser(5, length=8)
    >>> masked = torch.full((2, 8), denoiser.mask_token)
    >>> states = decode(denoiser, masked, mask_token=denoiser.mask_token, n_steps=4)
    >>> len(states), bool((states[-1] < 5).all())
    (5, True)
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1. Got {n_steps!r}.")
    if remask not in ("ancestral", "confidence"):
        raise ValueError(f"remask must be 'ancestral' or 'confidence'. Got {remask!r}.")
    blank = tokens == mask_token
    sureness = torch.full(tokens.shape, torch.inf, device=tokens.device)
    states = [tokens]
    for step in range(n_steps):
        # Quotients, not differences: an end of the window is met exactly.
        t, s = (n_steps - step) / n_steps, (n_steps - step - 1) / n_steps
        noisy = states[-1]
        times = torch.full((len(noisy),), t, device=tokens.device)
        logits = backbone.logits(noisy, times).float()
        if guide is not None and window[0] <= t <= window[1]:
            full = guide.choose(
                noisy, logits, n_candidates, n_rounds=n_rounds, generator=generator
            )
        else:
            full = draw_candidates(noisy, logits, mask_token, 1, generator=generator)
            full = full[:, 0]
        masked = noisy == mask_token
        u = torch.rand(tokens.shape, generator=generator, device=tokens.device)
        if remask == "ancestral":
            again = masked & (u < s / t)
        else:
            log_p = logits.log_softmax(2).gather(
                2, full.clamp(max=logits.shape[2] - 1)[..., None]
            )
            sureness = torch.where(masked, log_p[..., 0], sureness)
            noise = -t * torch.log(-torch.log(u.clamp(1e-7, 1 - 1e-7)))
            order = (
                torch.where(blank, sureness + noise, torch.inf).argsort(1).argsort(1)
            )
            again = order < (blank.sum(1, keepdim=True) * s).round()
        states.append(torch.where(again, mask_token, full))
    return states
