# SPDX-License-Identifier: Apache-2.0
"""The experiments of `experiments.py`: on unit cubes, to maximise, the best known."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import qmc

from qestim.datasets import EvaporativeCooling

FLOOR = 1.5  # scores of the cooling experiment below are told as this, to everybody


@dataclass
class Cooling:
    """The cooling experiment; its figure is the share of the best atoms."""

    settings: tuple
    best: float

    @cached_property
    def simulator(self):
        return EvaporativeCooling(**dict(self.settings))

    @property
    def d(self):
        return self.simulator.n_segments + 1

    def point(self, u):
        bounds = list(self.simulator.space.values())[:-1]
        cuts = [high * v for (_, high), v in zip(bounds, u, strict=False)]
        return np.array([*cuts, 20.0 ** u[-1]])

    def true(self, u):
        return self.simulator.score(self.point(u))

    def measurer(self, seed):
        rng = np.random.default_rng(10_000 + seed)
        return lambda u: max(self.simulator.measure(self.point(u), rng), FLOOR)

    def figure(self, true):
        return 10 ** (np.maximum.accumulate(true) - self.best)


@dataclass
class Function:
    """A standard test function with noise; its figure is the gain over the start."""

    call: object
    d: int
    noise: float
    best: float

    def true(self, u):
        return self.call(np.asarray(u))

    def measurer(self, seed):
        rng = np.random.default_rng(10_000 + seed)
        return lambda u: self.true(u) + self.noise * rng.standard_normal()

    def figure(self, true):
        """Share of the way from the median of uniform points to the best."""
        return (np.maximum.accumulate(true) - self.median) / (self.best - self.median)

    @cached_property
    def median(self):
        points = np.random.default_rng(0).random((2000, self.d))
        return float(np.median([self.true(u) for u in points]))


def hartmann(u):
    alpha = np.array([1.0, 1.2, 3.0, 3.2])
    a = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    return float(alpha @ np.exp(-(a * (u - p) ** 2).sum(1)))


def ackley(u):
    """Ackley's function on [-4, 6]^5, so that its best is not the middle."""
    x = -4 + 10 * u
    far = 20 * math.exp(-0.2 * math.sqrt(np.mean(x * x)))
    return float(far + math.exp(np.mean(np.cos(2 * math.pi * x))) - 20 - math.e)


def rosenbrock(u):
    """Rosenbrock's function in four dimensions on [-2, 2]^4, its logarithm."""
    x = -2 + 4 * u
    value = np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    return -float(np.log1p(value))


SECOND_TRAP = (
    ("atoms", 5e6),
    ("temperature", 20e-6),
    ("depth", 160e-6),
    ("frequency", 200.0),
    ("lifetime", 20.0),
)

TASKS = {
    "cooling, 8 parameters": Cooling((), 4.177779),
    "cooling, second trap": Cooling(SECOND_TRAP, 4.184888),
    "cooling, 18 parameters": Cooling((("n_segments", 17),), 4.178323),
    "Hartmann, 6 parameters": Function(hartmann, 6, 0.1, 3.32237),
    "Ackley, 5 parameters": Function(ackley, 5, 0.3, 0.0),
    "log Rosenbrock, 4 parameters": Function(rosenbrock, 4, 0.1, 0.0),
}


def start_points(task, seed):
    """Return the points that every contestant measures first."""
    hypercube = qmc.LatinHypercube(task.d, rng=np.random.default_rng(seed))
    return hypercube.random(task.d + 2)
