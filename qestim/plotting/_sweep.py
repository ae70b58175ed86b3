# SPDX-License-Identifier: Apache-2.0
"""Reads of one sampler over a range of one parameter, counted and timed."""

import time

from qestim._success import count_hits, energy_tolerance
from qestim.qubo import IsingArrays


def sweep(sampler, bqm, ground_energy, param_name, param_range, parameters):
    """Sample once for each value of a parameter.

    Parameters
    ----------
    sampler : dimod.Sampler
        The sampler.
    bqm : dimod.BinaryQuadraticModel
        The model.
    ground_energy : float
        Energy whose reaching is a success, in the units of the model.
    param_name : str
        The keyword of ``sample`` that is swept.
    param_range : list
        Its values.
    parameters : dict
        Further keywords of ``sample``.

    Returns
    -------
    hits, reads : list of int
        Successes and reads at each value.
    seconds : list of float
        cpu-seconds of each call, all threads together.

    Raises
    ------
    ValueError
        If the sampler does not take the parameter or the range is empty.
    """
    if len(param_range) == 0:
        raise ValueError("param_range must hold at least one value. Got none.")
    # Nested names such as sampler__num_sweeps stand under their first part.
    if param_name.partition("__")[0] not in sampler.parameters:
        raise ValueError(
            f"param_name must be a parameter of {type(sampler).__name__}: "
            f"{', '.join(sorted(sampler.parameters))}. Got {param_name!r}."
        )
    if param_name in parameters:
        raise ValueError(f"{param_name!r} is swept: leave it out of the parameters.")
    tolerance = energy_tolerance(IsingArrays.from_bqm(bqm), ground_energy)
    hits, reads, seconds = [], [], []
    for value in param_range:
        start = time.process_time()
        sampleset = sampler.sample(bqm, **{param_name: value}, **parameters)
        hit, number = count_hits(sampleset, ground_energy, tolerance)
        seconds.append(time.process_time() - start)
        hits.append(hit)
        reads.append(number)
    return hits, reads, seconds
