# SPDX-License-Identifier: Apache-2.0
"""Choosing samples and features, beside the strategies of others in one run.

``python benchmarks/selection.py [--quick] [--only SECTION ...] [--corpus PATH]`` writes
``benchmarks/results/selection.json`` and ``.md`` (``selection_quick`` with ``--quick``,
which is not kept). ``--corpus`` runs the text section on a text file of your own.
Pictures and texts need the data folder (``QESTIM_DATA``).
"""

import argparse
import functools
import importlib.util
import os
import pathlib

# Before numpy: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _choices
import _pruning
import _queries
from _measure import run_sections


def sections(corpus):
    """Return the sections' functions of ``quick``."""
    fashion = functools.partial(
        _queries.run,
        _queries.fashion,
        needs_data=True,
        note="10,000 rows, 50 principal components.",
    )
    sentences = "10,003 sentences, TF-IDF in 100 dimensions."
    tried = "What was tried against TypiClust is in docs/guide/selection.md."
    banking = functools.partial(
        _queries.run,
        _queries.banking,
        C=20.0,
        needs_data=True,
        note=sentences,
    )
    theirs = _queries.THEIRS
    learning = {
        "digits": _queries.run(_queries.digits),
        "digits, scikit-activeml": _queries.run(_queries.digits, table=theirs),
        "digits, every row five times": _queries.run(_queries.duplicated),
        "digits, wrong labels and outliers": _queries.run(
            _queries.spoiled, note="20 % wrong labels, 5 % outliers in the pool."
        ),
        "Fashion-MNIST": fashion(),
        "Fashion-MNIST, scikit-activeml": fashion(table=theirs, seeds=3),
        "BANKING77": banking(),
        "BANKING77, scikit-activeml": banking(
            table=theirs, seeds=3, note=f"{sentences} {tried}"
        ),
    }
    return {
        **{f"Learning curves: {name}": run for name, run in learning.items()},
        "Solver": _choices.solver,
        "A large pool": _choices.large_pool,
        "Features": _choices.features,
        "Pruning: Fashion-MNIST": _pruning.images,
        "Pruning: text": functools.partial(_pruning.text, corpus=corpus),
    }


if __name__ == "__main__":
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--corpus", type=pathlib.Path, help="a text file of your own")
    corpus = own.parse_known_args()[0].corpus
    peers = {"skactiveml": "scikit-activeml", "apricot": "apricot-select"}
    found = [peers[name] for name in peers if importlib.util.find_spec(name)]
    run_sections(
        "selection",
        "Choosing samples and features",
        {title: (run, False) for title, run in sections(corpus).items()},
        ("dwave-samplers", *found),
        parents=[own],
    )
