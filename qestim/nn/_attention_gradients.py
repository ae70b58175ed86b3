# SPDX-License-Identifier: Apache-2.0
"""The steps of attention that need a gradient of their own."""

import torch


class GatedSoftmax(torch.autograd.Function):
    r"""Softmax over kept keys, with a gradient for the choice itself.

    With :math:`w` the softmax over the kept keys, :math:`Z` its denominator and
    :math:`\bar w` the gradient that arrives, the scores receive the exact
    :math:`w_j (\bar w_j - \sum_l w_l \bar w_l)`. The gate of key j receives the same
    with :math:`u_j` in place of the first :math:`w_j`: for a kept key
    :math:`u_j = w_j`, the slope of its gate, for a rejected one
    :math:`u_j = e^{s_j} / (Z + e^{s_j})`, the weight that it would get.
    """

    @staticmethod
    def forward(ctx, scores, gate, kept):
        """Return the weights.

        Parameters
        ----------
        ctx : context
            Of autograd.
        scores : tensor of shape (B, H, L, M)
            Logits; -inf where a query may not look.
        gate : tensor of shape (B, H, L or 1, M), or None
            Receives the gradient of the choice; its values do not matter.
        kept : tensor of bool, broadcastable to (B, H, L, M)
            The chosen keys.

        Returns
        -------
        weights : tensor of shape (B, H, L, M)
            They sum to 1 over the kept keys, and to 0 where there is none.
        """
        low = scores.masked_fill(~kept, float("-inf"))
        log_z = torch.logsumexp(low, -1, keepdim=True)
        # Without a key to look at log Z is -inf, and -inf - -inf is no number.
        empty = log_z == float("-inf")
        log_z = log_z.masked_fill(empty, 0.0)
        weights = torch.exp(low - log_z)
        if gate is None:
            ctx.save_for_backward(weights)
        else:
            ctx.shared = gate.shape[-2] != scores.shape[-2]
            ctx.save_for_backward(weights, scores, kept, log_z, empty)
        return weights

    @staticmethod
    def backward(ctx, grad):
        """Return the gradients of the scores and of the gate."""
        weights, *gated = ctx.saved_tensors
        pull = grad - (weights * grad).sum(-1, keepdim=True)
        if not gated:
            return weights * pull, None, None
        scores, kept, log_z, empty = gated
        entering = torch.sigmoid(scores - log_z).masked_fill(empty, 0.0)
        of_gate = torch.where(kept, weights, entering) * pull
        if ctx.shared:
            of_gate = of_gate.sum(-2, keepdim=True)
        return weights * pull, of_gate, None


class StraightThroughGate(torch.autograd.Function):
    """Logistic function of the margins, whose gradient goes to the relevance."""

    @staticmethod
    def forward(ctx, relevance, margin, temperature):
        """Return the gates, tensor of the shape of ``relevance`` and ``margin``."""
        gate = torch.sigmoid(margin / temperature)
        ctx.temperature = temperature
        ctx.save_for_backward(gate)
        return gate

    @staticmethod
    def backward(ctx, grad):
        """Return the gradient of the relevance."""
        (gate,) = ctx.saved_tensors
        return grad * gate * (1 - gate) / ctx.temperature, None, None


class CovarianceGate(torch.autograd.Function):
    r"""Mean bits of a Boltzmann law, with the gradient that its reads estimate.

    :math:`\partial \langle x_i \rangle / \partial a_j = \beta\,\mathrm{Cov}(x_i, x_j)`,
    as a is minus the linear term of the energy.
    """

    @staticmethod
    def forward(ctx, relevance, reads, beta, across):
        """Return the mean bits.

        Parameters
        ----------
        ctx : context
            Of autograd.
        relevance : tensor of shape (B, H, Q, S)
            The a of the law.
        reads : tensor of int8 of shape (num_reads, B, H, Q, S)
            Bits, at least two reads.
        beta : float
            Inverse temperature of the reads.
        across : bool
            Whether heads are coupled; without, their covariance is known to be 0.

        Returns
        -------
        mean : tensor of shape (B, H, Q, S)
            Between 0 and 1.
        """
        bits = reads.to(relevance.dtype)
        mean = bits.mean(0)
        ctx.beta, ctx.axes = beta, (2, 4) if across else (4,)
        ctx.save_for_backward(bits - mean)
        return mean

    @staticmethod
    def backward(ctx, grad):
        """Return the gradient of the relevance."""
        (deviation,) = ctx.saved_tensors
        along = (deviation * grad).sum(ctx.axes, keepdim=True)
        covariance = (deviation * along).sum(0) / (len(deviation) - 1)
        return ctx.beta * covariance, None, None, None


class Sparsemax(torch.autograd.Function):
    """Euclidean projection of the scores onto the simplex, -inf having weight 0."""

    @staticmethod
    def forward(ctx, scores):
        """Return the weights, a tensor of the shape of the scores."""
        empty = scores.amax(-1, keepdim=True) == float("-inf")
        top = scores.masked_fill(empty, 0.0)
        z = top - top.amax(-1, keepdim=True)
        # No weight is on a score more than 1 below the largest, -inf among them.
        ordered = z.clamp_min(-1.0).sort(-1, descending=True).values
        size = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype, device=z.device)
        excess = ordered.cumsum(-1) - 1
        support = (size * ordered > excess).sum(-1, keepdim=True)
        threshold = excess.gather(-1, support - 1) / support
        weights = (z - threshold).clamp_min(0.0).masked_fill(empty, 0.0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(ctx, grad):
        """Return the gradient of the scores: centred on the support, 0 elsewhere."""
        (weights,) = ctx.saved_tensors
        support = weights > 0
        inside = grad * support
        mean = inside.sum(-1, keepdim=True) / support.sum(-1, keepdim=True).clamp_min(1)
        return (inside - mean) * support
