# SPDX-License-Identifier: Apache-2.0
"""The judge is judged: a right sampler passes, wrong ones fail for their fault."""

from numbers import Integral, Real

import dimod
import dwave.samplers
import numpy as np
import pytest
import scipy.sparse.csgraph

from qestim._sklearn import Interval
from qestim.qubo import IsingArrays
from qestim.samplers import BaseSampler, SimulatedAnnealingSampler
from qestim.testing import ExactLaw, ExactRBM, check_sampler
from qestim.testing._check_law import check_lattice, check_rbm, check_small


class ExactDraws(BaseSampler):
    """Independent draws: by enumeration, by summing 12 hidden units, or by clusters."""

    _distribution = "boltzmann"
    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="left")],
        "num_updates": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        beta=1.0,
        num_updates=200,
        num_reads=None,
        seed=None,
        num_threads=None,
        aggregate=False,
    ):
        self.beta = beta
        self.num_updates = num_updates
        self.num_reads = num_reads
        self.seed = seed
        self.num_threads = num_threads
        self.aggregate = aggregate

    # Parameters that these samplers leave out.
    initial_states = time_limit = target_energy = None

    def _sample_ising(self, model, initial, num_reads, seed):
        rng = np.random.default_rng(seed)
        return self._draw(model, num_reads, rng), {}, {}

    def _draw(self, model, num_reads, rng):
        if len(model) <= 15:
            return ExactLaw(model).draw(num_reads, self.beta, rng)
        if len(model) == 512:
            W, h = model.dense[:500, 500:], model.h
            rbm = ExactRBM(W, h[:500], h[500:], self.beta)
            return rbm.draw(num_reads, rng)
        return np.array([self._clusters(model, rng) for _ in range(num_reads)])

    def _clusters(self, model, rng):
        """Swendsen and Wang's updates of a ferromagnet without fields."""
        n = len(model)
        spins = rng.choice(np.array([-1, 1], dtype=np.int8), n)
        bond = 1 - np.exp(2 * self.beta * model.value)
        for _ in range(self.num_updates):
            kept = (spins[model.row] == spins[model.col]) & (
                rng.random(len(bond)) < bond
            )
            graph = scipy.sparse.coo_array(
                (kept[kept], (model.row[kept], model.col[kept])), shape=(n, n)
            )
            count, label = scipy.sparse.csgraph.connected_components(graph, False)
            spins = rng.choice(np.array([-1, 1], dtype=np.int8), count)[label]
        return spins


class HeatBath(ExactDraws):
    """Sweeps at one temperature from random starts: right only if there are enough."""

    def _draw(self, model, num_reads, rng):
        spins = rng.choice(np.array([-1.0, 1.0]), (num_reads, len(model)))
        J = model.dense
        for _ in range(self.num_updates):
            for i in range(len(model)):
                field = spins @ J[i] + model.h[i]
                up = rng.random(num_reads) < 1 / (1 + np.exp(2 * self.beta * field))
                spins[:, i] = np.where(up, 1, -1)
        return spins.astype(np.int8)


class Quench(ExactDraws):
    """Descent from random starts."""

    def _draw(self, model, num_reads, rng):
        spins = rng.choice(np.array([-1.0, 1.0]), (num_reads, len(model)))
        J = model.dense
        for _ in range(20):
            for i in range(len(model)):
                field = spins @ J[i] + model.h[i]
                spins[:, i] = np.where(field == 0, spins[:, i], -np.sign(field))
        return spins.astype(np.int8)


class HalfOfTheValleys(ExactDraws):
    """Local statistics right, weights of mirrored valleys wrong."""

    def _draw(self, model, num_reads, rng):
        spins = super()._draw(model, num_reads, rng)
        return np.where(spins[:, :1] < 0, -spins, spins).astype(np.int8)


def test_independent_draws_pass_everything_small():
    check_sampler_without_lattice(ExactDraws(), [0.3, 1.0, 2.0])


def check_sampler_without_lattice(sampler, betas):
    check_sampler(sampler)
    for beta in betas:
        check_small(sampler, beta, tests=len(betas))
    check_rbm(sampler, 1.0)


@pytest.mark.slow
def test_independent_draws_pass_the_lattice():
    check_lattice(ExactDraws(num_updates=60), 1.0, num_reads=200)


def test_enough_sweeps_at_a_high_temperature_pass():
    check_small(HeatBath(num_updates=60), 0.3)


@pytest.mark.parametrize(
    ("control", "beta"),
    [
        (Quench(), 1.0),
        (Quench(), 2.0),
        (HeatBath(num_updates=100), 2.0),
        # What polishing alone does, from random starts: it must not pass as a sampler.
        (HeatBath(num_updates=5), 1.0),
        (HalfOfTheValleys(), 1.0),
    ],
    ids=lambda value: str(value),
)
def test_negative_controls_fail_the_law(control, beta):
    with pytest.raises(
        AssertionError, match=rf"Boltzmann law of .* at beta={beta:g}: "
    ):
        check_small(control, beta)


@pytest.mark.parametrize("control", [Quench(), HeatBath(num_updates=5)], ids=str)
def test_negative_controls_fail_the_machine(control):
    with pytest.raises(AssertionError, match=r"500 \+ 12 units at beta=1"):
        check_rbm(control, 1.0, num_reads=500)


@pytest.mark.parametrize("control", [Quench(), HeatBath(num_updates=5)], ids=str)
def test_negative_controls_fail_the_lattice(control):
    with pytest.raises(AssertionError, match=r"Kaufman|exact one is -"):
        check_lattice(control, 1.0, num_reads=200)


def test_a_slightly_wrong_temperature_fails():
    class Colder(ExactDraws):
        def _draw(self, model, num_reads, rng):
            return ExactLaw(model).draw(num_reads, 1.05 * self.beta, rng)

    with pytest.raises(AssertionError, match="Boltzmann law"):
        check_small(Colder(), 1.0)


def ignores_seed(self, model, initial, num_reads, seed):
    return ExactDraws._draw(self, model, num_reads, np.random.default_rng()), {}, {}


def threads_matter(self, model, initial, num_reads, seed):
    rng = np.random.default_rng(seed + (self.num_threads or 1))
    return self._draw(model, num_reads, rng), {}, {}


def wrong_energy(self, bqm, **parameters):
    found = BaseSampler.sample(self, bqm, **parameters)
    found.record.energy += 1e-3
    return found


def wrong_vartype(self, bqm, **parameters):
    found = BaseSampler.sample(self, bqm, **parameters)
    return found.change_vartype("SPIN", inplace=False)


def changes_itself(self, bqm, **parameters):
    self.beta = self.beta + 1
    return BaseSampler.sample(self, bqm, **parameters)


def accepts_nan(self, bqm, **parameters):
    bqm = bqm.copy()
    for v in bqm.variables:
        if not np.isfinite(bqm.get_linear(v)):
            bqm.set_linear(v, 0)
    return BaseSampler.sample(self, bqm, **parameters)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"_sample_ising": ignores_seed}, "gives two answers"),
        ({"_sample_ising": threads_matter}, "differs from one thread"),
        ({"sample": wrong_energy}, r"energ|AssertionError"),
        ({"sample": wrong_vartype}, r"vartype|Vartype|SPIN"),
        ({"sample": changes_itself}, "changed the parameters"),
        ({"sample": accepts_nan}, "samples a linear bias of nan"),
    ],
)
def test_faults_of_the_interface_are_found(methods, message, monkeypatch):
    for name, method in methods.items():
        monkeypatch.setattr(ExactDraws, name, method, raising=False)
    with pytest.raises(AssertionError, match=message):
        check_sampler(ExactDraws())


def test_foreign_samplers_are_tested_as_far_as_they_go():
    check_sampler(dimod.ExactSolver())
    check_sampler(dwave.samplers.TabuSampler())
    check_sampler(dimod.TrackingComposite(SimulatedAnnealingSampler()))
    with pytest.raises(AssertionError, match="Boltzmann law"):
        check_sampler(dimod.RandomSampler(), samples_boltzmann_at=1.0)


def test_wrong_requests():
    with pytest.raises(ValueError, match="positive"):
        check_sampler(ExactDraws(), samples_boltzmann_at=-1.0)
    with pytest.raises(ValueError, match="positive"):
        check_sampler(ExactDraws(), samples_boltzmann_at="1")
    with pytest.raises(ValueError, match="one law at most"):
        check_sampler(dimod.RandomSampler(), samples_boltzmann_at=[1.0, 2.0])


def test_reference_draws_agree_with_each_other():
    bqm = dimod.BQM.from_ising({}, {(i, (i + 1) % 8): -0.6 for i in range(8)})
    model = IsingArrays.from_bqm(bqm)
    sampler = ExactDraws(beta=0.9, num_updates=25)
    rng = np.random.default_rng(0)
    clusters = [sampler._clusters(model, rng) for _ in range(300)]
    energy = model.energies(np.array(clusters)).mean()
    law = ExactLaw(model)
    want = law.probabilities(0.9) @ law.energies
    assert energy == pytest.approx(want, abs=0.4)
