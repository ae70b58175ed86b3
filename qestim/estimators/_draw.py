# SPDX-License-Identifier: Apache-2.0
"""A sampler as the callable that modules take."""

from sklearn.base import clone

from qestim.qubo import IsingArrays, spins_of


def clone_sampler(sampler):
    """Return a copy of an estimator's sampler, None for None.

    Parameters
    ----------
    sampler : dimod.Sampler or None
        An instance; a class is refused.

    Returns
    -------
    copy : dimod.Sampler or None
        Unfitted, or shared where it cannot be copied.
    """
    if isinstance(sampler, type):
        raise ValueError(
            "The 'sampler' parameter must be an instance. Got the class "
            f"{sampler.__name__}; write {sampler.__name__}()."
        )
    return None if sampler is None else clone(sampler, safe=False)


def make_draw(sampler):
    """Return a callable that draws spins with a sampler.

    Parameters
    ----------
    sampler : dimod.Sampler
        One of qestim's, or any object with dimod's ``sample(bqm, **parameters)``.

    Returns
    -------
    draw : callable
        ``draw(h, J, num_reads, seed)`` takes fields of shape (n,), symmetric
        couplings of shape (n, n) in dimod's sign, a number of reads and a seed, and
        returns int8 spins of shape (reads, n), one row a read.
    """
    known = getattr(sampler, "parameters", {})

    def draw(h, J, num_reads, seed):
        call = {"num_reads": num_reads, "seed": seed}
        call = {name: value for name, value in call.items() if name in known}
        if hasattr(sampler, "sample_arrays"):
            reads = sampler.sample_arrays(J, h, **call)
        else:
            reads = sampler.sample(IsingArrays.from_matrix(J, h).to_bqm(), **call)
        spins = spins_of(reads, range(len(h)))
        if len(spins) == 0:
            raise ValueError(
                f"{type(sampler).__name__} returned no reads of {len(h)} variables; "
                "raise its time_limit or num_reads."
            )
        return spins

    return draw


def reads_of(sampler, default):
    """Return how many reads a sampler is set to give, or the default."""
    own = getattr(sampler, "num_reads", None)
    if own is None:
        own = (getattr(sampler, "sample_params", None) or {}).get("num_reads")
    return default if own is None else int(own)
