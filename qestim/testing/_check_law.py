# SPDX-License-Identifier: Apache-2.0
"""Checks that reads follow the Boltzmann law that a sampler claims."""

import dimod
import numpy as np
import scipy.stats

from qestim.qubo import IsingArrays, spins_of
from qestim.testing._check_interface import glass, keywords
from qestim.testing._enumeration import ExactLaw
from qestim.testing._lattice import ising_2d, kaufman_energy
from qestim.testing._rbm import random_rbm
from qestim.testing._statistics import correlation_time, pooled_chi_square

DOUBT = 1e-3


def small_models():
    """Return models to enumerate, by name: glasses, valleys, fields, idle spins."""
    integers = dimod.BinaryQuadraticModel("BINARY")
    rng = np.random.default_rng(3)
    for i in range(9):
        integers.add_linear(i, float(rng.integers(-3, 4)))
        for j in range(i):
            integers.add_quadratic(i, j, float(rng.integers(-2, 3)))
    valleys = dimod.BinaryQuadraticModel.from_ising(
        {0: 0.2}, {(i, j): -0.4 for i in range(6) for j in range(i)}
    )
    chain = dimod.BinaryQuadraticModel.from_ising(
        {0: 0.5, 8: 0.0}, {(i, i + 1): (-1.0) ** i * (i + 1) / 4 for i in range(7)}
    )
    return {
        "a glass of 10 spins with fields": glass(10, 0),
        "a second glass of 10 spins with fields": glass(10, 1),
        "a glass of 10 spins without fields": glass(10, 2, field=0.0),
        "9 bits with integer weights": integers,
        "a ferromagnet of 6 spins": valleys,
        "a chain of 8 spins and an idle one": chain,
    }


def draw(sampler, bqm, num_reads, beta, seed):
    """Return spins of a sampler at an inverse temperature, columns as in the model."""
    wanted = keywords(sampler, num_reads=num_reads, seed=seed, beta=beta)
    return spins_of(sampler.sample(bqm, **wanted), bqm.variables)


def _fail(sampler, what, beta, finding):
    raise AssertionError(
        f"{sampler!r} does not follow the Boltzmann law of {what} at beta={beta:g}: "
        f"{finding}"
    )


def check_small(sampler, beta, num_reads=20_000, tests=1):
    """Check counts of states and moments of small models against enumeration.

    ``tests`` is the number of such calls, by which the level is divided.
    """
    models = small_models()
    for seed, (what, bqm) in enumerate(models.items()):
        law = ExactLaw(IsingArrays.from_bqm(bqm))
        spins = draw(sampler, bqm, num_reads, beta, seed)
        time = correlation_time(spins, law.energies[law.codes(spins)])
        counts = np.bincount(law.codes(spins), minlength=len(law))
        p, statistic, df = pooled_chi_square(
            counts, law.probabilities(beta), correlation_time=time
        )
        if p < DOUBT / (len(models) * tests):
            found = f"pooled chi-square {statistic:.1f} at {df} degrees of freedom, "
            _fail(sampler, what, beta, found + f"p = {p:.2g}")
        mean, pairs = law.moments(beta)
        upper = np.triu_indices(len(mean), 1)
        values = spins.astype(np.float64)
        seen = np.concatenate(
            [values.mean(0), (values.T @ values / len(values))[upper]]
        )
        want = np.concatenate([mean, pairs[upper]])
        _compare_moments(sampler, what, beta, seen, want, len(values) / time)


def _compare_moments(sampler, what, beta, seen, want, independent):
    """Compare means of +-1 variables with the law's, in standard errors."""
    # One read beside the law is allowed where the law leaves no spread.
    error = np.sqrt(np.maximum(1 - want**2, 1 / independent) / independent)
    z = (seen - want) / error
    limit = max(4.0, float(scipy.stats.norm.isf(DOUBT / 2 / len(z))))
    worst = int(np.argmax(np.abs(z)))
    if abs(z[worst]) > limit:
        _fail(
            sampler,
            what,
            beta,
            f"a moment is {seen[worst]:.4f} where the law has {want[worst]:.4f}, "
            f"{z[worst]:+.1f} standard errors away",
        )


def _compare_energy(sampler, what, beta, energies, want, time):
    error = max(energies.std(), 1e-12 * abs(want)) * np.sqrt(time / len(energies))
    z = (energies.mean() - want) / error
    if abs(z) > 4:
        found = f"mean energy {energies.mean():.4f} where the exact one is {want:.4f}, "
        _fail(sampler, what, beta, found + f"{z:+.1f} standard errors away")


def check_rbm(sampler, beta, num_reads=3000):
    """Check a machine of 500 visible and 12 hidden units, summed over the hidden."""
    what = "a Boltzmann machine of 500 + 12 units"
    rbm = random_rbm(500, 12, 0, scale=0.09 / beta, field=0.1 / beta, beta=beta)
    spins = draw(sampler, rbm.bqm, num_reads, beta, 11)
    energies = IsingArrays.from_bqm(rbm.bqm).energies(spins)
    time = correlation_time(spins, energies)
    _compare_energy(sampler, what, beta, energies, rbm.mean_energy, time)
    independent = num_reads / time
    hidden = spins[:, 500:]
    codes = (hidden > 0) @ (1 << np.arange(12))
    p, statistic, df = pooled_chi_square(
        np.bincount(codes, minlength=4096),
        rbm.hidden_probabilities,
        correlation_time=time,
    )
    if p < DOUBT:
        found = (
            f"chi-square {statistic:.1f} at {df} degrees of freedom over the states "
        )
        _fail(sampler, what, beta, found + f"of the hidden units, p = {p:.2g}")
    values = spins.astype(np.float64)
    seen = values[:, :500].T @ values[:, 500:] / num_reads
    seen = np.concatenate([values.mean(0), seen.ravel()])
    want = np.concatenate([rbm.mean, rbm.correlation.ravel()])
    _compare_moments(sampler, what, beta, seen, want, independent)


def check_lattice(sampler, beta, num_reads=1000):
    """Check the energy of the 16 x 16 Ising lattice against Kaufman's."""
    for K in (0.3, 0.4406868):
        coupling = -K / beta
        bqm = ising_2d(16, coupling)
        spins = draw(sampler, bqm, num_reads, beta, 12)
        energies = IsingArrays.from_bqm(bqm).energies(spins)
        time = correlation_time(spins, energies)
        want = kaufman_energy(16, beta, coupling)
        what = f"the 16 x 16 lattice at K = {K}"
        _compare_energy(sampler, what, beta, energies, want, time)
