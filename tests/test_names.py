# SPDX-License-Identifier: Apache-2.0
"""What `qestim.` finds, and what it says about the rest."""

import pytest

import qestim


@pytest.mark.parametrize("name", qestim.__all__)
def test_every_public_name_is_found(name):
    assert getattr(qestim, name) is not None
    assert name in dir(qestim)


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("BoltzmannSampler", "samplers"),
        ("MaxCutProblem", "qubo"),
        ("BetaEffDisplay", "plotting"),
        ("FileBackend", "samplers"),
    ],
)
def test_a_name_of_a_package_says_which(name, room):
    with pytest.raises(AttributeError, match=rf"{name}'; look in qestim.{room}$"):
        getattr(qestim, name)
    assert hasattr(getattr(qestim, room), name)


def test_other_names_are_just_not_there():
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        qestim.nonsense  # noqa: B018


def test_single_cells_are_found_without_an_import_of_their_own():
    pytest.importorskip("anndata")
    assert callable(qestim.anndata.embed)
