# SPDX-License-Identifier: Apache-2.0
"""What a Boltzmann machine that was fitted to data does."""

from numbers import Integral

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qestim.estimators._sampled_chains import redraw
from qestim.estimators._training import threads_for
from qestim.nn._tempering import Replicas


class MachineFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base class: features, likelihood and draws of a fitted machine.

    A subclass has the parameters ``n_components``, ``visible`` and ``random_state``;
    its fit sets ``machine_``, ``log_partition_``, ``mean_``, ``scale_``, ``sampler_``
    and ``sampler_report_``.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "machine_")

    def transform(self, X) -> np.ndarray:
        """Return the probabilities of the hidden spins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        features : ndarray of shape (n_samples, n_components)
            Between 0 and 1.
        """
        X = self._check(X)
        with self._threads():
            means = self.machine_.hidden_means(self._visible(X))
        return ((1 + means) / 2).numpy().astype(X.dtype, copy=False)

    def inverse_transform(self, X) -> np.ndarray:
        """Return the means of the features, given the hidden spins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Bits of the hidden spins, or their probabilities.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            In the units of the data.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32])
        if X.shape[1] != self.n_components:
            raise ValueError(
                f"A row has {self.n_components} columns, one a component. Got shape "
                f"{X.shape}."
            )
        spins = 2 * torch.as_tensor(X, dtype=torch.float64) - 1
        with self._threads():
            rows = self._rows(self.machine_.visible_means(spins))
        return rows.astype(X.dtype, copy=False)

    def score_samples(self, X) -> np.ndarray:
        """Return the log-likelihood of each row, with the upper bound of log Z.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            In nats; a density for Gaussian visible units. A lower bound where log Z is
            bracketed (``log_partition_.width`` says by how much at most) or hidden
            spins are coupled. Exact for bits, not for probabilities between them.
        """
        X = self._check(X)
        with self._threads():
            score = -self.machine_.free_energy(self._visible(X)).numpy()
        # Bounds that contradict each other tell nothing below the greater.
        score -= max(self.log_partition_.lower, self.log_partition_.upper)
        if self.visible == "gaussian":  # the density of X, not of the scaled rows
            score -= np.log(self.scale_).sum()
        return score.astype(X.dtype, copy=False)

    def score(self, X, y=None) -> float:
        """Return the mean of `score_samples`.

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

    def sample(self, n_samples=1, *, noise=True, random_state=None) -> np.ndarray:
        """Draw rows from the machine.

        The spins come from the sampler if one was used in the fit, with 200 heat-bath
        sweeps after it unless it states a Boltzmann law; without one from parallel
        tempering.

        Parameters
        ----------
        n_samples : int, default=1
            Rows to draw.
        noise : bool, default=True
            Whether to draw the visible units, or to return their means given the
            hidden spins.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None takes the estimator's, which as an int gives the
            same rows in every call.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, in the units of the data.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples must be a positive int. Got {n_samples!r}.")
        given = self.random_state if random_state is None else random_state
        rng = check_random_state(given)
        generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
        with self._threads():
            spins = self._draw_spins(n_samples, generator, rng)
            hidden = spins[:, -self.n_components :]
            if self.visible == "gaussian" and noise:
                return self._rows(self.machine_.draw_visible(hidden, generator))
            if noise:
                return self._rows(spins[:, : self.n_features_in_])
            return self._rows(self.machine_.visible_means(hidden))

    def _draw_spins(self, n, generator, rng):
        if self.sampler_ is None:
            replicas = Replicas(min(n, 256), rng)
            n_reads = -(-n // replicas.n_chains)
            return replicas.draw(self.machine_, n_reads=n_reads, burn_in=1000, thin=50)[
                :n
            ]
        scale = self.sampler_report_["scale"]
        return redraw(self.machine_, self.sampler_, scale, n, generator, rng)

    def _threads(self):
        return threads_for(self.n_components * self.n_features_in_)

    def _check(self, X, *, reset=False):
        if not reset:
            check_is_fitted(self)
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        if self.visible == "binary" and ((X < 0) | (X > 1)).any():
            raise ValueError(
                f"visible='binary' needs values in [0, 1]. Got values from "
                f"{X.min():.6g} to {X.max():.6g}; scale with MinMaxScaler(clip=True) "
                "or use visible='gaussian'."
            )
        return X

    def _visible(self, X):
        """Return rows as the machine sees them, tensor of float64."""
        rows = torch.tensor(X, dtype=torch.float64)
        if self.visible == "binary":
            return 2 * rows - 1
        return (rows - torch.tensor(self.mean_)) / torch.tensor(self.scale_)

    def _rows(self, visible):
        """Return visible values in the units of the data."""
        if self.visible == "binary":
            return ((1 + visible) / 2).numpy()
        return self.mean_ + self.scale_ * visible.numpy()
