# SPDX-License-Identifier: Apache-2.0
"""QBMVAETransformer: an autoencoder whose code has a Boltzmann machine as prior."""

from numbers import Integral, Real

import networkx as nx
import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from qestim._sklearn import HasMethods, Interval, StrOptions, _fit_context
from qestim.estimators._negative import ExactMeans, PersistentChains, SampledChains
from qestim.estimators._spin_code import SpinCodeTransformer
from qestim.estimators._training import train
from qestim.nn import BoltzmannMachine, SpinVAE


class QBMVAETransformer(SpinCodeTransformer):
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

    Parameters
    ----------
    n_components : int, default=16
        Number of spins of the code.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        Law of a row given its spins: ``"gaussian"`` with a learned variance for each
        feature, or ``"bernoulli"`` for features in [0, 1].
    prior : {"rbm", "full", "bernoulli"}, networkx.Graph or list of pairs, \
            default="rbm"
        Which spins the machine couples: each of the first half with each of the
        second, all, none (the control without couplings), or the edges of a graph of
        ``0 .. n_components - 1``.
    kl_weight : float, default=0.1
        Weight of the divergence from the prior in training, dimensionless. At 0 the
        prior still learns the code's law but does not shape the code.
    sampler : dimod.Sampler, default=None
        Sampler of the negative phase: one of `qestim.samplers`, or a foreign one in
        `qestim.samplers.DimodSampler`. None leaves it to heat-bath chains; give an
        instance to tune its parameters as ``sampler__...``.
    negative_phase : {"auto", "pcd", "sampler"}, default="auto"
        ``"pcd"`` is persistent heat-bath chains, whether or not there is a sampler;
        ``"sampler"`` demands one; ``"auto"`` uses the sampler that is given.
    resample_every : int, default=10
        Minibatches between two calls of the sampler; heat-bath sweeps in between.
    n_hidden : int, default=256
        Width of the one hidden layer of encoder and decoder.
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
    device : str, default="auto"
        torch device of the fit; ``"auto"`` takes a GPU if there is one. The fitted
        model lives on the CPU.
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
        log Z of the prior: exact for small machines, else estimated by annealed
        importance sampling, then `log_partition_ess_` tells how well.
    log_partition_ess_ : float or None
        Effective number of the estimate's 256 chains; None where log Z is exact.
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
        it, and for a sampler the inverse temperature ``beta_eff`` of its last reads.
    n_features_in_ : int
        Number of features.

    See Also
    --------
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
        "likelihood": [StrOptions({"gaussian", "bernoulli"})],
        "prior": [StrOptions({"rbm", "full", "bernoulli"}), nx.Graph, list, tuple],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "sampler": [HasMethods("sample"), None],
        "negative_phase": [StrOptions({"auto", "pcd", "sampler"})],
        "resample_every": [Interval(Integral, 1, None, closed="left")],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
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
        negative_phase="auto",
        resample_every=10,
        n_hidden=256,
        learning_rate=2e-3,
        batch_size=64,
        max_iter=60,
        n_iter_no_change=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.likelihood = likelihood
        self.prior = prior
        self.kl_weight = kl_weight
        self.sampler = sampler
        self.negative_phase = negative_phase
        self.resample_every = resample_every
        self.n_hidden = n_hidden
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn networks and prior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        self : QBMVAETransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If the likelihood is "bernoulli" and a value lies outside [0, 1], or if
            ``negative_phase="sampler"`` comes without a sampler.
        """
        X = self._check(X, reset=True, observed=True)
        with self._threads():
            return self._fit(X)

    def _fit(self, X):
        if self.negative_phase == "sampler" and self.sampler is None:
            raise ValueError(
                "negative_phase='sampler' needs a sampler. Got sampler=None; give one "
                "of qestim.samplers, or set negative_phase='pcd'."
            )
        if isinstance(self.sampler, type):
            raise ValueError(
                "The 'sampler' parameter must be an instance. Got the class "
                f"{self.sampler.__name__}; write {self.sampler.__name__}()."
            )
        rng = check_random_state(self.random_state)
        device = self._device()
        seeds = rng.randint(2**31 - 1, size=4).tolist()
        weights = torch.Generator().manual_seed(seeds[0])
        noise = torch.Generator(device).manual_seed(seeds[1])
        # Of its own, so that the networks' noise does not depend on the sampler.
        heat = torch.Generator(device).manual_seed(seeds[2])
        self._score_seed = seeds[3]
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        self.scale_ = float(np.std(X, dtype=np.float64)) or 1.0
        rows, held_out = self._split(X)
        self.vae_ = SpinVAE(
            X.shape[1],
            self.n_components,
            n_hidden=self.n_hidden,
            likelihood=self.likelihood,
            generator=weights,
        ).to(device)
        try:
            self.prior_ = BoltzmannMachine(self.n_components, self.prior)
        except ValueError as error:
            raise ValueError(
                "The 'prior' parameter of QBMVAETransformer does not fit n_components="
                f"{self.n_components}: {error}"
            ) from error
        for parameter in self.prior_.parameters():  # some samplers refuse zeros
            torch.nn.init.normal_(parameter, 0, 0.01, generator=weights)
        self.prior_.to(device)
        phase = self._negative_phase(heat, rng)

        inputs, targets = (t.to(device, torch.float32) for t in self._standardise(rows))
        self.loss_curve_, self.validation_scores_ = train(
            self.vae_,
            self.prior_,
            phase,
            inputs,
            targets,
            kl_weight=self.kl_weight,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_iter=self.max_iter,
            validate=None
            if held_out is None
            else lambda: self._held_out(held_out, heat),
            patience=self.n_iter_no_change,
            generator=noise,
            verbose=self.verbose,
        )
        self.n_iter_ = len(self.loss_curve_)
        self.vae_.cpu().double().requires_grad_(False)
        self.prior_.cpu().double().requires_grad_(False)
        self._measure_partition()
        self.sampler_report_ = phase.report()
        if self.sampler_ is not None:
            phase.warn_of_mixing()
        self._n_features_out = self.n_components
        return self

    def _controls(self):
        """Return the cheap classical controls that `qestim.compare` sets beside."""
        plain = clone(self).set_params(sampler=None, negative_phase="pcd")
        return {
            "heat-bath chains, no sampler": plain,
            "no couplings (J = 0)": clone(plain).set_params(prior="bernoulli"),
        }

    def _split(self, X):
        """Return the rows to train on and those that tell when to stop, or None."""
        if self.n_iter_no_change is None or len(X) == 1:
            return X, None
        return train_test_split(X, test_size=0.1, random_state=self._score_seed)

    def _negative_phase(self, generator, rng):
        use = self.sampler is not None and self.negative_phase != "pcd"
        self.sampler_ = clone(self.sampler, safe=False) if use else None
        if use:
            return SampledChains(
                self.prior_, self.sampler_, self.resample_every, generator, rng
            )
        if len(self.prior_.J) == 0:
            return ExactMeans(self.prior_)
        return PersistentChains(self.prior_, generator)

    def _device(self):
        available = torch.cuda.is_available()
        name = self.device
        if name == "auto":
            name = "cuda" if available else "cpu"
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise ValueError(
                f"The 'device' parameter must be 'auto' or a torch device: {error}"
            ) from error
        if device.type == "cuda" and not available:
            raise ValueError(
                f"The 'device' parameter is {name!r}, but torch finds no GPU here; set "
                "it to 'auto' or 'cpu'."
            )
        return device

    def _measure_partition(self):
        generator = torch.Generator().manual_seed(self._score_seed)
        self.log_partition_, self.log_partition_ess_ = self.prior_.log_partition(
            generator=generator
        )

    def _held_out(self, X, generator):
        """Return the mean bound of the state in training."""
        log_z, _ = self.prior_.log_partition(
            max_states=2**12, n_chains=64, n_betas=100, generator=generator
        )
        return float(np.mean(self._bound(X, log_z)))
