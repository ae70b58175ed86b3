# SPDX-License-Identifier: Apache-2.0
"""Counts against a law, and how many independent reads there are."""

import numpy as np
import scipy.stats


def pooled_chi_square(
    counts, probabilities, *, least=5.0, estimated=0, correlation_time=1.0
) -> tuple[float, float, int]:
    """Test counts of states against a law, rare states pooled.

    Parameters
    ----------
    counts : array-like of shape (m,)
        How often each state was read.
    probabilities : array-like of shape (m,)
        The law.
    least : float, default=5.0
        The expectation that a cell must reach: likelier states stand alone, the others
        share cells with states of like probability.
    estimated : int, default=0
        Parameters of the law that were fitted to these counts.
    correlation_time : float, default=1.0
        Reads per independent read. The statistic is divided by it, which is a rough
        correction; independent reads (1) make the test sound.

    Returns
    -------
    p_value : float
        Probability of a worse fit under the law; NaN where everything falls into one
        cell, 0 where an impossible state was read.
    statistic : float
        Chi-square.
    df : int
        Its degrees of freedom.

    References
    ----------
    .. [1] Cochran, "Some methods for strengthening the common chi-square tests",
       Biometrics 10, 417 (1954). doi:10.2307/3001616

    Examples
    --------
    >>> from qestim.testing import pooled_chi_square
    >>> p_value, statistic, df = pooled_chi_square([52, 48], [0.5, 0.5])
    >>> round(p_value, 3), round(statistic, 3), df
    (0.689, 0.16, 1)
    """
    counts = np.asarray(counts, dtype=np.float64)
    law = np.asarray(probabilities, dtype=np.float64)
    if counts.ndim != 1 or counts.shape != law.shape:
        raise ValueError(
            "counts and probabilities must be two lists of one length. Got shapes "
            f"{counts.shape} and {law.shape}."
        )
    if not ((counts >= 0).all() and (law >= 0).all() and abs(law.sum() - 1) < 1e-6):
        raise ValueError(
            "counts and probabilities must not be negative or NaN, and probabilities "
            f"must sum to 1. Their sums are {counts.sum():g} and {law.sum():g}."
        )
    expected = law * counts.sum()
    if counts[expected == 0].any():
        return 0.0, float("inf"), len(counts) - 1 - estimated
    order = np.argsort(-expected, kind="stable")
    counts, expected = counts[order], expected[order]
    alone = int(np.count_nonzero(expected >= least))
    cells = np.arange(len(expected))
    if alone < len(expected):
        tail = np.cumsum(expected[alone:])
        # Cells of expectation `least` each; what is left joins the last one.
        number = np.floor((tail - expected[alone:]) / least).astype(int)
        number = np.minimum(number, max(int(tail[-1] / least) - 1, 0))
        if tail[-1] < least and alone:
            number -= 1
        cells[alone:] = alone + number
    size = int(cells.max()) + 1
    observed = np.bincount(cells, counts, minlength=size)
    wanted = np.bincount(cells, expected, minlength=size)
    observed, wanted = observed[wanted > 0], wanted[wanted > 0]
    df = len(wanted) - 1 - estimated
    if df < 1:
        return float("nan"), 0.0, max(df, 0)
    statistic = float(((observed - wanted) ** 2 / wanted).sum() / correlation_time)
    return float(scipy.stats.chi2.sf(statistic, df)), statistic, df


def divergence(counts, probabilities) -> tuple[float, float]:
    """Return KL(counts || law) in nats and the total variation distance.

    Both are positive for finite counts even under the law: compare with draws from it.

    Parameters
    ----------
    counts : array-like of shape (n_states,)
        How often each state was seen; not all zero.
    probabilities : array-like of shape (n_states,)
        The law; the sum is 1.

    Returns
    -------
    kl : float
        The Kullback-Leibler divergence in nats; inf if a state was seen that the law
        excludes.
    total_variation : float
        Half the sum of the absolute differences, between 0 and 1, dimensionless.

    References
    ----------
    .. [1] Cover and Thomas, "Elements of Information Theory", 2nd edition (2006),
       sections 2.3 and 11.6. doi:10.1002/047174882X

    Examples
    --------
    >>> from qestim.testing import divergence
    >>> kl, total_variation = divergence([30, 10], [0.5, 0.5])
    >>> round(kl, 4), total_variation
    (0.1308, 0.25)
    """
    observed = np.asarray(counts, dtype=np.float64)
    observed = observed / observed.sum()
    p = np.asarray(probabilities)
    seen = observed > 0
    with np.errstate(divide="ignore"):
        kl = np.sum(observed[seen] * (np.log(observed[seen]) - np.log(p[seen])))
    return float(kl), float(np.abs(observed - p).sum() / 2)


def correlation_time(spins, energies) -> float:
    """Return how many reads, in their order, make up one independent read.

    Parameters
    ----------
    spins : ndarray of shape (num_reads, n), dtype int8
        Values in {-1, 1}, rows in the order of reading.
    energies : ndarray of shape (num_reads,)
        Their energies.

    Returns
    -------
    time : float
        Integrated autocorrelation time, at least 1: the longer of that of the energy
        and that of the overlap with the lowest read.

    References
    ----------
    .. [1] Sokal, "Monte Carlo methods in statistical mechanics: foundations and new
       algorithms", in Functional Integration (1997). doi:10.1007/978-1-4899-0319-8_6

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.testing import correlation_time
    >>> spins = np.random.default_rng(0).choice([-1, 1], (4000, 1)).repeat(5, axis=0)
    >>> 4 < correlation_time(spins, spins[:, 0]) < 6
    True
    """
    overlap = spins.astype(np.float64) @ spins[int(np.argmin(energies))]
    return max(_integrated_time(energies), _integrated_time(overlap))


def _integrated_time(series):
    n = len(series)
    x = series - np.mean(series)
    # What is left of equal numbers is the rounding of their mean, no correlation.
    if n < 4 or np.abs(x).max() <= 1e-14 * np.abs(series).max():
        return 1.0
    spectrum = np.fft.rfft(x, 2 * n)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[:n]
    time = 2 * np.cumsum(correlation / correlation[0]) - 1
    # Sokal's window, five times as long as the time; but long enough to notice that
    # reads were taken in turn from up to 32 chains.
    window = int(np.argmax(np.arange(n) >= 5 * time))
    window = max(window, min(32, n // 50))
    return max(1.0, float(time[window]))
