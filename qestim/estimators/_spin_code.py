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
from sklearn.utils.validation import check_is_fitted

from qestim.estimators._rows import Rows
from qestim.estimators._sampled_chains import redraw
from qestim.estimators._table import check_size_factor, check_table
from qestim.estimators._training import threads_for
from qestim.nn import BoltzmannMachine, conditional_mean, evidence_bound

_CHUNK = 512  # rows encoded and decoded at a time


class SpinCodeTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base class: code, reconstruction, draws and bound of a fitted model.

    A subclass has the parameters ``n_components``, ``likelihood``, ``n_hidden``,
    ``batch_columns`` and ``random_state``; its fit sets ``vae_``, ``prior_``,
    ``log_partition_``, ``scaling_``, ``batches_``, ``sizes_``, ``sampler_``,
    ``sampler_report_`` and ``_score_seed``.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = self.likelihood not in ("gaussian", "bernoulli")
        return tags

    def transform(self, X, batch=None) -> np.ndarray:
        """Return the means of the code.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        batch : Ignored
            The encoder does not see it, so that rows of a new batch have a code as
            well. Present so that one call serves `fit` and `transform`.

        Returns
        -------
        code : ndarray of shape (n_samples, n_components)
            Posterior means; between -1 and 1 for spins.
        """
        X, _ = self._check(X)
        rows = self._rows(X)
        with self._threads():
            parts = [self.vae_.code.mean(out).numpy() for out in self._outputs(rows)]
        dtype = X.dtype if X.dtype == np.float32 else np.float64
        return np.concatenate(parts).astype(dtype, copy=False)

    def energy(self, X) -> np.ndarray:
        """Return the mean energy of the prior in each row's posterior.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Dimensionless; high where the code is unusual.
        """
        X, _ = self._check(X)
        with self._threads():
            parts = [
                self.prior_.energy(*self.vae_.code.moments(outputs))
                for outputs in self._outputs(self._rows(X))
            ]
        return torch.cat(parts).numpy()

    def inverse_transform(self, X, batch=None, size_factor=None) -> np.ndarray:
        """Rebuild rows from codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes: spins, or means of spins, between -1 and 1.
        batch : label or array-like of shape (n_samples,), default=None
            Batch to rebuild the rows in. None is the mean over the batches of the fit,
            by their shares.
        size_factor : float or array-like of shape (n_samples,), default=None
            Sizes of rows of counts; None is the median of the fit.

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
        size = self._sizes(len(X), size_factor)
        code = torch.as_tensor(X, dtype=torch.float64)
        with self._threads():
            if self.batches_ is None or batch is not None:
                rows = self._mean(code, self._codes(batch, len(X)), size)
            else:
                rows = sum(
                    share * self._mean(code, np.tile(codes, (len(X), 1)), size)
                    for codes, share in zip(
                        self.batches_.codes(self.batches_.combinations),
                        self.batches_.shares,
                        strict=True,
                    )
                )
        return rows.astype(X.dtype, copy=False)

    def sample(
        self,
        n_samples=1,
        *,
        noise=True,
        batch=None,
        size_factor=None,
        random_state=None,
    ) -> np.ndarray:
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
        batch : label or array-like of shape (n_samples,), default=None
            Batch of the rows; None draws it as often as it occurred in the fit.
        size_factor : float or array-like of shape (n_samples,), default=None
            Sizes of rows of counts; None draws them from those of the fit.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None takes the estimator's, which as an int gives the
            same rows in every call.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows, in the units of the data.
        """
        check_is_fitted(self)
        given = self.random_state if random_state is None else random_state
        rng = check_random_state(given)
        with self._threads():
            code = self._draw_code(n_samples, rng)
            labels = None
            if self.batches_ is not None:
                labels = (
                    self.batches_.draw(n_samples, rng)
                    if batch is None
                    else self._codes(batch, n_samples)
                )
            size = self._draw_sizes(n_samples, size_factor, rng)
            if not noise:
                return self._mean(code, labels, size)
            generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
            return self._decode(code, labels, size, self._noisy(generator))

    def restore(self, X, *, n_draws=4096) -> np.ndarray:
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

        Raises
        ------
        ValueError
            For likelihoods of counts, and for a model with batches.
        """
        check_is_fitted(self)
        if self.scaling_.counts or self.batches_ is not None:
            raise ValueError(
                "restore needs likelihood='gaussian' or 'bernoulli' and a fit without "
                f"batch. Got likelihood={self.likelihood!r}"
                f"{'' if self.batches_ is None else ', fitted with batch'}."
            )
        X, _ = self._check(X, observed=True, missing=True)
        with self._threads():
            return self._restore(X, n_draws)

    def _restore(self, X, n_draws):
        spins = self._draw_code(n_draws, check_random_state(self.random_state))
        targets = [rows.targets for rows in self._rows(X).in_order(_CHUNK)]
        filled = [conditional_mean(self.vae_, spins, rows)[0] for rows in targets]
        restored = torch.cat(filled).numpy()
        if self.likelihood == "gaussian":
            restored = self.scaling_.mean + self.scaling_.scale * restored
        return np.where(np.isnan(X), restored, X).astype(X.dtype, copy=False)

    def score_samples(self, X, batch=None, size_factor=None) -> np.ndarray:
        """Return the evidence lower bound of each row, at KL weight 1.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        batch : array-like of shape (n_samples,), default=None
            Batches of the rows, where the model was fitted with them.
        size_factor : array-like of shape (n_samples,), default=None
            Sizes of rows of counts, where the model was fitted with them.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            Lower bound of the log-likelihood, in nats; a density for the Gaussian
            likelihood.
        """
        X, batch = self._check(X, observed=True, batch=batch)
        rows = self._rows(X, self._labels(batch, X.shape[0]), size_factor)
        with self._threads():
            bound = self._bound(rows.in_order(_CHUNK), self.log_partition_)
        return bound.astype(X.dtype if X.dtype == np.float32 else np.float64)

    def score(self, X, y=None, batch=None, size_factor=None) -> float:
        """Return the mean evidence lower bound, whatever `kl_weight` was in training.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        y : Ignored
            Not used, present by convention.
        batch, size_factor : array-like of shape (n_samples,), default=None
            As of `score_samples`.

        Returns
        -------
        score : float
            Nats a row, more is better.
        """
        return float(np.mean(self.score_samples(X, batch, size_factor)))

    def _threads(self):
        width = self.n_features_in_
        widths = np.atleast_1d(self.n_hidden)
        return threads_for(int(widths.max()) * max(width, self.n_components))

    def _check(self, X, *, reset=False, observed=False, missing=False, batch=None):
        """Return X, valid, and the batch, which may be among its columns."""
        if not reset:
            check_is_fitted(self)
        return check_table(
            self, X, batch, reset=reset, observed=observed, missing=missing
        )

    def _rows(self, X, batch=None, size_factor=None):
        """Return the rows of a fitted model, in its precision."""
        return Rows(
            X,
            self.scaling_,
            None if batch is None else self.batches_,
            batch,
            check_size_factor(self, size_factor, X.shape[0]),
            dtype=torch.float64,
        )

    def _labels(self, batch, n):
        """Return the labels of n rows, known ones, or None without batches."""
        if self.batches_ is None:
            if batch is not None:
                raise ValueError(
                    "The model was fitted without batch, so that none can be named."
                )
            return None
        if batch is None:
            raise ValueError(
                "The model was fitted with batch; give the batch of each row, or one "
                "label for all."
            )
        if np.ndim(batch) == 0:
            return np.full(n, batch)
        if len(batch) != n:
            raise ValueError(f"batch has {len(batch)} rows, the data have {n}.")
        return batch

    def _codes(self, batch, n):
        """Return the positions of the labels of n rows, or None without batches."""
        labels = self._labels(batch, n)
        return None if labels is None else self.batches_.codes(labels)

    def _sizes(self, n, size_factor):
        """Return sizes of n rows of counts, tensor of shape (n, 1), or None."""
        if not self.scaling_.counts:
            check_size_factor(self, size_factor, n)
            return None
        if size_factor is None:
            median = float(np.median(self.sizes_))
            return torch.full((n, 1), median, dtype=torch.float64)
        if np.ndim(size_factor) == 0:
            size_factor = np.full(n, size_factor)
        factor = check_size_factor(self, size_factor, n)
        return torch.as_tensor(factor * self.scaling_.size)[:, None]

    def _draw_sizes(self, n, size_factor, rng):
        if size_factor is None and self.scaling_.counts:
            return torch.as_tensor(rng.choice(self.sizes_, n))[:, None]
        return self._sizes(n, size_factor)

    def _draw_code(self, n, rng):
        """Return codes drawn from the prior, tensor of shape (n, n_components)."""
        whole = isinstance(n, Integral)
        if not whole or n < 1:
            raise ValueError(f"The number of draws must be a positive int. Got {n!r}.")
        generator = torch.Generator().manual_seed(rng.randint(2**31 - 1))
        if not isinstance(self.prior_, BoltzmannMachine):
            return self.prior_.sample(n, generator=generator)
        if self.sampler_ is None:
            spins = self.prior_.random_spins(n, generator=generator)
            return self.prior_.sweep(spins, 1000, generator=generator)
        scale = self.sampler_report_["scale"]
        return redraw(self.prior_, self.sampler_, scale, n, generator, rng)

    @torch.no_grad()
    def _outputs(self, rows):
        """Yield the encoder's outputs of rows, chunk by chunk."""
        for part in rows.in_order(_CHUNK):
            yield self.vae_.encoder(part.inputs)

    def _mean(self, code, labels, size):
        return self._decode(code, labels, size, self.vae_.law.mean)

    def _noisy(self, generator):
        return lambda out, size: self.vae_.law.draw(out, size, generator=generator)

    @torch.no_grad()
    def _decode(self, code, labels, size, law):
        """Return what the law makes of codes, ndarray in the units of the data."""
        parts = []
        for start in range(0, len(code), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            covariates = None
            if labels is not None:
                hot = self.batches_.one_hot(labels[chunk])
                covariates = torch.from_numpy(hot).double()
            out = self.vae_.decode(code[chunk], covariates)
            parts.append(law(out, None if size is None else size[chunk]))
        X = torch.cat(parts).numpy()
        if self.likelihood != "gaussian":
            return X
        return self.scaling_.mean + self.scaling_.scale * X

    def _bound(self, minibatches, log_z):
        """Return the bound of each row of some minibatches, ndarray of shape (n,)."""
        parts = [
            evidence_bound(
                self.vae_,
                self.prior_,
                log_z,
                rows.inputs,
                rows.targets,
                *rows.given,
                seed=self._score_seed,
            )
            for rows in minibatches
        ]
        bound = torch.cat(parts).double().cpu().numpy()
        if self.likelihood == "gaussian":  # the density of X, not of the scaled rows
            bound = bound - len(self.scaling_.mean) * np.log(self.scaling_.scale)
        return bound
