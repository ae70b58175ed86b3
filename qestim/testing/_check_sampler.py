# SPDX-License-Identifier: Apache-2.0
"""The public test of a sampler."""

from numbers import Real

import dimod
import numpy as np
from sklearn.base import BaseEstimator

from qestim.samplers import BaseSampler
from qestim.testing import _check_interface as interface
from qestim.testing import _check_law as law
from qestim.testing import _check_models as models


def check_sampler(sampler, samples_boltzmann_at=None) -> None:
    """Test any dimod sampler; those of qestim and their subclasses more strictly.

    - Every sampler: dimod's interface and its suite of small models; labels, vartypes,
      degenerate models, energies; one seed, one answer, for any number of threads (as
      far as it has these keywords).
    - Samplers that are scikit-learn objects: clone, pickle, repr, a grid search.
    - Subclasses of ``BaseSampler``: wrong values of every parameter, unknown keywords,
      NaN and infinity, coefficients from 1e-200 to 1e200, merging of equal reads.
    - Samplers that claim a Boltzmann law: counts of states of six small models against
      enumeration (chi-square, rare states pooled), all means and pair moments, a
      restricted Boltzmann machine of 500 + 12 units summed over the hidden ones, and
      the energy of a 16 x 16 Ising lattice against Kaufman's exact one. Reads are
      weighed by their autocorrelation time in the order given.

    Parameters
    ----------
    sampler : dimod.Sampler
        The sampler, with the parameters it is to be tested with.
    samples_boltzmann_at : float or iterable of float, default=None
        Inverse temperatures, in inverse units of the energy, at which the reads are
        said to follow exp(-beta E). They are passed as ``beta=`` where the sampler has
        that parameter; otherwise all of its reads must follow the one that is named.

    Raises
    ------
    AssertionError
        Names the sampler, the model, the law and the number that failed.
    ValueError
        If an inverse temperature is not positive.

    Notes
    -----
    A larger model that the sampler refuses with dimod's
    ``BinaryQuadraticModelSizeError`` is left out. All models and seeds are fixed, so a
    sampler with a fixed answer to a seed passes always or never; a right one fails by
    chance in fewer than one in a hundred implementations.

    References
    ----------
    .. [1] Cochran, "Some methods for strengthening the common chi-square tests",
       Biometrics 10, 417 (1954). doi:10.2307/3001616
    .. [2] Kaufman, "Crystal statistics. II. Partition function evaluated by spinor
       analysis", Phys. Rev. 76, 1232 (1949). doi:10.1103/PhysRev.76.1232

    Examples
    --------
    >>> from qestim.samplers import SimulatedAnnealingSampler
    >>> from qestim.testing import check_sampler
    >>> check_sampler(SimulatedAnnealingSampler(num_sweeps=200))
    """
    betas = _betas(sampler, samples_boltzmann_at)
    interface.check_dimod(sampler)
    models.check_models(sampler)
    interface.check_seeds(sampler)
    models.check_vartypes(sampler)
    interface.check_threads(sampler)
    if isinstance(sampler, BaseEstimator):
        interface.check_object(sampler)
    if isinstance(sampler, BaseSampler):
        interface.check_parameters(sampler)
        interface.check_info(sampler)
        models.check_arrays(sampler)
        models.check_not_finite(sampler)
        models.check_scales(sampler)
    for beta in betas:
        law.check_small(sampler, beta, tests=len(betas))
        for check in (law.check_lattice, law.check_rbm):
            try:
                check(sampler, beta)
            except dimod.exceptions.BinaryQuadraticModelSizeError:
                break


def _betas(sampler, asked):
    if asked is None:
        return []
    betas = list(asked) if np.iterable(asked) else [asked]
    numbers = all(isinstance(beta, Real) for beta in betas)
    if not numbers or not all(0 < beta < np.inf for beta in betas):
        raise ValueError(
            f"samples_boltzmann_at must hold positive numbers. Got {asked!r}."
        )
    if len(betas) > 1 and "beta" not in sampler.parameters:
        raise ValueError(
            f"{sampler!r} has no parameter 'beta', so it follows one law at most. "
            f"Got samples_boltzmann_at={asked!r}."
        )
    return betas
