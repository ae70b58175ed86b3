# SPDX-License-Identifier: Apache-2.0
"""How rows reach a QBM-VAE: chunks, memory maps, columns of a table, files."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
import torch
from safetensors.torch import save_file
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from qestim import BoltzmannPrior, QBMVAETransformer
from qestim.estimators._training import Trainer
from qestim.samplers import DimodSampler, SimulatedAnnealingSampler


@pytest.fixture(scope="module")
def cells():
    rng = np.random.RandomState(0)
    kind = rng.randint(2, size=200)
    batch = np.array(["a", "b"])[rng.randint(2, size=200)]
    shares = rng.gamma(0.5, size=(2, 20))
    X = rng.poisson(60 * shares[kind] / shares[kind].sum(1, keepdims=True))
    return X.astype(np.float32), batch


def small(**params):
    return QBMVAETransformer(
        **{
            "n_components": 4,
            "n_hidden": 16,
            "max_iter": 3,
            "batch_size": 50,
            "likelihood": "nb",
            "random_state": 0,
            **params,
        }
    )


def weights(model):
    modules = model.vae_, model.prior_
    return torch.cat([p.ravel() for m in modules for p in m.parameters()])


def test_chunks_give_what_the_table_gives(cells):
    X, batch = cells
    table = small().fit(X, batch=batch)

    def one():
        yield X, batch

    class Again:
        def __iter__(self):
            return one()

    for source in (one, Again()):
        model = small().fit(source)
        assert torch.equal(weights(model), weights(table))

    def many():
        for rows in np.array_split(np.arange(200), 3):
            yield scipy.sparse.csr_matrix(X[rows]), batch[rows], X[rows].sum(1)

    model = small(max_iter=20).fit(many)
    np.testing.assert_allclose(model.scaling_.mean, table.scaling_.mean, rtol=1e-5)
    assert model.scaling_.scale == pytest.approx(table.scaling_.scale, rel=1e-5)
    assert sorted(model.batches_.categories[0]) == ["a", "b"]
    assert model.score(X, batch=batch) > table.score(X, batch=batch)
    dense = small(likelihood="gaussian").fit(lambda: iter([X[:90], X[90:]]))
    spread = np.sqrt(X.var(axis=0).mean())
    assert dense.scaling_.scale == pytest.approx(spread, rel=1e-6)


def test_chunks_that_cannot_work_say_why(cells):
    X, batch = cells
    for source, params, message in (
        ((c for c in [X]), {}, "An iterator can be read once"),
        (lambda: [X, X[:, :3]], {}, "20 features"),
        (lambda: [], {}, "no chunk"),
        (lambda: [(X, batch, batch, 1)], {}, "tuple of 4"),
        (lambda: [X], {"n_iter_no_change": 2}, "memory-mapped CSR"),
        (lambda: [X, (X, batch)], {}, "none has a batch. Chunk 1"),
        (lambda: [(X, batch), X], {}, "none has a batch. Chunk 1"),
        (lambda: [(X, None, X.sum(1)), X], {}, "none has a size_factor. Chunk 1"),
    ):
        with pytest.raises(ValueError, match=message):
            small(**params).fit(source)
    with pytest.raises(ValueError, match="part of each chunk"):
        small().fit(lambda: [X], batch=batch)


def test_a_memory_map_is_not_copied(cells, tmp_path):
    X, _ = cells
    S = scipy.sparse.csr_matrix(X)
    arrays = []
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(S, name))
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = scipy.sparse.csr_matrix(tuple(arrays), shape=S.shape)
    checked, _ = small()._check(mapped, reset=True, observed=True)
    assert np.shares_memory(checked.data, arrays[0])
    assert np.shares_memory(checked.indices, arrays[1])
    assert torch.equal(weights(small().fit(mapped)), weights(small().fit(X)))


def test_partial_fit_goes_on_where_it_stopped(cells):
    X, batch = cells
    model = small()
    for _ in range(40):
        model.partial_fit(X, batch=batch)
    assert model.n_iter_ == len(model.loss_curve_) == 40
    assert model.loss_curve_[-1] < model.loss_curve_[0] - 3
    first = small().partial_fit(X, batch=batch)
    assert model.score(X, batch=batch) > first.score(X, batch=batch) + 3
    with pytest.raises(ValueError, match="did not occur in the fit"):
        model.partial_fit(X, batch=np.full(200, "new"))
    before = weights(model).clone()
    assert model.fit(X, batch=batch).n_iter_ == 3
    assert not torch.equal(before, weights(model))
    assert torch.equal(weights(model), weights(small().fit(X, batch=batch)))
    scale = model.scaling_.scale
    model.partial_fit(X[:50] * 2, batch=batch[:50])
    assert model.n_iter_ == 4
    assert model.scaling_.scale == scale


def test_the_weight_of_the_divergence_rises_once(cells, monkeypatch, tmp_path):
    X, _ = cells
    seen, step = [], Trainer.step

    def spy(self, rows, warmth, rate):
        seen.append(round(400 * warmth))
        return step(self, rows, warmth, rate)

    monkeypatch.setattr(Trainer, "step", spy)
    model = small().partial_fit(X)
    model.save(tmp_path / "model")
    again = QBMVAETransformer.load(tmp_path / "model")
    for part in (again, pickle.loads(pickle.dumps(model)), model):
        part.partial_fit(X)
    assert seen == [0, 1, 2, 3] + 3 * [4, 5, 6, 7]
    model.fit(X)
    seen.clear()
    model.partial_fit(X)
    assert seen == 4 * [400]


@pytest.mark.parametrize("known", [False, True])
def test_training_that_fails_leaves_no_broken_model(cells, monkeypatch, known):
    X, batch = cells
    model = small(warm_start=True)
    if known:
        model.fit(X, batch=batch)
        code = model.transform(X)
    step = Trainer.step

    def interrupt(self, *args):
        step(self, *args)
        raise KeyboardInterrupt

    for wrong, train in (
        ({"learning_rate": 1e30}, model.fit),
        ({"learning_rate": 1e30}, model.partial_fit),
        ({}, model.partial_fit),
    ):
        params = model.get_params()
        model.set_params(**wrong)
        with monkeypatch.context() as patch:
            if not wrong:
                patch.setattr(Trainer, "step", interrupt)
            with pytest.raises((ValueError, KeyboardInterrupt)):
                train(X, batch=batch)
        model.set_params(**params)
        if known:
            np.testing.assert_array_equal(model.transform(X), code)
        else:
            with pytest.raises(NotFittedError):
                model.transform(X)
    assert np.isfinite(model.partial_fit(X, batch=batch).transform(X)).all()


def test_what_does_not_fit_the_networks_is_refused_before_any_step(cells):
    X, batch = cells
    with_batch, without = small().fit(X, batch=batch), small().fit(X)
    for model, labels, message in (
        (with_batch, np.full(200, "new"), "'new', which did not occur"),
        (with_batch, None, "was fitted with batch"),
        (without, batch, "fitted without batch"),
    ):
        before = weights(model).clone()
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, batch=labels)
        assert torch.equal(weights(model), before)
    for params in ({"n_components": 5}, {"likelihood": "poisson"}):
        with pytest.raises(ValueError, match=f"have {next(iter(params))}="):
            copy.deepcopy(without).set_params(**params).partial_fit(X)


def test_warm_start_goes_on_from_the_last_fit(cells):
    X, _ = cells
    model = small(warm_start=True, learning_rate=1e-9).fit(X)
    model.prior_.h += 1.0
    before = weights(model).clone()
    model.set_params(prior=BoltzmannPrior(learning_rate=1e-9)).fit(X)
    assert torch.allclose(before, weights(model), atol=1e-5)
    assert not torch.allclose(before, weights(clone(model).fit(X)), atol=1e-2)


@pytest.mark.parametrize(
    "changed",
    [
        {"n_hidden": 7},
        {"prior": "full"},
        {"prior": "bernoulli"},
        {"prior": BoltzmannPrior([(0, 1)])},
        {"prior": BoltzmannPrior(relaxation="mean")},
    ],
)
def test_a_warm_start_with_other_networks_is_refused(cells, changed):
    X, _ = cells
    model = small(warm_start=True).fit(X)
    model.set_params(kl_weight=0.5, prior="rbm").fit(X)
    with pytest.raises(ValueError, match=f"have .*{next(iter(changed))}.*begin anew"):
        model.set_params(**changed).fit(X)


def test_a_warm_start_with_another_graph_of_as_many_couplings_is_refused(cells):
    X, _ = cells
    model = small(warm_start=True, prior=BoltzmannPrior([(0, 1)])).fit(X)
    model.set_params(prior=BoltzmannPrior([(0, 1)])).fit(X)
    with pytest.raises(ValueError, match="another 'prior'"):
        model.set_params(prior=BoltzmannPrior([(1, 2)])).fit(X)


def test_an_interrupted_fit_leaves_the_best_state(cells):
    X, _ = cells

    class Impatient(DimodSampler):
        calls = 0

        def sample(self, *args, **kwargs):
            Impatient.calls += 1
            if Impatient.calls > 6:
                raise KeyboardInterrupt
            return super().sample(*args, **kwargs)

    prior = BoltzmannPrior(resample_every=4)
    sampler = Impatient(SimulatedAnnealingSampler(num_reads=5))
    model = small(max_iter=10, prior=prior, sampler=sampler, batch_size=50)
    with pytest.warns(ConvergenceWarning, match="after 6 of 10 epochs"):
        model.fit(X)
    assert model.n_iter_ == 6
    assert np.isfinite(model.score(X))
    assert model.score(X) > small(max_iter=1, learning_rate=1e-9).fit(X).score(X)


@pytest.mark.parametrize("negative_phase", ["cd", "pcd", "tempered"])
def test_a_fit_interrupted_at_its_first_step_has_the_state_it_began_with(
    cells, monkeypatch, negative_phase
):
    X, _ = cells

    def interrupt(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "step", interrupt)
    model = small(prior=BoltzmannPrior(negative_phase=negative_phase))
    with pytest.warns(ConvergenceWarning, match="after 0 of 3 epochs"):
        model.fit(X)
    assert model.n_iter_ == 0
    assert np.isfinite(model.score(X))


@pytest.mark.parametrize("library", ["pandas", "polars", "numpy"])
def test_columns_of_a_table_hold_the_batch(cells, library):
    X, batch = cells
    code = (batch == "b").astype(float)
    want = small().fit(X, batch=code)
    columns = {"depth": code, **{f"g{i}": X[:, i] for i in range(20)}}
    if library == "numpy":
        table, name = np.column_stack([code, X]), 0
    else:
        table, name = pytest.importorskip(library).DataFrame(columns), "depth"
    model = small(batch_columns=[name]).fit(table)
    np.testing.assert_allclose(model.transform(table), want.transform(X), atol=1e-5)
    assert model.score(table) == pytest.approx(want.score(X, batch=code), abs=1e-3)
    assert model.n_features_in_ == 21
    assert model.inverse_transform(model.transform(table)).shape == (200, 20)
    with pytest.raises(ValueError, match="not in both"):
        model.fit(table, batch=batch)
    with pytest.raises(ValueError, match="names 'nobody'"):
        small(batch_columns=["nobody"]).fit(table)
    unseen = (
        table.copy()
        if library == "numpy"
        else table.clone()
        if (library == "polars")
        else table.copy()
    )
    if library == "numpy":
        unseen[:, 0] = 7
    elif library == "pandas":
        unseen["depth"] = 7
    else:
        unseen = unseen.with_columns(depth=7.0)
    assert np.isfinite(model.transform(unseen)).all()
    with pytest.raises(ValueError, match="label '7'"):
        model.score(unseen)


def test_the_batch_is_routed_through_a_pipeline(cells):
    X, batch = cells
    with config_context(enable_metadata_routing=True):
        code = small(likelihood="bernoulli").set_fit_request(batch=True)
        pipeline = make_pipeline(MinMaxScaler(), code)
        pipeline.fit(X, batch=batch)
        assert pipeline[-1].batches_.width == 2
        assert pipeline.transform(X).shape == (200, 4)


def test_several_covariates(cells):
    X, batch = cells
    both = np.column_stack([batch, np.arange(200) % 3])
    model = small().fit(X, batch=both)
    assert model.batches_.width == 5
    assert model.vae_.decoder[0].in_features == 9
    assert np.isfinite(model.score(X, batch=both))
    assert model.sample(4, batch=[["a", 2]] * 4).shape == (4, 20)
    rare = np.where(np.arange(200) < 20, "a", "b")
    drawn = (
        small(max_iter=1)
        .fit(X, batch=rare)
        .batches_.draw(5000, np.random.RandomState(0))
    )
    assert drawn.mean() == pytest.approx(0.9, abs=0.02)  # positions of "a" and "b"
    with pytest.raises(ValueError, match="has 1 covariates"):
        model.score(X, batch=batch)
    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(X, batch=np.where(batch == "a", np.nan, 1.0))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"prior": "mixture", "likelihood": "zinb"},
        {"prior": "gaussian", "likelihood": "gaussian", "n_hidden": (12, 8)},
        {"prior": BoltzmannPrior([(0, 1), (2, 3)], n_chains=7)},
        {"sampler": SimulatedAnnealingSampler(num_sweeps=3, num_reads=9)},
    ],
)
def test_a_saved_model_is_the_same(cells, tmp_path, params):
    X, batch = cells
    model = small(**params).fit(X, batch=batch)
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = QBMVAETransformer.load(path)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(
        again.score_samples(X, batch=batch), model.score_samples(X, batch=batch)
    )
    np.testing.assert_array_equal(again.sample(5), model.sample(5))
    assert again.diagnostics_ == model.diagnostics_
    assert str(again) == str(model) or "prior" in params or "n_hidden" in params
    assert torch.equal(weights(again.fit(X, batch=batch)), weights(model))
    assert b"pickle" not in path.read_bytes()


def test_what_cannot_be_saved_is_named(cells, tmp_path):
    X, _ = cells
    model = small(sampler=DimodSampler(SimulatedAnnealingSampler())).fit(X)
    foreign = clone(model).set_params(random_state=np.random.RandomState(0)).fit(X)
    with pytest.raises(ValueError, match="'random_state' cannot be written"):
        foreign.save(tmp_path / "model")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    (tmp_path / "text").write_text("neither tensors nor JSON")
    for name in ("other", "text"):
        with pytest.raises(ValueError, match="is not a QBMVAETransformer"):
            QBMVAETransformer.load(tmp_path / name)
