# SPDX-License-Identifier: Apache-2.0
"""Measures of whether chains have mixed, and of what their draws are worth."""

import numpy as np


def autocorrelation_time(x):
    r"""Return the integrated autocorrelation time of parallel chains.

    .. math:: \tau = 1 + 2 \sum_{t \ge 1} \rho_t,

    where the autocorrelations count the variance between the chains too, and the sum
    ends where the sum of two neighbouring ones is no longer positive.

    Parameters
    ----------
    x : array-like of shape (n_chains, n_draws) or (n_draws,)
        One observable along each chain.

    Returns
    -------
    tau : float
        Time in draws: 1 for independent draws, infinite for chains that never move
        and disagree.

    References
    ----------
    .. [1] Geyer, "Practical Markov chain Monte Carlo", Statistical Science 7, 473
       (1992). doi:10.1214/ss/1177011137
    .. [2] Vehtari et al., "Rank-normalization, folding, and localization: an improved
       R-hat", Bayesian Analysis 16, 667 (2021). doi:10.1214/20-BA1221

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers._diagnostics import autocorrelation_time
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> round(autocorrelation_time(np.repeat(x, 5, axis=1)))
    5
    """
    x = _unit_scale(x)
    chains, draws = x.shape
    if draws < 4:
        return 1.0
    centred = x - x.mean(axis=1, keepdims=True)
    within = centred.var(axis=1, ddof=1).mean()
    between = x.mean(axis=1).var(ddof=1) if chains > 1 else 0.0
    if within <= 1e-24 * max(np.square(x).mean(), 1e-300):
        return float("inf") if between > within else 1.0
    spectrum = np.fft.rfft(centred, 2 * draws, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :draws].mean(axis=0)
    variance = within * (draws - 1) / draws + between
    rho = 1 - (within - covariance / (draws - 1)) / variance
    rho[0] = 1.0
    pairs = rho[: draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: ends[0] if ends.size else None])
    tau = 2 * pairs.sum() - 1 if pairs.size else 1.0
    return float(max(tau, 1 / np.log10(max(chains * draws, 10))))


def effective_sample_size(x):
    """Return how many independent draws the draws are worth.

    Parameters
    ----------
    x : array-like of shape (n_chains, n_draws) or (n_draws,)
        One observable along each chain.

    Returns
    -------
    size : float
        Number of draws divided by `autocorrelation_time`.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers._diagnostics import effective_sample_size
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> 3000 < effective_sample_size(x) < 5000
    True
    """
    x = np.atleast_2d(np.asarray(x, dtype=np.float64))
    return x.size / autocorrelation_time(x)


def split_r_hat(x):
    r"""Return the split :math:`\hat R` of parallel chains.

    Each chain is cut in two, so that a drift shows as a difference between halves.

    Parameters
    ----------
    x : array-like of shape (n_chains, n_draws) or (n_draws,)
        One observable along each chain, at least 4 draws.

    Returns
    -------
    r_hat : float
        Near 1 where the chains agree; above about 1.05 they do not.

    References
    ----------
    .. [1] Gelman et al., "Bayesian Data Analysis", 3rd edition (2013), section
       11.4.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers._diagnostics import split_r_hat
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> split_r_hat(x) < 1.01, split_r_hat(x + [[0], [0], [0], [3]]) > 1.5
    (True, True)
    """
    x = _unit_scale(x)
    half = x.shape[1] // 2
    if half < 2:
        return 1.0
    x = np.vstack([x[:, :half], x[:, -half:]])
    within = x.var(axis=1, ddof=1).mean()
    between = x.mean(axis=1).var(ddof=1)
    if within <= 1e-24 * max(np.square(x).mean(), 1e-300):
        return float("inf") if between > within else 1.0
    return float(np.sqrt((half - 1) / half + between / within))


def _unit_scale(x):
    """Return the chains in units of their largest value: squares stay finite."""
    x = np.atleast_2d(np.asarray(x, dtype=np.float64))
    scale = np.abs(x).max(initial=0.0)
    return x / scale if scale > 0 else x


def log_ratios(energies, betas):
    r"""Estimate :math:`\log Z` differences along a ladder by acceptance ratios.

    Bennett's estimator between neighbours, which uses the energies of both and has
    the smallest variance of its kind. Each chain counts as one measurement for the
    standard error, since the energies of one chain are correlated.

    Parameters
    ----------
    energies : ndarray of shape (n_chains, n_temperatures, n_draws)
        Energies, in the units of 1 / beta.
    betas : ndarray of shape (n_temperatures,)
        Inverse temperatures of the ladder.

    Returns
    -------
    ratio : float
        :math:`\log Z(\beta_{last}) - \log Z(\beta_{first})`.
    influences : ndarray of shape (n_chains,)
        What each chain adds to the error; its spread over the root of ``n_chains`` is
        the standard error.

    References
    ----------
    .. [1] Bennett, "Efficient estimation of free energy differences from Monte Carlo
       data", J. Comput. Phys. 22, 245 (1976). doi:10.1016/0021-9991(76)90078-4

    Examples
    --------
    >>> import numpy as np
    >>> from qestim.samplers._diagnostics import log_ratios
    >>> ratio, _ = log_ratios(np.full((2, 3, 5), 4.0), np.array([0.0, 0.5, 1.0]))
    >>> round(ratio, 6)
    -4.0
    """
    step = np.diff(betas)[None, :, None]
    hot, cold = step * energies[:, :-1], step * energies[:, 1:]
    f = -0.5 * (hot + cold).mean(axis=(0, 2))[None, :, None]
    for _ in range(60):
        up = 0.5 - 0.5 * np.tanh(0.5 * (hot + f))
        down = 0.5 + 0.5 * np.tanh(0.5 * (cold + f))
        gap = up.mean(axis=(0, 2)) - down.mean(axis=(0, 2))
        slope = (up * (1 - up) + down * (1 - down)).mean(axis=(0, 2))
        change = np.clip(gap / np.maximum(slope, 1e-12), -2, 2)
        f = f + change[None, :, None]
        if np.abs(change).max(initial=0.0) < 1e-10:
            break
    influences = (up - down).mean(axis=2) / np.maximum(slope, 1e-12)
    return float(f.sum()), influences.sum(axis=1)
