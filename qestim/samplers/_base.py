# SPDX-License-Identifier: Apache-2.0
"""What every sampler is: a dimod sampler whose parameters scikit-learn can tune."""

import copy
import time
from collections.abc import Mapping
from numbers import Integral, Real

import dimod
import numpy as np
from sklearn.base import BaseEstimator, clone

from qestim._native import available_threads
from qestim._sklearn import Interval
from qestim.qubo import IsingArrays, spins_of
from qestim.samplers._waiting import elapsed


class BaseSampler(dimod.Sampler, BaseEstimator):
    """Base class of the samplers.

    A subclass has a keyword-only constructor of assignments, its row of
    ``_parameter_constraints`` and one method, `_sample_ising`. It inherits
    `sample`, `sample_ising`, `sample_qubo` and `sample_arrays`, in which every
    constructor parameter can be overridden for one call.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers import BaseSampler
    >>> class RandomSampler(BaseSampler):
    ...     def __init__(
    ...         self,
    ...         *,
    ...         num_reads=None,
    ...         seed=None,
    ...         initial_states=None,
    ...         num_threads=None,
    ...         aggregate=False,
    ...     ):
    ...         self.num_reads = num_reads
    ...         self.seed = seed
    ...         self.initial_states = initial_states
    ...         self.num_threads = num_threads
    ...         self.aggregate = aggregate
    ...
    ...     def _sample_ising(self, model, initial, num_reads, seed):
    ...         rng = np.random.default_rng(seed)
    ...         spins = rng.choice(np.array([-1, 1], np.int8), (num_reads, len(model)))
    ...         return spins, {}, {}
    >>> reads = RandomSampler(seed=0).sample_ising({"a": 0.5}, {}, num_reads=20)
    >>> len(reads), float(reads.first.energy)
    (20, -0.5)
    """

    _parameter_constraints: dict = {
        "num_reads": [Interval(Integral, 1, None, closed="left"), None],
        "seed": [Interval(Integral, 0, None, closed="left"), None],
        "initial_states": [dict, tuple, list, "array-like", dimod.SampleSet, None],
        "num_threads": [Interval(Integral, 1, None, closed="left"), None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "target_energy": [Interval(Real, None, None, closed="neither"), None],
        "aggregate": ["boolean"],
        "verbose": ["verbose"],
    }

    # What the reads are: "ground_state" or "boltzmann".
    _distribution = "ground_state"
    # Of a sampler without the parameter.
    verbose = 0

    @property
    def parameters(self):
        """Dict of the names that `sample` takes, as dimod asks for it."""
        return {name: [] for name in self.get_params(deep=False)}

    @property
    def properties(self):
        """Dict of what is known of the sampler, as dimod asks for it."""
        return {"distribution": self._distribution}

    def remove_unknown_kwargs(self, **kwargs) -> dict:
        """Drop keywords that are not parameters, with dimod's warning for each.

        Nested names such as ``sampler__num_sweeps`` are parameters too.

        Parameters
        ----------
        **kwargs
            Keywords of a call.

        Returns
        -------
        known : dict
            Those that are parameters.
        """
        nested = {name: kwargs.pop(name) for name in list(kwargs) if "__" in name}
        return {**super().remove_unknown_kwargs(**kwargs), **nested}

    def sample(self, bqm, **parameters) -> dimod.SampleSet:
        """Sample from a binary quadratic model.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model, SPIN or BINARY, with any labels.
        **parameters
            Overrides of the constructor's parameters for this call.

        Returns
        -------
        sampleset : dimod.SampleSet
            Reads in the vartype and labels of ``bqm``, with the energies of ``bqm``
            in double precision; ``info`` has the seed that repeats the call, the
            kernel and ``timing`` in nanoseconds.

        Raises
        ------
        ValueError
            If a parameter or a bias of the model is out of its range.
        """
        call = self._for_call(parameters)
        start = time.perf_counter_ns()
        return call._run(IsingArrays.from_bqm(bqm), bqm.vartype, start)

    def sample_arrays(self, J, h=None, **parameters) -> dimod.SampleSet:
        r"""Sample from a coupling matrix, in dimod's sign.

        The energy is :math:`E(s) = h \cdot s + \frac{1}{2} s^T J s`: each pair of the
        symmetric ``J`` counts once, and a positive coupling favours opposite spins.

        Parameters
        ----------
        J : array-like or scipy sparse array of shape (n, n)
            Symmetric couplings with a zero diagonal.
        h : array-like of shape (n,), default=None
            Fields; None means zeros.
        **parameters
            Overrides of the constructor's parameters for this call.

        Returns
        -------
        sampleset : dimod.SampleSet
            SPIN reads of the variables ``0 .. n-1``; the spins themselves are
            ``sampleset.record.sample``, int8 of shape (num_reads, n).

        Raises
        ------
        ValueError
            If ``J`` or ``h`` is not as stated.
        """
        call = self._for_call(parameters)
        start = time.perf_counter_ns()
        return call._run(IsingArrays.from_matrix(J, h), dimod.SPIN, start)

    def _for_call(self, parameters):
        call = clone(self)
        # Not cloned: an override may hold what cannot be copied.
        call.set_params(**self.remove_unknown_kwargs(**parameters))
        call._validate_params()
        return call

    def _run(self, model, vartype, start):
        info = {"seed": self._resolve_seed()}
        initial = self._resolve_initial_states(model)
        num_reads = int(self.num_reads or (1 if initial is None else len(initial)))
        initial = self._extend_initial_states(initial, num_reads, info["seed"])
        sampling = time.perf_counter_ns()
        if len(model) == 0:
            spins, vectors = np.empty((num_reads, 0), dtype=np.int8), {}
        else:
            with elapsed(type(self).__name__, self.verbose):
                spins, more, vectors = self._sample_ising(
                    model, initial, num_reads, info["seed"]
                )
            info.update(more)
        postprocessing = time.perf_counter_ns()
        energies = model.energies(spins, self._resolve_num_threads())
        if vartype is dimod.BINARY:
            spins = (spins + 1) >> 1
        sampleset = dimod.SampleSet.from_samples(
            (spins, list(model.variables)),
            vartype,
            energies,
            info=info,
            sort_labels=False,
            **vectors,
        )
        if self.aggregate:
            sampleset = sampleset.aggregate()
        info["timing"] = {
            "preprocessing_ns": sampling - start,
            "sampling_ns": postprocessing - sampling,
            "postprocessing_ns": time.perf_counter_ns() - postprocessing,
        }
        sampleset.info.update(info)
        return sampleset

    def _sample_ising(self, model, initial, num_reads, seed):
        """Draw spins: the one method of a sampler.

        Parameters
        ----------
        model : IsingArrays
            At least one variable.
        initial : ndarray of shape (num_reads, n), dtype int8, or None
            Where the reads start; None leaves it to the sampler.
        num_reads : int
            Reads wanted.
        seed : int
            Seed of this call.

        Returns
        -------
        spins : ndarray of shape (k, n), dtype int8
            The complete reads.
        info : dict
            JSON-able facts about the call.
        vectors : dict of str to ndarray of shape (k, ...)
            Per-read facts.
        """
        raise TypeError(f"{type(self).__name__} does not define _sample_ising.")

    def _resolve_seed(self):
        if self.seed is not None:
            return int(self.seed)
        return int(np.random.SeedSequence().generate_state(1, np.uint32)[0])

    def _resolve_num_threads(self):
        return self.num_threads or available_threads()

    def _extend_initial_states(self, initial, num_reads, seed):
        """Bring the initial states to one a read: cut, repeated or made up."""
        if initial is None or len(initial) >= num_reads:
            return initial if initial is None else initial[:num_reads]
        generator = getattr(self, "initial_states_generator", "tile")
        if generator == "none":
            raise ValueError(
                f"The 'initial_states' parameter holds {len(initial)} states for "
                f"num_reads={num_reads}. Give as many, or let "
                "initial_states_generator be 'tile' or 'random'."
            )
        if generator == "tile":
            return np.resize(initial, (num_reads, initial.shape[1]))
        missing = (num_reads - len(initial), initial.shape[1])
        rng = np.random.default_rng([seed, 1])
        return np.vstack([initial, rng.choice(np.array([-1, 1], np.int8), missing)])

    def _resolve_initial_states(self, model):
        states = self.initial_states
        if states is None:
            return None
        if not isinstance(states, dimod.SampleSet):
            if hasattr(states, "columns"):  # a DataFrame
                states = (states.to_numpy(), list(states.columns))
            values, labels = dimod.as_samples(copy.copy(states))
            names = list(model.variables)
            if _has_no_labels(states):
                if len(labels) != len(names):
                    raise ValueError(
                        f"The 'initial_states' parameter must have {len(names)} "
                        f"columns, one a variable. Got {len(labels)}."
                    )
                # They are the model's variables: by number, else in its order.
                labels = labels if set(labels) == set(names) else names
            values = np.asarray(values)
            vartype = dimod.BINARY if np.isin(values, (0, 1)).all() else dimod.SPIN
            if not np.isin(
                values, (0, 1) if vartype is dimod.BINARY else (-1, 1)
            ).all():
                raise ValueError(
                    "The 'initial_states' parameter must hold spins in {-1, 1} or "
                    f"bits in {{0, 1}}. Got values {np.unique(values)[:5].tolist()}."
                )
            states = dimod.SampleSet.from_samples((values, labels), vartype, energy=0)
        if len(states) == 0:
            raise ValueError(
                "The 'initial_states' parameter must hold at least one state. Got 0."
            )
        return spins_of(states, model.variables)


def _has_no_labels(states):
    """Return whether states are plain numbers: an array, a list or lists in a list."""
    first = states[0] if isinstance(states, list) and states else states
    return not isinstance(states, tuple) and not isinstance(first, Mapping)
