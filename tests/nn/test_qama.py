# SPDX-License-Identifier: Apache-2.0
"""QAMA against nn.MultiheadAttention, and what its masks promise."""

import pytest
import torch

from qestim.nn import QAMA

E, H, B, N = 16, 4, 3, 7


def pair(k=N, seed=0, dtype=torch.float64, **options):
    """Return softmax attention and a QAMA with the same weights."""
    common = {name: options.pop(name) for name in list(options) if name in COMMON}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        soft = torch.nn.MultiheadAttention(E, H, dtype=dtype, **common)
        ours = QAMA(E, H, dtype=dtype, k=k, **common, **options)
    ours.load_state_dict(soft.state_dict())
    return soft, ours


COMMON = ("bias", "add_bias_kv", "add_zero_attn", "kdim", "vdim", "batch_first")


def tokens(*shape, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


PADDING = torch.zeros(B, N, dtype=torch.bool)
PADDING[1, 4:] = True
LATER = torch.ones(N, N, dtype=torch.bool).triu(1)
MASKS = {
    "none": {},
    "padding": {"key_padding_mask": PADDING},
    "float padding": {"key_padding_mask": tokens(B, N, seed=2)},
    "bool": {"attn_mask": LATER},
    "float": {"attn_mask": tokens(N, N, seed=3)},
    "bool a head": {"attn_mask": LATER.expand(B * H, N, N)},
    "float a head": {"attn_mask": tokens(B * H, N, N, seed=4)},
    "causal": {"attn_mask": LATER, "is_causal": True},
    "padding and bool": {"key_padding_mask": PADDING, "attn_mask": LATER},
    "padding and causal": {
        "key_padding_mask": PADDING,
        "attn_mask": LATER,
        "is_causal": True,
    },
}


@pytest.mark.parametrize("mode", ["per_query", "shared"])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_all_keys_are_softmax_attention(masks, batch_first, need_weights, mode):
    soft, ours = pair(mode=mode, batch_first=batch_first)
    x = tokens(B, N, E) if batch_first else tokens(N, B, E)
    want, want_weights = soft(x, x, x, need_weights=need_weights, **masks)
    got, weights = ours(x, x, x, need_weights=need_weights, **masks)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=0)
    if need_weights:
        torch.testing.assert_close(weights, want_weights, atol=1e-5, rtol=0)
    else:
        assert weights is None


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_encoder_in_eval_calls_forward(mode, monkeypatch):
    layer = torch.nn.TransformerEncoderLayer(E, H, 32, 0.0, batch_first=True)
    layer.self_attn = QAMA(E, H, batch_first=True, k=3, mode=mode)
    x = tokens(B, N, E, dtype=torch.float32)
    want = layer.train()(x)
    calls = []
    forward = QAMA.forward
    monkeypatch.setattr(
        QAMA, "forward", lambda *a, **kw: calls.append(1) or forward(*a, **kw)
    )
    with torch.no_grad():
        torch.testing.assert_close(layer.eval()(x), want, atol=1e-5, rtol=1e-5)
    assert calls == [1]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_an_encoder_that_nests_its_padded_batch(mode):
    # The encoder was built around softmax attention, so that it still nests.
    layer = torch.nn.TransformerEncoderLayer(E, H, 32, 0.0, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2)
    for each in encoder.layers:
        each.self_attn = QAMA(E, H, batch_first=True, k=3, mode=mode)
    x = tokens(B, N, E, dtype=torch.float32)
    want = encoder.train()(x, src_key_padding_mask=PADDING)
    with torch.no_grad():
        got = encoder.eval()(x, src_key_padding_mask=PADDING)
    torch.testing.assert_close(got[~PADDING], want[~PADDING], atol=1e-5, rtol=1e-5)
    assert (got[PADDING] == 0).all()
