# SPDX-License-Identifier: Apache-2.0
"""How a classifier of quantized networks is trained, whatever the solver."""

import time
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from qestim._sklearn import _check_sample_weight
from qestim.estimators._draw import make_draw, reads_of
from qestim.estimators._quantized_bit_scale import BitScaleDescent
from qestim.estimators._quantized_block import BlockDescent
from qestim.estimators._quantized_fip import ExactDescent
from qestim.estimators._quantized_network import QuantizedNetwork, cross_entropy
from qestim.estimators._quantized_rows import distinct_rows
from qestim.samplers import SimulatedAnnealingSampler

SOLVERS = {"block": BlockDescent, "fip": ExactDescent, "bit_scale": BitScaleDescent}

# Reads and sweeps of the default sampler.
_EFFORT = {"block": (2, 30), "fip": (50, 1000), "bit_scale": (1, 10)}

_NOISE = 0.6  # of the features, where there are many rows
_LARGEST = 1e15  # of a feature; its square still fits single precision


class QuantizedClassifier(ClassifierMixin, BaseEstimator):
    """Base class: rows, first weights, rounds and records.

    A subclass has the parameters of `qestim.QuantizedQNNClassifier`.
    """

    def _check(self, X, y, sample_weight, reset):
        X, y = validate_data(self, X, y, dtype=np.float64, reset=reset)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, y)
        top = np.abs(X).max()
        if top > _LARGEST:
            raise ValueError(
                f"X must hold values of at most {_LARGEST:g}. Got {top:g}; put a "
                "StandardScaler before the classifier."
            )
        return X, y, weight

    def _rows(self, X, y, weight):
        """Return distinct rows, their targets and their shares of the weight."""
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes. Got one class, "
                f"{self.classes_.tolist()}."
            )
        unseen = np.setdiff1d(y, self.classes_)
        if len(unseen):
            raise ValueError(
                f"y holds classes {unseen.tolist()}, which are not among the known "
                f"{self.classes_.tolist()}. Name every class in the first call of "
                "partial_fit."
            )
        codes = np.searchsorted(self.classes_, y)
        return distinct_rows(X, codes, weight, len(self.classes_))

    def _start(self, X):
        """Make the networks and the records of a fit."""
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object))
        if hidden.ndim != 1 or not all(
            isinstance(width, Integral) and int(width) > 0 for width in hidden
        ):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter must hold positive integers. Got "
                f"{self.hidden_layer_sizes!r}."
            )
        if isinstance(self.sampler, type):
            raise ValueError(
                "The 'sampler' parameter must be an instance. Got the class "
                f"{self.sampler.__name__}; write {self.sampler.__name__}()."
            )
        num_reads, num_sweeps = _EFFORT[self.solver]
        self.sampler_ = (
            SimulatedAnnealingSampler(
                num_reads=num_reads, num_sweeps=num_sweeps, num_threads=1
            )
            if self.sampler is None
            else clone(self.sampler, safe=False)
        )
        scarcity = min(1.0, len(X) / X.shape[1])
        self.input_noise_ = (
            _NOISE * (1 + 2 * scarcity)
            if self.input_noise == "auto"
            else self.input_noise
        )
        self._rng = check_random_state(self.random_state)
        sizes = [len(X), *map(int, hidden), len(self.classes_)]
        size = float(np.sqrt(np.mean(X.astype(np.float64) ** 2))) or 1.0
        self.networks_ = [
            QuantizedNetwork(sizes, self.weight_bits, self.activation, size, self._rng)
            for _ in range(self.n_estimators)
        ]
        self._weight_seen = 0.0
        self.n_iter_ = 0
        self.loss_curve_, self.validation_scores_ = [], []
        self.sampler_report_ = {
            "solver": self.solver,
            "calls": 0,
            "reads": 0,
            "accepted": 0,
            "peak_spins": 0,
            "seconds": 0.0,
        }

    def _publish(self):
        """Set the weights, scales and biases that users read."""
        nets = self.networks_

        def stacked(parts):
            return parts[0] if len(parts) == 1 else np.stack(parts)

        layers = range(len(nets[0].weights))
        self.weights_ = [stacked([net.integers(k) for net in nets]) for k in layers]
        self.scales_ = [stacked([net.scales[k] for net in nets]) for k in layers]
        self.biases_ = [stacked([net.biases[k] for net in nets]) for k in layers]

    def _trainer(self, network, penalty):
        report = self.sampler_report_
        draw, seconds = make_draw(self.sampler_), time.perf_counter
        num_reads = reads_of(self.sampler_, 2)

        def recorded(h, J):
            start = seconds()
            spins = draw(h, J, num_reads, int(self._rng.randint(2**31 - 1)))
            report["seconds"] += seconds() - start
            report["calls"] += 1
            report["reads"] += len(spins)
            report["peak_spins"] = max(report["peak_spins"], len(h))
            return spins

        return SOLVERS[self.solver](
            network,
            recorded,
            self._rng,
            penalty=penalty,
            block_size=self.block_size,
            input_noise=self.input_noise_,
        )

    def _descend(self, network, rows, held_out, bar):
        """Train one network; keep its best state on the rows held out."""
        trainer = self._trainer(network, self.penalty)
        trainer.start(rows)
        best, since = None, 0
        for _ in range(self.max_iter):
            self.loss_curve_.append(trainer.epoch(rows))
            self.n_iter_ += 1
            bar.update()
            bar.set_postfix(loss=self.loss_curve_[-1], accepted=trainer.share)
            if held_out is None:
                continue
            logits = network.forward(held_out.X)[-1]
            loss = cross_entropy(logits, held_out.targets, held_out.share)
            self.validation_scores_.append(-loss)
            since += 1
            if best is None or loss < best[0]:
                best, since = (loss, network.state()), 0
            elif since >= self.n_iter_no_change:
                break
        self.sampler_report_["accepted"] += trainer.accepted
        if best is not None:
            network.restore(best[1])
