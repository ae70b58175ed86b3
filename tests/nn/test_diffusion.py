# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
import torch

from qestim.nn import AbsorbingDiffusion, CandidateGuide, TransformerDenoiser, decode

V, L = 3, 4


class Truth:
    """The exact conditionals of a random law of 81 sequences."""

    def __init__(self, seed=0):
        states = list(itertools.product(range(V), repeat=L))
        self.states = torch.tensor(states)
        p = np.random.default_rng(seed).dirichlet(np.full(V**L, 0.2))
        self.p = torch.tensor(p + 1e-9)

    def posterior(self, tokens):
        fits = (tokens[:, None] == self.states) | (tokens[:, None] >= V)
        p = fits.all(2) * self.p
        return p / p.sum(1, keepdim=True)

    def logits(self, tokens, t):
        symbols = torch.nn.functional.one_hot(self.states, V).double()
        return torch.einsum("bs,slv->blv", self.posterior(tokens), symbols).log()


class Exact(CandidateGuide):
    """Draws from the exact joint law of the masked tokens."""

    def __init__(self, truth):
        super().__init__(V)
        self.truth = truth

    def choose(self, noisy, logits, n_candidates, *, n_rounds=1, generator=None):
        p = self.truth.posterior(noisy)
        return self.truth.states[torch.multinomial(p, 1, generator=generator)[:, 0]]


def law_of(tokens):
    number = (tokens * V ** torch.arange(L - 1, -1, -1)).sum(1)
    return torch.bincount(number, minlength=V**L) / len(tokens)


def distance(tokens, truth):
    return 0.5 * float((law_of(tokens) - truth.p).abs().sum())


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_the_bound_is_the_log_likelihood_for_exact_conditionals(generator):
    truth = Truth()
    x = truth.states[torch.multinomial(truth.p, 8, generator=generator)]
    nelbo = AbsorbingDiffusion(V).nelbo(truth, x, n_draws=1500, generator=generator)
    # Any order of the tokens multiplies up to the same probability.
    log_p = truth.p[(x[:, None] == truth.states).all(2).double().argmax(1)].log()
    assert nelbo.mean().item() == pytest.approx(-log_p.mean().item(), rel=0.02)


def test_times_follow_the_masks(generator):
    tokens = torch.zeros(40000, L, dtype=torch.int64)
    noisy, t, weight = AbsorbingDiffusion(V).corrupt(tokens, generator=generator)
    n_masks = (noisy == V).sum(1)
    for n in range(1, L + 1):
        mine = n_masks == n
        assert mine.float().mean().item() == pytest.approx(1 / L, abs=1e-3)
        # Beta(n, L - n + 1)
        assert t[mine].mean().item() == pytest.approx(n / (L + 1), abs=0.01)
    assert torch.equal(weight, L / n_masks)


def test_filling_is_never_masked_and_costs_nothing(generator):
    process = AbsorbingDiffusion(V)
    tokens = torch.tensor([[0, 1, V + 1, V + 1]] * 50)
    noisy, t, weight = process.corrupt(tokens, generator=generator)
    assert (noisy[:, 2:] == V + 1).all()
    assert (t < 1).all()
    assert set(weight.tolist()) == {1.0, 2.0}


def test_filling_changes_no_logits():
    denoiser = TransformerDenoiser(V, 6, width=8, generator=None)
    short = torch.tensor([[0, V, 2]])
    longer = torch.cat([short, torch.full((1, 3), V + 1)], 1)
    t = torch.ones(1)
    seen = denoiser.logits(longer, t)[:, :3]
    assert torch.allclose(denoiser.logits(short, t), seen, atol=1e-6)


def test_the_denoiser_looks_both_ways():
    denoiser = TransformerDenoiser(
        V, L, width=8, generator=torch.Generator().manual_seed(1)
    )
    tokens, t = torch.full((1, L), V), torch.ones(1)
    before = denoiser.logits(tokens, t)
    for position in (0, L - 1):
        changed = tokens.clone()
        changed[0, position] = 1
        after = denoiser.logits(changed, t)
        assert not torch.allclose(before[0, 1], after[0, 1], atol=1e-7)


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="multiple of n_heads"):
        TransformerDenoiser(V, L, width=6, n_heads=4)


def test_many_steps_reach_the_law_and_one_step_does_not(generator):
    truth, masks = Truth(), torch.full((8000, L), V)
    settings = {"mask_token": V, "generator": generator}
    far = decode(truth, masks, n_steps=1, **settings)[-1]
    near = decode(truth, masks, n_steps=32, **settings)[-1]
    assert distance(near, truth) < 0.06 < 0.2 < distance(far, truth)


@pytest.mark.parametrize("n_steps", [1, 2, 4])
def test_the_exact_joint_law_needs_no_steps(n_steps, generator):
    truth, masks = Truth(), torch.full((8000, L), V)
    states = decode(
        truth,
        masks,
        mask_token=V,
        n_steps=n_steps,
        guide=Exact(truth),
        generator=generator,
    )
    assert distance(states[-1], truth) < 0.06


@pytest.mark.parametrize("remask", ["ancestral", "confidence"])
def test_given_tokens_stay_and_masks_go(remask, generator):
    tokens = torch.tensor([[2, V, V, 0], [V, V, 1, V + 1]]).repeat(20, 1)
    states = decode(
        Truth(), tokens, mask_token=V, n_steps=3, remask=remask, generator=generator
    )
    given = tokens != V
    for state in states:
        assert torch.equal(state[given], tokens[given])
    assert (states[-1] != V).all()


def test_confidence_masks_the_share_of_the_time(generator):
    masks = torch.full((5, L), V)
    states = decode(
        Truth(),
        masks,
        mask_token=V,
        n_steps=4,
        remask="confidence",
        generator=generator,
    )
    assert [int((s == V).sum()) for s in states] == [20, 15, 10, 5, 0]


class Sure:
    """Sure of the first two tokens, not of the others, and of none once it stands."""

    def logits(self, tokens, t):
        logits = torch.zeros(*tokens.shape, V)
        logits[:, :2, 0] = 60.0
        logits[tokens != V] = torch.tensor([0.0, 0.0, 90.0])
        return logits


def test_confidence_leaves_what_was_sure_when_it_was_drawn(generator):
    masks = torch.full((500, L), V)
    states = decode(
        Sure(),
        masks,
        mask_token=V,
        n_steps=4,
        remask="confidence",
        generator=generator,
    )
    standing = states[1] != V
    assert standing[:, :2].float().mean() > 1.5 * standing[:, 2:].float().mean()
    # How sure the backbone is of a token that stands is not asked again.
    assert (states[2] != V)[standing].float().mean() > 0.4


@pytest.mark.parametrize(
    ("n_steps", "window", "calls"),
    [(4, (0.0, 0.5), 2), (10, (0.0, 0.3), 3), (10, (0.7, 1.0), 4)],
)
def test_the_guide_chooses_in_the_window_ends_included(
    n_steps, window, calls, generator
):
    class Counting(Exact):
        calls = 0

        def choose(self, *arguments, **more):
            self.calls += 1
            return super().choose(*arguments, **more)

    guide = Counting(Truth())
    decode(
        guide.truth,
        torch.full((2, L), V),
        mask_token=V,
        n_steps=n_steps,
        guide=guide,
        window=window,
        generator=generator,
    )
    assert guide.calls == calls


@pytest.mark.parametrize("wrong", [{"n_steps": 0}, {"remask": "random"}])
def test_decoding_refuses_what_it_does_not_know(wrong, generator):
    settings = {"mask_token": V, "n_steps": 2, "generator": generator, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        decode(Truth(), torch.full((2, L), V), **settings)
