# SPDX-License-Identifier: Apache-2.0
"""Counts of genes in cells of known types and batches."""

import numpy as np
from sklearn.utils import check_random_state


def make_counts(
    n_samples=500,
    n_features=200,
    *,
    n_types=4,
    n_batches=1,
    depth=1000.0,
    dispersion=10.0,
    type_effect=1.0,
    batch_effect=0.4,
    random_state=None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Draw counts of genes in cells, of several types seen in several batches.

    Gene g of a cell of type t in batch b has the share
    :math:`\pi_g \propto \exp(a_g + u_{tg} + v_{bg})`, with :math:`a_g` normal, the
    effect :math:`u` of the type normal on a fifth of the genes, and the effect
    :math:`v` of the batch normal on all. The count is negative binomial with mean
    :math:`L \pi_g`, where the depth :math:`L` of a cell is log-normal, and variance
    :math:`M + M^2 / \phi`.

    Parameters
    ----------
    n_samples : int, default=500
        Cells.
    n_features : int, default=200
        Genes.
    n_types : int, default=4
        Types of cells, equally frequent.
    n_batches : int, default=1
        Batches, equally frequent and independent of the types.
    depth : float, default=1000.0
        Median number of counts in a cell.
    dispersion : float, default=10.0
        Inverse dispersion phi, dimensionless; large is close to a Poisson law.
    type_effect, batch_effect : float, default=1.0 and 0.4
        Standard deviations of u and v, in natural logarithms of the share.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), dtype int64
        Counts.
    y : ndarray of shape (n_samples,), dtype int64
        Type of each cell.
    batch : ndarray of shape (n_samples,), dtype int64
        Batch of each cell.

    Raises
    ------
    ValueError
        If a number of cells, genes, types or batches is not positive, or there are
        fewer cells than types or batches.

    References
    ----------
    .. [1] Lopez et al., "Deep generative modeling for single-cell transcriptomics",
           Nature Methods 15, 1053 (2018): the law of the counts.
           doi:10.1038/s41592-018-0229-2

    Examples
    --------
    >>> from qestim.datasets import make_counts
    >>> X, y, batch = make_counts(20, 10, n_batches=2, random_state=0)
    >>> X.shape, sorted(set(y.tolist())), sorted(set(batch.tolist()))
    ((20, 10), [0, 1, 2, 3], [0, 1])
    """
    sizes = {
        "n_samples": n_samples,
        "n_features": n_features,
        "n_types": n_types,
        "n_batches": n_batches,
    }
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1. Got {size}.")
    if n_samples < max(n_types, n_batches):
        raise ValueError(
            f"n_samples must be at least n_types and n_batches. Got {n_samples}, "
            f"{n_types} and {n_batches}."
        )
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples) % n_types)
    batch = rng.permutation(np.arange(n_samples) % n_batches)
    of_type = type_effect * rng.standard_normal((n_types, n_features))
    of_type *= rng.uniform(size=of_type.shape) < 0.2
    of_batch = batch_effect * rng.standard_normal((n_batches, n_features))
    share = np.exp(rng.standard_normal(n_features) + of_type[y] + of_batch[batch])
    share /= share.sum(1, keepdims=True)
    total = depth * rng.lognormal(0, 0.3, size=(n_samples, 1))
    rate = rng.gamma(dispersion, 1 / dispersion, size=share.shape)
    return rng.poisson(total * share * rate), y, batch
