# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone

from qestim import BoltzmannPrior, QBMVAETransformer


@pytest.fixture(scope="module")
def cells():
    """Counts of two kinds of cells in two batches, one of them twice as deep."""
    rng = np.random.RandomState(0)
    kind, batch = rng.randint(2, size=300), rng.randint(2, size=300)
    shares = rng.gamma(0.5, size=(2, 30))
    shares[:, 0] = 0  # a gene that is never seen
    shift = rng.gamma(5.0, 0.2, size=(2, 30))
    rate = shares[kind] * shift[batch]
    rate /= rate.sum(1, keepdims=True)
    size = 100.0 * (1 + batch) * rng.gamma(20, 0.05, size=300)
    counts = rng.poisson(rng.gamma(3.0, 1 / 3.0, rate.shape) * rate * size[:, None])
    return counts.astype(float), kind, np.array(["ctrl", "stim"])[batch]


def small(**params):
    return QBMVAETransformer(
        **{
            "n_components": 6,
            "n_hidden": 32,
            "max_iter": 30,
            "likelihood": "nb",
            "random_state": 0,
            **params,
        }
    )


@pytest.mark.parametrize("prior", ["rbm", "full", "bernoulli", "mixture", "gaussian"])
def test_every_prior_learns_counts(cells, prior):
    X, kind, batch = cells
    model = small(prior=prior, kl_weight=1.0).fit(X[:250], batch=batch[:250])
    short = clone(model).set_params(max_iter=1).fit(X[:250], batch=batch[:250])
    score = model.score(X[250:], batch=batch[250:])
    assert score > short.score(X[250:], batch=batch[250:]) + 2
    code = model.transform(X)
    distance = np.abs(code[kind == 0].mean(0) - code[kind == 1].mean(0)).max()
    assert distance > 0.5
    draws = model.sample(500)
    assert draws.shape == (500, 30)
    assert (draws >= 0).all()
    assert (draws % 1 == 0).all()
    want = X[:250].sum(0) / X[:250].sum()
    assert np.corrcoef(draws.sum(0), want)[0, 1] > 0.85
    assert draws[:, 0].sum() < 5


def test_sparse_rows_are_the_dense_ones(cells):
    X, _, batch = cells
    dense = small(max_iter=3).fit(X, batch=batch)
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
        for dtype in (np.int32, np.float32, np.float64):
            S = kind(X.astype(dtype))
            model = small(max_iter=3).fit(S, batch=batch)
            np.testing.assert_allclose(
                model.transform(S), dense.transform(X), atol=1e-4
            )
    np.testing.assert_allclose(
        dense.score_samples(scipy.sparse.csr_matrix(X), batch=batch),
        dense.score_samples(X, batch=batch),
    )


def test_the_batch_reaches_the_decoder_alone(cells):
    X, _, batch = cells
    model = small().fit(X, batch=batch)
    code = model.transform(X)
    np.testing.assert_array_equal(code, model.transform(X, batch=["new"] * len(X)))
    ctrl, stim = (model.inverse_transform(code, batch=b) for b in ("ctrl", "stim"))
    shift = np.log(X[batch == "stim"].sum(0)[1:] / X[batch == "ctrl"].sum(0)[1:])
    have = np.log(stim.sum(0)[1:] / ctrl.sum(0)[1:])
    assert np.corrcoef(shift, have)[0, 1] > 0.8
    share = np.mean(batch == "ctrl")
    np.testing.assert_allclose(
        model.inverse_transform(code), share * ctrl + (1 - share) * stim
    )
    with pytest.raises(ValueError, match=r"label 'new'.*did not occur.*ctrl"):
        model.inverse_transform(code, batch="new")
    with pytest.raises(ValueError, match="was fitted with batch; give"):
        model.score(X)
    with pytest.raises(ValueError, match="fitted without batch"):
        small(max_iter=1).fit(X).score(X, batch=batch)
    # A label is the same label whatever it comes with: 1.0 among halves, and alone.
    halves = np.where(batch == "ctrl", 1.0, 0.5)
    model = small(max_iter=1).fit(X, batch=halves)
    one = model.score_samples(X[batch == "ctrl"], batch=1)
    np.testing.assert_allclose(
        one, model.score_samples(X, batch=halves)[batch == "ctrl"]
    )


def test_size_factors_set_the_size_of_the_rows(cells):
    X, _, batch = cells
    model = small(max_iter=2).fit(X, batch=batch)
    code = model.transform(X[:5])
    median = np.median(X.sum(1))
    rows = model.inverse_transform(code)
    np.testing.assert_allclose(rows.sum(1), median, rtol=1e-12)
    model.sizes_ = model.sizes_ + 1e9 / 3
    rows = model.inverse_transform(code)
    np.testing.assert_allclose(rows.sum(1), median + 1e9 / 3, rtol=1e-12)
    rows = model.inverse_transform(code, size_factor=2 * median)
    np.testing.assert_allclose(rows.sum(1), 2 * median)
    # The unit of size factors does not matter.
    one, other = (
        small(max_iter=2).fit(X, batch=batch, size_factor=factor * X.sum(1))
        for factor in (1.0, 1e-3)
    )
    np.testing.assert_allclose(one.transform(X), other.transform(X), atol=1e-4)
    # Rows that are drawn have the sizes of the fit, in counts: here a few large ones.
    factor = np.where(np.arange(len(X)) % 10 == 0, 5.0, 1.0)
    drawn = small(max_iter=1).fit(X, size_factor=factor).sample(2000).sum(1)
    mean = X.sum(1).mean() / factor.mean()
    assert np.mean(drawn > 3 * mean) == pytest.approx(0.1, abs=0.02)
    assert drawn.mean() == pytest.approx(X.sum(1).mean(), rel=0.1)
    with pytest.raises(ValueError, match="positive and finite"):
        small().fit(X, size_factor=np.zeros(len(X)))
    with pytest.raises(ValueError, match="likelihoods of counts"):
        small(likelihood="gaussian").fit(X, size_factor=np.ones(len(X)))


def test_every_epoch_drops_other_hidden_values(cells, monkeypatch):
    seeds, seed = [], torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda s: [seeds.append(s), seed(s)])
    small(max_iter=3).fit(cells[0])
    assert len(set(seeds)) == len(seeds) == 3


def test_means_of_spins_are_coded_from_counts_with_noise(cells):
    for relaxation, noise in (("mean", 0.5), ("straight_through", 0.0)):
        prior = BoltzmannPrior(relaxation=relaxation)
        model = small(max_iter=1, prior=prior).fit(cells[0])
        assert model.vae_.input_noise == noise


@pytest.mark.parametrize("likelihood", ["poisson", "nb", "zinb"])
def test_bad_counts_are_refused_and_odd_ones_have_an_answer(cells, likelihood):
    X, _, _ = cells
    for bad in (-X, scipy.sparse.csr_matrix(-X)):
        with pytest.raises(ValueError, match=r"needs counts.*raw counts"):
            small(likelihood=likelihood).fit(bad)
    holes = X.copy()
    holes[3, 4] = np.nan
    for bad in (holes, scipy.sparse.csr_matrix(holes)):
        with pytest.raises(ValueError, match="NaN"):
            small(likelihood=likelihood).fit(bad)
    with pytest.warns(UserWarning, match="not whole"):
        small(likelihood=likelihood, max_iter=1).fit(X + 0.5)
    model = small(likelihood=likelihood, max_iter=1).fit(X)
    with pytest.raises(ValueError, match="30 features"):
        model.transform(X[:, :4])
    empty = np.zeros((1, 30))
    assert np.isfinite(model.transform(empty)).all()
    assert np.isfinite(model.score(empty))
    alone = small(likelihood=likelihood, max_iter=2, batch_size=2).fit(X[:1])
    assert np.isfinite(alone.transform(X[:1])).all()
    assert np.isfinite(alone.score(X[:1]))


def test_the_parameters_of_the_prior_are_tunable(cells):
    X, _, _ = cells
    model = small(max_iter=1, prior=BoltzmannPrior("full"))
    model.set_params(prior__n_chains=7).fit(X)
    assert model.prior_.J.numel() == 15
    with pytest.raises(ValueError, match="'n_chains' parameter of BoltzmannPrior"):
        model.set_params(prior__n_chains=0).fit(X)
