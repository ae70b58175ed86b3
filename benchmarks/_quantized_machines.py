# SPDX-License-Identifier: Apache-2.0
"""The classifier of few bits: what the machine behind it buys, and what it costs."""

import time

import numpy as np
from _paired import bracketed
from _quantized_accuracy import folds
from _straight_through import StraightThrough
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from qestim import QuantizedQNNClassifier
from qestim.estimators._quantized_block import BlockDescent
from qestim.estimators._quantized_network import QuantizedNetwork
from qestim.estimators._quantized_rows import distinct_rows
from qestim.samplers import CIMSampler, SimulatedAnnealingSampler

ROUNDS = 7


class EightBits(SimulatedAnnealingSampler):
    """The default sampler behind couplings of 8 bits, the sign included."""

    def sample_arrays(self, J, h=None, **parameters):
        step = max(np.abs(J).max(), np.abs(h).max()) / 127
        return super().sample_arrays(
            np.rint(J / step) * step, np.rint(h / step) * step, **parameters
        )


class Candidates(BlockDescent):
    """Block descent that takes its candidates from a function of (h, J, old)."""

    candidates = None

    def _candidates(self, h, J, old):
        return self.candidates(h, J, old)


def greedy_sweep(h, J, old):
    """Visit each spin once, flip it where that lowers the energy."""
    spins = old.copy()
    for i in range(len(spins)):
        if spins[i] * (h[i] + J[i] @ spins) > 0:
            spins[i] = -spins[i]
    return spins[None]


def sign_flips(h, J, old):
    """Flip the eighth of the spins of the best linear gain, where there is one."""
    gain = old * (h + J @ old)
    flipped = np.argsort(-gain)[: max(1, len(old) // 8)]
    spins = old.copy()
    spins[flipped[gain[flipped] > 0]] *= -1
    return spins[None]


def single_flip(h, J, old):
    """Flip the one spin of the best gain."""
    spins = old.copy()
    best = np.argmax(old * (h + J @ old))
    spins[best] = -spins[best]
    return spins[None]


def descend(X, y, seed, noise, candidates):
    """Train the classifier's network with candidates from a function."""
    rng = np.random.RandomState(seed)
    rows = distinct_rows(X, y, np.ones(len(y)), 10)
    size = float(np.sqrt(np.mean(rows.X**2)))
    network = QuantizedNetwork([X.shape[1], 32, 10], 1, "relu", size, rng)
    defaults = QuantizedQNNClassifier()
    trainer = Candidates(
        network,
        None,
        rng,
        penalty=defaults.penalty,
        block_size=None,
        inertia=1.0,
        input_noise=noise,
        spread=rows.spread(),
    )
    trainer.candidates = candidates
    trainer.start(rows)
    for _ in range(ROUNDS):
        trainer.epoch(rows)
    return network


def worth(quick):
    """Samplers and cheap rules in the same block descent."""
    X, y = load_digits(return_X_y=True)
    rules = {
        "greedy sweep (control)": greedy_sweep,
        "sign flips (control)": sign_flips,
        "single flip (control)": single_flip,
    }
    samplers = {
        "simulated annealing (default)": None,
        "coherent Ising machine": CIMSampler(num_reads=2, num_threads=1),
    }
    found = {name: ([], []) for name in (*samplers, *rules)}
    for seed in range(1 if quick else 10):
        train, test, y_train, y_test = train_test_split(
            X, y, test_size=0.2, stratify=y, random_state=seed
        )
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
        for name, sampler in samplers.items():
            start = time.process_time()
            model = QuantizedQNNClassifier(
                sampler=sampler, max_iter=ROUNDS, random_state=seed
            ).fit(train, y_train)
            found[name][1].append(time.process_time() - start)
            found[name][0].append(model.score(test, y_test))
        for name, rule in rules.items():
            start = time.process_time()
            network = descend(train, y_train, seed, model.input_noise_, rule)
            found[name][1].append(time.process_time() - start)
            said = network.forward(test.T)[-1].argmax(axis=0)
            found[name][0].append(float(np.mean(said == y_test)))
    ours = found["simulated annealing (default)"][0]
    return {
        "rows": [
            {
                "candidates": name,
                "accuracy": float(np.mean(scores)),
                "sd": float(np.std(scores)),
                "annealing minus it [95 %]": ""
                if quick or scores is ours
                else bracketed(np.subtract(ours, scores), 4, 1 / 4),
                "cpu seconds": float(np.mean(seconds)),
            }
            for name, (scores, seconds) in found.items()
        ],
        "note": f"digits 64-32-10, 1 bit, 10 splits 80/20, {ROUNDS} rounds of 42 "
        "subproblems each; whatever proposes, the same acceptance test decides.",
    }


def cost(quick):
    """One fit, 8-bit couplings, small blocks, and the exported predictor."""
    X, y = load_digits(return_X_y=True)
    variants = {
        "defaults": {},
        "8-bit couplings": {
            "sampler": EightBits(num_reads=2, num_sweeps=30, num_threads=1)
        },
        "block_size=16": {"block_size": 16},
    }
    found = {name: ([], []) for name in variants}
    for fold, train, y_train, test, y_test in folds(X, y, 1 if quick else 10):
        for name, changes in variants.items():
            start = time.process_time()
            model = QuantizedQNNClassifier(random_state=fold, **changes)
            model.fit(train, y_train)
            found[name][1].append(time.process_time() - start)
            found[name][0].append(model.score(test, y_test))
    ours = found["defaults"][0]
    goals = dict.fromkeys(variants, "loses <= 0.01") | {"defaults": "<= 1.5 s"}
    return {
        "rows": [
            {
                "variant": name,
                "accuracy": float(np.mean(scores)),
                "minus defaults [95 %]": ""
                if quick or scores is ours
                else bracketed(np.subtract(scores, ours), 4, 1 / 4),
                "cpu seconds, median": float(np.median(seconds)),
                "goal": goals[name],
            }
            for name, (scores, seconds) in found.items()
        ],
        "note": "digits 64-32-10, first 10 of the 25 folds, one thread.",
    }


def exports(quick):
    """Size and speed of the exported predictors beside a network of real weights."""
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    model = QuantizedQNNClassifier(max_iter=2, random_state=0).fit(X, y)
    real = MLPClassifier((32,), max_iter=20, early_stopping=True, random_state=0)
    real.fit(X, y)
    import torch

    module, tensor = model.to_torch(), torch.as_tensor(X)
    packed = model.to_packed()

    def in_torch(_):
        with torch.no_grad():
            return module(tensor)

    calls = {
        "packed bits, numpy alone": (packed.predict_proba, packed.n_bytes),
        "torch module": (in_torch, sum(p.nbytes for p in module.parameters())),
        "QuantizedQNNClassifier": (model.predict_proba, ""),
        "scikit-learn MLPClassifier": (
            real.predict_proba,
            sum(a.nbytes for a in (*real.coefs_, *real.intercepts_)),
        ),
    }
    rows = []
    for name, (call, size) in calls.items():
        seconds = []
        for _ in range(5 if quick else 50):
            start = time.process_time()
            call(X)
            seconds.append(time.process_time() - start)
        rows.append(
            {
                "predictor": name,
                "bytes": size,
                "rows a cpu second": float(len(X) / np.median(seconds)),
            }
        )
    return {"rows": rows, "note": "digits 64-32-10, 1,797 rows a call."}


def one_row(quick):
    """Batch size 1: single rows to a machine of at most 64 spins."""
    X, y = load_digits(return_X_y=True)
    sampler = SimulatedAnnealingSampler(num_reads=1, num_sweeps=10, num_threads=1)
    models = {
        "bit_scale": lambda seed: QuantizedQNNClassifier(
            solver="bit_scale",
            sampler=sampler,
            input_noise=0.0,
            max_iter=6,
            random_state=seed,
        ),
        "straight-through, batch 1": lambda seed: StraightThrough(
            batch_size=1, epochs=6, rate=0.01, random_state=seed
        ),
        "sign-SGD, batch 1": lambda seed: StraightThrough(
            batch_size=1, epochs=6, rate=0.01, rule="sign", random_state=seed
        ),
    }
    found = {name: ([], [], [], []) for name in models}
    for fold, train, y_train, test, y_test in folds(X, y, 1 if quick else 3):
        if quick:
            train, y_train = train[:200], y_train[:200]
        for name, make in models.items():
            start = time.process_time()
            model = make(fold).fit(train, y_train)
            report = getattr(model, "sampler_report_", {})
            facts = (
                model.score(test, y_test),
                time.process_time() - start,
                report.get("calls", 0),
                report.get("peak_spins", 0),
            )
            for column, fact in zip(found[name], facts, strict=True):
                column.append(fact)
    return {
        "rows": [
            {
                "model": name,
                "accuracy": float(np.mean(scores)),
                "least": float(np.min(scores)),
                "cpu seconds": float(np.mean(seconds)),
                "sampler calls": int(np.mean(calls)),
                "peak spins": int(np.max(spins)),
                "goal": ">= 0.90, <= 64 spins" if name == "bit_scale" else "",
            }
            for name, (scores, seconds, calls, spins) in found.items()
        ],
        "note": "digits 64-32-10, 1 bit, first 3 of the 25 folds, 6 passes over the "
        "rows. sign-SGD: every latent weight moves by the rate times the sign of the "
        "gradient.",
    }


SECTIONS = {
    "Classifier: the sampler's worth": worth,
    "Classifier: one fit, coarse couplings, small blocks": cost,
    "Classifier: exported predictors": exports,
    "Classifier: one row at a time": one_row,
}
