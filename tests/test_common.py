# SPDX-License-Identifier: Apache-2.0
"""Every sampler passes the public test. A new sampler is a new line of the list."""

import dimod
import pytest

import qestim.samplers
from qestim import _native
from qestim.samplers import (
    AdaptivePenaltySampler,
    BaseSampler,
    BoltzmannSampler,
    CIMSampler,
    DimodSampler,
    ExactSampler,
    HardwareSampler,
    ParallelSampler,
    QCGDSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
)
from qestim.testing import check_sampler

# In numpy the tests of the law take minutes: one temperature has to do.
BETAS = (1.0,) if _native.kernel_name == "numpy" else (0.3, 1.0, 2.0)

# A sampler, and the inverse temperatures at which it claims a Boltzmann law.
SAMPLERS = [
    (SimulatedAnnealingSampler(num_sweeps=200), None),
    (SimulatedBifurcationSampler(num_steps=100), None),
    (SimulatedBifurcationSampler(mode="ballistic", num_steps=100), None),
    *(
        (CIMSampler(model=model, num_steps=100), None)
        for model in ("cac", "cfc", "sfc", "mean_field", "wigner")
    ),
    (ExactSampler(), BETAS),
    (BoltzmannSampler(), BETAS),
    (DimodSampler(dimod.ExactSolver()), None),
    (HardwareSampler(), None),
    (ParallelSampler(SimulatedAnnealingSampler(num_sweeps=200), reads_per_job=8), None),
    (QCGDSampler(SimulatedAnnealingSampler(num_sweeps=200)), None),
    (AdaptivePenaltySampler(SimulatedAnnealingSampler(num_sweeps=200)), None),
]


@pytest.mark.parametrize(
    ("sampler", "betas"), SAMPLERS, ids=[type(s).__name__ for s, _ in SAMPLERS]
)
def test_sampler(sampler, betas):
    check_sampler(sampler, samples_boltzmann_at=betas)


def test_every_sampler_is_in_the_list():
    public = {getattr(qestim.samplers, name) for name in qestim.samplers.__all__}
    classes = {
        c for c in public if isinstance(c, type) and issubclass(c, dimod.Sampler)
    }
    listed = {type(sampler) for sampler, _ in SAMPLERS}
    assert classes - {BaseSampler} == listed


def test_every_sampler_can_say_how_long_it_has_run():
    for sampler, _ in SAMPLERS:
        assert isinstance(sampler, DimodSampler) or "verbose" in sampler.get_params()


def test_those_that_state_a_law_are_tested_for_it():
    for sampler, betas in SAMPLERS:
        claims = sampler.properties["distribution"] == "boltzmann"
        assert claims == (betas is not None)


def test_an_annealer_is_no_boltzmann_sampler():
    with pytest.raises(AssertionError, match="Boltzmann law"):
        check_sampler(SimulatedAnnealingSampler(), samples_boltzmann_at=1.0)
