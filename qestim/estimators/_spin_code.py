# SPDX-License-Identifier: Apache-2.0
"""What a fitted autoencoder with a code of spins does, whoever fitted it."""

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qestim.estimators._negative import SampledChains
from qestim.nn import evidence_bound

_CHUNK = 512  # rows encoded and decoded at a time


class SpinCodeTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base class: code, reconstruction, draws and bound of a fitted model.

    A subclass has the parameters ``n_components``, ``likelihood`` and
    ``random_state``; its fit sets ``vae_``, ``prior_``, ``log_partition_``, ``mean_``,
    ``scale_``, ``sampler_`` and ``_score_seed``.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

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
