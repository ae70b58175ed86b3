# SPDX-License-Identifier: Apache-2.0
"""BoltzmannMachineTransformer: features and likelihood of a Boltzmann machine."""

from numbers import Integral, Real
from typing import Self

import networkx as nx
import numpy as np
import torch
from sklearn.utils import check_random_state

from qestim._sklearn import Interval, StrOptions, _fit_context
from qestim.estimators._draw import clone_sampler
from qestim.estimators._machine_features import MachineFeatures
from qestim.estimators._machine_training import train_machine
from qestim.estimators._negative import PHASES, TemperedChains, make_phase
from qestim.estimators._sampler_parameter import NestedParameters, SamplerInstance
from qestim.nn import BoltzmannMachine, GaussianBoltzmannMachine


class BoltzmannMachineTransformer(NestedParameters, MachineFeatures):
    r"""Features that a Boltzmann machine learns without labels.

    The machine gives each row v of the data, together with hidden spins u, an energy,
    and learns fields and couplings that make the data likely,

    .. math:: p(v) = \frac1Z \sum_u e^{-E(v, u)}.

    The features are the probabilities of the hidden spins given the row. Learning
    needs spins of the machine itself, and this is what the sampler is for. Several in
    a `sklearn.pipeline.Pipeline` (``visible="binary"`` after the first) are a deep
    belief network, trained one layer after the other.

    Parameters
    ----------
    n_components : int, default=64
        Number of hidden spins.
    visible : {"gaussian", "binary"}, default="gaussian"
        ``"gaussian"`` takes real features, which it standardises. ``"binary"`` takes
        bits, or probabilities of bits, in [0, 1].
    graph : {"rbm", "full"}, networkx.Graph or list of pairs, default="rbm"
        Which spins are coupled: ``"rbm"`` each visible unit with each hidden spin;
        ``"full"`` the spins among themselves as well. A graph names the spins of the
        machine, with ``visible="binary"`` the features first; with
        ``visible="gaussian"`` the hidden spins alone. Where hidden spins are coupled,
        features and likelihood are mean-field ones.
    sampler : dimod.Sampler, default=None
        Sampler of the negative phase. None leaves it to tempered chains; give an
        instance to tune its parameters as ``sampler__...``.
    negative_phase : {"auto", "cd", "pcd", "tempered", "sampler", "hybrid"}, \
            default="auto"
        Where the machine's own spins come from: chains that start at the data,
        persistent chains, persistent chains with hotter replicas, the sampler, or
        chains of which the sampler replaces a quarter at a time. ``"auto"`` is
        ``"tempered"`` without a sampler, ``"sampler"`` with one that states a
        Boltzmann law, ``"hybrid"`` with any other.
    n_chains : int, default=256
        Chains of the negative phase.
    n_sweeps : int, default=2
        Heat-bath sweeps of an update.
    resample_every : int, default=4
        Minibatches between two calls of the sampler. Hybrid chains learn far-apart
        modes only if few updates pass before all are replaced.
    learning_rate : float, default=5e-3
        First rate of the steps; it falls to zero in the course of the fit.
    batch_size : int, default=64
        Rows of a minibatch.
    max_iter : int, default=50
        Epochs.
    random_state : int, RandomState instance or None, default=None
        Source of randomness; an int makes results repeat.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    machine_ : qestim.nn.BoltzmannMachine or qestim.nn.GaussianBoltzmannMachine
        The fitted machine, in double precision.
    log_partition_ : qestim.nn.LogPartition
        Bounds of its log Z, equal where it is exact.
    mean_, scale_ : ndarray of shape (n_features,)
        What real features are standardised with.
    n_iter_ : int
        Epochs done.
    sampler_ : dimod.Sampler or None
        The sampler that was used.
    sampler_report_ : dict
        Facts about the negative phase.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    QBMVAETransformer : A Boltzmann machine as the prior of an autoencoder.
    sklearn.neural_network.BernoulliRBM : Restricted machine, persistent chains.

    References
    ----------
    .. [1] Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural
           networks", Science 313, 504 (2006). doi:10.1126/science.1127647

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from qestim import BoltzmannMachineTransformer
    >>> X, _ = load_iris(return_X_y=True)
    >>> machine = BoltzmannMachineTransformer(4, max_iter=5, random_state=0).fit(X)
    >>> machine.transform(X).shape, machine.sample(3).shape
    ((150, 4), (3, 4))
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "visible": [StrOptions({"gaussian", "binary"})],
        "graph": [StrOptions({"rbm", "full"}), nx.Graph, list, tuple],
        "sampler": [SamplerInstance(), None],
        "negative_phase": [StrOptions(set(PHASES))],
        "n_chains": [Interval(Integral, 1, None, closed="left")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "resample_every": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=64,
        *,
        visible="gaussian",
        graph="rbm",
        sampler=None,
        negative_phase="auto",
        n_chains=256,
        n_sweeps=2,
        resample_every=4,
        learning_rate=5e-3,
        batch_size=64,
        max_iter=50,
        random_state=None,
        verbose=0,
    ) -> None:
        self.n_components = n_components
        self.visible = visible
        self.graph = graph
        self.sampler = sampler
        self.negative_phase = negative_phase
        self.n_chains = n_chains
        self.n_sweeps = n_sweeps
        self.resample_every = resample_every
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Learn the machine; an interruption leaves its state so far, with a warning.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        self : BoltzmannMachineTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If ``visible="binary"`` and a value lies outside [0, 1], if the graph does
            not fit, or if the negative phase needs a sampler and there is none.
        """
        X = self._check(X, reset=True)
        sampler = clone_sampler(self.sampler)
        self.__dict__.pop("machine_", None)  # a fit that raises leaves none behind
        rng = check_random_state(self.random_state)
        generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        deviation = X.std(axis=0, dtype=np.float64)
        # A constant feature differs from its mean by rounding alone.
        varies = deviation > 1e-7 * np.abs(self.mean_)
        self.scale_ = np.where(varies, deviation, 1.0)
        data = self._visible(X).float()
        machine = self._machine(data, generator)
        kind = self.negative_phase
        if kind == "auto" and sampler is None:
            kind = "tempered"
        phase = make_phase(
            kind,
            machine,
            sampler,
            n_chains=self.n_chains,
            n_sweeps=self.n_sweeps,
            resample_every=self.resample_every,
            generator=generator,
            rng=rng,
        )
        self.sampler_ = getattr(phase, "sampler", None)
        with self._threads():
            self.n_iter_ = train_machine(
                machine,
                phase,
                data,
                learning_rate=self.learning_rate,
                batch_size=self.batch_size,
                max_iter=self.max_iter,
                generator=generator,
                verbose=self.verbose,
            )
            machine.double().requires_grad_(False)
            # Tempered chains are at the machine's law already: no new burn-in.
            tempered = isinstance(phase, TemperedChains)
            self.log_partition_ = machine.log_partition_bracket(
                spins=phase.draw(1024) if tempered else None, generator=generator
            )
        self.machine_ = machine
        self.sampler_report_ = phase.report()
        if self.sampler_ is not None:
            phase.warn_of_mixing()
        self._n_features_out = self.n_components
        return self

    def _machine(self, data, generator):
        """Return the machine to train, at the means of the data and hardly coupled."""
        n, m = data.shape[1], self.n_components
        try:
            if self.visible == "gaussian":
                graph = "bernoulli" if self.graph == "rbm" else self.graph
                real = GaussianBoltzmannMachine(n, m, graph)
                torch.nn.init.normal_(real.W, 0, 0.01, generator=generator)
                return real
            machine = BoltzmannMachine(n + m, self.graph, n_visible=n)
        except ValueError as error:
            raise ValueError(
                "The 'graph' parameter of BoltzmannMachineTransformer does not fit "
                f"{n} features and n_components={m}: {error}"
            ) from error
        with torch.no_grad():
            machine.h.normal_(0, 0.01, generator=generator)
            machine.J.normal_(0, 0.01, generator=generator)
            machine.h[:n] = -torch.atanh(0.98 * data.mean(0))
        return machine
