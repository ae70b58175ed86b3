# SPDX-License-Identifier: Apache-2.0
"""Batches together and types apart, beside PCA, Harmony, a Gaussian VAE and scVI."""

import functools

import numpy as np
from _cell_cache import represent
from _cell_data import mixology, symphony, synthetic
from _cell_metrics import agreement, clusters, ilisi_well_mixed, integration
from _cell_models import NAMES, ours
from _cell_peers import peers
from _cell_seeds import SEEDS, mean_and_sd
from _measure import data_folder
from _paired import bracketed, interval

OURS = NAMES["rbm"]


def cells_for(quick, real):
    """Return the cells of a section, or None where the data folder is absent."""
    if quick:
        return synthetic()
    return real() if data_folder() else None


@functools.cache
def scores(quick, real):
    """Return {method: {column: [figure for each seed]}} and each method's width."""
    cells = cells_for(quick, real)
    if cells is None:
        return None
    n_types = len(np.unique(cells.cell_type))
    theirs, found, widths = peers(quick), {}, {}
    for name, make in {**theirs, **ours(quick)}.items():
        columns, groups = {}, []
        for seed in list(SEEDS)[: 2 if quick else None]:
            Z = represent(make, name, cells, seed)
            widths[name] = Z.shape[1]
            groups.append(clusters(Z, n_types, seed))
            for column, figure in integration(
                Z, cells.cell_type, cells.batch, seed
            ).items():
                columns.setdefault(column, []).append(float(figure))
        columns["seed agreement"] = agreement(groups)
        found[name] = columns
        print(f"  {name}", flush=True)
    return found, widths, tuple(theirs)


def every_score(quick):
    """Tabulate the mean and standard deviation of every method in every column."""
    measured = scores(quick, symphony)
    if measured is None:
        return {"rows": [], "note": "The data folder is absent."}
    found, widths, _ = measured
    rows = [
        {"method": name, "dimensions": widths[name]}
        | {column: mean_and_sd(values) for column, values in columns.items()}
        for name, columns in found.items()
    ]
    return {"rows": rows, "note": f"{every_score.__doc__} {len(SEEDS)} seeds."}


def against_peers(quick):
    """Set the RBM prior beside the best peer of each column, paired over seeds."""
    measured = scores(quick, symphony)
    if measured is None:
        return {"rows": [], "note": "The data folder is absent."}
    found, _, theirs = measured
    rows = []
    for column, values in found[OURS].items():
        best = max(theirs, key=lambda name: np.mean(found[name][column]))
        ahead = np.subtract(values, found[best][column])
        rows.append(
            {
                "score": column,
                OURS: mean_and_sd(values),
                "best peer": best,
                "its mean": mean_and_sd(found[best][column]),
                "minus best peer [95 %]": bracketed(ahead),
                "behind": "yes" if sum(interval(ahead)) < 0 else "no",
                "minus Gaussian VAE [95 %]": bracketed(
                    np.subtract(values, found["Gaussian VAE"][column])
                ),
                "minus J = 0 [95 %]": bracketed(
                    np.subtract(values, found[NAMES["bernoulli"]][column])
                ),
            }
        )
    return {"rows": rows, "note": f"{against_peers.__doc__} {len(SEEDS)} seeds."}


def cell_lines(quick):
    """Set known cell lines over five protocols beside the well-mixed reference."""
    cells = cells_for(quick, mixology)
    if cells is None:
        return {"rows": [], "note": "The data folder is absent."}
    reference = ilisi_well_mixed(cells.cell_type, cells.batch)
    theirs = {k: v for k, v in peers(quick).items() if k in ("PCA", "Harmony")}
    methods = {**theirs, OURS: ours(quick)[OURS]}
    rows = []
    for name, make in methods.items():
        columns: dict = {}
        for seed in list(SEEDS)[: 2 if quick else None]:
            Z = represent(make, name, cells, seed)
            for column, figure in integration(
                Z, cells.cell_type, cells.batch, seed
            ).items():
                columns.setdefault(column, []).append(float(figure))
        shown = ("linear", "left-out batch", "iLISI", "iLISI per type", "kBET")
        rows.append(
            {"method": name}
            | {column: mean_and_sd(columns[column]) for column in shown}
            | {"iLISI, well mixed": reference}
        )
        print(f"  {name}", flush=True)
    return {"rows": rows, "note": f"{cell_lines.__doc__} {len(SEEDS)} seeds."}


SECTIONS = {
    "integration": every_score,
    "integration, paired": against_peers,
    "cell lines": cell_lines,
}
