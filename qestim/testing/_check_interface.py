# SPDX-License-Identifier: Apache-2.0
"""Checks of a sampler as a dimod sampler and as a scikit-learn object."""

import pickle
import re
import unittest
import warnings

import dimod
import dimod.testing
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from qestim.qubo import spins_of


def glass(n, seed, labels=None, field=1.0):
    """Return a SPIN model with normal couplings and fields on all pairs."""
    rng = np.random.default_rng(seed)
    labels = list(range(n)) if labels is None else labels
    bqm = dimod.BinaryQuadraticModel("SPIN")
    for label in labels:
        bqm.add_linear(label, field * rng.standard_normal())
    for i in range(n):
        for j in range(i):
            bqm.add_quadratic(labels[i], labels[j], rng.standard_normal())
    bqm.offset = 0.5
    return bqm


def keywords(sampler, **wanted):
    """Return those of the wanted keywords that the sampler takes."""
    known = set(sampler.parameters)
    return {name: value for name, value in wanted.items() if name in known}


def refusal(sampler, bqm, /, **parameters):
    """Return the message with which a call is refused, None where it is not."""
    try:
        sampler.sample(bqm, **parameters)
    except ValueError as error:
        return str(error)
    return None


def check_dimod(sampler):
    """Run dimod's own checks of the interface and its suite of small models."""
    dimod.testing.assert_sampler_api(sampler)

    def fresh():
        return clone(sampler) if isinstance(sampler, BaseEstimator) else sampler

    @dimod.testing.load_sampler_bqm_tests(fresh)
    class Suite(unittest.TestCase):
        pass

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Suite).run(result)
    for case, trace in [*result.errors, *result.failures]:
        name = case.id().rpartition(".")[2]
        raise AssertionError(f"{sampler!r} fails {name} of dimod's suite:\n{trace}")


def check_object(sampler):
    """Check clone, pickle, repr, parameters and a grid search."""
    copy = clone(sampler)
    assert copy is not sampler, f"clone of {sampler!r} is the sampler itself"
    _assert_same_parameters(sampler, copy, "clone")
    _assert_same_parameters(sampler, pickle.loads(pickle.dumps(sampler)), "pickle")
    assert type(sampler).__name__ in repr(sampler), f"repr lacks the class: {sampler!r}"
    before = repr(sampler)
    bqm = glass(4, 0)
    copied = bqm.copy()
    sampler.sample(bqm, **keywords(sampler, num_reads=2, seed=1))
    assert repr(sampler) == before, f"sample changed the parameters of {before}"
    assert bqm == copied, f"{sampler!r} changed the model that it sampled"
    for name in ("num_reads", "seed"):
        if name in sampler.get_params():
            grid = {f"sampler__{name}": [1, 2]}
            search = GridSearchCV(
                _Holder(clone(sampler)), grid, cv=2, error_score="raise"
            )
            search.fit(np.zeros((4, 1)))
            tried = [p[f"sampler__{name}"] for p in search.cv_results_["params"]]
            assert tried == [1, 2], f"a grid over {name} of {sampler!r} tried {tried}"


class _Holder(BaseEstimator):
    """The smallest estimator that has a sampler."""

    def __init__(self, sampler):
        self.sampler = sampler

    def fit(self, X, y=None):
        self.sampler_ = clone(self.sampler)
        return self

    def score(self, X, y=None):
        return -float(self.sampler_.sample(glass(4, 0)).record.energy.min())


def _assert_same_parameters(one, other, how):
    # What a foreign object is shown as may hold its address.
    texts = [re.sub(r" at 0x[0-9a-f]+", "", repr(sampler)) for sampler in (one, other)]
    assert texts[0] == texts[1], f"{how} of {one!r} is {other!r}"


def check_parameters(sampler):
    """Check that wrong values raise and unknown keywords warn, naming the keyword."""
    bqm = glass(3, 1)
    for name in sampler.get_params(deep=False):
        said = refusal(sampler, bqm, **{name: object()})
        assert said is not None, f"{sampler!r} accepts an object() as {name!r}"
        assert name in said, f"the error about {name!r} says only: {said}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sampler.sample(bqm, no_such_parameter=1)
    kinds = [w.category for w in caught]
    assert dimod.exceptions.SamplerUnknownArgWarning in kinds, (
        f"{sampler!r} does not warn of the unknown keyword 'no_such_parameter'"
    )


def check_seeds(sampler):
    """Check that a seed repeats a call, whoever gives it, and info tells it."""
    bqm = glass(12, 2, field=0.0)

    def read(sampler, **wanted):
        found = sampler.sample(bqm, **keywords(sampler, num_reads=20, **wanted))
        return spins_of(found, bqm.variables), found.info

    if "seed" not in sampler.parameters:
        return
    one, _ = read(sampler, seed=3)
    again, _ = read(sampler, seed=3)
    assert np.array_equal(one, again), f"{sampler!r} with seed=3 gives two answers"
    if isinstance(sampler, BaseEstimator) and "seed" in sampler.get_params(deep=False):
        held, _ = read(clone(sampler).set_params(seed=3))
        assert np.array_equal(one, held), (
            f"seed=3 in the constructor of {sampler!r} differs from seed=3 in the call"
        )
        free, info = read(clone(sampler).set_params(seed=None))
        told, _ = read(sampler, seed=info["seed"])
        assert np.array_equal(free, told), (
            f"info['seed'] of {sampler!r} does not repeat the call"
        )
    if sampler.properties.get("distribution") == "boltzmann":
        other, _ = read(sampler, seed=4)
        assert not np.array_equal(one, other), f"seed does nothing in {sampler!r}"


def check_threads(sampler):
    """Check that the number of threads changes no read."""
    if not {"num_threads", "seed"} <= set(sampler.parameters):
        return
    bqm = glass(15, 3)
    reads = [
        spins_of(
            sampler.sample(
                bqm, **keywords(sampler, num_reads=150, seed=5, num_threads=threads)
            ),
            bqm.variables,
        )
        for threads in (1, 2, 5)
    ]
    for threads, other in zip((2, 5), reads[1:], strict=True):
        assert np.array_equal(reads[0], other), (
            f"{sampler!r} with num_threads={threads} differs from one thread"
        )


def check_info(sampler):
    """Check the number of reads, the timing and the merging of equal reads."""
    bqm = glass(5, 4)
    wanted = keywords(sampler, num_reads=7, seed=1)
    found = sampler.sample(bqm, **wanted)
    keys = {"preprocessing_ns", "sampling_ns", "postprocessing_ns"}
    timing = found.info.get("timing", {})
    assert keys <= set(timing), (
        f"info['timing'] of {sampler!r} lacks {keys - set(timing)}"
    )
    merged = sampler.sample(bqm, aggregate=True, **wanted)
    total = int(merged.record.num_occurrences.sum())
    assert total == int(found.record.num_occurrences.sum()), (
        f"aggregate=True of {sampler!r} counts {total} reads"
    )
    states = spins_of(merged.aggregate(), bqm.variables)
    assert len(merged) == len(np.unique(states, axis=0)), (
        f"aggregate=True of {sampler!r} leaves equal reads apart"
    )
