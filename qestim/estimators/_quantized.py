# SPDX-License-Identifier: Apache-2.0
"""QuantizedQNNClassifier: a network of small integer weights, trained by QUBOs."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.auto import tqdm

from qestim._sklearn import Interval, StrOptions, _fit_context
from qestim.estimators._quantized_export import to_packed, to_torch
from qestim.estimators._quantized_network import ACTIVATIONS, softmax
from qestim.estimators._quantized_rows import hold_out
from qestim.estimators._quantized_training import SOLVERS, QuantizedClassifier
from qestim.estimators._sampler_parameter import NestedParameters, SamplerInstance
from qestim.samplers import SimulatedAnnealingSampler

_COLD = (1e6, 1e6)  # no flip uphill


class QuantizedQNNClassifier(NestedParameters, QuantizedClassifier):
    r"""Neural network with weights of a few bits, trained by Ising problems.

    Layers :math:`a_{l+1} = \sigma(s_l\, a_l W_l + b_l)` have small integer weights
    :math:`W_l`; the scale :math:`s_l` of a layer and the biases :math:`b_l` are real.
    Training minimises the cross-entropy of the softmax of the last layer. It visits
    one neuron after the other: with every activation held in the interval where it
    lies (the piece of the staircase or the ramp that forward interval propagation
    [1]_ marks with an indicator bit), the loss is to second order a quadratic form in
    the bits of the neuron's weights, summed over all rows, and so one dense Ising
    problem of ``n_inputs * weight_bits`` spins for the sampler. The best read is taken
    if the true loss falls, and only then. After each round scales and biases are
    fitted by gradient steps. In training the first layer's sums carry the noise that
    `input_noise` of the features would give them; this keeps margins wide, and is
    worth about a point of accuracy on the digits.

    Weights of one bit cannot make up for features of different sizes: put a
    `sklearn.preprocessing.StandardScaler` before this classifier.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(32,)
        Widths of the hidden layers; ``()`` is a linear classifier.
    weight_bits : int or "ternary", default=1
        Bits of a weight: b bits give the odd integers from ``1 - 2**b`` to
        ``2**b - 1`` (one bit: -1 and 1), ``"ternary"`` gives -1, 0 and 1.
    activation : {"relu", "hardtanh", "sign"}, default="relu"
        Activation of the hidden layers.
    solver : {"block", "fip", "bit_scale"}, default="block"
        How the weights are found: ``"block"`` is what is described above;
        ``"fip"`` puts all weights and rows into one exact problem
        (`qestim.qubo.FIPProblem`), for tiny data: beyond a hundred spins or so
        samplers fail. ``"bit_scale"`` shows the sampler one row and one bit of a
        neuron's weights at a time, at most 64 spins, with a proximal term: for devices
        of a few spins, with many more calls and less accuracy.
    sampler : dimod.Sampler, default=None
        Minimiser of the Ising problems: one of `qestim.samplers`, or a foreign one in
        `qestim.samplers.DimodSampler`. None is
        `SimulatedAnnealingSampler` with 2 reads of 30 sweeps ("block"), 1 of 10
        ("bit_scale") or 50 of 1000 ("fip"); give an instance to tune its parameters as
        ``sampler__...``.
    penalty : float, default=0.1
        Weight of the proximal term that holds the spins where they are, as a multiple
        of the mean curvature of a spin, dimensionless. It falls in the course of the
        fit while most blocks are accepted, and rises when few are. For "fip" it is
        the weight of the constraints, as a multiple of the one that makes them exact:
        1 is enough, and less leaves the sampler an easier problem.
    block_size : int, default=None
        Most spins of one call of the sampler; None takes all weights of a neuron
        ("block"), 64 ("bit_scale") or at most 2000 ("fip").
    input_noise : float or "auto", default="auto"
        Standard deviation of the noise in training, as a multiple of the features'
        own (root mean square over the features), dimensionless. "auto" is
        ``0.6 * (1 + 2 * min(1, n_features / n_rows))`` for "block", more where rows
        are few, and 0 for "bit_scale", which it would keep from learning. `partial_fit`
        takes features and rows of its first batch. "fip" adds none.
    max_iter : int, default=7
        Rounds over all neurons ("block") or rows ("bit_scale"), or calls of the
        sampler ("fip").
    early_stopping : bool, default=False
        Whether to hold rows out, to stop when their loss rises and to return to the
        best round.
    validation_fraction : float, default=0.1
        Share of the rows to hold out.
    n_iter_no_change : int, default=2
        Rounds without a better loss on the rows held out that end the training.
    n_estimators : int, default=1
        Networks trained from different first weights; their probabilities are averaged.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" gives all classes of `fit`, or of a batch of
        `partial_fit`, the same total.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    networks_ : list of QuantizedNetwork
        The fitted networks, one an estimator.
    weights_ : list of ndarray of shape (n_inputs, n_outputs), dtype int8 or int16
        Integer weights of each layer; with ``n_estimators`` above 1 of shape
        (n_estimators, n_inputs, n_outputs), and likewise the next two.
    scales_ : list of float
        Scale of each layer.
    biases_ : list of ndarray of shape (n_outputs,)
        Biases of each layer.
    input_noise_ : float
        The noise that was used.
    loss_curve_ : list of float
        Training loss after each round, nats a row, with the noise of that round;
        the networks one after another.
    validation_scores_ : list of float
        Minus the loss on the rows held out after each round; empty without
        ``early_stopping``.
    n_iter_ : int
        Rounds done, of all networks together.
    sampler_ : dimod.Sampler
        The sampler that was used.
    sampler_report_ : dict
        Its calls and reads, the wall-clock seconds spent in it, the calls whose answer
        was accepted and the most spins of one call.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X was a table with names.

    References
    ----------
    .. [1] Li et al., "Quantum-classical hybrid quantized neural network",
           arXiv:2506.18240 (2025). The frozen pattern and the quadratic form are
           derived in docs/guide/quantized_classifier.md.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from qestim import QuantizedQNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = QuantizedQNNClassifier((8,), random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> network.weights_[0].shape, sorted(set(network.weights_[0].ravel().tolist()))
    ((4, 8), [-1, 1])
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "weight_bits": [
            Interval(Integral, 1, 8, closed="both"),
            StrOptions({"ternary"}),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions(set(SOLVERS))],
        "sampler": [SamplerInstance(), None],
        "penalty": [Interval(Real, 0, None, closed="left")],
        "block_size": [Interval(Integral, 1, None, closed="left"), None],
        "input_noise": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        *,
        weight_bits=1,
        activation="relu",
        solver="block",
        sampler=None,
        penalty=0.1,
        block_size=None,
        input_noise="auto",
        max_iter=7,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=2,
        n_estimators=1,
        class_weight=None,
        random_state=None,
        verbose=0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.weight_bits = weight_bits
        self.activation = activation
        self.solver = solver
        self.sampler = sampler
        self.penalty = penalty
        self.block_size = block_size
        self.input_noise = input_noise
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.n_estimators = n_estimators
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None) -> Self:
        """Train from random first weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, in units in which the features are of about the same size.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; None means 1.

        Returns
        -------
        self : QuantizedQNNClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If there is one class only, no feature varies, or a value is too large or
            all are too small.
        """
        X, y, weight = self._check(X, y, sample_weight, reset=True)
        classes = np.unique(y)
        rows = self._rows(X, y, weight, classes)
        self._start(rows, classes)
        rows, held_out = (
            hold_out(rows, self.validation_fraction, self._rng)
            if self.early_stopping
            else (rows, None)
        )
        bar = tqdm(
            total=self.n_estimators * self.max_iter,
            desc=type(self).__name__,
            disable=not self.verbose,
        )
        with bar:
            for network in self.networks_:
                self._descend(network, rows, held_out, bar)
        self._weight_seen = float(weight.sum())
        self._publish()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
        """Make one round on a batch, close to the present weights.

        With "block" the penalty grows with the weight of what was seen so far, as a
        multiple of the batch's, and biases and scales are held likewise, so that a late
        batch changes little. "bit_scale" goes on with the memory of the rows before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Batch.
        y : array-like of shape (n_samples,)
            Its labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur; needed in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; None means 1.

        Returns
        -------
        self : QuantizedQNNClassifier
            The classifier.

        Raises
        ------
        ValueError
            If a label is not among the classes, or as `fit` does; after the first call
            a batch may hold one class and features that do not vary.
        """
        if self.solver == "fip":
            raise ValueError(
                "solver='fip' has no partial_fit: its problem holds all rows at once. "
                "Use fit, or solver='block'."
            )
        first = not hasattr(self, "networks_")
        X, y, weight = self._check(X, y, sample_weight, reset=first)
        if first:
            if classes is None:
                raise ValueError(
                    "The first call of partial_fit needs classes, all that will ever "
                    "occur. Got None; pass classes=np.unique(all_y)."
                )
        known = np.unique(classes) if classes is not None else self.classes_
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"The 'classes' of partial_fit must stay {self.classes_.tolist()}. Got "
                f"{known.tolist()}; leave them out after the first call."
            )
        rows = self._rows(X, y, weight, known)
        if first:
            self._start(rows, known)
        batch = float(weight.sum())
        for network in self.networks_:
            trainer = self._trainer(network, 1 + self._weight_seen / batch)
            if first:
                trainer.start(rows)
            self.loss_curve_.append(trainer.epoch(rows))
            self.sampler_report_["accepted"] += trainer.accepted
            self.n_iter_ += 1
        self._weight_seen += batch
        self._publish()
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self, "networks_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        self._check_magnitude(X)
        members = [softmax(network.forward(X.T)[-1]).T for network in self.networks_]
        return np.mean(members, axis=0)

    def predict(self, X) -> np.ndarray:
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Values of ``classes_``.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def to_torch(self) -> Any:
        """Return the fitted network as a torch module.

        Returns
        -------
        module : torch.nn.Module
            Maps float32 rows of shape (n, n_features) to logits of shape
            (n, n_classes); an ordinary module, to be traced, exported or tuned.
        """
        check_is_fitted(self, "networks_")
        return to_torch(self.networks_)

    def to_packed(self) -> Any:
        """Return the fitted network in packed bits.

        Returns
        -------
        packed : PackedQuantizedNetwork
            Predicts with numpy alone; ``packed.save(path)`` writes it without pickle,
            and ``packed.n_bytes`` is its size.
        """
        check_is_fitted(self, "networks_")
        return to_packed(self.networks_, self.classes_)

    def _controls(self):
        """Return the cheap classical controls that `qestim.compare` sets beside."""
        descent = SimulatedAnnealingSampler(num_reads=2, num_sweeps=3, beta_range=_COLD)
        idle = SimulatedAnnealingSampler(num_reads=1, num_sweeps=0)
        return {
            "greedy descent": clone(self).set_params(sampler=descent),
            "random spins": clone(self).set_params(sampler=idle),
        }
