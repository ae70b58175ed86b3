# SPDX-License-Identifier: Apache-2.0
"""The inverse temperature that fits reads best, as facts for ``info``."""

import numpy as np

from qestim.qubo import _pseudolikelihood as pseudo


def temperature_of(model, spins):
    """Return the inverse temperature of the reads and how badly it fits them.

    Parameters
    ----------
    model : qestim.qubo.IsingArrays
        The model.
    spins : ndarray of shape (k, n), dtype int8
        Reads in {-1, 1}.

    Returns
    -------
    facts : dict
        ``beta_eff`` in inverse units of the energy, ``misfit`` in nats a spin, and
        ``misfit_p``, the p-value of its test or None.
    """
    change = pseudo.flip_energies(model, spins)
    # The fit squares its numbers; those of tiny models would vanish.
    unit = float(np.abs(change).max(initial=0.0)) or 1.0
    change /= unit
    beta = pseudo.maximum(change)
    if not np.isfinite(beta):
        return {
            "beta_eff": float(beta) / unit,
            "misfit": float("nan"),
            "misfit_p": None,
        }
    p_value, misfit, _ = pseudo.calibration(change, beta, 1.0, estimated=True)
    return {
        "beta_eff": float(beta) / unit,
        "misfit": float(misfit),
        "misfit_p": float(p_value) if np.isfinite(p_value) else None,
    }
