# SPDX-License-Identifier: Apache-2.0
"""What an experiment has measured so far, and its file."""

import json
import math
import os
import pathlib
from dataclasses import asdict, dataclass, field

_FORMAT = "qestim experiment, version 1"


@dataclass
class Record:
    """The measurements, what still runs, and what the next query depends on.

    Attributes
    ----------
    x : list of list of float
        Settings of the finished runs, in the order told.
    y, sigma : list of float or None
        Their goals, and the known standard deviations; None where there is none.
    bad : list of bool
        Whether the run failed.
    pending : list of list of float
        Settings that were asked for and not told.
    n_asked : int
        Settings asked for so far.
    state : dict or None
        The surrogate's, of its last fit of the kernel.
    tuned_at : int
        Finished runs at that fit.
    """

    x: list = field(default_factory=list)
    y: list = field(default_factory=list)
    sigma: list = field(default_factory=list)
    bad: list = field(default_factory=list)
    pending: list = field(default_factory=list)
    n_asked: int = 0
    state: dict | None = None
    tuned_at: int = 0

    def __len__(self):
        return len(self.x)

    def take(self, run, space):
        """Add a finished run, which then is no longer pending.

        Parameters
        ----------
        run : tuple of (list of float, float or None, float or None, bool)
            Setting, goal, its standard deviation and whether it failed.
        space : Space
            The parameters.

        Returns
        -------
        new : bool
            False if the same was told before and is not pending; nothing is added.
        """
        parts = self.x, self.y, self.sigma, self.bad
        i = space.find(run[0], self.pending)
        if i is not None:
            del self.pending[i]
        elif run in zip(*parts, strict=True):
            return False
        for part, value in zip(parts, run, strict=True):
            part.append(value)
        return True


def write_record(path, settings, record):
    """Replace a file by the whole record, so that no crash leaves half of it.

    Parameters
    ----------
    path : str or path-like
        The file.
    settings : dict
        Parameters of the optimizer, JSON-able.
    record : Record
        What to keep.
    """
    path = pathlib.Path(path)
    text = json.dumps(
        {"format": _FORMAT, "settings": settings, **asdict(record)},
        allow_nan=False,
        default=lambda number: number.item(),  # numpy's, in the settings
    )
    beside = path.with_name(path.name + ".new")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read_record(path):
    """Read what `write_record` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    settings : dict
        Parameters of the optimizer.
    record : Record
        What was kept.

    Raises
    ------
    ValueError
        If the file is not a whole record.
    """
    try:
        found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        if found.pop("format") != _FORMAT:
            raise KeyError("format")
        settings, record = found.pop("settings"), Record(**found)
        counts = {len(part) for part in (record.x, record.y, record.sigma, record.bad)}
        finite = all(
            y is None if bad else math.isfinite(y)
            for y, bad in zip(record.y, record.bad, strict=True)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a whole record of an experiment ({error}). Records are "
            "replaced in one step, so something else has written or cut this file; "
            "take a copy of it from before."
        ) from error
    if len(counts) != 1 or not finite:
        raise ValueError(
            f"{path} is damaged: its runs do not fit together. Take an earlier copy."
        )
    return settings, record
