# SPDX-License-Identifier: Apache-2.0
"""QAMA against nn.MultiheadAttention, and what its masks promise."""

import copy
import pickle

import pytest
import torch

from qestim.nn import QAMA
from qestim.qubo._attention_levels import sparsemax

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


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.filterwarnings("ignore:A mask that all queries share")
@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_a_nested_batch_stays_causal(mode):
    layer = torch.nn.TransformerEncoderLayer(E, H, 32, 0.0, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 1)
    encoder.layers[0].self_attn = QAMA(E, H, batch_first=True, k=3, mode=mode)
    x = tokens(B, N, E, dtype=torch.float32)
    options = {"src_key_padding_mask": PADDING, "is_causal": True}
    want = encoder.train()(x, **options)
    with torch.no_grad():
        got = encoder.eval()(x, **options)
    torch.testing.assert_close(got[~PADDING], want[~PADDING], atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_batch_takes_no_other_keys_and_masks():
    _, ours = pair(k=3, batch_first=True, dtype=torch.float32)
    one, two = (
        torch.nested.nested_tensor([tokens(n, E).float() for n in (4, 6)])
        for _ in range(2)
    )
    for inputs, masks in (((one, two, two), {}), ((one,) * 3, {"attn_mask": LATER})):
        with pytest.raises(AssertionError, match="nested query attends to itself"):
            ours(*inputs, **masks)


@pytest.mark.parametrize("mode", ["per_query", "shared"])
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_unbatched(masks, mode):
    soft, ours = pair(mode=mode)
    x = tokens(N, E)
    one = {
        name: mask[:1].squeeze(0) if name == "key_padding_mask" else mask
        for name, mask in masks.items()
    }
    if one.get("attn_mask") is not None and one["attn_mask"].dim() == 3:
        one["attn_mask"] = one["attn_mask"][:H]
    want, want_weights = soft(x, x, x, **one)
    got, weights = ours(x, x, x, **one)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=0)
    torch.testing.assert_close(weights, want_weights, atol=1e-5, rtol=0)


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize(
    "options",
    [{"bias": False}, {"kdim": 5, "vdim": 6}, {"add_bias_kv": True}],
    ids=str,
)
def test_other_constructors_are_softmax_attention(options, masks):
    soft, ours = pair(k=N + ("add_bias_kv" in options), batch_first=True, **options)
    x = tokens(B, N, E)
    key = tokens(B, N, options.get("kdim", E), seed=5)
    value = tokens(B, N, options.get("vdim", E), seed=6)
    want, want_weights = soft(x, key, value, average_attn_weights=False, **masks)
    got, weights = ours(x, key, value, average_attn_weights=False, **masks)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=0)
    torch.testing.assert_close(weights, want_weights, atol=1e-5, rtol=0)


def test_zero_attention_is_one_more_key():
    soft, ours = pair(k=N + 1, batch_first=True, add_zero_attn=True)
    x = tokens(B, N, E)
    torch.testing.assert_close(ours(x, x, x)[0], soft(x, x, x)[0])


def test_cross_attention_of_another_length():
    soft, ours = pair(k=4, batch_first=True)
    query, key = tokens(B, 9, E), tokens(B, 4, E, seed=2)
    torch.testing.assert_close(ours(query, key, key)[0], soft(query, key, key)[0])


def test_per_query_keeps_the_top_k():
    for seed in range(1000):
        _, ours = (None, QAMA_OF_ONE[seed % 3])
        x = tokens(1, N, E, seed=seed, dtype=torch.float32)
        with torch.no_grad():
            _, weights = ours(x, x, x, average_attn_weights=False)
            parts = torch.nn.functional.linear(
                x, ours.in_proj_weight, ours.in_proj_bias
            ).chunk(3, -1)
            q, k = (
                part.unflatten(-1, (H, E // H)).transpose(1, 2) for part in parts[:2]
            )
            best = (q @ k.transpose(-1, -2)).topk(ours.k, -1).indices
        kept = weights > 0
        assert (kept.sum(-1) == ours.k).all()
        assert kept.gather(-1, best).all()


QAMA_OF_ONE = [pair(k, dtype=torch.float32, batch_first=True)[1] for k in (1, 3, 5)]


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
@pytest.mark.parametrize("joint", [0.0, 1.0])
@pytest.mark.filterwarnings("ignore:A mask that all queries share")
def test_the_future_does_not_leak(mode, joint):
    _, ours = pair(k=3, mode=mode, batch_first=True, redundancy=joint, cross_head=joint)
    x = tokens(B, N, E)
    for changed in range(1, N):
        other = x.clone()
        other[:, changed:] += tokens(B, N - changed, E, seed=9)
        for masks in ({"is_causal": True}, {"attn_mask": LATER}):
            before, _ = ours(x, x, x, **masks)
            after, _ = ours(other, other, other, **masks)
            past = slice(None), slice(changed)
            torch.testing.assert_close(after[past], before[past], atol=1e-9, rtol=0)
            assert (after[:, changed:] != before[:, changed:]).any()


def test_causal_without_a_mask_is_the_mask():
    _, ours = pair(k=3, batch_first=True)
    x = tokens(B, N, E)
    causal, _ = ours(x, x, x, is_causal=True)
    torch.testing.assert_close(causal, ours(x, x, x, attn_mask=LATER)[0])


def test_a_shared_mask_says_that_it_is_put_aside():
    _, ours = pair(k=3, mode="shared", batch_first=True)
    x = tokens(B, N, E)
    for masks in ({"is_causal": True}, {"attn_mask": tokens(N, N)}):
        with pytest.warns(UserWarning, match="selects per query"):
            ours(x, x, x, **masks)


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
@pytest.mark.parametrize("joint", [0.0, 1.0])
@pytest.mark.parametrize("k", [3, N])
def test_fully_masked_rows_attend_to_nothing(mode, joint, k):
    _, ours = pair(k=k, mode=mode, batch_first=True, redundancy=joint, cross_head=joint)
    x = tokens(B, N, E).requires_grad_()
    padding = torch.zeros(B, N, dtype=torch.bool)
    padding[1] = True
    out, weights = ours(x, x, x, key_padding_mask=padding)
    assert (weights[1] == 0).all()
    torch.testing.assert_close(out[1], ours.out_proj.bias.expand(N, E))
    torch.testing.assert_close(weights[0].sum(-1), torch.ones(N, dtype=torch.float64))
    out.square().sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in ours.parameters())


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_padding_says_nothing(mode):
    _, ours = pair(k=3, mode=mode, batch_first=True)
    x = tokens(B, N, E)
    other = x.clone()
    other[1, 4:] = 1e3 * tokens(3, E, seed=8)
    before, _ = ours(x, x, x, key_padding_mask=PADDING)
    after, _ = ours(other, other, other, key_padding_mask=PADDING)
    torch.testing.assert_close(after[1, :4], before[1, :4])
    short, _ = ours(x[1:2, :4], x[1:2, :4], x[1:2, :4])
    torch.testing.assert_close(before[1:2, :4], short)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
@pytest.mark.parametrize("low", [-1e4, -6e4, "least"])
def test_large_negative_numbers_hide_keys(low, mode, dtype):
    k = None if mode == "sparsemax" else 3
    _, ours = pair(k=k, mode=mode, batch_first=True, dtype=dtype)
    if mode == "per_query":
        ours.redundancy = ours.cross_head = 1.0
    x = tokens(B, N, E, dtype=dtype).requires_grad_()
    number = torch.finfo(dtype).min if low == "least" else low
    numbers = torch.zeros(B, N, dtype=dtype).masked_fill(PADDING, number)
    got, weights = ours(x, x, x, key_padding_mask=numbers)
    want, _ = ours(x, x, x, key_padding_mask=PADDING)
    torch.testing.assert_close(got, want)
    assert weights.dtype is dtype
    got.square().sum().backward()
    assert x.grad.isfinite().all()


def test_numbers_of_padding_count_in_the_choice_of_a_shared_mask():
    _, ours = pair(k=2, mode="shared", batch_first=True)
    x = tokens(B, N, E)
    numbers = torch.zeros(B, N, dtype=torch.float64)
    numbers[:, 3] = 50.0
    _, weights = ours(x, x, x, key_padding_mask=numbers)
    assert (weights[..., 3] > 0.99).all()


@pytest.mark.parametrize("seed", range(5))
def test_weights_where_fewer_than_k_keys_are_allowed(seed):
    _, ours = pair(k=6, mode="shared", batch_first=True, seed=seed)
    x = tokens(B, 12, E, seed=seed)
    padding = torch.ones(B, 12, dtype=torch.bool)
    padding[:, [1, 5, 7, 10]] = False
    _, weights = ours(x, x, x, key_padding_mask=padding, average_attn_weights=False)
    assert ((weights > 0) == ~padding[:, None, None]).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


@pytest.mark.parametrize("mode", ["per_query", "shared"])
def test_an_empty_batch_and_no_queries(mode):
    _, ours = pair(k=2, mode=mode, batch_first=True, redundancy=1.0, cross_head=1.0)
    x = tokens(0, N, E)
    assert ours(x, x, x)[0].shape == (0, N, E)
    if mode == "per_query":
        assert ours(tokens(B, 0, E), *[tokens(B, N, E)] * 2)[0].shape == (B, 0, E)


def test_shared_keeps_one_mask_a_head():
    _, ours = pair(k=3, mode="shared", batch_first=True)
    x = tokens(B, N, E)
    _, weights = ours(x, x, x, average_attn_weights=False)
    kept = weights > 0
    assert (kept.sum(-1) == 3).all()
    assert (kept == kept[:, :, :1]).all()


@pytest.mark.parametrize("mode", ["per_query", "shared"])
@pytest.mark.parametrize("grad", ["ste", "none"])
def test_gradient_reaches_queries_and_keys(mode, grad):
    _, ours = pair(k=1, mode=mode, grad=grad, batch_first=True)
    x = tokens(B, N, E)
    ours(x, x, x)[0].square().sum().backward()
    # With one kept key the softmax is constant: only the choice has a gradient.
    choice = ours.in_proj_weight.grad[: 2 * E].abs().max()
    assert bool(choice > 1e-6) is (grad == "ste")


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_dropout_and_train_mode(mode):
    _, ours = pair(k=3, mode=mode, batch_first=True)
    ours.dropout = 0.5
    x = tokens(B, N, E)
    torch.manual_seed(0)
    dropped = (ours.train()(x, x, x, average_attn_weights=False)[1] == 0).sum()
    assert dropped > (ours.eval()(x, x, x, average_attn_weights=False)[1] == 0).sum()


class Enumerator:
    """A dimod-like sampler that is none of ours; counts its calls."""

    def __init__(self):
        self.calls = 0

    def sample(self, bqm, num_reads):
        from qestim.samplers import SimulatedAnnealingSampler

        self.calls += 1
        return SimulatedAnnealingSampler(seed=0).sample(bqm, num_reads=num_reads)


@pytest.mark.parametrize("mode", ["per_query", "shared"])
@pytest.mark.parametrize("masks", [{}, {"key_padding_mask": PADDING}], ids=["", "pad"])
def test_any_sampler_in_one_call(mode, masks):
    sampler = Enumerator()
    _, ours = pair(k=2, mode=mode, sampler=sampler, num_reads=30, batch_first=True)
    x = tokens(B, N, E)
    drawn, _ = ours(x, x, x, **masks)
    assert sampler.calls == 1
    ours.sampler = None
    native, _ = ours(x, x, x, **masks)
    torch.testing.assert_close(drawn, native)


def test_covariance_needs_a_law_and_has_a_gradient():
    from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler

    for sampler in (None, SimulatedAnnealingSampler()):
        with pytest.raises(ValueError, match="BoltzmannSampler"):
            QAMA(E, H, k=2, grad="covariance", sampler=sampler)
    sampler = BoltzmannSampler(beta=2.0, seed=0, num_threads=1, log_z=False)
    for mode in ("per_query", "shared"):
        _, ours = pair(k=1, mode=mode, grad="covariance", sampler=sampler, num_reads=64)
        x = tokens(4, 1, E)
        ours(x, x, x)[0].square().sum().backward()
        assert ours.in_proj_weight.grad[: 2 * E].abs().max() > 1e-6


def test_state_dict_is_that_of_softmax_attention():
    for options in ({}, {"kdim": 5}, {"bias": False}, {"add_bias_kv": True}):
        soft, ours = pair(**options)
        assert list(ours.state_dict()) == list(soft.state_dict())
        soft.load_state_dict(ours.state_dict())


def test_copies_behave_alike():
    _, ours = pair(k=3, mode="shared", batch_first=True)
    x = tokens(B, N, E)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(twin(x, x, x)[0], ours(x, x, x)[0])
        assert (twin.k, twin.mode) == (3, "shared")
        assert not twin._qkv_same_embed_dim


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_autocast(mode):
    _, ours = pair(k=3, mode=mode, batch_first=True, dtype=torch.float32)
    x = tokens(B, N, E, dtype=torch.float32)
    want, _ = ours(x, x, x)
    with torch.autocast("cpu", torch.bfloat16):
        got, _ = ours(x, x, x)
        got.float().sum().backward()
    assert got.dtype == torch.bfloat16
    if mode != "shared":
        # A few queries may choose another key in half precision.
        close = (got.float() - want).abs().amax(-1) < 0.05
        assert close.float().mean() > 0.7
    assert all(p.grad.isfinite().all() for p in ours.parameters())


# torch warns about its own tracing of autograd functions.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("joint", [0.0, 1.0])
@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_compile(mode, joint):
    _, ours = pair(k=3, mode=mode, batch_first=True, redundancy=joint, cross_head=joint)
    ours.float()
    x = tokens(B, N, E, dtype=torch.float32)
    want, _ = ours(x, x, x)
    want.square().sum().backward()
    gradient = ours.in_proj_weight.grad.clone()
    ours.zero_grad()
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    got, _ = compiled(x, x, x)
    got.square().sum().backward()
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.in_proj_weight.grad, gradient, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("mode", ["per_query", "shared", "sparsemax"])
def test_export(mode):
    _, ours = pair(k=3, mode=mode, batch_first=True, dtype=torch.float32)
    ours.eval()
    x = tokens(B, N, E, dtype=torch.float32)
    exported = torch.export.export(ours, (x, x, x)).module()
    torch.testing.assert_close(exported(x, x, x)[0], ours(x, x, x)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": None}, "k, the number of keys to keep, must be an integer"),
        ({"k": 0}, "got k=0"),
        ({"k": 2.5}, "got k=2.5"),
        ({"k": 1, "mode": "topk"}, "mode must be one of"),
        ({"k": 1, "grad": "reinforce"}, "grad must be one of"),
        ({"k": 1, "num_reads": 0}, "num_reads must be"),
        ({"k": 1, "temperature": 0.0}, "temperature must be greater than 0"),
        ({"k": 1, "redundancy": -1.0}, "redundancy must be"),
        ({"k": 1, "cross_head": float("nan")}, "cross_head must be"),
        ({"mode": "sparsemax", "sampler": object()}, "takes no sampler"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        QAMA(E, H, **options)


def test_bad_calls():
    _, ours = pair(k=3, batch_first=True)
    x = tokens(B, N, E)
    with pytest.raises(RuntimeError, match="k=3 keys are to be kept"):
        ours(x, x[:, :2], x[:, :2])
    bad = x.clone()
    bad[0, 0, 0] = torch.nan
    with pytest.raises(RuntimeError, match="projected query contains NaN"):
        ours(bad, x, x)
    with pytest.raises(RuntimeError, match="projected key contains NaN"):
        ours(x, bad, x)
    with pytest.raises(RuntimeError, match="NaN"):
        ours(x, x, x, attn_mask=torch.full((N, N), torch.nan))
    with pytest.raises(RuntimeError, match="2D attn_mask"):
        ours(x, x, x, attn_mask=LATER[:3])
    with pytest.raises(RuntimeError, match="3D attn_mask"):
        ours(x, x, x, attn_mask=LATER[None])
    with pytest.raises(AssertionError, match="key_padding_mask"):
        ours(x, x, x, key_padding_mask=PADDING[:, :3])
    with pytest.raises(AssertionError, match="only bool and floating"):
        ours(x, x, x, attn_mask=LATER.int())
    with pytest.raises(AssertionError, match="2-D"):
        ours(x, x, x, attn_mask=LATER[0])
    with pytest.raises(AssertionError, match="unbatched 2D or batched 3D"):
        ours(x[0, 0], x, x)
    with pytest.raises(AssertionError, match="expected `key` and `value`"):
        ours(x, x[0], x[0])
    with pytest.raises(AssertionError, match="do not match"):
        ours(x, x, x[:, :3])
    with pytest.raises(AssertionError, match="batch size"):
        ours(x, x[:2], x[:2])


@pytest.mark.parametrize(
    ("mode", "masks"),
    [("shared", {}), ("per_query", {}), ("shared", {"is_causal": True})],
)
@pytest.mark.filterwarnings("ignore:A mask that all queries share")
def test_problem_is_what_the_layer_solves(mode, masks):
    _, ours = pair(k=2, mode=mode, redundancy=1.0, cross_head=1.0)
    x = tokens(5, E)
    problem = ours.problem(x, **masks)
    assert problem.mode == ("per_query" if masks else mode)
    _, weights = ours(x, x, x, average_attn_weights=False, **masks)
    kept = (weights > 0).numpy()
    if problem.mode == "shared":
        kept = kept[:, 0]
    assert (kept <= (problem.scores > -torch.inf)).all()
    # One key of one head at a time cannot be exchanged with profit.
    energy = problem.objective(kept)
    for head in range(H):
        for out in range(5):
            for into in range(5):
                other = kept.copy()
                other[head, ..., [out, into]] = other[head, ..., [into, out]]
                forbidden = other & ~(problem.scores > -torch.inf)
                if problem.mode == "shared" and not forbidden.any():
                    assert problem.objective(other) >= energy - 1e-9
    restored = problem.decode(problem.encode(kept))
    assert (restored == kept).all()


def test_sparsemax_problem_has_the_layers_scores():
    _, ours = pair(mode="sparsemax")
    x = tokens(5, E)
    problem = ours.problem(x)
    _, weights = ours(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(torch.tensor(sparsemax(problem.scores)[0]), weights)
