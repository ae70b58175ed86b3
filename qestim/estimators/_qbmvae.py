# SPDX-License-Identifier: Apache-2.0
"""QBMVAETransformer: an autoencoder whose code has a Boltzmann machine as prior."""

from numbers import Integral, Real
from typing import Self

import networkx as nx
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from qestim._sklearn import Interval, StrOptions, _fit_context
from qestim.estimators._fitting import TrainedSpinCode
from qestim.estimators._prior import CONTROLS, GRAPHS, BoltzmannPrior
from qestim.estimators._rows import Epochs
from qestim.estimators._sampler_parameter import NestedParameters, SamplerInstance
from qestim.estimators._saved import load_model, save_model
from qestim.nn import LIKELIHOODS


class QBMVAETransformer(NestedParameters, TrainedSpinCode):
    r"""Code of spins, learned by an autoencoder with a Boltzmann machine as prior.

    An encoder gives each row the probabilities of ``n_components`` independent spins,
    a decoder rebuilds the row from spins drawn with them, and a Boltzmann machine
    learns the law of the spins over the data. Training maximises

    .. math:: E_{q(s|x)}[\log p(x|s)] - \lambda\,
              \{E_{q(s|x)}[E_\theta(s)] - H(q(s|x)) + \log Z_\theta\}

    with :math:`\lambda` the ``kl_weight``. The energy under the posterior is exact;
    only the gradient of :math:`\log Z` needs spins drawn from the machine, and this is
    what the sampler is for. In training the encoder sees the rows with Gaussian noise
    of 0.8 times their standard deviation; this raises the bound on rows it never saw.
    Of counts it sees the logarithm at a common row sum, without noise but with a tenth
    of the hidden values dropped.

    Parameters
    ----------
    n_components : int, default=16
        Number of spins of the code.
    likelihood : {"gaussian", "bernoulli", "poisson", "nb", "zinb"}, \
            default="gaussian"
        Law of a row given its spins: ``"gaussian"`` with a learned variance for each
        feature (the encoder sees all at one scale: standardise features in different
        units first), ``"bernoulli"`` for features in [0, 1], or one of counts whose
        mean is the size of the row times a share of each feature: Poisson, negative
        binomial, negative binomial with inflated zeros.
    prior : BoltzmannPrior, {"rbm", "full", "bernoulli", "mixture", "gaussian"}, \
            networkx.Graph or list of pairs, default="rbm"
        Law of the code. A string or graph is short for ``BoltzmannPrior(graph=...)``:
        which spins the machine couples, or a control (no couplings; a mixture of
        independent spins; an ordinary autoencoder with Gaussian values). Give an
        instance to tune its parameters as ``prior__...``.
    kl_weight : float, default=0.1
        Weight of the divergence from the prior in training, dimensionless. At 0 the
        prior still learns the code's law but does not shape the code.
    sampler : dimod.Sampler, default=None
        Sampler of the negative phase: one of `qestim.samplers`, or a foreign one in
        `qestim.samplers.DimodSampler`. None leaves it to heat-bath chains; give an
        instance to tune its parameters as ``sampler__...``.
    n_hidden : int or tuple of int, default=256
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    learning_rate : float, default=2e-3
        Mean rate of the networks' steps; it rises and falls in the course of the fit.
    batch_size : int, default=64
        Rows of a minibatch.
    max_iter : int, default=60
        Epochs.
    n_iter_no_change : int, default=None
        Stop after so many epochs without a better bound on a tenth of the rows, held
        out, and return to the best state. It counts from the middle of `max_iter` on,
        when `kl_weight` has its full value. None trains on all rows to the end.
    batch_columns : list of column names or positions, default=None
        Columns of X that hold covariates, such as the batch of a cell, as labels. They
        are no features; the decoder alone is given them. Where X cannot hold them,
        give ``batch=`` to `fit`.
    warm_start : bool, default=False
        Whether a second fit begins with the networks, the prior and the scales of the
        first.
    device : str, default="auto"
        Device of the fit, as torch names it; ``"auto"`` takes a GPU if there is one.
        The fitted model lives on the CPU.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    vae_ : qestim.nn.SpinVAE
        The fitted networks, in double precision.
    prior_ : qestim.nn.BoltzmannMachine
        The fitted prior; ``prior_.to_bqm()`` gives it to any sampler.
    log_partition_ : float
        log Z of the prior: zero for a mixture or Gaussian values, exact for small
        machines, else the upper end of `log_partition_bounds_`, so that a score is not
        too high.
    log_partition_bounds_ : tuple of float
        Lower and upper bound of log Z, by annealed importance sampling both ways;
        equal where it is exact.
    log_partition_ess_ : float or None
        Effective number of the lower bound's 1024 chains; None where log Z is exact.
    diagnostics_ : dict
        Of at most 1024 rows of the fit: the bound ``elbo`` and its parts
        ``reconstruction``, ``divergence``, ``entropy`` and ``energy`` in nats a row;
        ``couplings_worth``, the divergence from the best factorised prior minus that
        from this one; ``marginal_gap`` and ``correlation_gap``, the largest difference
        in a mean and the root mean square in a product of two spins between draws of
        the prior and the codes; ``active_units``, spins that depend on the row;
        ``sharpness``, the share of spins that are nearly certain.
    loss_curve_ : list of float
        Training loss of the networks after each epoch, nats a row, without log Z.
    validation_scores_ : list of float
        Bound on the held-out rows after each epoch; empty without early stopping.
    n_iter_ : int
        Epochs done.
    sampler_ : dimod.Sampler or None
        The sampler that was used.
    sampler_report_ : dict
        The negative phase: its kind, calls and reads of the sampler, seconds spent in
        it, and for a sampler the inverse temperature ``beta_eff`` of its last reads
        and ``beta_eff_curve``, after each epoch.
    n_features_in_ : int
        Number of columns of X.
    batches_ : Batches or None
        The labels seen in the fit, ``batches_.categories``, and their shares.

    See Also
    --------
    BoltzmannPrior : Parameters of the prior and of the negative phase.
    sklearn.neural_network.BernoulliRBM : Boltzmann machine on the data themselves.

    References
    ----------
    .. [1] Rolfe, "Discrete variational autoencoders", ICLR 2017. arXiv:1609.02200
    .. [2] Khoshaman et al., "Quantum variational autoencoder", Quantum Science and
           Technology 4, 014001 (2018). doi:10.1088/2058-9565/aada1f

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qestim import QBMVAETransformer
    >>> X, _ = load_iris(return_X_y=True)
    >>> code = QBMVAETransformer(4, max_iter=5, random_state=0).fit_transform(X)
    >>> code.shape
    (150, 4)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "likelihood": [StrOptions(set(LIKELIHOODS))],
        "prior": [
            BoltzmannPrior,
            StrOptions({*GRAPHS, *CONTROLS}),
            nx.Graph,
            list,
            tuple,
        ],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "sampler": [SamplerInstance(), None],
        "n_hidden": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "batch_columns": [list, tuple, str, None],
        "warm_start": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=16,
        *,
        likelihood="gaussian",
        prior="rbm",
        kl_weight=0.1,
        sampler=None,
        n_hidden=256,
        learning_rate=2e-3,
        batch_size=64,
        max_iter=60,
        n_iter_no_change=None,
        batch_columns=None,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
    ) -> None:
        self.n_components = n_components
        self.likelihood = likelihood
        self.prior = prior
        self.kl_weight = kl_weight
        self.sampler = sampler
        self.n_hidden = n_hidden
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.batch_columns = batch_columns
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, batch=None, size_factor=None) -> Self:
        """Learn networks and prior.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features), or chunks
            Data. A sparse matrix is made dense a minibatch at a time; its arrays may
            be memory maps. Chunks are a function without arguments that gives tables
            one after the other, or an iterable that begins anew each time; each is
            ``X``, ``(X, batch)`` or ``(X, batch, size_factor)``. They are read once
            before the training and once an epoch.
        y : Ignored
            Not used, present by convention.
        batch : array-like of shape (n_samples,) or (n_samples, n_covariates), \
                default=None
            Labels of categorical covariates that the decoder is given.
        size_factor : array-like of shape (n_samples,), default=None
            Sizes of rows of counts, in any unit; None is the sums of the rows.

        Returns
        -------
        self : QBMVAETransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If the likelihood does not allow a value of X: outside [0, 1] for
            "bernoulli", negative for counts; or if ``negative_phase="sampler"`` comes
            without a sampler.
        """
        known = self.warm_start and hasattr(self, "vae_")
        tables, lengths = self._prepare(X, batch, size_factor, known=known)
        with self._threads(), self._undone_by_errors(known):
            trainer, heat = self._begin(known)
            return self._fit(trainer, tables, lengths, heat)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, batch=None, size_factor=None) -> Self:
        """Train once through more rows.

        The first call learns the scales, and its batches are all that may follow; the
        weight of the divergence rises over the first 400 minibatches. After a `fit` it
        goes on from there, at the whole weight. Where it raises, or is interrupted, the
        model stays what it was before the call.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features), or chunks
            Data, as `fit` takes it.
        y : Ignored
            Not used, present by convention.
        batch : array-like of shape (n_samples,) or (n_samples, n_covariates), \
                default=None
            Labels of categorical covariates, among those of the first call.
        size_factor : array-like of shape (n_samples,), default=None
            Sizes of rows of counts, in any unit; None is the sums of the rows.

        Returns
        -------
        self : QBMVAETransformer
            The transformer, fitted to what it has seen.
        """
        known = hasattr(self, "vae_")
        tables, lengths = self._prepare(X, batch, size_factor, known=known)
        with self._threads(), self._undone_by_errors(known):
            trainer = getattr(self, "_trainer", None)
            if trainer is None:
                trainer = self._trainer = self._begin(known)[0]
                trainer.steps = self._n_steps if known else 0
            self._to(trainer.generator.device, torch.float32)
            epochs = Epochs(tables, lengths, self.batch_size, trainer.generator)
            loss = trainer.partial_fit(epochs)
            self._n_steps = trainer.steps
            self.loss_curve_ = [*getattr(self, "loss_curve_", []), loss]
            self.validation_scores_ = []
            self.n_iter_ = len(self.loss_curve_)
            return self._finish(trainer, tables)

    def _controls(self):
        """Return the cheap classical controls that `qestim.compare` sets beside."""
        settings = self._settings().set_params(negative_phase="auto")
        plain = clone(self).set_params(sampler=None, prior=settings)
        uncoupled = clone(settings).set_params(graph="bernoulli")
        return {
            "heat-bath chains, no sampler": plain,
            "no couplings (J = 0)": clone(plain).set_params(prior=uncoupled),
        }

    def save(self, path) -> None:
        """Write the fitted model to one safetensors file, without pickle.

        Tensors are the file's tensors; parameters and figures are JSON in its header.

        Parameters
        ----------
        path : str or path
            Where to.

        Raises
        ------
        ValueError
            If a parameter is an object that JSON cannot hold: a foreign sampler or a
            RandomState.
        """
        check_is_fitted(self)
        save_model(self, path)

    @classmethod
    def load(cls, path) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        path : str or path
            Where from.

        Returns
        -------
        model : QBMVAETransformer
            Fitted.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        return load_model(cls, path)

    def __getstate__(self):
        # The optimisers of partial_fit stay behind; a copy begins with new ones.
        return {**super().__getstate__(), "_trainer": None}
