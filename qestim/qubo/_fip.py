# SPDX-License-Identifier: Apache-2.0
"""Training a quantized network as one exact quadratic form."""

from functools import cached_property
from numbers import Integral, Real

import dimod
import numpy as np

from qestim._sklearn import Interval, StrOptions, validate_parameter_constraints
from qestim.qubo._arrays import IsingArrays
from qestim.qubo._fip_form import ExactForm, Labels, to_bqm, to_ising
from qestim.qubo._fip_inputs import (
    check_integers,
    check_penalty,
    check_scales,
    check_weights,
    check_widths,
)
from qestim.qubo._fip_layers import Layers, widest_reach
from qestim.qubo._fip_loss import highest_losses, make_loss
from qestim.qubo._fip_network import WeightCode, input_reaches
from qestim.qubo._fip_size import SizeReport, check_memory, size_report
from qestim.qubo._problem import Problem
from qestim.qubo._spline import ACTIVATIONS, Spline


class FIPProblem(Problem):
    r"""Training of a quantized network by forward interval propagation.

    The network has integer inputs and weights; an activation is a staircase or a
    piecewise-linear spline. For each sample bits mark the interval in which every
    pre-activation lies. The quadratic form

    .. math:: \sum_n \Big( f_n + \lambda_n \big(\textstyle\sum_r r^2
              + \sum_{p = xy} (3p + xy - 2xp - 2yp) \big) \Big)

    has the loss :math:`f_n`, the residuals r that place a pre-activation in its
    interval, and the products p of weight bits and activation bits. Minimised over the
    auxiliary bits it equals the loss of the network, for every setting of the weights.

    This is a method for small problems: every sample adds bits. Look at
    `size_report` first; ``QuantizedQNNClassifier`` trains on real data.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Integers; `quantize_inputs` makes them of numbers.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Numbers for "squared"; -1 and 1 for a loss of the margin, a column an output
        (one class against the rest); classes 0, 1, ... for "cross_entropy".
    hidden_layer_sizes : tuple of int, default=(2,)
        Units of each hidden layer; ``()`` for none.
    weight_bits : int or "ternary", default=1
        With b bits the weights are the odd integers from :math:`1 - 2^b` to
        :math:`2^b - 1`; ternary ones are -1, 0, 1, and 0 has two codes.
    activation : str, callable or Spline, default="sign"
        A name in `ACTIVATIONS`, a function from ndarray to ndarray, or a spline.
    loss : str, callable or Spline, default="squared"
        "squared", "zero_one" (margin 0 is an error), "hinge", "logistic",
        "cross_entropy" (softmax) or a function of minus the margin.
    encoding : {"threshold", "onehot"}, default="threshold"
        A bit for each threshold passed, or one for each interval, all equally wide.
    pieces : int, default=8
        Pieces of the spline of the activation.
    degree : {0, 1} or None, default=None
        Constant or linear pieces of the activation; None means what suits it.
    loss_pieces, loss_degree : int, default=8 and 1
        The same for the loss; a degree of 0 or 1.
    bias : bool, default=True
        Whether every layer has a constant input 1. The last weight of a row is its.
    weight_scale : float or array-like of shape (n_layers,), default=1.0
        Real value of an integer weight of one, dimensionless.
    input_step : float, default=1.0
        Real value of an integer input of one, in the units of X.
    activation_step : float or None, default=None
        Real value of one in the integer activations. None: the coarsest for the spline.
    memory_limit : int, default=2147483648
        Bytes that building may take.

    Attributes
    ----------
    layers : Layers
        Tables, units and intervals of the layers.
    log_networks : float
        Natural logarithm of the number of networks, for `generalization_bound`.
    variables : list of tuple
        Labels: ``("w", layer, unit, input, bit)``, then for each sample n
        ``(kind, n, layer, piece, unit, ...)`` with the kinds "beta" (a threshold
        passed), "h" (an interval), "s" (slack), "q" (slack in an interval) and "p" (a
        weight bit times a bit of an activation).

    Raises
    ------
    ValueError
        If X holds no integers, y does not suit the loss, a parameter is out of range,
        or building would take more than ``memory_limit``.

    Notes
    -----
    With b bits a weight, layers of :math:`n_0, n_1, \dots` units (:math:`n_0` with the
    constant input) and M pieces of an activation with D lattice points at most, the
    weights take :math:`b \sum_l (n_l + 1) n_{l+1}` bits; with the threshold encoding a
    staircase takes :math:`(M - 1)(1 + \log_2 D)` a unit and sample, and each pair of
    units of successive hidden layers :math:`b (M - 1)` products (see `size_report`).

    The default penalty is sure for all weights: the highest loss of a sample, minus
    the lowest that inconsistent bits could feign. Energies carry rounding of penalty
    times :math:`D^2`.

    References
    ----------
    .. [1] Li et al., "Quantum-classical hybrid quantized neural network",
       arXiv:2506.18240 (2025). Formulas derived in docs/guide/quantized.md.

    Examples
    --------
    Two hidden units of sign learn XOR:

    >>> from qestim.qubo import FIPProblem
    >>> from qestim.samplers import SimulatedAnnealingSampler
    >>> X, y = [[1, 1], [1, -1], [-1, 1], [-1, -1]], [-1, 1, 1, -1]
    >>> problem = FIPProblem(X, y, hidden_layer_sizes=(2,))
    >>> problem.size_report().variables
    33
    >>> sampler = SimulatedAnnealingSampler(num_reads=100, seed=0)
    >>> weights = problem.decode(sampler.sample(problem.to_bqm()).first.sample)
    >>> problem.objective(weights)
    0.0
    """

    _parameter_constraints: dict = {
        "weight_bits": [
            Interval(Integral, 1, 16, closed="both"),
            StrOptions({"ternary"}),
        ],
        "activation": [StrOptions(set(ACTIVATIONS)), callable, Spline],
        "encoding": [StrOptions({"threshold", "onehot"})],
        "pieces": [Interval(Integral, 1, None, closed="left")],
        "degree": [Interval(Integral, 0, 1, closed="both"), None],
        "loss_pieces": [Interval(Integral, 1, None, closed="left")],
        "loss_degree": [Interval(Integral, 0, 1, closed="both")],
        "bias": ["boolean"],
        "weight_scale": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "input_step": [Interval(Real, 0, None, closed="neither")],
        "activation_step": [Interval(Real, 0, None, closed="neither"), None],
        "memory_limit": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        X,
        y,
        hidden_layer_sizes=(2,),
        *,
        weight_bits=1,
        activation="sign",
        loss="squared",
        encoding="threshold",
        pieces=8,
        degree=None,
        loss_pieces=8,
        loss_degree=1,
        bias=True,
        weight_scale=1.0,
        input_step=1.0,
        activation_step=None,
        memory_limit=2**31,
    ) -> None:
        options = {
            "weight_bits": weight_bits,
            "activation": activation,
            "encoding": encoding,
            "pieces": pieces,
            "degree": degree,
            "loss_pieces": loss_pieces,
            "loss_degree": loss_degree,
            "bias": bias,
            "weight_scale": weight_scale,
            "input_step": input_step,
            "activation_step": activation_step,
            "memory_limit": memory_limit,
        }
        validate_parameter_constraints(
            self._parameter_constraints, options, caller_name="FIPProblem"
        )
        X = check_integers(X)
        if bias:
            X = np.hstack([X, np.full((len(X), 1), max(1, round(1 / input_step)))])
        self.X = X
        self.loss = make_loss(loss, y, len(X))
        self.encoding, self.memory_limit = encoding, memory_limit
        widths = (X.shape[1], *check_widths(hidden_layer_sizes), self.loss.n_outputs)
        options["weight_scale"] = check_scales(weight_scale, len(widths) - 1)
        code = WeightCode.of(weight_bits)
        first, self._group = input_reaches(X, code)
        self.layers = Layers(widths, code, widest_reach(first), options)
        last = self.layers.reaches[-1]
        self.loss.prepare(self.layers.units[-1], last, loss_pieces, loss_degree)
        self._reaches = [self.layers.walk(reach) for reach in first]
        self.log_networks = self.layers.log_networks

    def losses(self, weights) -> np.ndarray:
        """Return the loss of each sample for the network that is encoded.

        Parameters
        ----------
        weights : list of array-like of shape (n_out, n_in), dtype int
            Weights of each layer; the last column is that of the constant input.

        Returns
        -------
        losses : ndarray of shape (n_samples,), dtype float64
            In the units of the loss.
        """
        return self.loss.value(self.layers.forward(self.X, self._checked(weights)))

    def objective(self, solution) -> float:
        """Return the sum of the losses, by a forward pass in integers.

        Parameters
        ----------
        solution : list of array-like of shape (n_out, n_in), dtype int
            Weights of each layer.

        Returns
        -------
        value : float
            The sum over the samples, in the units of the loss.
        """
        return float(self.losses(solution).sum())

    def true_objective(self, solution) -> float:
        """Return the sum of the losses with the functions that the splines stand for.

        Parameters
        ----------
        solution : list of array-like of shape (n_out, n_in), dtype int
            Weights of each layer.

        Returns
        -------
        value : float
            Within `error_bound` of `objective`.
        """
        outputs = self.layers.true_forward(self.X, self._checked(solution))
        return float(self.loss.true(outputs).sum())

    def error_bound(self, input_error=0.0) -> float:
        """Bound the distance of `objective` to `true_objective`, for all weights.

        Parameters
        ----------
        input_error : float, default=0.0
            Greatest distance of an input to the number it stands for, as
            `quantize_inputs` gives it; then the bound holds for those numbers.

        Returns
        -------
        bound : float
            In the units of the loss.

        References
        ----------
        Derived in docs/guide/quantized.md.
        """
        off = self.layers.output_error(input_error)
        off = np.full((len(self.X), self.loss.n_outputs), off)
        return float(self.loss.error(off, self._highest).sum())

    def size_report(self) -> SizeReport:
        """Return how many variables and couplings there are, without building them.

        Returns
        -------
        report : SizeReport
            By weights, sample and layer, with the memory that building takes.
        """
        parts = self.layers, self.loss, self.encoding, self._reaches, self._group
        return size_report(*parts)

    def penalty_bound(self) -> np.ndarray:
        """Return the least penalties that are sure to keep the form exact.

        Returns
        -------
        penalty : ndarray of shape (n_samples, n_parts), dtype float64
            In the units of the loss. A part is an output, or the whole loss where
            outputs do not simply add up; what all outputs share weighs their sum. In
            the last spline of a loss a residual weighs only what one step can gain.

        References
        ----------
        Derived in docs/guide/quantized.md.
        """
        return self._highest - self._form.lowest

    variables = property(lambda self: self._form.variables)

    def to_bqm(self, penalty="auto") -> dimod.BinaryQuadraticModel:
        """Return the quadratic form as a BINARY model.

        Parameters
        ----------
        penalty : float, array-like of shape (n_samples, n_parts) or "auto"
            A number weighs every constraint, in the units of the loss; an array the
            parts of each sample, where constraints that can gain less weigh less.
            "auto" means the array `penalty_bound`.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            Variables as in `variables`.
        """
        return to_bqm(self._qubo(penalty), self.variables)

    def to_arrays(self, penalty="auto") -> IsingArrays:
        """Return the quadratic form as arrays for spins, the fastest way out.

        Parameters
        ----------
        penalty : float, array-like of shape (n_samples, n_parts) or "auto"
            As in `to_bqm`.

        Returns
        -------
        model : IsingArrays
            Of the spins 2x - 1, in the order of `variables`.
        """
        return to_ising(self._qubo(penalty), Labels(self._form))

    def to_cqm(self) -> dimod.ConstrainedQuadraticModel:
        """Return the loss under linear constraints.

        Returns
        -------
        cqm : dimod.ConstrainedQuadraticModel
            An equality for each residual; p <= x, p <= y, p >= x + y - 1 a product.
        """
        return self._form.cqm()

    def encode(self, solution) -> dict:
        """Return the weight bits of a network and all bits that follow from them.

        Parameters
        ----------
        solution : list of array-like of shape (n_out, n_in), dtype int
            Weights of each layer.

        Returns
        -------
        sample : dict of tuple to int
            Bits in {0, 1}, by forward propagation.
        """
        bits = self._form.consistent(self._checked(solution))
        return dict(zip(self.variables, bits.tolist(), strict=True))

    def decode(self, sample) -> list:
        """Return the weights of an assignment; the auxiliary bits do not matter.

        Parameters
        ----------
        sample : mapping of tuple to int
            Bits in {0, 1} or spins in {-1, 1}, of the weights at least.

        Returns
        -------
        solution : list of ndarray of shape (n_out, n_in), dtype int64
            Weights of each layer.
        """
        return self._form.weights(sample)

    @cached_property
    def _form(self):
        report = self.size_report()
        check_memory(report, self.memory_limit)
        return ExactForm(
            self.X,
            self.layers,
            self.loss,
            self.encoding,
            self._reaches,
            self._group,
            report,
        )

    @cached_property
    def _highest(self):
        return highest_losses(self.loss, self._reaches, self._group)

    def _qubo(self, penalty):
        bound = self.penalty_bound()
        if isinstance(penalty, str) and penalty == "auto":
            penalty = bound
        weight = check_penalty(penalty, bound.shape)
        return self._form.qubo(weight, None if np.ndim(penalty) == 0 else bound)

    def _checked(self, weights):
        return check_weights(weights, self.layers)
