# SPDX-License-Identifier: Apache-2.0
"""Inverse temperature of given reads by pseudo-likelihood, and how well it fits.

Under the law exp(-beta E) the chance that spin i stands as it does, given the others,
is 1 / (1 + exp(-beta a_i)), where a_i is the energy change of flipping it. No partition
function is needed, so this works at any size; it sees single flips only.
"""

import numpy as np
import scipy.special
import scipy.stats


def flip_energies(model, spins):
    """Return the energy change of flipping each spin of each read.

    Parameters
    ----------
    model : qestim.qubo.IsingArrays
        The model.
    spins : ndarray of shape (num_reads, n), dtype int8
        Values in {-1, 1}.

    Returns
    -------
    change : ndarray of shape (num_reads, n), dtype float64
        In the units of the model; 0 where only rounding is left of a cancelled field.
    """
    n = len(model)
    couplings = model.dense if 10 * len(model.value) > n * n else model.csr
    values = spins.astype(np.float64)
    change = -2 * values * (values @ couplings + model.h)
    # A free spin whose change is rounding noise would count as a flip that pays.
    largest = np.abs(model.h) + abs(couplings).sum(axis=0)
    change[np.abs(change) <= 1e-14 * largest] = 0.0
    return change


def slope(change, beta):
    """Return each read's slope of the log pseudo-likelihood, shape (num_reads,)."""
    return (change * scipy.special.expit(-beta * change)).sum(axis=1)


def maximum(change):
    """Return the inverse temperature of the largest pseudo-likelihood.

    Parameters
    ----------
    change : ndarray of shape (num_reads, n)
        From `flip_energies`.

    Returns
    -------
    beta : float
        Root of the slope, which only falls with beta. Infinite where every flip costs
        energy or none gains, minus infinity in the opposite case, NaN where no flip
        changes the energy.
    """
    gains, costs = bool((change < 0).any()), bool((change > 0).any())
    if not (gains and costs):
        return float("nan") if gains == costs else (float("inf") if costs else -np.inf)
    # In units of the typical change: then beta is of order one.
    unit = float(np.sqrt(np.mean(change[change != 0] ** 2)))
    scaled = change[change != 0] / unit
    low, high, beta = -1.0, 1.0, 0.0
    while (scaled * scipy.special.expit(-low * scaled)).sum() < 0:
        low *= 2
    while (scaled * scipy.special.expit(-high * scaled)).sum() > 0:
        high *= 2
    for _ in range(200):
        fire = scipy.special.expit(-beta * scaled)
        value = float((scaled * fire).sum())
        low, high = (beta, high) if value > 0 else (low, beta)
        curvature = float((scaled**2 * fire * (1 - fire)).sum())
        step = beta + value / curvature if curvature > 0 else np.inf
        new = step if low < step < high else (low + high) / 2
        if abs(new - beta) <= 1e-12 * max(1.0, abs(beta)):
            break
        beta = new
    return beta / unit


def standard_error(change, beta, correlation_time):
    """Return the sampling error of `maximum`, reads as the independent units."""
    fire = scipy.special.expit(-beta * change)
    information = float((change**2 * fire * (1 - fire)).sum())
    scores = slope(change, beta)
    if information == 0:
        return float("inf")
    if len(scores) < 2:
        return information**-0.5
    spread = len(scores) * scores.var(ddof=1) * correlation_time
    return float(np.sqrt(spread)) / information


def calibration(change, beta, correlation_time, *, estimated, most_bins=8, least=25.0):
    """Test whether single spins obey one temperature at small and at large costs.

    The pairs (read, spin) are binned by the size of the change; in each bin the share
    of spins on their lower side is compared with 1 / (1 + exp(-beta |a|)). The reads'
    own scatter gives the covariance of the bins, so spins may depend on each other.

    Parameters
    ----------
    change : ndarray of shape (num_reads, n)
        From `flip_energies`.
    beta : float
        Inverse temperature, finite.
    correlation_time : float
        Reads per independent read.
    estimated : bool
        Whether beta was fitted to these reads; its share of the scatter is taken out.
    most_bins : int, default=8
        Bins at most; few reads or few distinct changes mean fewer.
    least : float, default=25.0
        Spins on the upper side that a bin must be expected to hold.

    Returns
    -------
    p_value : float
        Of Hotelling's test; NaN where there are too few reads.
    misfit : float
        Mean divergence of the observed from the expected shares, nats a spin.
    bins : list of tuple (cost, spins, observed, expected)
        Mean cost of the bin, pairs in it, share on the lower side, share expected.
    """
    size = np.abs(change)
    num_reads = len(change)
    nonzero = size[size > 0]
    if nonzero.size == 0:
        return float("nan"), 0.0, []
    # Bins hold like numbers of expected spins on the upper side, which are the rare
    # ones; an edge lies between two levels of the change.
    levels, level_counts = np.unique(nonzero, return_counts=True)
    rare = np.cumsum(level_counts * scipy.special.expit(-beta * levels))
    number = int(np.clip(min(rare[-1] / least, num_reads / 20), 1, most_bins))
    place = np.searchsorted(rare, rare[-1] * np.arange(1, number) / number) + 1
    place = np.unique(place[place < len(levels)])
    edges = (levels[place - 1] + levels[place]) / 2
    bins = np.where(size > 0, np.searchsorted(edges, size), -1)
    lower = (change > 0).astype(np.float64)
    expected = scipy.special.expit(beta * size)
    width = expected * (1 - expected)
    information = (size**2 * width).sum() / num_reads
    score = slope(change, beta)
    residuals, scales, rows, misfit = [], [], [], 0.0
    for b in range(len(edges) + 1):
        here = bins == b
        count = int(here.sum())
        if count == 0:
            continue
        residual = np.where(here, lower - expected, 0.0).sum(axis=1)
        scales.append(residual.std())
        if estimated and information > 0:
            loading = np.where(here, size * width, 0.0).sum() / num_reads
            residual = residual - loading / information * score
        residuals.append(residual)
        observed, wanted = float(lower[here].mean()), float(expected[here].mean())
        rows.append((float(size[here].mean()), count, observed, wanted))
        surprise = scipy.special.rel_entr(observed, wanted)
        surprise += scipy.special.rel_entr(1 - observed, 1 - wanted)
        misfit += count / change.size * float(surprise)
    r = np.array(residuals).T
    return _hotelling(r, np.array(scales), correlation_time), misfit, rows


def _hotelling(r, scale, correlation_time):
    num_reads = len(r)
    used = scale > 0
    if num_reads < 40 or not used.any():
        return float("nan")
    r = r[:, used] / scale[used]
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(r.T)))
    # What the fit of beta took out almost whole has only its own curvature left.
    kept = values > 0.02
    rank = int(kept.sum())
    independent = num_reads / correlation_time
    if rank == 0 or independent <= rank + 1:
        return float("nan")
    statistic = (
        independent * ((vectors[:, kept].T @ r.mean(0)) ** 2 / values[kept]).sum()
    )
    f = statistic * (independent - rank) / (rank * (independent - 1))
    return float(scipy.stats.f.sf(f, rank, independent - rank))
