# SPDX-License-Identifier: Apache-2.0
"""BoltzmannPrior: which law the code has, and how it is learned."""

import math
from numbers import Integral, Real

import networkx as nx
import torch
from sklearn.base import BaseEstimator

from qestim._sklearn import Interval, StrOptions
from qestim.estimators._draw import clone_sampler
from qestim.estimators._negative import PHASES, make_phase
from qestim.nn import (
    BernoulliMixture,
    BoltzmannMachine,
    NormalCode,
    SpinCode,
    StandardNormal,
)

_RATE = 5e-3  # of the prior's steps
_N_SWEEPS = 3  # heat-bath sweeps an update

GRAPHS = ("rbm", "full", "bernoulli")
CONTROLS = ("mixture", "gaussian")


class BoltzmannPrior(BaseEstimator):
    """The prior of a `QBMVAETransformer` and how it is learned.

    An object of parameters, so that a grid reaches them as ``prior__n_chains`` and
    so on. It learns nothing itself.

    Parameters
    ----------
    graph : {"rbm", "full", "bernoulli", "mixture", "gaussian"}, networkx.Graph or \
            list of pairs, default="rbm"
        Which spins the Boltzmann machine couples: each of the first half with each of
        the second, all, or the edges of a graph of ``0 .. n_components - 1``. The
        others are the controls that a claim must be shown against: ``"bernoulli"`` has
        no couplings (J = 0), ``"mixture"`` is a mixture of independent spins with as
        many parameters as the ``"rbm"``, ``"gaussian"`` makes the code real numbers
        with a standard normal law, as in an ordinary variational autoencoder.
    negative_phase : {"auto", "cd", "pcd", "tempered", "sampler", "hybrid"}, \
            default="auto"
        Where the spins of the prior come from while it learns. Without a sampler:
        heat bath from the data (``"cd"``), persistent chains (``"pcd"``), chains with
        replicas at higher temperatures (``"tempered"``). With one: its reads
        (``"sampler"``), or persistent chains of which its reads re-seed a share
        (``"hybrid"``). ``"auto"`` is ``"pcd"`` without a sampler and ``"sampler"`` with
        one, so that its own number of reads is what is asked for.
    resample_every : int, default=10
        Minibatches between two calls of the sampler; heat-bath sweeps in between.
    n_chains : int, default=256
        Chains of the negative phase. ``"sampler"`` asks for as many reads unless the
        sampler says how many it gives, ``"hybrid"`` for a quarter of them.
    learning_rate : float or "auto", default="auto"
        Mean rate of the prior's steps, which rises and falls with that of the
        networks. ``"auto"`` is 5e-3, and less where a spin has more than eight
        couplings: there many small steps add up in its field, and the chains of the
        negative phase would lag behind.
    relaxation : {"straight_through", "mixed", "mean", "overlap", "spike_exp"}, \
            default="straight_through"
        What the decoder learns from, and how the gradient of the reconstruction gets
        past the draw of the spins. ``"mixed"`` gives it the means in half of the rows,
        ``"mean"`` in all: finer codes to compare rows by, and rows drawn from the
        model that are less, or not, to be trusted. With ``"mean"`` the encoder sees
        logarithms of counts with noise of half their standard deviation.

    See Also
    --------
    qestim.nn.straight_through_spins, qestim.nn.mixed_spins, qestim.nn.mean_spins, \
            qestim.nn.overlap_spins, qestim.nn.spike_exp_spins : The relaxations.

    References
    ----------
    Derived in docs/guide/qbm_vae.md; negative phases in docs/guide/boltzmann.md.

    Examples
    --------
    >>> from qestim import BoltzmannPrior, QBMVAETransformer
    >>> model = QBMVAETransformer(8, prior=BoltzmannPrior("full", n_chains=64))
    >>> model.get_params()["prior__n_chains"]
    64
    """

    _parameter_constraints: dict = {
        "graph": [StrOptions({*GRAPHS, *CONTROLS}), nx.Graph, list, tuple],
        "negative_phase": [StrOptions(set(PHASES))],
        "resample_every": [Interval(Integral, 1, None, closed="left")],
        "n_chains": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [
            Interval(Real, 0, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "relaxation": [
            StrOptions({"straight_through", "mixed", "mean", "overlap", "spike_exp"})
        ],
    }

    def __init__(
        self,
        graph="rbm",
        *,
        negative_phase="auto",
        resample_every=10,
        n_chains=256,
        learning_rate="auto",
        relaxation="straight_through",
    ) -> None:
        self.graph = graph
        self.negative_phase = negative_phase
        self.resample_every = resample_every
        self.n_chains = n_chains
        self.learning_rate = learning_rate
        self.relaxation = relaxation


class NormalisedLaw:
    """The negative phase of a law whose log Z is zero: none."""

    def step(self, data=None):
        """Return None: there is nothing to draw."""
        return

    def report(self):
        """Return JSON-able facts about the phase."""
        return {"negative_phase": "exact", "calls": 0, "reads": 0, "seconds": 0.0}


def make_prior(settings, n_units, generator):
    """Return the law of the code as a module, and the family of posteriors.

    Parameters
    ----------
    settings : BoltzmannPrior
        Its parameters.
    n_units : int
        Number of spins.
    generator : torch.Generator
        Source of the first parameters: some samplers refuse a model of zeros.

    Returns
    -------
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The law.
    code : SpinCode or NormalCode
        The posteriors.
    """
    if settings.graph == "gaussian":
        return StandardNormal(n_units), NormalCode()
    code = SpinCode(settings.relaxation)
    if settings.graph == "mixture":
        machine = BoltzmannMachine(n_units, "rbm")
        n_parameters = sum(p.numel() for p in machine.parameters())
        n_parts = BernoulliMixture.parts_for(n_units, n_parameters)
        return BernoulliMixture(n_units, n_parts, generator=generator), code
    try:
        prior = BoltzmannMachine(n_units, settings.graph)
    except ValueError as error:
        raise ValueError(
            "The 'prior' parameter of QBMVAETransformer does not fit n_components="
            f"{n_units}: {error}"
        ) from error
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, 0, 0.01, generator=generator)
    return prior, code


def rate_of(settings, prior):
    """Return the rate of the prior's steps.

    Parameters
    ----------
    settings : BoltzmannPrior
        Its parameters.
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The law that is learned.
    """
    if settings.learning_rate != "auto":
        return settings.learning_rate
    if not isinstance(prior, BoltzmannMachine):
        return _RATE
    couplings_per_spin = 2 * len(prior.J) / prior.n_units
    return _RATE * math.sqrt(min(1.0, 8 / max(couplings_per_spin, 1)))


def negative_phase(settings, prior, sampler, generator, rng):
    """Return what gives spins of the prior while it learns, and the sampler it uses.

    Parameters
    ----------
    settings : BoltzmannPrior
        Its parameters.
    prior : BoltzmannMachine, BernoulliMixture or StandardNormal
        The law to follow.
    sampler : dimod.Sampler or None
        The sampler of the estimator.
    generator : torch.Generator
        Source of randomness of the heat bath.
    rng : numpy.random.RandomState
        Source of the seeds of the sampler's calls.

    Returns
    -------
    phase : object
        ``phase.step(means)`` gives spins.
    sampler : dimod.Sampler or None
        A clone of the sampler, where it is used.
    """
    sampler = clone_sampler(sampler)
    if not isinstance(prior, BoltzmannMachine):
        return NormalisedLaw(), None
    kind = settings.negative_phase
    if kind == "auto":
        kind = "pcd" if sampler is None else "sampler"
    phase = make_phase(
        kind,
        prior,
        sampler,
        n_chains=settings.n_chains,
        n_sweeps=_N_SWEEPS,
        resample_every=settings.resample_every,
        generator=generator,
        rng=rng,
    )
    return phase, getattr(phase, "sampler", None)
