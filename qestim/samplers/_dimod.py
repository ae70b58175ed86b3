# SPDX-License-Identifier: Apache-2.0
"""Any foreign dimod sampler as a parameter that scikit-learn can clone and tune."""

import inspect

import dimod
from sklearn.base import BaseEstimator, clone

from qestim._sklearn import HasMethods
from qestim.qubo import IsingArrays


class DimodSampler(dimod.ComposedSampler, BaseEstimator):
    """Wrap a dimod sampler so that estimators and grid searches can hold it.

    A clone shares the wrapped object: it may hold a lock, a connection or a licence
    that cannot be copied. (One that scikit-learn can clone is cloned, so that a grid
    over its parameters leaves the caller's own alone.) What it is told at each call
    is in ``sample_params``.

    Parameters
    ----------
    sampler : dimod.Sampler
        The foreign sampler: any object with dimod's ``sample(bqm, **parameters)``.
    sample_params : dict, default=None
        Keywords of every call; None means none. A call's own keywords override them.

    Examples
    --------
    >>> import dimod
    >>> from qestim.samplers import DimodSampler
    >>> sampler = DimodSampler(dimod.ExactSolver())
    >>> float(sampler.sample_ising({0: 1.0}, {}).first.energy)
    -1.0
    """

    _parameter_constraints: dict = {
        "sampler": [HasMethods("sample")],
        "sample_params": [dict, None],
    }

    def __init__(self, sampler, *, sample_params=None) -> None:
        self.sampler = sampler
        self.sample_params = sample_params

    def __sklearn_clone__(self):
        params = None if self.sample_params is None else dict(self.sample_params)
        inner = self.sampler
        if isinstance(inner, BaseEstimator):
            inner = clone(inner)
        return type(self)(inner, sample_params=params)

    @property
    def children(self):
        """List of the one wrapped sampler, as dimod asks for it."""
        return [self.sampler]

    @property
    def parameters(self):
        """Dict of the names that `sample` takes: the wrapped sampler's."""
        inner = getattr(self.sampler, "parameters", None)
        if inner is None:
            inner = inspect.signature(self.sampler.sample).parameters
        return {**{name: ["sample_params"] for name in inner}, "sample_params": []}

    @property
    def properties(self):
        """Dict of the wrapped sampler's properties, and ``distribution``."""
        inner = dict(getattr(self.sampler, "properties", {}))
        return {"distribution": "ground_state", **inner, "child_properties": inner}

    def sample(self, bqm, **parameters) -> dimod.SampleSet:
        """Sample with the wrapped sampler.

        Parameters
        ----------
        bqm : dimod.BinaryQuadraticModel
            The model.
        **parameters
            Keywords of the wrapped sampler; ``seed`` and ``num_reads`` are left out
            where it does not know them, any other is passed on as it is.

        Returns
        -------
        sampleset : dimod.SampleSet
            As the wrapped sampler returns it.
        """
        self._validate_params()
        if isinstance(self.sampler, type):
            raise ValueError(
                "The 'sampler' parameter of DimodSampler must be an instance. Got the "
                f"class {self.sampler.__name__}; write {self.sampler.__name__}()."
            )
        defaults = parameters.pop("sample_params", self.sample_params) or {}
        known = self.parameters
        optional = {
            name: value
            for name, value in parameters.items()
            if name in known or name not in ("seed", "num_reads")
        }
        return self.sampler.sample(bqm, **{**defaults, **optional})

    def sample_arrays(self, J, h=None, **parameters) -> dimod.SampleSet:
        """Sample from a coupling matrix; see `BaseSampler.sample_arrays`.

        Parameters
        ----------
        J : array-like or scipy sparse array of shape (n, n)
            Symmetric couplings with a zero diagonal, each pair counted once.
        h : array-like of shape (n,), default=None
            Fields; None means zeros.
        **parameters
            As for `sample`.

        Returns
        -------
        sampleset : dimod.SampleSet
            SPIN reads of the variables ``0 .. n-1``.
        """
        return self.sample(IsingArrays.from_matrix(J, h).to_bqm(), **parameters)
