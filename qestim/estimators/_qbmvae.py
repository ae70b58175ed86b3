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
from qestim.estimators._batches import Batches
from qestim.estimators._prior import (
    CONTROLS,
    GRAPHS,
    BoltzmannPrior,
    make_prior,
    negative_phase,
)
from qestim.estimators._rows import Epochs, Rows, Scaling
from qestim.estimators._spin_code import SpinCodeTransformer
from qestim.estimators._table import check_size_factor
from qestim.estimators._training import train
from qestim.nn import LIKELIHOODS, BoltzmannMachine, SpinVAE

_HELD_OUT = 2048  # rows at most that tell when to stop
_N_SIZES = 5000  # sizes of rows kept for draws


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
    Of counts it sees the logarithm at a common row sum, without noise but with a tenth
    of the hidden values dropped.

    Parameters
    ----------
    n_components : int, default=16
        Number of spins of the code.
    likelihood : {"gaussian", "bernoulli", "poisson", "nb", "zinb"}, \
            default="gaussian"
        Law of a row given its spins: ``"gaussian"`` with a learned variance for each
        feature, ``"bernoulli"`` for features in [0, 1], or one of counts whose mean is
        the size of the row times a share of each feature: Poisson, negative binomial,
        negative binomial with inflated zeros.
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
        log Z of the prior: zero for a mixture or Gaussian values, exact for small
        machines, else estimated by annealed
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
        "sampler": [HasMethods("sample"), None],
        "n_hidden": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "batch_columns": [list, tuple, str, None],
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
        device="auto",
        random_state=None,
        verbose=0,
    ):
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
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, batch=None, size_factor=None):
        """Learn networks and prior.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Data. A sparse matrix is made dense a minibatch at a time; its arrays may
            be memory maps.
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
        X, batch = self._check(X, reset=True, observed=True, batch=batch)
        size_factor = check_size_factor(self, size_factor, X.shape[0])
        with self._threads():
            return self._fit(X, batch, size_factor)

    def _fit(self, X, batch, size_factor):
        rng = check_random_state(self.random_state)
        device = self._device()
        seeds = rng.randint(2**31 - 1, size=4).tolist()
        weights = torch.Generator().manual_seed(seeds[0])
        noise = torch.Generator(device).manual_seed(seeds[1])
        # Of its own, so that the networks' noise does not depend on the sampler.
        heat = torch.Generator(device).manual_seed(seeds[2])
        self._score_seed = seeds[3]
        settings = self._settings()
        prior, code = make_prior(settings, self.n_components, weights)
        phase, self.sampler_ = negative_phase(
            settings, prior.to(device), self.sampler, heat, rng
        )
        self.batches_ = codes = None
        if batch is not None:
            self.batches_ = Batches(batch)
            codes = self.batches_.codes(batch)
        self.scaling_ = Scaling(self.likelihood)
        table = Rows(X, self.scaling_, self.batches_, codes, size_factor, device=device)
        shares = self._summarise(table, rng)
        self.prior_ = prior
        self.vae_ = self._networks(code, shares, weights).to(device)
        rows, held_out = self._split(len(table))
        with torch.random.fork_rng():  # of dropout
            torch.manual_seed(seeds[1])
            self.loss_curve_, self.validation_scores_ = train(
                self.vae_,
                self.prior_,
                phase,
                Epochs(table, rows, self.batch_size, noise),
                kl_weight=self.kl_weight,
                learning_rate=self.learning_rate,
                prior_rate=settings.learning_rate,
                max_iter=self.max_iter,
                validate=None
                if held_out is None
                else lambda: self._held_out(table, held_out, heat),
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

    def _summarise(self, table, rng):
        """Set what the fit knows of the rows; return the features' shares of counts."""
        self.scaling_.learn(table)
        if not self.scaling_.counts:
            return None
        sums = table.sums()
        if table.size_factor is not None:
            self.scaling_.size = sums.mean() / table.size_factor.mean()
            sums = table.size_factor * self.scaling_.size
        self.sizes_ = sums if len(sums) <= _N_SIZES else rng.choice(sums, _N_SIZES)
        return self.scaling_.shares

    def _networks(self, code, shares, generator):
        """Return untrained networks; those of counts decode the mean of the rows."""
        counts = self.scaling_.counts
        vae = SpinVAE(
            len(self.scaling_.mean),
            self.n_components,
            n_hidden=self.n_hidden,
            likelihood=self.likelihood,
            n_covariates=0 if self.batches_ is None else self.batches_.width,
            code=code,
            input_noise=0.0 if counts else 0.8,
            dropout=0.1 if counts else 0.0,
            generator=generator,
        )
        if counts:
            with torch.no_grad():
                vae.decoder[-1].bias[: len(shares)] = torch.as_tensor(np.log(shares))
        return vae

    def _controls(self):
        """Return the cheap classical controls that `qestim.compare` sets beside."""
        settings = self._settings().set_params(negative_phase="auto")
        plain = clone(self).set_params(sampler=None, prior=settings)
        uncoupled = clone(settings).set_params(graph="bernoulli")
        return {
            "heat-bath chains, no sampler": plain,
            "no couplings (J = 0)": clone(plain).set_params(prior=uncoupled),
        }

    def _settings(self):
        """Return the parameters of the prior, valid."""
        settings = self.prior
        if not isinstance(settings, BoltzmannPrior):
            settings = BoltzmannPrior(settings)
        settings = clone(settings)
        settings._validate_params()
        return settings

    def _split(self, n):
        """Return the rows to train on and those that tell when to stop, or None."""
        rows = np.arange(n)
        if self.n_iter_no_change is None or n == 1:
            return rows, None
        share = min(0.1, _HELD_OUT / n)
        return train_test_split(rows, test_size=share, random_state=self._score_seed)

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
        if not isinstance(self.prior_, BoltzmannMachine):
            self.log_partition_, self.log_partition_ess_ = 0.0, None
            return
        generator = torch.Generator().manual_seed(self._score_seed)
        self.log_partition_, self.log_partition_ess_ = self.prior_.log_partition(
            generator=generator
        )

    def _held_out(self, table, rows, generator):
        """Return the mean bound of the state in training."""
        log_z = 0.0
        if isinstance(self.prior_, BoltzmannMachine):
            log_z, _ = self.prior_.log_partition(
                max_states=2**12, n_chains=64, n_betas=100, generator=generator
            )
        parts = (
            table.take(part) for part in np.array_split(rows, len(rows) // 512 + 1)
        )
        return float(np.mean(self._bound(parts, log_z)))
