# SPDX-License-Identifier: Apache-2.0
"""Rounding: how often the optimum survives, and whether a wrong sign would be seen."""

import numpy as np

from qestim.qubo import IsingArrays
from qestim.samplers._hardware.encoding import encode
from qestim.testing import ExactLaw


def random_model(rng):
    """Return a model of 6 to 10 spins with fields, or without in a fourth of cases."""
    n = int(rng.integers(6, 11))
    J = np.triu(rng.standard_normal((n, n)), 1)
    h = rng.standard_normal(n) * (rng.random() < 0.75)
    return IsingArrays.from_matrix(J + J.T, h)


def optima(matrix):
    """Return every state that minimises -s @ matrix @ s."""
    states = (np.arange(2 ** len(matrix))[:, None] >> np.arange(len(matrix))) & 1
    states = (1 - 2 * states).astype(np.int8)
    cost = -((states @ matrix) * states).sum(axis=1)
    return states[cost <= cost.min() + 1e-9]


def rounding(quick):
    """Quantise, solve by brute force, decode, compare with enumeration."""
    number = 40 if quick else 500
    rng = np.random.default_rng(0)
    models = [random_model(rng) for _ in range(number)]
    rows = []
    for bits in (3, 4, 6, 8, 14):
        kept = allowed = both = flipped = 0
        for model in models:
            exact = np.sort(ExactLaw(model).energies)
            problem = encode(model, 13, bits)
            report = problem.report
            entries = report["n_coefficients"] * max(1, report["auxiliary_spins"])
            # Every energy is off by half a step an entry at most.
            allows = exact[exact > exact[0] + 1e-9][0] - exact[0] > (
                report["unit"] * entries
            )
            right = []
            for sign in (1, -1):
                spins, _ = problem.decode(optima(sign * problem.matrix))
                right.append(model.energies(spins).max() <= exact[0] + 1e-9)
            kept += bool(right[0])
            allowed += bool(allows)
            both += bool(right[0] and allows)
            flipped += not bool(right[1])
        rows.append(
            {
                "bits": bits,
                "models": number,
                "optimum kept": kept,
                "bits allow it": allowed,
                "kept where they do": both,
                "flipped sign caught": flipped,
            }
        )
    note = (
        "Random models of 6 to 10 spins, normal couplings and fields; bits allow an "
        "optimum where the gap to the second level exceeds twice the rounding's bound."
    )
    return {"rows": rows, "note": note}


SECTIONS = {"rounding": rounding}
