# SPDX-License-Identifier: Apache-2.0
"""Searches on a Dask cluster that outlive the workers they run on.

Needs the extra ``dask`` (``pip install qestim[dask]``). Everything else goes through
joblib: ``joblib.parallel_config(backend="dask")`` around a grid search,
`qestim.compare` or a `qestim.samplers.ParallelSampler`.
"""

from typing import Any

import dask.distributed

__all__ = ["Client"]


class Client(dask.distributed.Client):
    """Client of a Dask cluster that can restore the data of a lost worker.

    joblib sends every larger argument, such as ``X`` or the rows of a fold, to one
    worker only. Where that worker dies, so does the search, with a
    ``FutureCancelledError``. This client sends data as tasks: the scheduler knows how
    to make them again, and the search goes on with the workers that are left.

    Parameters
    ----------
    *args, **kwargs
        Those of ``dask.distributed.Client``: a cluster, or the address of a scheduler.

    Notes
    -----
    The scheduler keeps one copy of the data. A task whose worker dies is run again, at
    most ``distributed.scheduler.allowed-failures`` times (3 by default): one that takes
    its worker down each time ends the search after all. The scheduler itself and the
    process of the client must live.

    Examples
    --------
    >>> import joblib
    >>> from qestim.dask import Client
    >>> with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
    ...     with joblib.parallel_config(backend="dask"):
    ...         joblib.Parallel()(joblib.delayed(abs)(n) for n in (-1, 2))
    [1, 2]
    """

    def scatter(self, data, *args, asynchronous=False, **options) -> Any:
        """Send data to the cluster so that no worker's death loses them.

        Parameters
        ----------
        data : object or list of object
            What to send.
        asynchronous : bool, default=False
            Whether to return something to await.
        *args, **options
            Taken and not used: the scheduler decides where data lie.

        Returns
        -------
        futures : dask.distributed.Future or list of dask.distributed.Future
            One an object.
        """
        many = isinstance(data, list)
        tasks = [self.submit(_same, x, pure=False) for x in (data if many else [data])]
        futures = tasks if many else tasks[0]
        return _ready(futures) if asynchronous else futures


def _same(data):
    return data


async def _ready(futures):
    return futures
