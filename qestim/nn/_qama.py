# SPDX-License-Identifier: Apache-2.0
"""QAMA: multi-head attention whose keys are chosen by an Ising problem."""

import torch
from torch.nn.functional import linear, pad

from qestim.nn._attention_core import (
    attend_per_query,
    attend_shared,
    attention_scores,
)
from qestim.nn._attention_masks import (
    add,
    check_shapes,
    padding_bias,
    query_bias,
    warn_of_per_query,
)
from qestim.nn._attention_parameters import check_parameters
from qestim.nn._attention_relevance import mean_relevance
from qestim.qubo import AttentionProblem


class QAMA(torch.nn.MultiheadAttention):
    r"""Multi-head attention to few keys, chosen by an Ising problem.

    A drop-in for `torch.nn.MultiheadAttention`: the same arguments, calls, results and
    ``state_dict``. Each query attends to the k keys that minimise

    .. math:: E(x) = -\sum_{hj} a_{hj} x_{hj}
              + \frac{\lambda_r}{k-1} \sum_h \sum_{j<l} R^h_{jl} x_{hj} x_{hl}
              + \frac{\lambda_x}{H-1} \sum_j \sum_{h<h'} x_{hj} x_{h'j},
              \qquad \textstyle\sum_j x_{hj} = k,

    by softmax attention over them, where :math:`R^h_{jl}` is the cosine of two keys
    (around the mean of the keys for ``mode="shared"``). **Without a joint term the
    minimum is top-k, and no annealer is needed**; only :math:`\lambda_r` and
    :math:`\lambda_x` make it a QUBO.

    Parameters
    ----------
    embed_dim : int
        Features of queries and of what comes out; this and all up to ``dtype`` are as
        in `torch.nn.MultiheadAttention`.
    num_heads : int
        Heads; a divisor of ``embed_dim``.
    dropout : float, default=0.0
        Chance of dropping a weight in training.
    bias : bool, default=True
        Whether the projections have biases.
    add_bias_kv, add_zero_attn : bool, default=False
        Append a learned key, or one of zeros; these are keys like others.
    kdim, vdim : int, default=None
        Features of keys and of values; None means ``embed_dim``.
    batch_first : bool, default=False
        Whether tensors are (batch, length, features), not (length, batch, features).
    device, dtype : torch.device and torch.dtype, default=None
        Of the parameters; None is torch's default.
    k : int, default=None
        Keys to keep for each query and head, at most the length of the source; must
        be given except for ``mode="sparsemax"``, which does not use it.
    mode : {"per_query", "shared", "sparsemax"}, default="per_query"
        "per_query": a mask for each query, with the scores as :math:`a`. "shared": one
        mask a head for all queries, with :math:`a_{hj}` the standardised score of key j
        and the mean query: time and memory are linear in the length. A call with
        ``attn_mask`` or ``is_causal`` then selects per query, with a warning, as a
        shared mask would leak what they hide. "sparsemax": no mask, but the weights
        that minimise :math:`\frac12 |p|^2 - a \cdot p` on the simplex.
    sampler : object, default=None
        With dimod's ``sample(bqm, num_reads=...)``. All problems of a call are one
        block-diagonal BINARY model; each takes its best read, repaired to exactly k
        keys. Slow: train without, infer with. None means the native solver: greedy and
        best swaps, for the whole batch at once, on the device of the tensors.
    num_reads : int, default=None
        Reads of a call of ``sampler``, None means 10. Without a sampler, greedy starts
        of the native solver: None means 8, fewer above 512 bits (heads times masks
        times keys) and 1 from 4,096.
    grad : {"ste", "covariance", "none"}, default="ste"
        Gradient of the choice, besides the exact one of the softmax over kept keys.
        "ste": of a logistic gate on each key, passed straight through. "covariance":
        that of the sampler's Boltzmann law, from its reads; it needs a sampler with
        ``properties["distribution"] == "boltzmann"``, its ``beta`` and two reads.
    temperature : float, default=0.5
        Width of the logistic gate, in the units of :math:`a`.
    redundancy : float, default=None
        :math:`\lambda_r`, in the units of :math:`a`; None means 1 for "shared", else 0.
    cross_head : float, default=None
        :math:`\lambda_x`, likewise.

    Raises
    ------
    ValueError
        If a parameter is not as stated.

    See Also
    --------
    qestim.qubo.AttentionProblem : The same masks as a problem of numpy arrays.

    Notes
    -----
    Forbidden keys are left out of the problem instead of being penalised; a query
    without any allowed key has weights 0 and attends to nothing (softmax attention
    gives NaN). NaN in projected queries or keys raises outside `torch.compile`.

    References
    ----------
    .. [1] Du et al., "QAMA: Scalable quantum annealing multi-head attention operator
           for deep learning", arXiv:2504.11083 (2025); the energy here is derived in
           docs/guide/attention.md.
    .. [2] Martins and Astudillo, "From softmax to sparsemax", ICML (2016), section 2.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import QAMA
    >>> layer = torch.nn.TransformerEncoderLayer(8, 2, batch_first=True)
    >>> trained = layer.self_attn.state_dict()
    >>> layer.self_attn = QAMA(8, 2, batch_first=True, k=3)
    >>> layer.self_attn.load_state_dict(trained)
    <All keys matched successfully>
    >>> x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    >>> _, weights = layer.self_attn(x, x, x, average_attn_weights=False)
    >>> (weights > 0).sum(-1).unique()
    tensor([3])
    """

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
        *,
        k=None,
        mode="per_query",
        sampler=None,
        num_reads=None,
        grad="ste",
        temperature=0.5,
        redundancy=None,
        cross_head=None,
    ) -> None:
        super().__init__(
            embed_dim,
            num_heads,
            dropout,
            bias,
            add_bias_kv,
            add_zero_attn,
            kdim,
            vdim,
            batch_first,
            device,
            dtype,
        )
        # The encoder's fast path would run softmax attention with our weights.
        self._qkv_same_embed_dim = False
        joint = 1.0 if mode == "shared" else 0.0
        self.k = k
        self.mode = mode
        self.sampler = sampler
        self.num_reads = num_reads
        self.grad = grad
        self.temperature = temperature
        self.redundancy = joint if redundancy is None else redundancy
        self.cross_head = joint if cross_head is None else cross_head
        check_parameters(self)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attend.

        In a mask of numbers, one that is 10,000 below the largest of its row hides a
        key as -inf does.

        Parameters
        ----------
        query : tensor of shape (L, E), (L, B, E) or, batch first, (B, L, E)
            Queries.
        key, value : tensor of shape (S, E), (S, B, E) or, batch first, (B, S, E)
            Keys and values, of ``kdim`` and ``vdim`` features.
        key_padding_mask : tensor of shape (B, S) or (S,), default=None
            True leaves a key out; numbers are added to its scores and, in "shared"
            mode, to its relevance.
        need_weights : bool, default=True
            Whether to return the weights; False is faster.
        attn_mask : tensor of shape (L, S) or (B * num_heads, L, S), default=None
            True hides a key from a query; numbers are added to the scores.
        average_attn_weights : bool, default=True
            Whether to average the weights over heads.
        is_causal : bool, default=False
            Query t sees the keys 0 .. t only, besides what ``attn_mask`` says.

        Returns
        -------
        output : tensor of the shape of ``query``
            Attended values.
        weights : tensor of shape (B, L, S) or (B, num_heads, L, S), or None
            Weights, 0 for keys that were not kept; without B if ``query`` is unbatched.

        Raises
        ------
        AssertionError, RuntimeError
            If shapes or masks do not fit, k exceeds the number of keys, or a
            projection is NaN.
        """
        if query.is_nested:
            # TransformerEncoder nests padded batches in eval mode, masks included.
            hidden = key_padding_mask, attn_mask
            return self._forward_nested(query, key, value, hidden, is_causal)
        batched = query.dim() == 3
        same = query is key
        masks = key_padding_mask, attn_mask, is_causal
        q, k, v, padding, bias = self._prepare(query, key, value, *masks)
        shared = self.mode == "shared" and self.k < k.shape[2]
        if shared and bias is None:
            out, weights = attend_shared(self, q, k, v, padding, same, need_weights)
        else:
            if shared:
                warn_of_per_query()
            out, weights = attend_per_query(self, q, k, v, add(bias, padding))
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        if not need_weights:
            weights = None
        else:
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights.to(out.dtype)
        if not batched:
            return out.squeeze(0), weights.squeeze(0) if need_weights else None
        return out if self.batch_first else out.transpose(0, 1), weights

    @torch.no_grad()
    def problem(
        self, query, key=None, key_padding_mask=None, attn_mask=None, is_causal=False
    ) -> AttentionProblem:
        """Return the problem that the layer solves for one sample.

        This is the way to a machine of one's own, and to pictures:
        ``qestim.plotting.AttentionDisplay``.

        Parameters
        ----------
        query : tensor of shape (L, E)
            Queries of one sample.
        key : tensor of shape (S, E), default=None
            Keys; None means the queries.
        key_padding_mask : tensor of shape (S,), default=None
            True leaves a key out; numbers are added to its scores.
        attn_mask : tensor of shape (L, S) or (num_heads, L, S), default=None
            True hides a key from a query; numbers are added to the scores.
        is_causal : bool, default=False
            Query t sees the keys 0 .. t only.

        Returns
        -------
        problem : qestim.qubo.AttentionProblem
            "shared" becomes "per_query" where `forward` would do so.
        """
        if query.dim() != 2:
            raise AssertionError(
                f"problem takes one sample, so query should be unbatched 2D, but "
                f"received {query.dim()}-D query tensor"
            )
        same = key is None or query is key
        key = query if key is None else key
        value = key.new_zeros(*key.shape[:-1], self.vdim)
        masks = key_padding_mask, attn_mask, is_causal
        q, k, _, padding, bias = self._prepare(query, key, value, *masks)
        mode = "per_query" if self.mode == "shared" and bias is not None else self.mode
        if mode == "shared":
            scores = mean_relevance(q, k, padding, same)[0, :, 0]
        else:
            scores = attention_scores(q, k, add(bias, padding))[0]
        joint = {} if mode == "sparsemax" else {"k": self.k, "keys": k[0].cpu().numpy()}
        if joint:
            joint.update(redundancy=self.redundancy, cross_head=self.cross_head)
        return AttentionProblem(scores.cpu().numpy(), mode=mode, **joint)

    def _prepare(self, query, key, value, key_padding_mask, attn_mask, is_causal):
        """Return q, k and v and what the masks over keys and over pairs add."""
        batched = query.dim() == 3
        whole = query is key and key is value
        if batched and not self.batch_first:
            query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        check_shapes(query, key, value, key_padding_mask, attn_mask, self.num_heads)
        if not batched:
            query, key, value = (t.unsqueeze(0) for t in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask.unsqueeze(0)
        shape = (query.shape[0], self.num_heads, query.shape[1], key.shape[1])
        q, k, v = self._project(query, key, value, whole)
        extra = k.shape[2] - key.shape[1]
        padding = padding_bias(key_padding_mask, extra, q)
        bias = query_bias(attn_mask, is_causal, shape, extra, q)
        self._check_keys(q, k, padding, bias)
        return q, k, v, padding, bias

    def _forward_nested(self, tokens, key, value, masks, is_causal):
        """Attend within sequences of different lengths, as an encoder nests them."""
        if key is not tokens or value is not tokens or masks != (None, None):
            raise AssertionError(
                "A nested query attends to itself, with no mask but is_causal. Pad "
                "with to_padded_tensor for other keys, values and masks."
            )
        lengths = tokens._nested_tensor_size()[:, :1].to(tokens.device)
        padded = tokens.to_padded_tensor(0.0)
        padding = torch.arange(padded.shape[1], device=tokens.device) >= lengths
        options = {"need_weights": False, "is_causal": is_causal}
        out, _ = self(padded, padded, padded, padding, **options)
        nest = torch._nested_tensor_from_mask
        return nest(out, ~padding, mask_check=False), None

    def _project(self, query, key, value, whole):
        """Return q, k and v, tensors of shape (B, H, L or S, E / H)."""
        bias = self.in_proj_bias
        parts: tuple[torch.Tensor, ...]
        if self.in_proj_weight is not None and whole:
            parts = linear(query, self.in_proj_weight, bias).chunk(3, -1)
        else:
            if self.in_proj_weight is None:
                matrices = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
            else:
                matrices = self.in_proj_weight.chunk(3)
            biases = (None,) * 3 if bias is None else bias.chunk(3)
            inputs = query, key, value
            each = zip(inputs, matrices, biases, strict=True)
            parts = tuple(linear(*one) for one in each)
        q, k, v = parts
        batch = q.shape[0]
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(batch, 1, -1).to(k)], 1)
            v = torch.cat([v, self.bias_v.expand(batch, 1, -1).to(v)], 1)
        if self.add_zero_attn:
            k, v = (pad(t, (0, 0, 0, 1)) for t in (k, v))
        heads = (self.num_heads, self.head_dim)
        return tuple(t.unflatten(-1, heads).transpose(1, 2) for t in (q, k, v))

    def _check_keys(self, q, k, padding, bias):
        if self.mode != "sparsemax" and self.k > k.shape[2]:
            raise RuntimeError(
                f"k={self.k} keys are to be kept, but the source sequence has "
                f"{k.shape[2]}. Lower k, or pad the sequence."
            )
        if torch.compiler.is_compiling():
            return
        for name, tensor in (("query", q), ("key", k)):
            if not torch.isfinite(tensor.detach().sum(dtype=torch.float32)):
                raise RuntimeError(
                    f"The projected {name} contains NaN or infinity, so that no key "
                    "can be chosen. Look for them in the inputs or weights."
                )
        for name, mask in (("key_padding_mask", padding), ("attn_mask", bias)):
            if mask is not None and not (mask < float("inf")).all():
                raise RuntimeError(
                    f"{name} contains NaN or +inf. -inf hides a key, 0 does not."
                )
