# SPDX-License-Identifier: Apache-2.0
"""The negative binomial density and its gradient, cheap where counts are zero."""

import torch


def log_negative_binomial(x, log_mean, log_phi):
    r"""Return the log probability of counts, entry by entry.

    Parameters
    ----------
    x : tensor of shape (batch, d)
        Counts.
    log_mean : tensor of shape (batch, d)
        Logarithm of the means M.
    log_phi : tensor of shape (d,)
        Logarithm of the inverse dispersions.

    Returns
    -------
    log_p : tensor of shape (batch, d)
        In nats.
    """
    phi = log_phi.exp()
    u = torch.nn.functional.softplus(log_mean - log_phi)  # log(1 + M / phi)
    rising = torch.lgamma(x + phi) - torch.lgamma(phi)
    return rising - torch.lgamma(x + 1) + x * (log_mean - log_phi - u) - phi * u


def negative_binomial_rows(out, size, log_phi, x):
    r"""Return the log probability of rows of counts with mean L softmax(o).

    The same as `log_negative_binomial`, summed over the features. Its gradient is in
    closed form, and log Γ and its derivative are taken at the counts above zero alone:
    most entries of a table of counts are zero, where both cancel.

    Parameters
    ----------
    out : tensor of shape (batch, d)
        Logarithms of the shares, up to a constant of the row.
    size : tensor of shape (batch, 1)
        Sums L of the means of a row.
    log_phi : tensor of shape (d,)
        Logarithm of the inverse dispersions.
    x : tensor of shape (batch, d)
        Counts.

    Returns
    -------
    log_p : tensor of shape (batch,)
        In nats.
    """
    return _Rows.apply(out, size, log_phi, x)


class _Rows(torch.autograd.Function):
    """With a = log M - log φ and u = log(1 + M/φ), log p = x (a - u) - φ u + rising."""

    @staticmethod
    def forward(ctx, out, size, log_phi, x):
        phi = log_phi.exp()
        share = torch.log_softmax(out, 1)
        ratio = share + (size.log() - log_phi)  # a
        u = torch.nn.functional.softplus(ratio)
        value = (x * (ratio - u)).sum(1) - u @ phi
        row, col = x.nonzero(as_tuple=True)
        count, base = x[row, col], phi[col]
        rising = torch.lgamma(count + base) - torch.lgamma(base)
        value.index_add_(0, row, rising - torch.lgamma(count + 1))
        ctx.save_for_backward(share, ratio, u, phi, x, row, col)
        return value

    @staticmethod
    def backward(ctx, grad):
        share, ratio, u, phi, x, row, col = ctx.saved_tensors
        p = torch.exp(ratio - u)  # M / (φ + M)
        need_out, _, need_phi, _ = ctx.needs_input_grad
        out_grad = phi_grad = None
        slope = torch.addcmul(x, x + phi, p, value=-1).mul_(grad[:, None])
        if need_phi:
            # (M - x) / (φ + M) is p minus x times the rest of p, over φ.
            digamma = torch.digamma(x[row, col] + phi[col]) - torch.digamma(phi[col])
            phi_grad = -slope.sum(0) - phi * (grad @ u)
            phi_grad.index_add_(0, col, digamma * phi[col] * grad[row])
        if need_out:
            out_grad = slope - share.exp() * slope.sum(1, keepdim=True)
        return out_grad, None, phi_grad, None
