# SPDX-License-Identifier: Apache-2.0
"""What the samplers of constrained models share: the loop around an inner sampler."""

import time
import warnings
from numbers import Integral, Real

import dimod

from qestim._sklearn import Interval
from qestim.qubo import IsingArrays
from qestim.samplers._annealing import SimulatedAnnealingSampler
from qestim.samplers._base import BaseSampler
from qestim.samplers._constraints import ConstrainedArrays
from qestim.samplers._search import Search
from qestim.samplers._waiting import elapsed

# What belongs to one call of the inner sampler rather than to the loop around it.
_FORWARDED = (
    "num_reads",
    "seed",
    "initial_states",
    "num_threads",
    "time_limit",
    "target_energy",
)


class ConstrainedSampler(BaseSampler, dimod.ComposedSampler):
    """Base class of the samplers that put constraints into an inner sampler's model.

    A subclass has the method `_start`, which returns the rule of the multipliers: an
    object with ``multipliers`` and ``update(functionals)``.
    """

    _parameter_constraints: dict = {
        **BaseSampler._parameter_constraints,
        "sampler": [dimod.Sampler, None],
        "polish": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 0, None, closed="left"), None],
        "precision": [Interval(Integral, 2, None, closed="left"), None],
        "noise": [Interval(Real, 0, None, closed="left")],
    }

    @property
    def children(self):
        """List of the one inner sampler, as dimod asks for it."""
        return [self._inner()]

    @property
    def properties(self):
        """Dict with ``distribution`` and the inner sampler's ``child_properties``."""
        inner = dict(getattr(self._inner(), "properties", {}))
        return {"distribution": "ground_state", "child_properties": inner}

    def sample(self, bqm, **parameters) -> dimod.SampleSet:
        """Sample a model without constraints: the inner sampler's own reads.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model, SPIN or BINARY, with any labels.
        **parameters
            Overrides of the constructor's parameters for this call.

        Returns
        -------
        sampleset : dimod.SampleSet
            As the inner sampler returns it.

        Raises
        ------
        ValueError
            If a parameter is set that the inner sampler does not have.
        """
        call = self._for_call(parameters)
        inner = call._inner()
        given = {name: getattr(call, name) for name in _FORWARDED}
        given = {name: value for name, value in given.items() if value is not None}
        unknown = sorted(set(given) - set(inner.parameters))
        if unknown:
            raise ValueError(
                f"The {unknown[0]!r} parameter is {given[unknown[0]]!r}, but "
                f"{type(inner).__name__}, the inner sampler, has none of this name. "
                "Leave it at None or take another inner sampler."
            )
        reads = inner.sample(bqm, **given)
        return reads.aggregate() if call.aggregate else reads

    def sample_arrays(self, J, h=None, **parameters) -> dimod.SampleSet:
        """Sample from a coupling matrix; see `BaseSampler.sample_arrays`.

        Parameters
        ----------
        J : array-like of shape (n, n)
            Couplings, in the units of the energy.
        h : array-like of shape (n,), default=None
            Fields, in the same units; None means zeros.
        **parameters
            As `sample` takes them.

        Returns
        -------
        sampleset : dimod.SampleSet
            SPIN reads of the variables ``0 .. n-1``.
        """
        return self.sample(IsingArrays.from_matrix(J, h).to_bqm(), **parameters)

    def sample_cqm(self, cqm, **parameters) -> dimod.SampleSet:
        """Minimise a constrained model.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
            Binary, spin and bounded integer variables; linear or quadratic
            constraints, all of them hard. Integers and the slacks of inequalities
            become bits; an inequality needs coefficients that are multiples of one
            unit.
        **parameters
            Overrides of the constructor's parameters for this call.

        Returns
        -------
        sampleset : dimod.SampleSet
            One row a call of the inner sampler, its best read, with dimod's
            ``is_feasible`` and ``is_satisfied`` and the objective as energy.
            ``sampleset.filter(lambda row: row.is_feasible).first`` is the answer.
            For ``info`` see the Notes of the class.

        Raises
        ------
        TypeError
            If ``cqm`` is something else.
        ValueError
            If the model cannot be written in bits, or `initial_states` is set: an
            initial state would have to hold the slack bits too.

        Warns
        -----
        InfeasibleWarning
            If no read satisfies all constraints.
        """
        call = self._for_call(parameters)
        if call.initial_states is not None:
            raise ValueError(
                "The 'initial_states' parameter goes with sample(bqm) only: sample_cqm "
                f"adds slack bits of its own. Got {type(call.initial_states).__name__}."
            )
        start = time.perf_counter_ns()
        arrays = ConstrainedArrays.from_cqm(cqm)
        search = Search(call, arrays, call._resolve_seed())
        sampling = time.perf_counter_ns()
        with elapsed(type(self).__name__, call.verbose):
            search.run()
        sampleset, info = search.result(call._rounded)
        info["timing"] = {
            "preprocessing_ns": sampling - start,
            "sampling_ns": time.perf_counter_ns() - sampling,
            "postprocessing_ns": 0,
        }
        sampleset.info.update(info)
        if not info["feasible"]:
            warnings.warn(search.complaint(call._advice()), stacklevel=2)
        return sampleset.aggregate() if call.aggregate else sampleset

    def _inner(self):
        if self.sampler is None:
            return SimulatedAnnealingSampler(num_reads=10, num_sweeps=1000)
        return self.sampler

    def _rounded(self, atoms):
        """Return further candidates made of all atoms, (k, n) bits; k may be 0."""
        return atoms[:0]
