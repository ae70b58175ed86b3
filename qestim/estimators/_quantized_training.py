# SPDX-License-Identifier: Apache-2.0
"""How a classifier of quantized networks is trained, whatever the solver."""

import time
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from qestim._sklearn import _check_sample_weight
from qestim.estimators._draw import make_draw, reads_of
from qestim.estimators._quantized_bit_scale import BitScaleDescent
from qestim.estimators._quantized_block import BlockDescent
from qestim.estimators._quantized_fip import ExactDescent
from qestim.estimators._quantized_network import QuantizedNetwork, cross_entropy
from qestim.estimators._quantized_packed import LARGEST
from qestim.estimators._quantized_rows import distinct_rows
from qestim.samplers import SimulatedAnnealingSampler

SOLVERS = {"block": BlockDescent, "fip": ExactDescent, "bit_scale": BitScaleDescent}

# Reads and sweeps of the default sampler.
_EFFORT = {"block": (2, 30), "fip": (50, 1000), "bit_scale": (1, 10)}

_NOISE = 0.6  # of the features, where there are many rows
_SMALLEST = 1e-30  # root mean square of the features; scales fit single precision


class QuantizedClassifier(ClassifierMixin, BaseEstimator):
    """Base class: rows, first weights, rounds and records.

    A subclass has the parameters of `qestim.QuantizedQNNClassifier`.
    """

    def _check(self, X, y, sample_weight, reset):
        X, y = validate_data(self, X, y, dtype=np.float64, reset=reset)
        check_classification_targets(y)
        self._check_magnitude(X)
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.class_weight is not None:
            present, codes = np.unique(y, return_inverse=True)
            factors = compute_class_weight(
                self.class_weight, classes=present, y=y, sample_weight=weight
            )
            weight = weight * factors[codes]
            if not ((weight >= 0) & (weight < np.inf)).all() or not weight.any():
                raise ValueError(
                    "The 'class_weight' parameter must hold finite weights of at least "
                    "0 and leave a row whose weight is above 0. Got "
                    f"{self.class_weight!r}."
                )
        return X, y, weight

    def _check_magnitude(self, X):
        top = np.abs(X).max()
        if top > LARGEST:
            raise ValueError(
                f"X must hold values of at most {LARGEST:g}. Got {top:g}; put a "
                "StandardScaler before the classifier."
            )

    def _rows(self, X, y, weight, classes):
        """Return distinct rows, their targets and their shares of the weight."""
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes. Got one class, "
                f"{classes.tolist()}."
            )
        unseen = np.setdiff1d(y, classes)
        if len(unseen):
            raise ValueError(
                f"y holds classes {unseen.tolist()}, which are not among the known "
                f"{classes.tolist()}. Name every class in the first call of "
                "partial_fit."
            )
        return distinct_rows(X, np.searchsorted(classes, y), weight, len(classes))

    def _start(self, rows, classes):
        """Make the networks and the records of a fit."""
        X = rows.X
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
        if (X == X[:, :1]).all():
            raise ValueError(
                "X must hold at least one feature that varies, in single precision. "
                f"Got {len(X)} features that are constant over {X.shape[1]} distinct "
                "rows; if they vary a little, put a StandardScaler before the "
                "classifier."
            )
        size = float(np.sqrt(np.mean(X.astype(np.float64) ** 2)))
        if size < _SMALLEST:
            raise ValueError(
                f"X must have a root mean square of at least {_SMALLEST:g}. Got "
                f"{size:g}; put a StandardScaler before the classifier."
            )
        num_reads, num_sweeps = _EFFORT[self.solver]
        self.sampler_ = (
            SimulatedAnnealingSampler(
                num_reads=num_reads, num_sweeps=num_sweeps, num_threads=1
            )
            if self.sampler is None
            else clone(self.sampler, safe=False)
        )
        if self.input_noise != "auto":
            self.input_noise_ = float(self.input_noise)
        elif self.solver == "block":
            self.input_noise_ = _NOISE * (1 + 2 * min(1.0, len(X) / X.shape[1]))
        else:  # noise on single rows hides what they say; "fip" has no place for it
            self.input_noise_ = 0.0
        self._spread = rows.spread()
        self._rng = check_random_state(self.random_state)
        self.classes_ = classes
        sizes = [len(X), *map(int, hidden), len(classes)]
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

    def _trainer(self, network, inertia=1.0):
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
            penalty=self.penalty,
            inertia=inertia,
            block_size=self.block_size,
            input_noise=self.input_noise_,
            spread=self._spread,
        )

    def _descend(self, network, rows, held_out, bar):
        """Train one network; keep its best state on the rows held out."""
        trainer = self._trainer(network)
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
