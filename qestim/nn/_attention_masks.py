# SPDX-License-Identifier: Apache-2.0
"""The masks of ``nn.MultiheadAttention`` as one bias that is added to the scores."""

import warnings

import torch

# How far below the others a number of a mask stands for -inf.
HIDDEN = 1e4


def check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Raise what ``nn.MultiheadAttention`` raises on shapes that do not fit.

    Parameters
    ----------
    query, key, value : tensor of shape (L, E) or (B, L, E), batch first
        The inputs.
    key_padding_mask : tensor of shape (S,) or (B, S), or None
        True or -inf leaves a key out.
    attn_mask : tensor of shape (L, S) or (B * num_heads, L, S), or None
        True or -inf leaves a pair out.
    num_heads : int
        Heads of the module.

    Raises
    ------
    AssertionError, RuntimeError
        As `torch.nn.MultiheadAttention` does.
    """
    dim = query.dim()
    if dim not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{dim}-D query tensor"
        )
    kind = "batched" if dim == 3 else "unbatched"
    if key.dim() != dim or value.dim() != dim:
        raise AssertionError(
            f"For {kind} ({dim}-D) `query`, expected `key` and `value` to be {dim}-D "
            f"but found {key.dim()}-D and {value.dim()}-D tensors respectively"
        )
    if key.shape[:-1] != value.shape[:-1]:
        raise AssertionError(
            f"key's sequence and batch dims {tuple(key.shape[:-1])} do not match "
            f"value's {tuple(value.shape[:-1])}"
        )
    batch = query.shape[0] if dim == 3 else 1
    if dim == 3 and key.shape[0] != batch:
        raise AssertionError(f"query has batch size {batch} but key {key.shape[0]}")
    length, source = query.shape[-2], key.shape[-2]
    for name, mask in (
        ("key_padding_mask", key_padding_mask),
        ("attn_mask", attn_mask),
    ):
        if (
            mask is not None
            and mask.dtype != torch.bool
            and not mask.is_floating_point()
        ):
            raise AssertionError(
                f"only bool and floating types of {name} are supported"
            )
    if key_padding_mask is not None and key_padding_mask.shape != key.shape[:-1]:
        raise AssertionError(
            f"For {kind} ({dim}-D) `query`, expected `key_padding_mask` to be `None` "
            f"or of shape {tuple(key.shape[:-1])} but found "
            f"{tuple(key_padding_mask.shape)} instead"
        )
    if attn_mask is None:
        return
    if attn_mask.dim() not in (2, 3):
        raise AssertionError(
            f"For {kind} ({dim}-D) `query`, expected `attn_mask` to be `None`, 2-D or "
            f"3-D but found {attn_mask.dim()}-D tensor instead"
        )
    want: tuple[int, ...] = (length, source)
    want = want if attn_mask.dim() == 2 else (batch * num_heads, *want)
    if tuple(attn_mask.shape) != want:
        raise RuntimeError(
            f"The shape of the {attn_mask.dim()}D attn_mask is "
            f"{tuple(attn_mask.shape)}, but should be {want}."
        )


def padding_bias(key_padding_mask, extra, like):
    """Return what padding adds to the scores of a key.

    Parameters
    ----------
    key_padding_mask : tensor of shape (B, S), or None
        True or -inf leaves a key out.
    extra : int
        Keys that the module appends; they are never padding.
    like : tensor
        Gives the dtype.

    Returns
    -------
    bias : tensor of shape (B, 1, 1, S + extra), or None
        0 and -inf, or the numbers of a floating mask.
    """
    if key_padding_mask is None:
        return None
    bias = torch.nn.functional.pad(_to_float(key_padding_mask, like), (0, extra))
    return bias[:, None, None]


def query_bias(attn_mask, is_causal, shape, extra, like):
    """Return what the masks over queries add to the scores.

    Parameters
    ----------
    attn_mask : tensor of shape (L, S) or (B * H, L, S), or None
        True or -inf leaves a pair out.
    is_causal : bool
        Whether query t may see the keys 0 .. t only.
    shape : tuple of (B, H, L, S)
        The sizes.
    extra : int
        Keys that the module appends; every query sees them.
    like : tensor
        Gives dtype and device.

    Returns
    -------
    bias : tensor broadcastable to (B, H, L, S + extra), or None
        To be added to the scores.
    """
    _, heads, length, source = shape
    bias = None
    if attn_mask is not None:
        bias = _to_float(attn_mask, like)
        bias = bias.view(-1, 1 if bias.dim() == 2 else heads, length, source)
    if is_causal:
        later = torch.ones(length, source, dtype=torch.bool, device=like.device).triu(1)
        hidden = torch.zeros_like(later, dtype=like.dtype)
        hidden = hidden.masked_fill(later, float("-inf"))
        bias = hidden[None, None] if bias is None else bias + hidden
    return bias if bias is None else torch.nn.functional.pad(bias, (0, extra))


def _to_float(mask, like):
    if mask.is_floating_point():
        mask = mask.to(like.dtype)
        # No softmax sees such a key, and its sums would drown those of the others.
        return mask.masked_fill(mask <= mask.amax(-1, True) - HIDDEN, float("-inf"))
    zeros = torch.zeros(mask.shape, dtype=like.dtype, device=mask.device)
    return zeros.masked_fill(mask, float("-inf"))


def add(bias, padding):
    """Return the sum of two biases, either of which may be None."""
    if bias is None or padding is None:
        return padding if bias is None else bias
    return bias + padding


def warn_of_per_query():
    """Say that a mask over queries has put the shared mask aside."""
    if not torch.compiler.is_compiling():
        warnings.warn(
            "A mask that all queries share would tell a query about keys that "
            "attn_mask or is_causal hides from it; this call selects per query. Set "
            "mode='per_query' to silence this warning.",
            UserWarning,
            stacklevel=4,
        )
