# SPDX-License-Identifier: Apache-2.0
"""Data that come in chunks, read again every epoch."""

from qestim.estimators._rows import Rows
from qestim.estimators._table import check_size_factor, check_table


def is_stream(X):
    """Tell chunks from a table: a function that gives them, or a bare iterable."""
    if callable(X):
        return True
    table = any(hasattr(X, name) for name in ("shape", "__len__", "__array__"))
    return hasattr(X, "__iter__") and not table


class Chunks:
    """Tables of rows from a stream, valid, one at a time in memory.

    Parameters
    ----------
    estimator : SpinCodeTransformer
        Whose data they are.
    source : callable or iterable
        Gives the chunks, from the first one each time: X, ``(X, batch)`` or
        ``(X, batch, size_factor)``.
    reset : bool
        Whether the first chunk says how many features there are.
    device : torch.device
        Where the minibatches are.

    Attributes
    ----------
    scaling, batches : Scaling, Batches or None
        As of `Rows`; set them when they are known.
    """

    def __init__(self, estimator, source, *, reset, device):
        if hasattr(source, "__next__"):
            raise ValueError(
                "An iterator can be read once, and a fit reads the chunks every "
                "epoch. Give the function that makes it, or an iterable that begins "
                "anew."
            )
        self.estimator, self.source = estimator, source
        self.reset, self.device = reset, device
        self.scaling = self.batches = None

    def __iter__(self):
        for chunk in self.source() if callable(self.source) else self.source:
            X, batch, size_factor = _parts(chunk)
            X, batch = check_table(
                self.estimator,
                X,
                batch,
                reset=self.reset,
                observed=True,
                missing=False,
            )
            self.reset = False
            size_factor = check_size_factor(self.estimator, size_factor, X.shape[0])
            yield Rows(
                X, self.scaling, self.batches, batch, size_factor, device=self.device
            )


def _parts(chunk):
    if not isinstance(chunk, tuple):
        return chunk, None, None
    if len(chunk) not in (1, 2, 3):
        raise ValueError(
            "A chunk is X, (X, batch) or (X, batch, size_factor). Got a tuple of "
            f"{len(chunk)}."
        )
    return (*chunk, *[None] * (3 - len(chunk)))
