# SPDX-License-Identifier: Apache-2.0
"""Sequences of tokens whose law is known, state by state."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state

from qestim._sklearn import Interval, validate_parameter_constraints

_MOST_STATES = 2**20
_CONSTRAINTS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "length": [Interval(Integral, 2, None, closed="left")],
    "n_symbols": [Interval(Integral, 2, None, closed="left")],
    "coupling": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
}


def make_tokens(
    n_samples=1000, *, length=8, n_symbols=4, coupling=3.0, random_state=None
) -> Bunch:
    r"""Draw sequences of tokens with strong pair correlations from an enumerable law.

    The law is

    .. math:: p(x) \propto \exp\Bigl(c \sum_{(i,j)} [x_j = x_i + d_{ij}]\Bigr),

    sums modulo ``n_symbols``, over the pairs of a random tree and ``length // 3``
    random pairs more, each with a random shift :math:`d_{ij}`. Every single token is
    uniform, as adding 1 to all of them changes nothing; the pairs say all there is.
    Tokens drawn without a look at each other are wrong.

    Parameters
    ----------
    n_samples : int, default=1000
        Sequences to draw.
    length : int, default=8
        Tokens a sequence; ``n_symbols ** length`` is at most 2**20.
    n_symbols : int, default=4
        Symbols, ``0 .. n_symbols - 1``.
    coupling : float, default=3.0
        Strength c, dimensionless; 0 makes the tokens independent and uniform.
    random_state : int, RandomState instance or None, default=None
        Source of the law and of the draws; an int makes them repeat.

    Returns
    -------
    data : Bunch
        ``data``, int64 of shape (n_samples, length); ``states``, all sequences, int64
        of shape (n_symbols ** length, length), sorted; ``probabilities``, float64 of
        shape (n_symbols ** length,); ``pairs``, int64 of shape (n_pairs, 2).

    Raises
    ------
    ValueError
        If a parameter is out of range, or there are more than 2**20 states.

    References
    ----------
    Ours; derived in docs/guide/diffusion.md.

    Examples
    --------
    >>> from qestim.datasets import make_tokens
    >>> law = make_tokens(5, random_state=0)
    >>> law.data.shape, len(law.states), round(float(law.probabilities.sum()), 6)
    ((5, 8), 65536, 1.0)
    """
    given = {
        "n_samples": n_samples,
        "length": length,
        "n_symbols": n_symbols,
        "coupling": coupling,
        "random_state": random_state,
    }
    validate_parameter_constraints(_CONSTRAINTS, given, "make_tokens")
    if n_symbols**length > _MOST_STATES:
        raise ValueError(
            f"n_symbols ** length must be at most {_MOST_STATES}, as the law is "
            f"enumerated. Got {n_symbols} ** {length}."
        )
    rng = check_random_state(random_state)
    axes = np.meshgrid(*[np.arange(n_symbols)] * length, indexing="ij")
    states = np.stack(axes, -1).reshape(-1, length)
    pairs = _pairs(length, rng)
    agreement = np.zeros(len(states))
    for i, j in pairs:
        shift = rng.randint(n_symbols)
        agreement += states[:, j] == (states[:, i] + shift) % n_symbols
    weights = np.exp(coupling * (agreement - agreement.max()))
    probabilities = weights / weights.sum()
    drawn = rng.choice(len(states), size=n_samples, p=probabilities)
    return Bunch(
        data=states[drawn], states=states, probabilities=probabilities, pairs=pairs
    )


def _pairs(length, rng):
    """Return the pairs of a random tree and some more, int64 of shape (n_pairs, 2)."""
    order = rng.permutation(length)
    tree = [(order[rng.randint(k)], order[k]) for k in range(1, length)]
    pairs = {(min(pair), max(pair)) for pair in tree}
    others = [(i, j) for i in range(length) for j in range(i + 1, length)]
    others = [pair for pair in others if pair not in pairs]
    n_more = min(length // 3, len(others))
    for k in rng.choice(len(others), n_more, replace=False):
        pairs.add(others[k])
    return np.array(sorted(pairs), dtype=np.int64)
