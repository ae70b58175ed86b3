# SPDX-License-Identifier: Apache-2.0
"""What estimators say about a parameter that holds a sampler or another estimator."""

from typing import Self

from sklearn.base import BaseEstimator

from qestim._sklearn import HasMethods

_INSTANCES = {
    "sampler": "SimulatedAnnealingSampler()",
    "selector": "ActiveSampleSelector()",
    "prior": "BoltzmannPrior()",
    "estimator": "LogisticRegression()",
}


class SamplerInstance(HasMethods):
    """Constraint of a parameter: an object with ``sample``, in plain words."""

    def __init__(self):
        super().__init__("sample")

    def __str__(self):
        return "a sampler such as qestim.samplers.SimulatedAnnealingSampler()"


class NestedParameters(BaseEstimator):
    """Base that speaks plainly of a nested parameter of a part that is not there."""

    def set_params(self, **params) -> Self:
        """Set parameters, those of parts as ``part__name``.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : estimator
            This estimator.

        Raises
        ------
        ValueError
            If a name is unknown, or its part is None or a word.
        """
        known = self.get_params(deep=False)
        for name in params:
            part, nested, _ = name.partition("__")
            if not nested or part not in known:
                continue
            held = params.get(part, known[part])
            if not hasattr(held, "set_params"):
                raise ValueError(
                    f"{name!r} cannot be set: the {part!r} parameter of "
                    f"{type(self).__name__} is {held!r}, which has no parameters. Give "
                    "an instance first, as in "
                    f"{type(self).__name__}({part}={_INSTANCES.get(part, '...')})."
                )
        return super().set_params(**params)
