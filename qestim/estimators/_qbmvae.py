# SPDX-License-Identifier: Apache-2.0
"""QBMVAETransformer: an autoencoder whose code has a Boltzmann machine as prior."""

from numbers import Integral, Real

import networkx as nx
import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qestim._sklearn import HasMethods, Interval, StrOptions, _fit_context
from qestim.estimators._negative import ExactMeans, PersistentChains, SampledChains
from qestim.estimators._training import train
from qestim.nn import BoltzmannMachine, SpinVAE, evidence_bound

_CHUNK = 512  # rows encoded and decoded at a time


class QBMVAETransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    r"""Code of spins, learned by an autoencoder with a Boltzmann machine as prior.

    An encoder gives each row the probabilities of ``n_components`` independent spins,
    a decoder rebuilds the row from spins drawn with them, and a Boltzmann machine
    learns the law of the spins over the data. Training maximises

    .. math:: E_{q(s|x)}[\log p(x|s)] - \lambda\,
              \{E_{q(s|x)}[E_\theta(s)] - H(q(s|x)) + \log Z_\theta\}

    with :math:`\lambda` the ``kl_weight``. The energy under the posterior is exact;
    only the gradient of :math:`\log Z` needs spins drawn from the machine, and this is
    what the sampler is for.

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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

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
        if self.negative_phase == "sampler" and self.sampler is None:
            raise ValueError(
                "negative_phase='sampler' needs a sampler. Got sampler=None; give one "
                "of qestim.samplers, or set negative_phase='pcd'."
            )
        rng = check_random_state(self.random_state)
        device = torch.device(
            self.device
            if self.device != "auto"
            else ("cuda" if torch.cuda.is_available() else "cpu")
        )
        seeds = rng.randint(2**31 - 1, size=3).tolist()
        weights = torch.Generator().manual_seed(seeds[0])
        noise = torch.Generator(device).manual_seed(seeds[1])
        self._score_seed = seeds[2]
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        self.scale_ = float(np.std(X, dtype=np.float64)) or 1.0
        held_out, rows = None, X
        if self.n_iter_no_change is not None and len(X) > 1:
            rows, held_out = train_test_split(X, test_size=0.1, random_state=seeds[2])
        self.vae_ = SpinVAE(
            X.shape[1],
            self.n_components,
            n_hidden=self.n_hidden,
            likelihood=self.likelihood,
            generator=weights,
        ).to(device)
        self.prior_ = BoltzmannMachine(self.n_components, self.prior).to(device)
        phase = self._negative_phase(noise, rng)

        def validate():
            return self._held_out(held_out, noise)

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
            else lambda: self._held_out(held_out, noise),
            patience=self.n_iter_no_change,
            generator=noise,
            verbose=self.verbose,
        )
        self.n_iter_ = len(self.loss_curve_)
        self.vae_.cpu().double().requires_grad_(False)
        self.prior_.cpu().double().requires_grad_(False)
        self._measure_partition()
        self.sampler_report_ = phase.report()
        self._n_features_out = self.n_components
        return self

    def transform(self, X):
        """Return the means of the spins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        code : ndarray of shape (n_samples, n_components)
            Posterior means, between -1 and 1.
        """
        X = self._check(X)
        return np.tanh(self._logits(X).numpy() / 2).astype(X.dtype, copy=False)

    def inverse_transform(self, X):
        """Rebuild rows from codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Spins, or means of spins, between -1 and 1.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Means of the likelihood, in the units of the data.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32])
        if X.shape[1] != self.n_components:
            raise ValueError(
                f"A code has {self.n_components} columns, one a component. Got shape "
                f"{X.shape}."
            )
        return self._decode(torch.as_tensor(X, dtype=torch.float64)).astype(
            X.dtype, copy=False
        )

    def sample(self, n_samples=1, *, noise=True):
        """Draw rows from the model.

        The spins come from the sampler if one was used in the fit, with the heat-bath
        sweeps that it was used with, else from 1000 heat-bath sweeps.

        Parameters
        ----------
        n_samples : int, default=1
            Rows to draw.
        noise : bool, default=True
            Whether to draw from the likelihood of the spins, or return its mean.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, in the units of the data.
        """
        check_is_fitted(self)
        rng = check_random_state(self.random_state)
        generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
        if self.sampler_ is None:
            spins = self.prior_.random_spins(n_samples, generator=generator)
            spins = self.prior_.sweep(spins, 1000, generator=generator)
        else:
            phase = SampledChains(self.prior_, self.sampler_, 1, generator, rng)
            spins = phase.fresh(n_samples)
            spins = spins[torch.arange(n_samples) % len(spins)]
        X = self._decode(spins)
        if not noise:
            return X
        if self.likelihood == "bernoulli":
            return (rng.uniform(size=X.shape) < X).astype(np.float64)
        deviation = self.scale_ * self.vae_.variance().sqrt().numpy()
        return X + deviation * rng.standard_normal(X.shape)

    def score_samples(self, X):
        """Return the evidence lower bound of each row, at KL weight 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            Lower bound of the log-likelihood, in nats; a density for the Gaussian
            likelihood.
        """
        X = self._check(X, observed=True)
        return self._bound(X, self.log_partition_).astype(X.dtype, copy=False)

    def score(self, X, y=None):
        """Return the mean evidence lower bound, whatever `kl_weight` was in training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            Nats a row, more is better.
        """
        return float(np.mean(self.score_samples(X)))

    def _controls(self):
        """Return the cheap classical controls that `qestim.compare` sets beside."""
        plain = clone(self).set_params(sampler=None, negative_phase="pcd")
        return {
            "heat-bath chains, no sampler": plain,
            "no couplings (J = 0)": clone(plain).set_params(prior="bernoulli"),
        }

    def _check(self, X, *, reset=False, observed=False):
        """Validate X; `observed` says that the likelihood will be asked of it."""
        if not reset:
            check_is_fitted(self)
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        if observed and self.likelihood == "bernoulli" and (X.min() < 0 or X.max() > 1):
            raise ValueError(
                "likelihood='bernoulli' needs values in [0, 1]. Got values from "
                f"{X.min():.6g} to {X.max():.6g}; scale with MinMaxScaler(clip=True) "
                "or use likelihood='gaussian'."
            )
        return X

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

    def _measure_partition(self):
        generator = torch.Generator().manual_seed(self._score_seed)
        self.log_partition_, self.log_partition_ess_ = self.prior_.log_partition(
            generator=generator
        )

    def _standardise(self, X):
        """Return what the encoder sees and what the likelihood is of."""
        inputs = torch.tensor((X - self.mean_) / self.scale_)
        if self.likelihood == "gaussian":
            return inputs, inputs
        return inputs, torch.tensor(X, dtype=torch.float64)

    @torch.no_grad()
    def _logits(self, X):
        inputs, _ = self._standardise(X)
        return torch.cat([self.vae_.encoder(rows) for rows in inputs.split(_CHUNK)])

    @torch.no_grad()
    def _decode(self, spins):
        X = torch.cat([self.vae_.mean(rows) for rows in spins.split(_CHUNK)]).numpy()
        if self.likelihood == "bernoulli":
            return X
        return self.mean_ + self.scale_ * X

    def _bound(self, X, log_z):
        """Return the bound of each row, ndarray of shape (n_samples,)."""
        like = self.prior_.h
        inputs, targets = (t.to(like) for t in self._standardise(X))
        bound = torch.cat(
            [
                evidence_bound(
                    self.vae_, self.prior_, log_z, *rows, seed=self._score_seed
                )
                for rows in zip(
                    inputs.split(_CHUNK), targets.split(_CHUNK), strict=True
                )
            ]
        )
        if self.likelihood == "gaussian":  # the density of X, not of the scaled rows
            bound = bound - X.shape[1] * np.log(self.scale_)
        return bound.double().cpu().numpy()

    def _held_out(self, X, generator):
        """Return the mean bound of the state in training."""
        log_z, _ = self.prior_.log_partition(
            max_states=2**12, n_chains=64, n_betas=100, generator=generator
        )
        return float(np.mean(self._bound(X, log_z)))
