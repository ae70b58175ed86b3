# SPDX-License-Identifier: Apache-2.0
"""The contract of QDiffusionGenerator, in place of scikit-learn's checks."""

import json
import pickle

import dimod
import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from qestim import QDiffusionGenerator
from qestim.nn import AbsorbingDiffusion
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler

WORDS = ["abcabc", "bcabca", "cabcab", "abcab"] * 12
SMALL = {
    "width": 8,
    "n_heads": 2,
    "n_layers": 1,
    "n_visible": 8,
    "n_hidden": 8,
    "n_steps": 3,
    "n_candidates": 3,
    "max_iter": 2,
    "guide_max_iter": 2,
    "random_state": 0,
}


def small(**more):
    return QDiffusionGenerator(**{**SMALL, **more})


@pytest.fixture(scope="module")
def fitted():
    return small().fit(WORDS)


@pytest.fixture(scope="module")
def fitted_numbers():
    return small().fit(np.tile(np.arange(6) % 4, (20, 1)))


def test_constructor_only_assigns_and_clones():
    model = small(guide_window=[0.2, 0.8])
    assert clone(model).get_params() == model.get_params()
    assert QDiffusionGenerator().get_params()["n_candidates"] == 8


@pytest.mark.parametrize("name", sorted(QDiffusionGenerator._parameter_constraints))
def test_a_bad_parameter_is_named(name):
    with pytest.raises(ValueError, match=name):
        QDiffusionGenerator(**{name: object()}).fit(WORDS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guide_window": (0.5, 0.2)}, "guide_window"),
        ({"guide_window": (0.5,)}, "guide_window"),
        ({"guide_window": (None, 1)}, "guide_window"),
        ({"guide_window": ("a", "b")}, "guide_window"),
        ({"width": 6}, "multiple of 4"),
        ({"width": 8, "n_heads": 3}, "n_heads"),
        ({"sampler": SimulatedAnnealingSampler}, "instance"),
    ],
)
def test_settings_that_contradict_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings).fit(WORDS)


def test_everything_before_fit_says_so():
    for call in ("score", "perplexity", "energy", "guide_score"):
        with pytest.raises(NotFittedError):
            getattr(small(), call)(WORDS)
    with pytest.raises(NotFittedError):
        small().sample()


def test_strings_come_back_as_strings(fitted):
    samples = fitted.sample(20, random_state=0)
    assert all(isinstance(s, str) and set(s) <= set("abc") for s in samples)
    assert {len(s) for s in samples} == {5, 6}
    assert fitted.characters_ == "abc"


def test_integers_come_back_as_an_array(fitted_numbers):
    samples = fitted_numbers.sample(7, random_state=0)
    assert samples.shape == (7, 6)
    assert samples.dtype == np.int64
    assert ((samples >= 0) & (samples < 4)).all()


def test_padded_and_ragged_sequences_are_the_same_thing():
    ragged = [[0, 1, 2], [1, 0], [2, 2, 1, 0]] * 5
    padded = np.full((15, 4), -1)
    for row, sequence in zip(padded, ragged, strict=True):
        row[: len(sequence)] = sequence
    one, two = small().fit(ragged), small().fit(padded)
    assert one.loss_curve_ == two.loss_curve_
    assert one.score(ragged) == two.score(padded)
    assert sorted({len(s) for s in one.sample(30, random_state=1)}) == [2, 3, 4]


def test_seeds_reproduce(fitted):
    again = small().fit(WORDS)
    assert again.loss_curve_ == fitted.loss_curve_
    assert again.guide_loss_curve_ == fitted.guide_loss_curve_
    assert again.sample(5, random_state=3) == fitted.sample(5, random_state=3)
    assert fitted.sample(5, random_state=3) != fitted.sample(5, random_state=4)
    assert small(random_state=1).fit(WORDS).loss_curve_ != fitted.loss_curve_


@pytest.mark.parametrize("sampler", [None, BoltzmannSampler(num_reads=2, seed=0)])
def test_a_fitted_model_repeats_itself_where_it_draws_reads(sampler):
    model = small(guide="full", sampler=sampler, n_hidden=3).fit(WORDS[:12])
    assert model.sample(8, random_state=0) == model.sample(8, random_state=0)
    assert np.array_equal(model.energy(WORDS[:3]), model.energy(WORDS[:3]))
    assert model.guide_score(WORDS) == model.guide_score(WORDS)


def test_global_generators_stay_as_they_were(tmp_path):
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    model = small(guide="full").fit(WORDS)
    model.sample(2, random_state=0)
    model.energy(WORDS[:2])
    model.save(tmp_path)
    QDiffusionGenerator.load(tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


@pytest.mark.parametrize("remask", ["ancestral", "confidence"])
def test_infilling_keeps_every_given_token(fitted, fitted_numbers, remask):
    for sample in clone_fitted(fitted, remask).sample(
        20, infill="a__a_c", random_state=0
    ):
        assert (sample[0], sample[3], sample[5]) == ("a", "a", "c")
        assert len(sample) == 6
    template = np.array([-1, 3, -1, -1, 0, -1])
    model = clone_fitted(fitted_numbers, remask)
    samples = model.sample(20, infill=template, random_state=0)
    assert (samples[:, [1, 4]] == [3, 0]).all()


def clone_fitted(model, remask):
    return pickle.loads(pickle.dumps(model)).set_params(remask=remask)


def test_a_prefix_stays_and_sets_the_least_length(fitted):
    samples = fitted.sample(30, prefix="cabcab", random_state=0)
    assert set(samples) == {"cabcab"}
    assert {len(s) for s in fitted.sample(30, prefix="ab", random_state=0)} == {5, 6}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"prefix": "abcabca"}, "prefix has 7 tokens; the model takes at most 6"),
        ({"infill": "abc____"}, "infill has 7"),
        ({"prefix": "abz"}, "not in the vocabulary"),
        ({"prefix": [0, 1]}, "must be a string"),
        ({"infill": ""}, "empty"),
        ({"infill": "a_", "prefix": "a"}, "not both"),
        ({"infill": "a_", "blank": "a"}, "blank"),
        ({"n_samples": 0}, "n_samples"),
    ],
)
def test_bad_requests_are_refused(fitted, call, message):
    with pytest.raises(ValueError, match=message):
        fitted.sample(**call)


@pytest.mark.parametrize("infill", ["ab__", [0, None, 1], [[0, -1], [1, -1]], [0.5]])
def test_an_infill_of_another_kind_is_refused(fitted_numbers, infill):
    with pytest.raises(ValueError, match=r"on tokens|whole numbers|one axis"):
        fitted_numbers.sample(infill=infill)


@pytest.mark.parametrize(
    "changed", [{"n_candidates": 0}, {"remask": "x"}, {"width": 3}]
)
def test_parameters_set_after_the_fit_are_checked(fitted, changed):
    model = pickle.loads(pickle.dumps(fitted)).set_params(**changed)
    with pytest.raises(ValueError, match=next(iter(changed))):
        model.sample(random_state=0)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "empty"),
        ([[]], "no token"),
        (["ab", ""], "Sequence 1 is empty"),
        ("abab", "single string"),
        (["ab", [1, 2]], "mixes"),
        ([["a", "b"]], "number words 0, 1, 2, ..., or give a list of strings"),
        ([[0, -1, 2]], "filling"),
        ([[0.5, 1.0]], "whole numbers"),
        ([[np.nan, 1.0]], "whole numbers"),
        ([[0.0, 1e300]], "at most 2147483647"),
        (np.array([[0, 2**63 + 5]], dtype=np.uint64), "at most 2147483647"),
        (np.zeros(3, dtype=int), "shape"),
        ([0, 1, 2], "single number"),
    ],
)
def test_bad_sequences_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        small().fit(X)


def test_tokens_out_of_range_are_refused(fitted, fitted_numbers):
    with pytest.raises(ValueError, match=r"token 5; the vocabulary is 0 \.\. 3"):
        small(n_tokens=4).fit([[0, 5]])
    with pytest.raises(ValueError, match="token 9"):
        fitted_numbers.score([[0, 9]])
    with pytest.raises(ValueError, match="not in the vocabulary"):
        fitted.energy(["abx"])
    with pytest.raises(ValueError, match="at most 6"):
        fitted.score(["abcabcabc"])


def test_score_is_the_bound_and_perplexity_its_exponential(fitted):
    score = fitted.score(WORDS)
    assert score == fitted.score(WORDS) < 0
    assert fitted.perplexity(WORDS) == pytest.approx(np.exp(-score))
    # Every word has three equal beginnings to guess from at least.
    longer = small(max_iter=40, learning_rate=1e-2, guide=None).fit(WORDS)
    assert longer.score(WORDS) > score
    assert -longer.score(WORDS) > np.log(3) / 6 - 0.05


def test_scores_are_those_of_one_token(fitted):
    class Even:
        def logits(self, tokens, t):
            return torch.zeros(*tokens.shape, 3)

    model = clone_fitted(fitted, "ancestral")
    model.denoiser_ = Even()
    assert model.score(["a", "abc", "cab", "ab"]) == pytest.approx(-np.log(3))
    untrained = small(learning_rate=1e-9, max_iter=1, guide=None).fit(WORDS)
    assert untrained.loss_curve_[0] == pytest.approx(np.log(3), rel=0.02)
    model.guide_.energy = lambda _, candidates, *__, **more: torch.zeros(
        candidates.shape[:2]
    )
    assert model.guide_score(WORDS) == pytest.approx(0, abs=1e-6)


def test_outside_its_window_the_guide_has_no_say(fitted):
    alone, never = (clone_fitted(fitted, "ancestral") for _ in range(2))
    alone.guide_ = None
    never.set_params(guide_window=(0.0, 0.0))  # the last step is at 1 / n_steps
    free = alone.sample(20, random_state=0)
    assert never.sample(20, random_state=0) == free
    assert fitted.sample(20, random_state=0) != free


def test_what_is_held_out_is_not_trained_on():
    tokens = torch.arange(30)[:, None]
    rows, held_out = small(n_iter_no_change=1)._split(tokens, 0)
    assert len(held_out) == 3
    assert sorted(torch.cat([rows, held_out]).flatten().tolist()) == list(range(30))


def test_the_energy_prefers_what_it_was_fitted_on():
    X = ["aaaa", "bbbb", "cccc"] * 30
    model = small(
        max_iter=10, guide_max_iter=30, learning_rate=1e-2, n_candidates=8
    ).fit(X)
    energy = model.energy(["aaaa", "bbbb", "abca", "cabb"])
    assert energy[:2].max() < energy[2:].min()
    assert model.guide_score(X) > 0.5
    one_step = model.set_params(n_steps=1, n_candidates=64)
    guided = np.mean([len(set(s)) == 1 for s in one_step.sample(100, random_state=0)])
    rounds = clone_fitted(model, "ancestral").set_params(n_candidates=4, n_rounds=16)
    again = np.mean([len(set(s)) == 1 for s in rounds.sample(100, random_state=0)])
    alone = clone_fitted(model, "ancestral")
    alone.guide_ = None
    free = np.mean([len(set(s)) == 1 for s in alone.sample(100, random_state=0)])
    assert min(guided, again) > 0.5 > 0.2 > free


def test_without_a_guide_there_is_no_energy():
    model = small(guide=None).fit(WORDS)
    assert model.guide_ is None
    assert model.sampler_report_["kind"] == "no guide"
    for call in (model.energy, model.guide_score):
        with pytest.raises(ValueError, match="guide=None"):
            call(WORDS)


def test_early_stopping_returns_to_the_best_state():
    model = small(
        n_iter_no_change=2, max_iter=60, guide_max_iter=30, learning_rate=0.3
    ).fit(WORDS)
    assert model.n_iter_ < 60
    assert len(model.validation_scores_) == model.n_iter_
    best = int(np.argmax(model.validation_scores_))
    assert model.n_iter_ - best - 1 == 2
    assert len(model.guide_validation_scores_) == len(model.guide_loss_curve_)


def test_an_interrupted_fit_leaves_a_generator(monkeypatch):
    calls = []

    def interrupted(*arguments, **more):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return corrupt(*arguments, **more)

    corrupt = AbsorbingDiffusion.corrupt
    monkeypatch.setattr(AbsorbingDiffusion, "corrupt", interrupted)
    model = small(max_iter=9, batch_size=48)
    with pytest.warns(
        ConvergenceWarning, match="denoiser was interrupted after 2 of 9"
    ):
        model.fit(WORDS)
    assert model.n_iter_ == 2
    assert len(model.sample(3, random_state=0)) == 3


def test_states_show_the_unmasking(fitted):
    samples, states = fitted.sample(4, random_state=0, return_states=True)
    assert states.shape == (4, 4, max(len(s) for s in samples))
    masks = (states == -1).sum((1, 2))
    assert masks[-1] == 0
    assert (np.diff(masks) <= 0).all()
    assert states.min() >= -2
    assert "".join(fitted.characters_[k] for k in states[-1, 0] if k >= 0) == samples[0]


def test_save_and_load(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = QDiffusionGenerator.load(tmp_path / "model")
    assert loaded.get_params() == fitted.get_params()
    assert loaded.sample(4, random_state=0) == fitted.sample(4, random_state=0)
    assert loaded.score(WORDS) == fitted.score(WORDS)
    assert np.array_equal(loaded.energy(WORDS[:3]), fitted.energy(WORDS[:3]))
    assert loaded.loss_curve_ == fitted.loss_curve_


def test_a_saved_sampler_has_to_be_given_again(tmp_path):
    sampler = SimulatedAnnealingSampler(num_sweeps=2, num_reads=2)
    pairs = [(0, 2), (1, 3), (2, 3)]
    model = small(sampler=sampler, guide=pairs, n_visible=2, n_hidden=2)
    model.set_params(max_iter=1, guide_max_iter=1).fit(WORDS[:8])
    model.save(tmp_path)
    with pytest.raises(ValueError, match="give a sampler"):
        QDiffusionGenerator.load(tmp_path)
    loaded = QDiffusionGenerator.load(tmp_path, sampler=sampler)
    assert loaded.sampler_report_["kind"] == "sampler"
    assert set(loaded.sample(3, random_state=0)[0]) <= set("abc")


def test_files_that_do_not_belong_together_are_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    wrong = {**facts, "characters": "abcd", "n_tokens": 4}
    (tmp_path / "model.json").write_text(json.dumps(wrong))
    with pytest.raises(ValueError, match="vocabulary does not match"):
        QDiffusionGenerator.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({**facts, "characters": "ab"}))
    with pytest.raises(ValueError, match="characters are 2"):
        QDiffusionGenerator.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({**facts, "format": 0}))
    with pytest.raises(ValueError, match="format 0"):
        QDiffusionGenerator.load(tmp_path)
    with pytest.raises(ValueError, match=r"no model\.json"):
        QDiffusionGenerator.load(tmp_path / "elsewhere")
    facts["parameters"]["n_visible"] = 4
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="weights of the guide do not fit"):
        QDiffusionGenerator.load(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_damaged_file_is_named_damaged(fitted, tmp_path, name):
    fitted.save(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        QDiffusionGenerator.load(tmp_path)


def test_the_weights_are_plain_safetensors(fitted, tmp_path):
    fitted.save(tmp_path)
    weights = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    assert "guide.machine.J" in weights
    assert torch.equal(weights["denoiser.head.bias"], fitted.denoiser_.head.bias)


class FiveReads:
    """Gives five reads, whatever it is asked for."""

    def sample(self, bqm):
        up = dict.fromkeys(bqm.variables, 1)
        return dimod.SampleSet.from_samples_bqm([up] * 5, bqm)


def test_the_report_counts_what_the_sampler_gave():
    model = small(guide="full", sampler=FiveReads(), n_hidden=2, guide_max_iter=3)
    model.fit(WORDS[:4])
    assert model.sampler_report_ == {"kind": "sampler", "calls": 3, "reads": 15}
    model.energy(WORDS[:4])
    assert model.sampler_report_["reads"] == 20
    model.sample(2, random_state=0)  # a call for each of three steps
    assert model.sampler_report_["calls"] == 7


def test_the_sampler_can_be_tuned():
    model = small(
        sampler=SimulatedAnnealingSampler(num_reads=2),
        n_visible=3,
        n_hidden=2,
        max_iter=1,
        guide_max_iter=1,
        n_candidates=2,
        batch_size=24,
    )
    search = GridSearchCV(
        model,
        {"sampler__num_sweeps": [1, 3]},
        scoring=QDiffusionGenerator.guide_score,
        cv=2,
    )
    search.fit(WORDS[:24])
    assert search.best_estimator_.sampler_report_["calls"] == 1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.sampler_ is not search.best_estimator_.sampler


def test_another_backbone_plugs_in(fitted):
    class Constant:
        def logits(self, tokens, t):
            return torch.tensor([0.0, 0.0, 30.0]).expand(*tokens.shape, 3)

    model = clone_fitted(fitted, "ancestral")
    model.denoiser_ = Constant()
    assert set("".join(model.sample(5, random_state=0))) == {"c"}
