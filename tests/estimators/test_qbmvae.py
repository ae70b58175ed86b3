# SPDX-License-Identifier: Apache-2.0
import pickle
import threading

import dimod
import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from qestim import BoltzmannPrior, QBMVAETransformer
from qestim.samplers import (
    BaseSampler,
    BoltzmannSampler,
    DimodSampler,
    SimulatedAnnealingSampler,
)


class Flips(BaseSampler):
    """Heat bath in numpy: `num_sweeps` passes at beta 1 from random spins."""

    def __init__(
        self,
        *,
        num_sweeps=2,
        num_reads=None,
        seed=None,
        initial_states=None,
        num_threads=None,
        time_limit=None,
        target_energy=None,
        aggregate=False,
    ):
        self.num_sweeps = num_sweeps
        self.num_reads = num_reads
        self.seed = seed
        self.initial_states = initial_states
        self.num_threads = num_threads
        self.time_limit = time_limit
        self.target_energy = target_energy
        self.aggregate = aggregate

    def _sample_ising(self, model, initial, num_reads, seed):
        rng, J = np.random.RandomState(seed), model.dense
        spins = rng.choice([-1, 1], (num_reads, len(model)))
        for _ in range(self.num_sweeps):
            for i in range(len(model)):
                up = 1 / (1 + np.exp(2 * (spins @ J[i] + model.h[i])))
                spins[:, i] = np.where(rng.uniform(size=num_reads) < up, 1, -1)
        return spins.astype(np.int8), {}, {}


class Locked(dimod.Sampler):
    """A foreign sampler that cannot be copied."""

    parameters = {"num_reads": []}
    properties = {}

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = 0

    def sample(self, bqm, num_reads=3):
        with self.lock:
            self.calls += 1
        return dimod.RandomSampler().sample(bqm, num_reads=num_reads, seed=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500] / 16, y[:500]


def small(**params):
    return QBMVAETransformer(
        **{"n_components": 6, "n_hidden": 32, "max_iter": 4, **params}
    )


def weights(estimator):
    modules = estimator.vae_, estimator.prior_
    return torch.cat([p.ravel() for m in modules for p in m.parameters()])


def test_same_random_state_same_result_and_no_global_state(digits):
    X, _ = digits
    before = torch.random.get_rng_state()
    one = small(random_state=3, sampler=Flips()).fit(X)
    two = small(random_state=3, sampler=Flips()).fit(X)
    other = small(random_state=4, sampler=Flips()).fit(X)
    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(other))
    assert one.score(X) == two.score(X)
    np.testing.assert_array_equal(one.sample(3), two.sample(3))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_sampler_that_is_given_is_used(digits):
    X, _ = digits
    estimator = small(random_state=0, sampler=Flips(num_sweeps=2))
    base = estimator.fit(X)
    report = base.sampler_report_
    assert report["negative_phase"] == "sampler"
    assert report["calls"] == 4  # 4 epochs of 8 minibatches, one call in ten
    assert report["reads"] == 4 * 256
    changed = clone(estimator).set_params(sampler__num_sweeps=7).fit(X)
    assert changed.sampler_.num_sweeps == 7
    assert not torch.equal(weights(base), weights(changed))
    fewer = clone(estimator).set_params(sampler__num_reads=5).fit(X)
    assert fewer.sampler_report_["reads"] == 4 * 5
    for prior in ("full", "bernoulli"):
        report = clone(estimator).set_params(prior=prior).fit(X).sampler_report_
        assert report["calls"] == 4


def test_the_prior_shapes_the_encoder_by_the_weight_of_the_divergence(digits):
    X, _ = digits

    def encoder(**params):
        model = small(random_state=0, **params).fit(X)
        return model.vae_.encoder[0].weight

    for weight in (0.0, 1.0):
        one = encoder(kl_weight=weight, sampler=Flips(num_reads=4))
        two = encoder(kl_weight=weight, sampler=Flips(num_reads=40))
        assert torch.equal(one, two) == (weight == 0)


def test_a_sampler_that_raises_makes_fit_raise(digits):
    class Broken(Flips):
        def _sample_ising(self, *args):
            raise RuntimeError("the laser is off")

    for negative_phase in ("auto", "sampler"):
        estimator = small(
            sampler=Broken(), prior=BoltzmannPrior(negative_phase=negative_phase)
        )
        with pytest.raises(RuntimeError, match="the laser is off"):
            estimator.fit(digits[0])
    pcd = BoltzmannPrior(negative_phase="pcd")
    assert small(sampler=Broken(), prior=pcd).fit(digits[0]).n_iter_ == 4


def test_negative_phase_without_a_sampler(digits):
    X, _ = digits
    with pytest.raises(ValueError, match="negative_phase='sampler' needs a sampler"):
        small(prior=BoltzmannPrior(negative_phase="sampler")).fit(X)
    assert small().fit(X).sampler_report_["negative_phase"] == "pcd"
    exact = small(prior="bernoulli").fit(X)
    assert exact.sampler_report_["negative_phase"] == "exact"


@pytest.mark.parametrize("graph", ["rbm", "mixture", "gaussian"])
@pytest.mark.parametrize("negative_phase", ["cd", "pcd", "tempered"])
def test_every_negative_phase_trains_every_kind_of_prior(graph, negative_phase):
    X = np.random.RandomState(0).normal(size=(40, 3)) ** 3
    prior = BoltzmannPrior(graph, negative_phase=negative_phase, learning_rate=0.05)
    model = small(prior=prior, batch_size=10, max_iter=10, random_state=0).fit(X)
    named = negative_phase if graph == "rbm" else "exact"
    assert model.sampler_report_["negative_phase"] == named
    if graph == "rbm":
        assert model.prior_.J.abs().max() > 0.06  # from less than 0.03


def test_a_foreign_sampler_with_a_lock_works_in_a_grid_and_its_parameter_matters(
    digits,
):
    X, y = digits
    foreign = Locked()
    model = make_pipeline(
        MinMaxScaler(clip=True),
        small(sampler=DimodSampler(foreign), likelihood="bernoulli", random_state=0),
        LogisticRegression(),
    )
    name = "qbmvaetransformer__"
    grid = {
        name + "kl_weight": [0.1, 1.0],
        name + "sampler__sample_params": [{"num_reads": 2}, {"num_reads": 9}],
    }
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    # Four points by two folds of 16 minibatches, and the refit of 32.
    assert foreign.calls == 4 * 2 * 2 + 4
    reads = search.best_estimator_[1].sampler_report_["reads"]
    chosen = search.best_params_[name + "sampler__sample_params"]["num_reads"]
    assert reads == chosen * search.best_estimator_[1].sampler_report_["calls"]


def test_grid_search_by_score_compares_bounds_at_weight_one(digits):
    X, _ = digits
    search = GridSearchCV(
        small(likelihood="bernoulli", random_state=0, sampler=Flips()),
        {"kl_weight": [0.0, 1.0], "sampler__num_sweeps": [1, 3]},
        cv=2,
        error_score="raise",
    ).fit(X)
    results = search.cv_results_
    assert len(set(results["mean_test_score"])) == 4
    best = search.best_estimator_
    free = clone(best).set_params(kl_weight=0.0).fit(X)
    # The bound of the training objective at weight 0 has no divergence in it.
    assert free.score(X) < -free.loss_curve_[-1]


def test_score_is_the_mean_of_the_rows_and_below_the_reconstruction(digits):
    X, _ = digits
    model = small(likelihood="bernoulli", random_state=0, max_iter=20).fit(X)
    rows = model.score_samples(X)
    assert rows.shape == (500,)
    assert model.score(X) == pytest.approx(rows.mean())
    np.testing.assert_allclose(model.score_samples(X[7:9]), rows[7:9], rtol=1e-9)
    untrained = small(likelihood="bernoulli", random_state=0, max_iter=1).fit(X)
    assert model.score(X) > untrained.score(X) + 3


def test_gaussian_score_is_a_density_in_the_units_of_the_data(digits):
    X, _ = digits
    one = small(random_state=0).fit(X)
    two = small(random_state=0).fit(100 * X)
    assert one.score(X) - two.score(100 * X) == pytest.approx(
        64 * np.log(100), rel=1e-4
    )


def test_prior_learns_the_means_of_the_code(digits):
    X, _ = digits
    model = QBMVAETransformer(
        8, likelihood="bernoulli", n_hidden=64, random_state=0
    ).fit(X)
    code = model.transform(X)
    generator = torch.Generator().manual_seed(0)
    spins = model.prior_.random_spins(4000, generator=generator)
    spins = model.prior_.sweep(spins, 100, generator=generator).numpy()
    assert np.abs(spins.mean(0) - code.mean(0)).max() < 0.15
    have, want = np.corrcoef(spins.T)[:4, 4:], np.corrcoef(code.T)[:4, 4:]
    assert np.corrcoef(have.ravel(), want.ravel())[0, 1] > 0.6


def test_couplings_raise_the_bound(digits):
    X, _ = digits
    bounds = [
        QBMVAETransformer(
            12, likelihood="bernoulli", n_hidden=64, prior=prior, random_state=0
        )
        .fit(X)
        .score(X)
        for prior in ("rbm", "bernoulli")
    ]
    assert bounds[0] > bounds[1] + 0.3


def test_early_stopping_returns_to_the_best_state(digits):
    X, _ = digits
    model = small(
        likelihood="bernoulli",
        learning_rate=0.05,
        max_iter=40,
        n_iter_no_change=2,
        random_state=0,
    ).fit(X)
    scores = np.array(model.validation_scores_)
    assert len(scores) == model.n_iter_ < 40
    best = 19 + scores[19:].argmax()
    assert model.n_iter_ - 1 - best == 2
    _, held_out = model._split(len(X))
    assert model.score(X[held_out]) == pytest.approx(scores[best], abs=1e-3)
    assert abs(scores[-1] - scores[best]) > 1e-2


def test_code_reconstruction_and_draws(digits):
    X, _ = digits
    for likelihood in ("gaussian", "bernoulli"):
        model = QBMVAETransformer(
            12, likelihood=likelihood, n_hidden=64, max_iter=30, random_state=0
        ).fit(X)
        code = model.transform(X)
        assert np.abs(code).max() <= 1
        np.testing.assert_array_equal(code, model.transform(X))
        rebuilt = model.inverse_transform(code)
        assert np.mean((rebuilt - X) ** 2) < 0.6 * np.mean((X.mean(0) - X) ** 2)
        draws = model.sample(2000)
        assert draws.shape == (2000, 64)
        assert np.abs(draws.mean(0) - X.mean(0)).max() < 0.2
        assert set(np.unique(draws)) == {0.0, 1.0} or likelihood == "gaussian"
        clean = model.sample(2000, noise=False)
        assert clean.var() < draws.var()
    with pytest.raises(ValueError, match="A code has 12 columns"):
        model.inverse_transform(X)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_missing_values_are_restored(digits, likelihood):
    X, _ = digits
    gaps = X[400:].copy()
    gaps[:, 24:40] = np.nan
    seen, shares = ~np.isnan(gaps), []
    for seed in range(3):
        model = QBMVAETransformer(
            8, likelihood=likelihood, n_hidden=64, sampler=Flips(), random_state=seed
        ).fit(X[:400])
        restored = model.restore(gaps)
        np.testing.assert_array_equal(restored[seen], gaps[seen])
        np.testing.assert_array_equal(restored, model.restore(gaps))
        error = np.mean((restored - X[400:])[~seen] ** 2)
        shares.append(error / np.mean((X[:400].mean(0) - X[400:])[~seen] ** 2))
    assert np.mean(shares) < 0.85
    with pytest.raises(ValueError, match="NaN"):
        model.transform(gaps)


def test_bernoulli_needs_the_unit_interval_where_the_likelihood_is_asked(digits):
    X, _ = digits
    with pytest.raises(ValueError, match=r"values in \[0, 1\]. Got values from 0 to 2"):
        small(likelihood="bernoulli").fit(2 * X)
    model = small(likelihood="bernoulli").fit(X)
    with pytest.raises(ValueError, match="MinMaxScaler"):
        model.score(2 * X)
    assert np.isfinite(model.transform(2 * X)).all()


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_and_names(digits, container):
    pytest.importorskip(container)
    model = small().set_output(transform=container).fit(digits[0])
    table = model.transform(digits[0])
    assert type(table).__module__.startswith(container)
    assert list(table.columns) == [f"qbmvaetransformer{i}" for i in range(6)]


def test_pickle_and_device(digits):
    X, _ = digits
    model = small(sampler=Flips(), random_state=0, device="cpu").fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.score(X) == model.score(X)
    assert {p.device.type for p in again.vae_.parameters()} == {"cpu"}


def test_verbose_shows_progress(digits, capsys):
    small(verbose=1).fit(digits[0])
    assert "QBM-VAE" in capsys.readouterr().err
    small().fit(digits[0])
    assert capsys.readouterr().err == ""


def test_controls_are_the_same_model_without_sampler_and_without_couplings(digits):
    model = small(sampler=Flips(), kl_weight=0.3)
    controls = model._controls()
    assert len(controls) == 2
    for control in controls.values():
        assert control.sampler is None
        assert control.kl_weight == 0.3
        assert control.fit(digits[0]).sampler_report_["calls"] == 0
    assert [c.prior.graph for c in controls.values()] == ["rbm", "bernoulli"]


def test_constant_and_single_rows():
    for X in (np.ones((7, 3)), np.full((7, 3), 0.1), np.array([[1.0, 2.0]])):
        model = small().fit(X)
        assert model.scaling_.scale == 1
        assert np.isfinite(model.transform(X)).all()
        assert np.isfinite(model.score(X))


def test_the_zero_of_a_real_feature_does_not_matter(digits):
    X, _ = digits
    shift = np.where(np.arange(64) == 3, 1000.0, 0.0)
    here, there = (small(random_state=0).fit(rows) for rows in (X, X + shift))
    assert there.scaling_.scale == pytest.approx(np.sqrt(X.var(axis=0).mean()))
    np.testing.assert_allclose(there.transform(X + shift), here.transform(X), atol=1e-3)
    assert there.score(X + shift) == pytest.approx(here.score(X), abs=1e-2)


@pytest.mark.parametrize("name", sorted(QBMVAETransformer()._parameter_constraints))
def test_a_bad_parameter_is_named(digits, name):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        small(**{name: object()}).fit(digits[0])


def test_what_cannot_work_says_why(digits):
    X = digits[0]
    with pytest.raises(ValueError, match="must be an instance"):
        small(sampler=SimulatedAnnealingSampler).fit(X)
    for widths in ((), (0,), (8, "8"), [8.5]):
        with pytest.raises(ValueError, match="'n_hidden' parameter must be a positive"):
            small(n_hidden=widths).fit(X)
    with pytest.raises(ValueError, match="'device' parameter"):
        small(device="abacus").fit(X)
    with pytest.raises(ValueError, match="beta must be positive"):
        small(sampler=BoltzmannSampler(beta=0)).fit(X)
    with pytest.raises(ValueError, match=r"training diverged.*learning_rate"):
        small(learning_rate=1e30).fit(X)
    model = small(max_iter=1).fit(X)
    for n in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"positive int. Got {n}"):
            model.sample(n)
        with pytest.raises(ValueError, match=f"positive int. Got {n}"):
            model.restore(X[:2], n_draws=n)


@pytest.mark.parametrize("prior", [[(0, 9)], nx.path_graph(["a", "b"]), [(1, 1)]])
def test_a_prior_that_does_not_fit_is_refused_by_name(prior):
    X = np.random.RandomState(0).normal(size=(8, 3))
    with pytest.raises(ValueError, match=r"'prior' parameter .* n_components=4: graph"):
        QBMVAETransformer(4, prior=prior).fit(X)
