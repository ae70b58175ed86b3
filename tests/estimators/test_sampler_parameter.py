# SPDX-License-Identifier: Apache-2.0
"""A parameter that holds a sampler or another part says what it takes."""

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import qestim
from qestim.samplers import SimulatedAnnealingSampler

WITH_SAMPLER = [
    qestim.ActiveSampleSelector,
    qestim.BoltzmannMachineTransformer,
    qestim.QBMVAETransformer,
    qestim.QDiffusionGenerator,
    qestim.QuantizedQNNClassifier,
    qestim.QUBOFeatureSelector,
]


@pytest.mark.parametrize("kind", WITH_SAMPLER)
def test_a_parameter_of_no_sampler_asks_for_a_sampler_first(kind):
    way_out = rf"Give an instance first, as in {kind.__name__}\(sampler=Simul"
    with pytest.raises(ValueError, match=way_out):
        kind().set_params(sampler__num_sweeps=3)
    sampler = SimulatedAnnealingSampler()
    model = kind().set_params(sampler=sampler, sampler__num_sweeps=3)
    assert model.sampler.num_sweeps == 3


def test_a_grid_over_the_parameters_of_no_sampler_names_the_way_out():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(qestim.QuantizedQNNClassifier(), {"sampler__num_sweeps": [3]})
    with pytest.raises(ValueError, match=r"'sampler' parameter of Quantized.* is None"):
        search.fit(X, y)


def test_other_parts_that_are_not_there():
    model = qestim.FitOnSelected(LogisticRegression())
    with pytest.raises(ValueError, match=r"selector=ActiveSampleSelector\(\)"):
        model.set_params(selector__difficulty=1.0)
    with pytest.raises(ValueError, match=r"is 'rbm'.*prior=BoltzmannPrior\(\)"):
        qestim.QBMVAETransformer().set_params(prior__graph="full")
    with pytest.raises(ValueError, match="Invalid parameter 'difficulty'"):
        model.set_params(difficulty__unknown=1.0)


@pytest.mark.parametrize("kind", WITH_SAMPLER)
def test_a_word_in_the_place_of_a_sampler(kind):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"a sampler such as .*\(\) or None. Got 'sa'"):
        kind(sampler="sa").fit(X, y)
