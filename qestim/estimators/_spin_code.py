# SPDX-License-Identifier: Apache-2.0
"""What a fitted autoencoder with a code of spins does, whoever fitted it."""

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

from qestim.estimators._negative import SampledChains
from qestim.estimators._training import threads_for
from qestim.nn import conditional_mean, evidence_bound

_CHUNK = 512  # rows encoded and decoded at a time


class SpinCodeTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base class: code, reconstruction, draws and bound of a fitted model.

    A subclass has the parameters ``n_components``, ``likelihood``, ``n_hidden`` and
    ``random_state``; its fit sets ``vae_``, ``prior_``, ``log_partition_``, ``mean_``,
    ``scale_``, ``sampler_``, ``sampler_report_`` and ``_score_seed``.
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
        with self._threads():
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
        with self._threads():
            rows = self._decode(torch.as_tensor(X, dtype=torch.float64))
        return rows.astype(X.dtype, copy=False)

    def sample(self, n_samples=1, *, noise=True):
        """Draw rows from the model.

        The spins come from the sampler if one was used in the fit: as they are if it
        states a Boltzmann law, after 200 heat-bath sweeps if not. Without a sampler
        they come from 1000 heat-bath sweeps.

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
        with self._threads():
            X = self._decode(self._draw_spins(n_samples, rng))
        if not noise:
            return X
        if self.likelihood == "bernoulli":
            return (rng.uniform(size=X.shape) < X).astype(np.float64)
        deviation = self.scale_ * self.vae_.variance().sqrt().numpy()
        return X + deviation * rng.standard_normal(X.shape)

    def restore(self, X, *, n_draws=4096):
        """Fill in missing values with their mean given those that are there.

        Codes are drawn from the prior, as in `sample`, and weighted by how likely they
        make the values that are there; the encoder has no part in it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, NaN where a value is missing.
        n_draws : int, default=4096
            Codes to draw.

        Returns
        -------
        X_restored : ndarray of shape (n_samples, n_features)
            Data without NaN; values that were there are unchanged.
        """
        X = self._check(X, observed=True, missing=True)
        with self._threads():
            return self._restore(X, n_draws)

    def _restore(self, X, n_draws):
        spins = self._draw_spins(n_draws, check_random_state(self.random_state))
        _, targets = self._standardise(X)
        filled = [
            conditional_mean(self.vae_, spins, rows)[0]
            for rows in targets.split(_CHUNK)
        ]
        restored = torch.cat(filled).numpy()
        if self.likelihood == "gaussian":
            restored = self.mean_ + self.scale_ * restored
        return np.where(np.isnan(X), restored, X).astype(X.dtype, copy=False)

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
        with self._threads():
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

    def _threads(self):
        return threads_for(self.n_hidden * max(self.n_features_in_, self.n_components))

    def _check(self, X, *, reset=False, observed=False, missing=False):
        """Validate X; `observed` says that the likelihood will be asked of it."""
        if not reset:
            check_is_fitted(self)
        X = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if missing else True,
        )
        # Comparisons with NaN are false, so that missing values pass.
        if observed and self.likelihood == "bernoulli" and ((X < 0) | (X > 1)).any():
            raise ValueError(
                "likelihood='bernoulli' needs values in [0, 1]. Got values from "
                f"{np.nanmin(X):.6g} to {np.nanmax(X):.6g}; scale with "
                "MinMaxScaler(clip=True) or use likelihood='gaussian'."
            )
        return X

    def _draw_spins(self, n, rng):
        """Return spins of the prior, tensor of shape (n, n_components)."""
        whole = isinstance(n, Integral)
        if not whole or n < 1:
            raise ValueError(f"The number of draws must be a positive int. Got {n!r}.")
        generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
        if self.sampler_ is None:
            spins = self.prior_.random_spins(n, generator=generator)
            return self.prior_.sweep(spins, 1000, generator=generator)
        phase = SampledChains(self.prior_, self.sampler_, 1, generator, rng)
        phase.scale = self.sampler_report_["scale"]
        phase.scale_free = True  # what the fit found stands
        spins = phase.fresh(n, polish=200)
        if len(spins) >= n:
            return spins[:n]
        spins = spins[torch.arange(n) % len(spins)]
        return self.prior_.sweep(spins, 200, generator=generator)

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
