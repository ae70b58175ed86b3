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


_TABLE = 32  # counts below this are looked up


class _Rising:
    """log Γ(x + φ) - log Γ(φ) - log x! and φ times its derivative, at counts above 0.

    Counts are mostly small and whole: then the first is the sum of log((φ + j) / (1 +
    j)) and the second of φ / (φ + j), j < x, looked up in a table of j and feature.
    """

    def __init__(self, x, phi):
        d = x.shape[1]
        place = (x > 0).view(-1).nonzero().view(-1)
        count = x.view(-1)[place]
        self.col = place % d
        self.row = place // d
        whole = count.to(torch.int32)
        most = int(whole.max()) if len(whole) else 0
        self.looked_up = most < _TABLE and bool((whole == count).all())
        if self.looked_up:
            j = torch.arange(max(most, 1), dtype=phi.dtype, device=phi.device)[:, None]
            self.cell = (whole - 1).long() * d + self.col
            self.terms = (phi + j, 1 + j)
        else:
            self.terms = (count, phi[self.col])
        self.phi = phi

    def value(self):
        first, second = self.terms
        if self.looked_up:
            return torch.log(first / second).cumsum(0).view(-1)[self.cell]
        rising = torch.lgamma(first + second) - torch.lgamma(second)
        return rising - torch.lgamma(first + 1)

    def slope(self):
        first, second = self.terms
        if self.looked_up:
            return (self.phi / first).cumsum(0).view(-1)[self.cell]
        return second * (torch.digamma(first + second) - torch.digamma(second))


class _Rows(torch.autograd.Function):
    """With r = M/φ and u = log(1 + r), log p = x (log r - u) - φ u + rising part."""

    @staticmethod
    def forward(ctx, out, size, log_phi, x):
        phi = log_phi.exp()
        share = torch.log_softmax(out, 1)
        log_ratio = share + (size.log() - log_phi)
        ratio = log_ratio.exp()
        u = torch.log1p(ratio)
        value = torch.linalg.vecdot(x, log_ratio.sub_(u)) - u @ phi
        rising = _Rising(x, phi)
        value.index_add_(0, rising.row, rising.value())
        ctx.rising = rising
        ctx.save_for_backward(share, ratio, u, phi, x)
        return value

    @staticmethod
    def backward(ctx, grad):
        share, ratio, u, phi, x = ctx.saved_tensors
        need_out, _, need_phi, _ = ctx.needs_input_grad
        out_grad = phi_grad = None
        # (x - M) φ / (φ + M)
        slope = torch.addcmul(x, ratio, -phi).div_(ratio.add(1.0)).mul_(grad[:, None])
        if need_phi:
            rising = ctx.rising
            phi_grad = -slope.sum(0) - phi * (grad @ u)
            phi_grad.index_add_(0, rising.col, rising.slope() * grad[rising.row])
        if need_out:
            out_grad = share.exp().mul_(-slope.sum(1, keepdim=True)).add_(slope)
        return out_grad, None, phi_grad, None
