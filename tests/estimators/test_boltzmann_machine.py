# SPDX-License-Identifier: Apache-2.0
import itertools
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline

from qestim import BoltzmannMachineTransformer
from qestim.estimators._negative import TemperedChains
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler

BITS = np.array(list(itertools.product((0.0, 1.0), repeat=6)))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:600] > 7).astype(float), y[:600]


@pytest.fixture(scope="module")
def parity():
    """Rows of 6 bits whose three pairs mostly agree, one pattern more likely."""
    rng = np.random.RandomState(0)
    X = np.repeat(rng.randint(2, size=(512, 3)), 2, axis=1).astype(float)
    X[:128] = [1, 1, 0, 0, 1, 1]
    return np.where(rng.uniform(size=X.shape) < 0.05, 1 - X, X)


def binary(n_components=3, **params):
    settings = {"max_iter": 60, "n_chains": 200, "random_state": 0}
    return BoltzmannMachineTransformer(
        n_components, visible="binary", **{**settings, **params}
    )


def entropy(X):
    _, counts = np.unique(X, axis=0, return_counts=True)
    p = counts / counts.sum()
    return -np.sum(p * np.log(p))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"sampler": BoltzmannSampler(log_z=False, num_reads=200)},
    ],
    ids=["tempered", "sampler"],
)
def test_it_learns_the_law_of_the_data(parity, params):
    model = binary(learning_rate=0.03, **params).fit(parity)
    score = model.score_samples(BITS)
    assert np.exp(score).sum() == pytest.approx(1)  # a law, exactly
    divergence = -entropy(parity) - model.score(parity)
    assert 0 <= divergence < 0.1
    drawn = model.sample(4000)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0), parity.mean(0), atol=0.06)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(parity.T), atol=0.12)


def test_contrastive_divergence_learns_too_but_no_better(parity):
    pcd = binary(learning_rate=0.03, negative_phase="tempered").fit(parity)
    cd = binary(learning_rate=0.03, negative_phase="cd", n_sweeps=1).fit(parity)
    assert cd.sampler_report_["negative_phase"] == "cd"
    assert -6 * np.log(2) < cd.score(parity) < pcd.score(parity) + 0.02


def test_couplings_among_the_hidden_and_visible_spins(parity):
    model = binary(2, graph="full", learning_rate=0.03, n_sweeps=3).fit(parity)
    bound = model.score_samples(BITS)
    machine = model.machine_
    hidden = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=2))).double()
    states = torch.cat(
        [
            torch.tensor(2 * BITS - 1).repeat_interleave(4, 0),
            hidden.repeat(len(BITS), 1),
        ],
        1,
    )
    exact = torch.logsumexp(-machine.energy(states).reshape(-1, 4), 1)
    exact = exact.numpy() - model.log_partition_.upper
    assert (bound <= exact + 1e-9).all()
    assert np.exp(exact).sum() == pytest.approx(1)
    assert -entropy(parity) - model.score(parity) < 0.4


def test_real_features_follow_a_density():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(-2, 0.5, (300, 2)), rng.normal(2, 0.5, (300, 2))])
    X = X * [1.0, 100.0] + [5.0, 0.0]  # units do not matter
    model = BoltzmannMachineTransformer(
        4, max_iter=60, learning_rate=0.05, negative_phase="tempered", random_state=0
    ).fit(X)
    gauss = -0.5 * np.linalg.slogdet(np.cov(X.T))[1] - np.log(2 * np.pi) - 1
    assert model.score(X) > gauss + 0.4  # two clouds, not one
    drawn = model.sample(3000)
    assert (np.abs(drawn.mean(0) - X.mean(0)) < 0.1 * X.std(0)).all()
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(X.T), rtol=0.2)
    axes = [
        np.linspace(a - 3 * s, a + 3 * s, 161)
        for a, s in zip(X.mean(0), X.std(0), strict=True)
    ]
    grid = np.array(list(itertools.product(*axes)))
    cell = np.prod([a[1] - a[0] for a in axes])
    assert np.exp(model.score_samples(grid)).sum() * cell == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "sampler",
    [SimulatedAnnealingSampler(num_sweeps=5), BoltzmannSampler(log_z=False, beta=2.0)],
    ids=["hybrid", "sampler"],
)
def test_real_features_with_a_sampler(sampler):
    X = np.random.RandomState(0).normal(3, 2, (120, 3))
    model = BoltzmannMachineTransformer(
        3, sampler=sampler, max_iter=3, n_chains=40, random_state=0
    ).fit(X)
    assert model.sampler_report_["calls"] == 2
    drawn = model.sample(400)
    np.testing.assert_allclose(drawn.mean(0), 3, atol=0.6)
    np.testing.assert_allclose(drawn.std(0), 2, rtol=0.25)
    means = model.sample(50, noise=False)
    assert means.std() < drawn.std()


def test_marginals_do_not_drift_to_all_ones(digits):
    # Published training without a negative phase of the right sign ends at all ones.
    X, _ = digits
    model = binary(16, max_iter=15).fit(X)
    gap = np.abs(model.sample(2000).mean(0) - X.mean(0))
    assert gap.max() < 0.12


def test_features_are_deterministic_and_repeat(digits):
    X, _ = digits
    before = torch.random.get_rng_state()
    one, two = (binary(16, max_iter=3).fit(X) for _ in range(2))
    other = binary(16, max_iter=3, random_state=1).fit(X)
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    np.testing.assert_array_equal(one.sample(5), two.sample(5))
    assert np.abs(one.transform(X) - other.transform(X)).max() > 0.01
    assert one.transform(X.astype(np.float32)).dtype == np.float32
    assert torch.equal(before, torch.random.get_rng_state())
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.score_samples(X), one.score_samples(X))
    assert list(one.get_feature_names_out()[:2]) == [
        "boltzmannmachinetransformer0",
        "boltzmannmachinetransformer1",
    ]


def test_the_likelihood_is_at_least_that_of_scikit_learns(digits):
    X, _ = digits
    ours = binary(16, max_iter=30).fit(X[:500])
    theirs = BernoulliRBM(16, n_iter=40, learning_rate=0.02, random_state=0)
    theirs.fit(X[:500])
    # theirs: v, h in {0, 1}; its free energies and log Z by enumeration of h
    hidden = np.array(list(itertools.product((0.0, 1.0), repeat=16)))
    field = hidden @ theirs.components_ + theirs.intercept_visible_
    log_z = np.logaddexp.reduce(
        hidden @ theirs.intercept_hidden_ + np.logaddexp(0, field).sum(1)
    )
    assert ours.log_partition_.width == 0
    assert ours.score(X[500:]) > np.mean(-theirs._free_energy(X[500:]) - log_z)


def test_a_stack_in_a_pipeline_is_a_deep_belief_network(digits):
    X, y = digits
    deep = make_pipeline(
        binary(32, max_iter=15),
        binary(24, max_iter=15),
        LogisticRegression(max_iter=500),
    )
    deep.fit(X[:450], y[:450])
    assert deep.score(X[450:], y[450:]) > 0.7
    dreams = deep[0].inverse_transform(deep[1].sample(20))
    assert dreams.shape == (20, 64)
    assert ((dreams > 0) & (dreams < 1)).all()


def test_parameters_of_the_sampler_are_griddable(digits):
    X, y = digits
    model = make_pipeline(
        binary(8, max_iter=1, sampler=SimulatedAnnealingSampler(num_sweeps=5)),
        LogisticRegression(max_iter=200),
    )
    grid = {"boltzmannmachinetransformer__sampler__num_sweeps": [2, 4]}
    search = GridSearchCV(model, grid, cv=2).fit(X[:200], y[:200])
    best = search.best_estimator_[0]
    assert best.sampler_report_["negative_phase"] == "hybrid"
    assert best.sampler_.num_sweeps in (2, 4)
    assert best.sampler_report_["reads"] == 50 * best.sampler_report_["calls"]


def test_an_interrupted_fit_keeps_its_state_and_a_failed_one_leaves_none(
    digits, monkeypatch
):
    X, _ = digits
    model = binary(4, max_iter=50).fit(X)
    with pytest.raises(ValueError, match=r"training diverged.*learning_rate"):
        model.set_params(learning_rate=3e37).fit(X)
    with pytest.raises(NotFittedError):
        model.transform(X)
    calls, step = [], TemperedChains.step

    def impatient(self, data=None):
        calls.append(self)
        if len(calls) == 25:  # of ten an epoch
            raise KeyboardInterrupt
        return step(self, data)

    monkeypatch.setattr(TemperedChains, "step", impatient)
    with pytest.warns(ConvergenceWarning, match="after 2 of 50 epochs"):
        model.set_params(learning_rate=5e-3).fit(X)
    assert model.n_iter_ == 2
    start = binary(4, max_iter=1, learning_rate=1e-9).fit(X)
    assert model.score(X) > start.score(X) + 0.1
    assert model.sample(3).shape == (3, 64)


def test_a_score_takes_the_greater_of_bounds_that_contradict_each_other(parity):
    model = binary(2, max_iter=1).fit(parity)
    score = model.score(parity)
    lower = model.log_partition_.lower
    model.log_partition_ = model.log_partition_._replace(upper=lower + 5)
    assert model.score(parity) == pytest.approx(score - 5)
    model.log_partition_ = model.log_partition_._replace(upper=lower - 5)
    assert model.score(parity) == pytest.approx(score)


def test_draws_are_asked_for_at_the_scale_that_the_fit_found(parity):
    models = []

    class Recorded(SimulatedAnnealingSampler):
        def _sample_ising(self, model, *rest):
            models.append(model)
            return super()._sample_ising(model, *rest)

    model = binary(2, max_iter=1, sampler=Recorded(seed=0)).fit(parity)
    model.sampler_report_["scale"] = 2.5
    model.sample(3)
    np.testing.assert_allclose(models[-1].h, model.machine_.h / 2.5, rtol=1e-6)


def test_bad_input_is_named(digits):
    X, _ = digits
    with pytest.raises(ValueError, match="Got values from 0 to 16"):
        binary().fit(16 * X)
    with pytest.raises(ValueError, match="needs a sampler"):
        binary(negative_phase="hybrid").fit(X)
    with pytest.raises(ValueError, match="must be an instance"):
        binary(sampler=SimulatedAnnealingSampler).fit(X)
    with pytest.raises(ValueError, match=r"'graph' parameter.*64 features"):
        binary(graph=[(0, 99)]).fit(X)
    model = binary(2, max_iter=1).fit(X)
    with pytest.raises(ValueError, match="2 columns, one a component"):
        model.inverse_transform(X)
    with pytest.raises(ValueError, match="n_samples must be a positive int"):
        model.sample(0)
    constant = np.ones((20, 3))
    density = BoltzmannMachineTransformer(2, max_iter=2, random_state=0).fit(constant)
    assert np.isfinite(density.score_samples(constant)).all()
