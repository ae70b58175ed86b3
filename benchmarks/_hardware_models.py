# SPDX-License-Identifier: Apache-2.0
"""Four models through the emulator: what 8 and 4 bits cost them, and machine hours."""

import warnings

import _attention_models
import _attention_tasks
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from qestim import (
    ActiveSampleSelector,
    BoltzmannPrior,
    QBMVAETransformer,
    QuantizedQNNClassifier,
)
from qestim.exceptions import PrecisionWarning
from qestim.nn import QAMA
from qestim.samplers import CIMEmulatorBackend, HardwareSampler

BITS = {"real numbers": None, "8 bits": 8, "4 bits": 4}


MINIMISER = {"model": "cac", "mode": "optimization", "num_steps": 500}
SAMPLER = {"noise": 2.0, "num_steps": 100}


def emulator(bits, options):
    """Return a machine of 550 spins and so many bits; nothing else differs."""
    return CIMEmulatorBackend.preset("cim-550", bits=bits, **options)


class Counted(HardwareSampler):
    """Notes the calls, for estimators that do not report machine time."""

    log: list = []  # emptied before each fit

    def _sample_ising(self, model, initial, num_reads, seed):
        answer = super()._sample_ising(model, initial, num_reads, seed)
        self.log.append(answer[1])
        return answer


def split(seed):
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, test_size=0.25, stratify=y, random_state=seed)


def rows_of(name, measure, seeds, run, spins_from=None):
    """Run at every precision, paired by seed; the difference is to real numbers."""
    found, facts = {}, {}
    for label, bits in BITS.items():
        values, logs = [], []
        for seed in range(seeds):
            Counted.log.clear()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PrecisionWarning)
                values.append(run(bits, seed))
            logs.append(list(Counted.log))
        found[label], facts[label] = values, logs
    rows = []
    for label, values in found.items():
        asked = [info for log in facts[label] for info in log if info["calls"]]
        lost = np.subtract(values, found["real numbers"])
        rows.append(
            {
                "model": name,
                "machine": label,
                "seeds": seeds,
                measure[0]: f"{np.mean(values):{measure[1]}}",
                "minus real numbers": f"{lost.mean():+{measure[1]}} "
                f"({lost.min():+{measure[1]}} to {lost.max():+{measure[1]}})",
                "spins": max(info["machine_spins"] for info in asked),
                "rounding, rms %": 100
                * float(np.mean([info["rms_rel_error"] for info in asked])),
                "calls": sum(info["calls"] for info in asked) / seeds,
                "machine hours, modelled": sum(
                    info["modelled_seconds"] for info in asked
                )
                / seeds
                / 3600,
            }
        )
    return rows


def with_name(rows, measure):
    """Give the rows of every model the same columns."""
    return [
        {
            "model": row["model"],
            "measure": measure,
            "machine": row["machine"],
            "value": row[measure],
            **{k: v for k, v in row.items() if k not in ("model", "machine", measure)},
        }
        for row in rows
    ]


def vae(quick):
    """QBM-VAE of digits: what the code is worth to a classifier."""

    def run(bits, seed):
        X, test, y, y_test = split(seed)
        sampler = Counted(emulator(bits, SAMPLER), num_reads=64)
        model = QBMVAETransformer(
            48 if quick else 256,
            prior=BoltzmannPrior(resample_every=10),
            sampler=sampler,
            max_iter=1 if quick else 10,
            random_state=seed,
        ).fit(X)
        code = LogisticRegression(C=0.1, max_iter=2000)
        code.fit(model.transform(X), y)
        return 100 * code.score(model.transform(test), y_test)

    measure = ("accuracy on the code, %", ".2f")
    rows = rows_of("QBM-VAE, digits", measure, 1 if quick else 3, run)
    return with_name(rows, measure[0])


def quantized(quick):
    """The classifier with weights of one bit: a call a neuron and round."""

    def run(bits, seed):
        X, test, y, y_test = split(seed)
        model = QuantizedQNNClassifier(
            (4,) if quick else (32,),
            sampler=Counted(emulator(bits, MINIMISER), num_reads=10),
            max_iter=1 if quick else 4,
            random_state=seed,
        )
        return 100 * model.fit(X, y).score(test, y_test)

    measure = ("accuracy, %", ".2f")
    rows = rows_of("quantized classifier, digits", measure, 1 if quick else 3, run)
    return with_name(rows, measure[0])


def selector(quick):
    """Fifty of 500 rows, chosen by one call, beside the native solver's choice."""
    size, k = (80, 10) if quick else (500, 50)

    def run(bits, seed):
        X = split(seed)[0][:size]
        chooser = ActiveSampleSelector(None, k, random_state=seed).fit(X)
        problem = chooser.problem_
        sampler = Counted(emulator(bits, MINIMISER), num_reads=100, seed=seed)
        found = sampler.sample(problem.to_bqm())
        value = problem.objective(problem.decode(found.first.sample))
        return 100 * value / problem.objective(set(chooser.sample_indices_.tolist()))

    measure = ("objective, % of the native solver's", ".2f")
    rows = rows_of(f"selector, {k} of {size} digits", measure, 1 if quick else 5, run)
    return with_name(rows, measure[0])


def recall(quick):
    """QAMA trained natively, its keys then chosen by the machine."""
    task = _attention_tasks.Recall()
    models = {}

    def run(bits, seed):
        if seed not in models:
            models[seed] = _attention_models.train(
                task,
                lambda width, heads: QAMA(width, heads, batch_first=True, k=4),
                seed,
                steps=5 if quick else 600,
            )
        model = models[seed]
        model.read_only_first = True
        model.attention.sampler = Counted(emulator(bits, MINIMISER), seed=seed)
        cases = 16 if quick else 256
        # Eight cases are 4 heads x 16 tokens x 8 = 512 bits: one call.
        right = _attention_models.accuracy(model, task, cases, rows=8)
        return 100 * right

    measure = ("recall, %", ".2f")
    rows = rows_of("QAMA, associative recall", measure, 1 if quick else 3, run)
    return with_name(rows, measure[0])


def through_the_emulator(quick):
    """All four models, precision by precision."""
    rows = [row for part in (vae, quantized, selector, recall) for row in part(quick)]
    note = (
        "Machine hours are modelled: 60 s a call, as public reports of cloud machines "
        "have it, and 1 ms a read. The machines differ in bits alone; the emulator is "
        "the mean-field equations with noise. The code's classifier reads the means of "
        "the spins; the selector's and QAMA's penalties for the number of chosen ones "
        "take a part of the range, which is what few bits cost them."
    )
    return {"rows": rows, "note": note}


SECTIONS = {"models": through_the_emulator}
