# SPDX-License-Identifier: Apache-2.0
"""Bounds in advance: how many samples a quantized network needs, how long a sampler."""

import math

import numpy as np


def generalization_bound(log_networks, n_samples, loss_range=1.0, delta=0.05) -> float:
    r"""Bound how far the mean loss on samples is from the expected one.

    For a finite class with losses in an interval of length B, Hoeffding's inequality
    and a union over the class give, with probability :math:`1 - \delta` over samples
    that are drawn independently, for all networks at once

    .. math:: |L_N(w) - L(w)| \le B \sqrt{(\ln |W| + \ln(2 / \delta)) / (2 N)}.

    This bound is ours: the one of the paper on FIP could not be consulted.

    Parameters
    ----------
    log_networks : float
        Natural logarithm of the number of networks: :math:`b \ln 2` a weight with b
        bits, :math:`\ln 3` for a ternary one (`FIPProblem.log_networks`).
    n_samples : int
        Number of samples N.
    loss_range : float, default=1.0
        B, in the units of the loss.
    delta : float, default=0.05
        Probability that the bound fails, dimensionless.

    Returns
    -------
    gap : float
        In the units of the loss.

    References
    ----------
    Derived in docs/guide/quantized.md, from the inequality of

    .. [1] Hoeffding, "Probability inequalities for sums of bounded random variables",
       JASA 58, 13 (1963). doi:10.1080/01621459.1963.10500830

    Examples
    --------
    >>> from math import log
    >>> from qestim.qubo import generalization_bound
    >>> round(generalization_bound(10 * log(2), n_samples=1000), 3)
    0.073
    """
    _positive(n_samples=n_samples, loss_range=loss_range)
    return loss_range * math.sqrt(_log_failure(log_networks, delta) / (2 * n_samples))


def sample_complexity(log_networks, gap, loss_range=1.0, delta=0.05) -> int:
    r"""Return how many samples make `generalization_bound` at most a gap.

    .. math:: N = \lceil B^2 (\ln |W| + \ln(2 / \delta)) / (2 \epsilon^2) \rceil.

    So many samples suffice, and the exact form needs as many times the auxiliary bits
    of one sample: the number of spins depends on the accuracy wanted, not on the size
    of the data at hand.

    Parameters
    ----------
    log_networks : float
        Natural logarithm of the number of networks.
    gap : float
        Wanted bound, in the units of the loss.
    loss_range : float, default=1.0
        Length of the interval of the losses, in their units.
    delta : float, default=0.05
        Probability that the bound fails, dimensionless.

    Returns
    -------
    n_samples : int
        Number of samples.

    References
    ----------
    Derived in docs/guide/quantized.md; ours, as `generalization_bound` is.

    Examples
    --------
    >>> from math import log
    >>> from qestim.qubo import sample_complexity
    >>> sample_complexity(10 * log(2), gap=0.1)
    532
    """
    _positive(gap=gap, loss_range=loss_range)
    log_failure = _log_failure(log_networks, delta)
    return max(1, math.ceil(loss_range**2 * log_failure / (2 * gap**2)))


def time_to_solution_bound(
    model, gap, beta, *, degeneracy=1, target=0.99, sweeps=None
) -> float:
    r"""Bound the heat-bath sweeps after which a ground state was read.

    With k ground states and the next energy at least ``gap`` higher, a read that
    follows the Boltzmann law is a ground state with probability at least
    :math:`p = k / (k + (2^n - k) e^{-\beta\,gap})`. A heat-bath read of T sweeps from
    any state is within :math:`n c^T` of the law in total variation, where
    :math:`c = \max_i \sum_j \tanh(\beta |J_{ij}|) < 1`: one flip changes the law of a
    neighbour by that much. T is chosen so that this costs half of p, and

    .. math:: TTS \le T \lceil \ln(1 - target) / \ln(1 - p / 2) \rceil.

    It is a guarantee, not a forecast: where :math:`c < 1` the model is hot and p little
    more than chance. Colder, pass the ``sweeps`` that a sampler takes to follow the
    law, on evidence of your own; then p counts in full. This bound is ours: that of
    the paper on FIP could not be consulted.

    Parameters
    ----------
    model : IsingArrays
        The model of n spins.
    gap : float
        Energy of the first excited state above the ground state, or less, in the units
        of the model. 1 will do where losses and penalties are integers.
    beta : float
        Inverse temperature, in inverse units of the model.
    degeneracy : int, default=1
        Ground states, or fewer.
    target : float, default=0.99
        Wanted probability of at least one success, dimensionless.
    sweeps : int, default=None
        Sweeps after which a read follows the law; None takes what c proves.

    Returns
    -------
    sweeps : float
        Sweeps of all reads together; times the time of a sweep, a time.

    Raises
    ------
    ValueError
        If :math:`c \ge 1` and ``sweeps`` is None.

    References
    ----------
    Derived in docs/guide/quantized.md, under the condition of

    .. [1] Dobrushin, "The description of a random field by means of conditional
       probabilities", Theory Probab. Appl. 13, 197 (1968). doi:10.1137/1113026

    Examples
    --------
    >>> from qestim.qubo import IsingArrays, time_to_solution_bound
    >>> model = IsingArrays.from_matrix([[0, -1], [-1, 0]])
    >>> time_to_solution_bound(model, gap=2.0, beta=0.5, degeneracy=2)
    33.0
    """
    _positive(gap=gap, beta=beta, degeneracy=degeneracy)
    if not 0 < target < 1:
        raise ValueError(f"'target' must lie between 0 and 1. Got {target}.")
    n = len(model)
    share = min(1.0, degeneracy * 2.0**-n)
    p = share / (share + (1 - share) * math.exp(-beta * gap))
    if sweeps is None:
        ends = np.concatenate([model.row, model.col])
        pull = np.tanh(beta * np.abs(np.concatenate([model.value, model.value])))
        c = float(np.bincount(ends, pull, minlength=n).max(initial=0.0))
        if c >= 1:
            raise ValueError(
                f"At beta={beta:g} a flip moves its neighbours by up to {c:.3g}, which "
                "must stay below 1 to prove how fast sweeps follow the law. Lower beta "
                "or pass the 'sweeps' after which your sampler does."
            )
        p /= 2
        sweeps = max(1, math.ceil(math.log(p / n) / math.log(c))) if c > 0 else 1
    _positive(sweeps=sweeps)
    reads = 1 if p == 1 else math.ceil(math.log1p(-target) / math.log1p(-p))
    return float(sweeps) * max(1, reads)


def _log_failure(log_networks, delta):
    if not (math.isfinite(log_networks) and log_networks >= 0):
        raise ValueError(f"'log_networks' must be at least 0. Got {log_networks}.")
    if not 0 < delta < 1:
        raise ValueError(f"'delta' must lie between 0 and 1. Got {delta}.")
    return log_networks + math.log(2 / delta)


def _positive(**numbers):
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name!r} must be positive and finite. Got {number}.")
