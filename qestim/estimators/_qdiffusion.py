# SPDX-License-Identifier: Apache-2.0
"""QDiffusionGenerator: sequences by masked diffusion, guided by a Boltzmann energy."""

from numbers import Integral, Real
from typing import Any, Self

import networkx as nx
import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from qestim._sklearn import (
    Interval,
    StrOptions,
    _fit_context,
    validate_parameter_constraints,
)
from qestim.estimators._qdiffusion_fit import fit_denoiser, fit_guide
from qestim.estimators._qdiffusion_networks import (
    make_denoiser,
    make_guide,
    report_of,
)
from qestim.estimators._qdiffusion_scores import SequenceScores
from qestim.estimators._qdiffusion_store import read_model, write_model
from qestim.estimators._sampler_parameter import NestedParameters, SamplerInstance
from qestim.estimators._token_sequences import TokenSequences
from qestim.estimators._token_templates import templates
from qestim.estimators._training import threads_for
from qestim.nn import decode


class QDiffusionGenerator(NestedParameters, SequenceScores):
    r"""Generator of sequences: masked diffusion whose candidates an energy chooses.

    A transformer learns to guess masked tokens. Drawing several of them at once makes
    them independent, so that they need not agree; the fewer steps, the worse. At each
    step the denoiser therefore draws some whole candidates, and a Boltzmann machine
    over their features chooses one with probability proportional to :math:`e^{-E}`. It
    is trained to tell true sequences from the denoiser's candidates.

    Parameters
    ----------
    n_tokens : int, default=None
        Size of the vocabulary of integer sequences; None takes the largest token and
        1. Of strings it is the number of different characters.
    guide : {"rbm", "full"}, networkx.Graph, list of pairs or None, default="rbm"
        Couplings of the Boltzmann machine, see `qestim.nn.EnergyGuide`; None samples
        without it.
    sampler : dimod.Sampler, default=None
        Gives the means of the hidden units, in training and in decoding. None sums them
        out exactly where the graph allows, as "rbm" does, else by heat bath; give an
        instance to tune its parameters as ``sampler__...``. A sampler costs hundreds of
        times as much: it is asked for the machines of all candidates of a minibatch.
    n_visible, n_hidden : int, default=64
        Units of the machine.
    n_steps : int, default=16
        Steps from masks to tokens, one call of the denoiser each.
    n_candidates : int, default=8
        Candidates to choose from at each step, and in training the false ones a
        sequence.
    n_rounds : int, default=1
        Choices at each step. One more draws some of the chosen candidate's tokens again
        and chooses anew; with the rounds the law comes closer to the guide's, at as
        many energies each but no call of the denoiser.
    guide_window : tuple of two floats, default=(0.0, 1.0)
        Times between 0 (tokens) and 1 (masks) at which the guide chooses.
    remask : {"ancestral", "confidence"}, default="ancestral"
        Which tokens of a candidate become masks again, see `qestim.nn.decode`.
    width, n_layers, n_heads : int, default=64, 2, 4
        Size of the transformer; ``width`` is a multiple of ``n_heads`` and of 4.
    learning_rate : float, default=2e-3
        Highest rate of both fits.
    batch_size : int, default=64
        Sequences of a minibatch.
    max_iter : int, default=30
        Epochs of the denoiser.
    guide_max_iter : int, default=10
        Epochs of the guide.
    n_iter_no_change : int, default=None
        Stop either fit after so many epochs without a better loss on a tenth of the
        sequences, held out, and return to the best state. None trains on all to the
        end.
    random_state : int, RandomState instance or None, default=None
        Source of randomness of the fit; an int makes results repeat.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    denoiser_ : qestim.nn.TransformerDenoiser
        The fitted network. Another backbone with ``logits(tokens, t)`` may take its
        place.
    guide_ : qestim.nn.EnergyGuide or None
        The fitted guide.
    n_tokens_ : int
        Size of the vocabulary.
    characters_ : str or None
        The vocabulary of strings, in the order of the tokens.
    lengths_ : ndarray of int64 of shape (n_sequences,)
        Lengths of the sequences; `sample` draws from them.
    loss_curve_, guide_loss_curve_ : list of float
        Training losses after each epoch, nats a token and nats a sequence.
    validation_scores_, guide_validation_scores_ : list of float
        The same losses on held-out sequences, negative; empty without early stopping.
    n_iter_ : int
        Epochs of the denoiser.
    sampler_ : dimod.Sampler or None
        The sampler that was used.
    sampler_report_ : dict
        How the hidden units were summed out, and calls and reads of the sampler.

    References
    ----------
    .. [1] Sahoo et al., "Simple and effective masked diffusion language models",
           NeurIPS 2024. arXiv:2406.07524
    .. [2] Xu et al., "Energy-based diffusion language models for text generation",
           ICLR 2025. arXiv:2410.21357

    Examples
    --------
    >>> from qestim import QDiffusionGenerator
    >>> words = ["abab", "baba", "aabb"] * 20
    >>> model = QDiffusionGenerator(width=16, max_iter=5, guide_max_iter=2,
    ...                             random_state=0).fit(words)
    >>> model.sample(2, prefix="ab", random_state=0)[0][:2]
    'ab'
    """

    _parameter_constraints: dict = {
        "n_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "guide": [StrOptions({"rbm", "full"}), nx.Graph, list, tuple, None],
        "sampler": [SamplerInstance(), None],
        "n_visible": [Interval(Integral, 1, None, closed="left")],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "guide_window": [tuple, list],
        "remask": [StrOptions({"ancestral", "confidence"})],
        "width": [Interval(Integral, 4, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "guide_max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_tokens=None,
        *,
        guide="rbm",
        sampler=None,
        n_visible=64,
        n_hidden=64,
        n_steps=16,
        n_candidates=8,
        n_rounds=1,
        guide_window=(0.0, 1.0),
        remask="ancestral",
        width=64,
        n_layers=2,
        n_heads=4,
        learning_rate=2e-3,
        batch_size=64,
        max_iter=30,
        guide_max_iter=10,
        n_iter_no_change=None,
        random_state=None,
        verbose=0,
    ) -> None:
        self.n_tokens = n_tokens
        self.guide = guide
        self.sampler = sampler
        self.n_visible = n_visible
        self.n_hidden = n_hidden
        self.n_steps = n_steps
        self.n_candidates = n_candidates
        self.n_rounds = n_rounds
        self.guide_window = guide_window
        self.remask = remask
        self.width = width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.guide_max_iter = guide_max_iter
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Learn the denoiser, then the guide against the denoiser's candidates.

        Parameters
        ----------
        X : sequence of str, or of sequences of int
            Strings, a token each character; an integer array of shape
            (n_sequences, length), in which negative numbers fill up the end of short
            rows; or sequences of integers of different lengths.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        self : QDiffusionGenerator
            The fitted generator. A key that interrupts one of the two fits ends that
            one, with a warning; it has the best state so far.

        Raises
        ------
        ValueError
            If X is empty or holds what is not a token, or parameters contradict.
        """
        self._check_parameters()
        sequences = TokenSequences.learn(X, self.n_tokens)
        tokens = sequences.rows(X)
        rng = check_random_state(self.random_state)
        seeds = rng.randint(2**31 - 1, size=4).tolist()
        weights, noise = (torch.Generator().manual_seed(s) for s in seeds[:2])
        self._score_seed = seeds[3]
        self._take(sequences, (tokens <= sequences.n_tokens).sum(1).numpy())
        self._build(weights)
        rows, held_out = self._split(tokens, seeds[2])
        with threads_for(4 * self.width**2):
            self.loss_curve_, held = fit_denoiser(self, rows, held_out, noise)
            self.validation_scores_ = [-loss for loss in held]
            self.denoiser_.requires_grad_(False).eval()
            self.guide_loss_curve_, self.guide_validation_scores_ = [], []
            if self.guide_ is not None:
                self.guide_loss_curve_, held = fit_guide(self, rows, held_out, noise)
                self.guide_validation_scores_ = [-loss for loss in held]
                self.guide_.requires_grad_(False).eval()
        self.n_iter_ = len(self.loss_curve_)
        self.sampler_report_ = report_of(self.guide_)
        return self

    def sample(
        self,
        n_samples=1,
        *,
        prefix=None,
        infill=None,
        blank="_",
        random_state=None,
        return_states=False,
    ) -> Any:
        """Draw sequences.

        Parameters
        ----------
        n_samples : int, default=1
            Sequences to draw.
        prefix : str or sequence of int, default=None
            What every sequence begins with. Lengths are drawn from those of the fit
            that are no shorter.
        infill : str or sequence of int, default=None
            A whole sequence with gaps: ``blank`` in a string, a negative number among
            integers. Everything else stays.
        blank : str, default="_"
            The character that marks a gap.
        random_state : int, RandomState instance or None, default=None
            Source of randomness; an int makes the draws repeat.
        return_states : bool, default=False
            Whether to return what each step began with as well.

        Returns
        -------
        samples : list of str, ndarray of int64 or list of ndarray
            Strings if the fit was on strings; an array of shape (n_samples, length) if
            all have one length; else a list of arrays.
        states : ndarray of int64 of shape (n_steps + 1, n_samples, length)
            Only with ``return_states``: tokens, -1 for masks, -2 for filling.

        Raises
        ------
        ValueError
            If a token is not in the vocabulary, prefix or infill is too long, or a
            parameter that was set after the fit is out of range.
        """
        check_is_fitted(self)
        validate_parameter_constraints(
            self._parameter_constraints,
            self.get_params(deep=False),
            type(self).__name__,
        )
        self._check_parameters()
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(
                f"n_samples must be a positive integer. Got {n_samples!r}."
            )
        rng = check_random_state(random_state)
        tokens = templates(
            self._sequences, self.lengths_, n_samples, prefix, infill, blank, rng
        )
        generator = torch.Generator().manual_seed(int(rng.randint(2**31 - 1)))
        with threads_for(4 * self.width**2):
            states = decode(
                self.denoiser_,
                tokens,
                mask_token=self.n_tokens_,
                n_steps=self.n_steps,
                guide=self.guide_,
                n_candidates=self.n_candidates,
                n_rounds=self.n_rounds,
                window=self.guide_window,
                remask=self.remask,
                generator=generator,
            )
        self.sampler_report_ = report_of(self.guide_)
        samples = self._sequences.back(states[-1])
        if not return_states:
            return samples
        every = torch.stack(states)
        signs = self.n_tokens_ - 1 - every  # -1 is a mask, -2 filling
        return samples, torch.where(signs < 0, signs, every).numpy()

    def save(self, folder) -> None:
        """Write the fitted generator: weights as safetensors, the rest as JSON.

        Parameters
        ----------
        folder : str or path
            Made if it is not there. A sampler is not written; `load` takes it again.
        """
        check_is_fitted(self)
        write_model(self, folder)

    @classmethod
    def load(cls, folder, *, sampler=None) -> Self:
        """Return a generator that was saved.

        Parameters
        ----------
        folder : str or path
            Where `save` wrote.
        sampler : dimod.Sampler, default=None
            The sampler of the guide's hidden units; needed if the saved generator had
            one.

        Raises
        ------
        ValueError
            If files are missing, contradict each other, or a sampler is needed.
        """
        return read_model(cls, folder, sampler)

    def _check_parameters(self):
        window = self.guide_window
        if len(window) != 2 or not (
            all(isinstance(time, Real) for time in window)
            and 0 <= window[0] <= window[1] <= 1
        ):
            raise ValueError(
                "guide_window must be two times with 0 <= first <= second <= 1. Got "
                f"{window!r}."
            )
        if self.width % 4 or self.width % self.n_heads:
            raise ValueError(
                "width must be a multiple of 4 and of n_heads. Got "
                f"width={self.width} and n_heads={self.n_heads}."
            )

    def _take(self, sequences, lengths):
        self._sequences = sequences
        self.n_tokens_, self.characters_ = sequences.n_tokens, sequences.characters
        self.lengths_ = np.asarray(lengths, dtype=np.int64)

    def _build(self, generator):
        """Make the networks with their first weights."""
        self.denoiser_ = make_denoiser(self, generator)
        self.guide_ = make_guide(self, generator)
        self.sampler_ = None if self.guide_ is None else self.guide_.sampler

    def _split(self, tokens, seed):
        if self.n_iter_no_change is None or len(tokens) < 2:
            return tokens, None
        order = np.random.RandomState(seed).permutation(len(tokens))
        n_held_out = max(1, len(tokens) // 10)
        return tokens[order[n_held_out:]], tokens[np.sort(order[:n_held_out])]
