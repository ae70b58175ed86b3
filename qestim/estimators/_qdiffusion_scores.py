# SPDX-License-Identifier: Apache-2.0
"""What a fitted generator says about sequences: bound, energy, and the guide's gain."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from qestim.estimators._qdiffusion_fit import measure_guide
from qestim.estimators._qdiffusion_networks import report_of
from qestim.estimators._training import threads_for
from qestim.nn import AbsorbingDiffusion

_SCORE_DRAWS = 16
_CHUNK = 512


class SequenceScores(BaseEstimator):
    """The figures of merit of a fitted `QDiffusionGenerator`."""

    def score(self, X, y=None) -> float:
        """Return the evidence lower bound of the denoiser, in nats a token.

        It is negative; greater is better. Of each sequence it bounds the law given the
        length; the guide has no part in it.

        Parameters
        ----------
        X : sequence
            As of `fit`.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            Mean over all tokens. The same X has the same score.
        """
        tokens = self._rows(X)
        generator = torch.Generator().manual_seed(self._score_seed)
        process, total = AbsorbingDiffusion(self.n_tokens_), 0.0
        with torch.no_grad(), threads_for(4 * self.width**2):
            for rows in tokens.split(_CHUNK):
                nelbo = process.nelbo(
                    self.denoiser_, rows, n_draws=_SCORE_DRAWS, generator=generator
                )
                total += nelbo.double().sum().item()
        return -total / int((tokens < self.n_tokens_).sum())

    def perplexity(self, X) -> float:
        """Return the exponential of the negative score: an upper bound, at least 1.

        Parameters
        ----------
        X : sequence
            As of `fit`.

        Returns
        -------
        perplexity : float
            Dimensionless.
        """
        return float(np.exp(-self.score(X)))

    def energy(self, X) -> np.ndarray:
        """Return the guide's energies of sequences, against candidates out of nothing.

        The law of the guided generator in one step is the denoiser's, all tokens
        independent, times the exponential of minus this.

        Parameters
        ----------
        X : sequence
            As of `fit`.

        Returns
        -------
        energy : ndarray of float64 of shape (n_sequences,)
            Dimensionless; low where tokens agree.

        Raises
        ------
        ValueError
            If the generator was fitted without a guide.
        """
        tokens = self._rows(X)
        self._need_guide()
        energies, fixed = [], torch.Generator().manual_seed(self._score_seed)
        with torch.no_grad(), threads_for(4 * self.width**2):
            for rows in tokens.split(_CHUNK):
                noisy = torch.where(rows < self.n_tokens_, self.n_tokens_, rows)
                logits = self.denoiser_.logits(noisy, torch.ones(len(noisy)))
                energy = self.guide_.energy(
                    noisy, rows[:, None], logits, generator=fixed
                )
                energies.append(energy[:, 0])
        self.sampler_report_ = report_of(self.guide_)
        return torch.cat(energies).double().numpy()

    def guide_score(self, X, y=None) -> float:
        """Return how well the guide tells sequences from the denoiser's candidates.

        This is what to tune a sampler by: ``scoring=QDiffusionGenerator.guide_score``.

        Parameters
        ----------
        X : sequence
            As of `fit`.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            Nats a sequence gained over guessing, at most ``log(1 + n_candidates)``; 0
            for an energy that knows nothing.

        Raises
        ------
        ValueError
            If the generator was fitted without a guide.
        """
        tokens = self._rows(X)
        self._need_guide()
        with threads_for(4 * self.width**2):
            loss = measure_guide(self, tokens, self._score_seed)
        self.sampler_report_ = report_of(self.guide_)
        return float(np.log1p(self.n_candidates) - loss)

    def _rows(self, X):
        check_is_fitted(self)
        return self._sequences.rows(X, length=int(self.lengths_.max()))

    def _need_guide(self):
        if self.guide_ is None:
            raise ValueError(
                "The generator was fitted with guide=None and has no energy; fit with "
                "guide='rbm'."
            )
