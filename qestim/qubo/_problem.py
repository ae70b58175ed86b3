# SPDX-License-Identifier: Apache-2.0
"""What every problem can do: arrays in, a quadratic form out, and back again."""

import inspect
from abc import ABC, abstractmethod
from typing import Any

import dimod


class Problem(ABC):
    """A domain question and its quadratic form.

    The contract, which one test holds every problem to: ``to_bqm().energy(encode(s))``
    equals ``objective(s)`` for every feasible solution ``s``; ``decode(encode(s))``
    gives ``s`` back; the number of variables is the one that the docstring states; and
    with the default penalty every infeasible assignment has a higher energy than the
    best feasible one, unless the docstring says that the penalty is soft.

    Examples
    --------
    >>> import dimod
    >>> from qestim.qubo import Problem
    >>> class Opposites(Problem):
    ...     "Two signs; they had better differ."
    ...
    ...     def to_bqm(self, penalty="auto"):
    ...         return dimod.BinaryQuadraticModel({}, {(0, 1): 1.0}, 0.0, "SPIN")
    ...
    ...     def encode(self, solution):
    ...         return dict(enumerate(solution))
    ...
    ...     def decode(self, sample):
    ...         return sample[0], sample[1]
    ...
    ...     def objective(self, solution):
    ...         return float(solution[0] * solution[1])
    >>> problem = Opposites()
    >>> best = dimod.ExactSolver().sample(problem.to_bqm()).first
    >>> float(best.energy), problem.objective(problem.decode(best.sample))
    (-1.0, -1.0)
    """

    def __repr__(self):
        names = inspect.signature(type(self)).parameters
        held = {name: vars(self)[name] for name in names if name in vars(self)}
        text = ", ".join(f"{name}={_in_short(held[name])}" for name in held)
        return f"{type(self).__name__}({text})"

    @abstractmethod
    def to_bqm(self, penalty="auto") -> dimod.BinaryQuadraticModel:
        """Return the quadratic form.

        Parameters
        ----------
        penalty : float or "auto", default="auto"
            Weight of the constraints, in the units of the objective.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            Its energy is the objective on feasible assignments.
        """

    def to_cqm(self) -> dimod.ConstrainedQuadraticModel:
        """Return the objective and the constraints apart.

        Returns
        -------
        cqm : dimod.ConstrainedQuadraticModel
            Without constraints, unless the problem has some.
        """
        return dimod.ConstrainedQuadraticModel.from_bqm(self.to_bqm())

    @abstractmethod
    def encode(self, solution) -> dict:
        """Return the assignment, with every auxiliary variable, of a solution.

        Parameters
        ----------
        solution : object
            A feasible solution in the problem's own terms.

        Returns
        -------
        sample : dict
            Values of all variables of `to_bqm`.
        """

    @abstractmethod
    def decode(self, sample) -> Any:
        """Return the solution of an assignment, repaired where that is defined.

        Parameters
        ----------
        sample : mapping
            Values of all variables of `to_bqm`.

        Returns
        -------
        solution : object
            A solution in the problem's own terms.
        """

    @abstractmethod
    def objective(self, solution) -> float:
        """Return what is minimised, computed without the quadratic form.

        Parameters
        ----------
        solution : object
            A solution in the problem's own terms.

        Returns
        -------
        value : float
            In the problem's own units.
        """


def _in_short(value):
    """Return what a value is: itself if it is short, else its shape or its kind."""
    shape = getattr(value, "shape", ())
    text = f"array of shape {tuple(shape)}" if shape else repr(value)
    if " at 0x" in text:  # as networkx's graphs, whose str is better
        text = str(value)
    return type(value).__name__ if len(text) > 60 or " at 0x" in text else text
