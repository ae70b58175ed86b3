# SPDX-License-Identifier: Apache-2.0
import dimod
import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from qestim.qubo import IsingArrays, MaxCutProblem, spins_of

biases = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))


@st.composite
def models(draw):
    n = draw(st.integers(0, 7))
    labels = draw(st.permutations([*range(4), "a", "b", (1, "t")]).map(lambda p: p[:n]))
    linear = {label: draw(biases) for label in labels}
    quadratic = {
        (u, v): draw(biases)
        for i, u in enumerate(labels)
        for v in labels[:i]
        if draw(st.booleans())
    }
    vartype = draw(st.sampled_from(["SPIN", "BINARY"]))
    return dimod.BQM(linear, quadratic, draw(biases), vartype)


@given(models())
def test_energies_are_those_of_the_model_on_every_state(bqm):
    model = IsingArrays.from_bqm(bqm)
    n = len(model)
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    spins = (2 * bits - 1).astype(np.int8)
    values = bits if bqm.vartype is dimod.BINARY else spins
    expected = [
        bqm.energy(dict(zip(model.variables, row, strict=True))) for row in values
    ]
    assert np.allclose(model.energies(spins), expected, atol=1e-9)
    quadratic_form = 0.5 * np.einsum("ri,ij,rj->r", spins, model.dense, spins)
    energies = model.offset + spins @ model.h + quadratic_form
    assert np.allclose(energies, expected, atol=1e-9)
    assert np.allclose(model.csr.toarray(), model.dense)


@given(models())
def test_round_trip_through_a_model(bqm):
    model = IsingArrays.from_bqm(bqm)
    again = IsingArrays.from_bqm(model.to_bqm())
    assert list(again.variables) == list(bqm.variables)
    assert np.allclose(again.dense, model.dense)
    assert np.allclose(again.h, model.h)
    assert again.offset == pytest.approx(model.offset)


def test_energies_of_many_reads_with_threads():
    rng = np.random.default_rng(0)
    J = rng.normal(size=(50, 50))
    J = np.triu(J, 1) + np.triu(J, 1).T
    model = IsingArrays.from_matrix(J, h=rng.normal(size=50))
    spins = rng.choice(np.array([-1, 1], np.int8), (333, 50))
    expected = 0.5 * np.einsum("ri,ij,rj->r", spins, J, spins) + spins @ model.h
    for num_threads in (1, 3):
        assert np.allclose(model.energies(spins, num_threads), expected)


def test_spins_of_orders_columns_and_repeats_counted_rows():
    reads = dimod.SampleSet.from_samples(
        ([[0, 1, 1], [1, 0, 0]], ["c", "a", "b"]),
        "BINARY",
        energy=[0, 0],
        num_occurrences=[1, 2],
    )
    assert spins_of(reads, ["a", "b", "c"]).tolist() == [
        [1, 1, -1],
        [-1, -1, 1],
        [-1, -1, 1],
    ]
    with pytest.raises(ValueError, match="lacks 1 of the 2 variables"):
        spins_of(reads, ["a", "z"])


@pytest.mark.parametrize(
    ("what", "way_out"),
    [
        (None, "for a coupling matrix"),
        (np.eye(2), r"sample_arrays\(J, h\)"),
        ({(0, 1): 1.0}, "dimod.BQM.from_qubo"),
        (dimod.CQM(), r"QCGDSampler\(\).sample_cqm\(cqm\)"),
        (MaxCutProblem(nx.path_graph(2)), r"MaxCutProblem; write .to_bqm\(\)"),
    ],
)
def test_what_is_no_model_is_refused_with_the_way_out(what, way_out):
    start = r"must be a dimod.BinaryQuadraticModel. Got "
    with pytest.raises(TypeError, match=rf"{start}.*{way_out}"):
        IsingArrays.from_bqm(what)


@pytest.mark.parametrize(
    ("what", "way_out"),
    [
        (dimod.CQM(), r"use qestim.samplers.QCGDSampler\(\).sample_cqm\(cqm\)"),
        (dimod.DQM(), r"dimod.CQM.from_dqm\(dqm\)"),
        (dimod.BinaryPolynomial({"abc": 1.0}, "SPIN"), "HigherOrderComposite"),
    ],
)
def test_other_models_of_dimod_are_sent_to_who_samples_them(what, way_out):
    with pytest.raises(TypeError, match=way_out):
        IsingArrays.from_bqm(what)


def test_entries_in_several_parts_are_one_coupling():
    parts = np.ones(4), np.array([1, 1, 0, 0]), np.array([0, 2, 4])
    model = IsingArrays.from_matrix(scipy.sparse.csr_array(parts, shape=(2, 2)))
    assert model.value.tolist() == [2.0]
    assert model.dense.tolist() == model.csr.toarray().tolist() == [[0, 2], [2, 0]]


@pytest.mark.parametrize("sparse", [False, True])
def test_complex_couplings_are_refused(sparse):
    J = np.array([[0, 1j], [1j, 0]])
    with pytest.raises(ValueError, match="must be real"):
        IsingArrays.from_matrix(scipy.sparse.csr_array(J) if sparse else J)


def test_spins_of_another_shape_or_value_have_no_energy():
    model = IsingArrays.from_matrix(np.zeros((3, 3)), h=[1, 2, 3])
    assert model.energies([[1, -1, 1]]).tolist() == [2.0]
    for spins in (np.ones((2, 2)), np.ones(3), np.ones((2, 3, 1))):
        with pytest.raises(ValueError, match=r"shape \(num_reads, 3\)"):
            model.energies(spins)
    with pytest.raises(ValueError, match="must be -1 and 1"):
        model.energies([[0.5, 1, 1]])
