# SPDX-License-Identifier: Apache-2.0
"""A machine of amplitudes as the negative phase of a QBM-VAE, beside its polish alone.

The estimator follows reads of a minimiser with heat-bath sweeps. The question is what
the machine adds to the same sweeps from random states.
"""

import time

import dimod
import numpy as np
from _digits import accuracy
from _paired import bracketed
from sklearn.datasets import load_digits
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.preprocessing import MinMaxScaler

from qestim import QBMVAETransformer
from qestim.samplers import BoltzmannSampler, CIMSampler, DimodSampler

POLISH = "random states + polish"


def codes(seed, **params):
    """Return the candidates: they differ in the negative phase alone."""

    def code(sampler):
        return QBMVAETransformer(
            16, likelihood="bernoulli", sampler=sampler, random_state=seed, **params
        )

    return {
        POLISH: code(DimodSampler(dimod.RandomSampler())),
        "CIM (cac) + polish": code(CIMSampler(model="cac", num_steps=200)),
        "CIM (mean_field) + polish": code(
            CIMSampler(model="mean_field", num_steps=200)
        ),
        "Boltzmann sampler": code(BoltzmannSampler(log_z=False)),
        "persistent heat-bath chains": code(None),
    }


def run(quick):
    """Measure; quick takes 2 of the 10 folds and a few epochs."""
    X, y = load_digits(return_X_y=True)
    splitter = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
    folds = list(splitter.split(X, y))[: 2 if quick else None]
    params = {"max_iter": 4} if quick else {}
    codes(0, max_iter=1)[POLISH].fit(X / 16)  # the first fit pays for imports
    table: dict = {}
    for fold, (rows, held_out) in enumerate(folds):
        scaler = MinMaxScaler(clip=True).fit(X[rows])
        train, test = scaler.transform(X[rows]), scaler.transform(X[held_out])
        for name, code in codes(fold, **params).items():
            start = time.process_time()
            code.fit(train)
            seconds = time.process_time() - start
            pair = code.transform(train), code.transform(test)
            scores = {
                "held-out bound, nats": code.score(test),
                "accuracy, 10 labels a class": accuracy(
                    pair[0], y[rows], pair[1], y[held_out], 10, 1 if quick else 3, fold
                ),
                "fit, CPU seconds": seconds,
            }
            for measure, value in scores.items():
                row = table.setdefault(measure, {}).setdefault(name, [])
                row.append(float(value))
    shares = len(held_out) / len(rows)
    return {
        "rows": [
            {
                "measure": measure,
                "negative phase": name,
                "mean": float(np.mean(values)),
                "sd over folds": float(np.std(values, ddof=1)),
                "minus the polish alone [95 %]": ""
                if name == POLISH
                else bracketed(np.subtract(values, row[POLISH]), 4, shares),
            }
            for measure, row in table.items()
            for name, values in row.items()
        ],
        "note": f"scikit-learn's digits, 16 components, {len(folds)} folds of "
        "RepeatedStratifiedKFold(5, 2). Polish: 200 heat-bath sweeps after every call "
        "of the sampler and 3 for each update between two calls, in every row but that "
        "of the Boltzmann sampler, which takes none after a call. Intervals of the "
        "paired difference by the corrected t of Nadeau and Bengio.",
    }
