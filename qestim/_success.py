# SPDX-License-Identifier: Apache-2.0
"""How likely one read succeeds, and the time that this makes of it."""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats

FEW_HITS = 10


class TimeToSolution(NamedTuple):
    """A time to solution and the ends of its confidence interval.

    The unit is that of the seconds given; infinity where no read succeeded.
    """

    value: float
    low: float
    high: float


def success_interval(hits, reads, confidence=0.95):
    """Return the Clopper-Pearson interval of a success probability.

    Parameters
    ----------
    hits : float or array-like
        Reads that succeeded, from 0 to ``reads``. Fractions are allowed: reads that
        depend on each other count for less than one.
    reads : float or array-like
        All reads, more than zero.
    confidence : float, default=0.95
        Between 0 and 1. The interval covers at least so often.

    Returns
    -------
    low, high : float or ndarray
        Ends of the interval, of the broadcast shape of ``hits`` and ``reads``.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    .. [1] Clopper and Pearson, "The use of confidence or fiducial limits illustrated in
       the case of the binomial", Biometrika 26, 404 (1934). doi:10.1093/biomet/26.4.404

    Examples
    --------
    >>> from qestim._success import success_interval
    >>> low, high = success_interval(0, 100)
    >>> float(low), round(float(high), 4)
    (0.0, 0.0362)
    """
    hits, reads = np.broadcast_arrays(
        np.asarray(hits, dtype=np.float64), np.asarray(reads, dtype=np.float64)
    )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1. Got {confidence}.")
    if not (np.isfinite(reads) & (reads > 0)).all():
        raise ValueError(f"reads must be positive and finite. Got {reads.tolist()}.")
    if not ((hits >= 0) & (hits <= reads)).all():
        raise ValueError(
            "hits must lie between 0 and reads. "
            f"Got {hits.tolist()} of {reads.tolist()}."
        )
    tail = (1 - confidence) / 2
    misses = reads - hits
    # A shape parameter of zero stands for a point mass at that end.
    low = scipy.stats.beta.ppf(tail, np.maximum(hits, 1e-300), misses + 1)
    high = scipy.stats.beta.isf(tail, hits + 1, np.maximum(misses, 1e-300))
    return np.where(hits == 0, 0.0, low)[()], np.where(misses == 0, 1.0, high)[()]


def time_to_solution(hits, reads, seconds, *, target=0.99, confidence=0.95):
    """Return the time after which a success is as likely as ``target``.

    Reads are repeated until one succeeds: with success probability p and t seconds a
    read that takes t ln(1 - target) / ln(1 - p), and never less than one read.

    Parameters
    ----------
    hits : int
        Reads that succeeded.
    reads : int
        All reads.
    seconds : float
        Time that all the reads took together, in seconds.
    target : float, default=0.99
        Wanted probability of at least one success, dimensionless. 0.99 gives the
        usual TTS99.
    confidence : float, default=0.95
        Of the interval, which is that of `success_interval`; the error of ``seconds``
        is not in it.

    Returns
    -------
    time : TimeToSolution
        ``value``, ``low`` and ``high``, in seconds. Without a hit ``value`` and
        ``high`` are infinite, and ``low`` is what the reads already exclude. Fewer
        than ten hits make a rough value: say so beside it.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    .. [1] Rønnow et al., "Defining and detecting quantum speedup", Science 345, 420
       (2014). doi:10.1126/science.1252319

    Examples
    --------
    >>> from qestim._success import time_to_solution
    >>> time = time_to_solution(hits=20, reads=100, seconds=5.0)
    >>> round(time.value, 2), round(time.low, 2), round(time.high, 2)
    (1.03, 0.67, 1.7)
    """
    if not 0 < target < 1:
        raise ValueError(f"target must lie between 0 and 1. Got {target}.")
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"seconds must be finite and at least 0. Got {seconds}.")
    low, high = success_interval(hits, reads, confidence)

    def time(p):
        if p == 0:
            return math.inf
        repeats = 1.0 if p == 1 else math.log1p(-target) / math.log1p(-p)
        return seconds / reads * max(1.0, repeats)

    return TimeToSolution(time(hits / reads), time(high), time(low))


def energy_tolerance(model, energy):
    """Return how much two energies of a model may differ by rounding alone.

    Parameters
    ----------
    model : qestim.qubo.IsingArrays
        The model.
    energy : float
        The energy that others are compared with, in the units of the model.

    Returns
    -------
    tolerance : float
        A billionth of the energy, with or without the model's offset, whichever is
        smaller, and the rounding of a sum of all biases. It scales with the model.

    Examples
    --------
    >>> from qestim._success import energy_tolerance
    >>> from qestim.qubo import IsingArrays
    >>> model = IsingArrays.from_matrix([[0, 1e-12], [1e-12, 0]])
    >>> energy_tolerance(model, -1e-12) < 1e-20
    True
    """
    least = min(abs(energy), abs(energy - model.offset))
    biases = np.abs(model.h).sum() + np.abs(model.value).sum()
    return 1e-9 * least + 1e-14 * (abs(model.offset) + float(biases))


def count_hits(sampleset, ground_energy, tolerance=0.0):
    """Count the reads of a sample set that reach an energy.

    Parameters
    ----------
    sampleset : dimod.SampleSet
        Reads; occurrences count.
    ground_energy : float
        Energy to reach, in the units of the model.
    tolerance : float, default=0.0
        How much higher an energy may be, in the same units; see `energy_tolerance`.

    Returns
    -------
    hits, reads : int
        Reads at or below ``ground_energy``, and all reads.

    Raises
    ------
    ValueError
        If ``ground_energy`` is not finite.

    Examples
    --------
    >>> import dimod
    >>> from qestim._success import count_hits
    >>> reads = dimod.SampleSet.from_samples([[1], [-1]], "SPIN", energy=[1.0, -1.0])
    >>> count_hits(reads, -1.0)
    (1, 2)
    """
    if not math.isfinite(ground_energy):
        raise ValueError(f"ground_energy must be finite. Got {ground_energy}.")
    counts = sampleset.record.num_occurrences
    hits = counts[sampleset.record.energy <= ground_energy + tolerance].sum()
    return int(hits), int(counts.sum())
