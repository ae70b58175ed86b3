# SPDX-License-Identifier: Apache-2.0
"""How an autoencoder with a code of spins is built, trained and measured."""

import copy
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from qestim.estimators._code_facts import code_facts
from qestim.estimators._prior import BoltzmannPrior, make_prior, negative_phase, rate_of
from qestim.estimators._rows import Epochs, Rows
from qestim.estimators._spin_code import SpinCodeTransformer
from qestim.estimators._stream import Chunks, is_stream
from qestim.estimators._survey import Survey
from qestim.estimators._table import check_size_factor
from qestim.estimators._training import WARM_UP_STEPS, Trainer
from qestim.nn import BoltzmannMachine, SpinVAE

_HELD_OUT = 2048  # rows at most that tell when to stop
_N_SIZES = 5000  # sizes of rows kept for draws
_N_FACTS = 1024  # rows that the diagnostics are of


class TrainedSpinCode(SpinCodeTransformer):
    """Base class: the steps of a fit.

    A subclass has the parameters that `SpinCodeTransformer` names and ``prior``,
    ``kl_weight``, ``sampler``, ``learning_rate``, ``batch_size``, ``max_iter``,
    ``n_iter_no_change``, ``device`` and ``verbose``.
    """

    def __sklearn_is_fitted__(self):
        return hasattr(self, "vae_")

    def _prepare(self, X, batch, size_factor, *, known):
        """Return the data as `Rows` of the model's scales, and how many each has."""
        if not (widths := self._widths()) or not all(
            isinstance(w, Integral) and int(w) > 0 for w in widths
        ):
            raise ValueError(
                "The 'n_hidden' parameter must be a positive int, or several, one a "
                f"layer. Got {self.n_hidden!r}."
            )
        tables = self._tables(X, batch, size_factor, reset=not known)
        survey = self._survey(tables)
        if known:
            self._check_form(survey.batches)
        else:
            self._learn(survey)
        for table in [tables] if isinstance(tables, Chunks) else tables:
            table.scaling, table.batches = self.scaling_, self.batches_
        return tables, survey.lengths

    def _widths(self):
        one = isinstance(self.n_hidden, Integral)
        return (self.n_hidden,) if one else tuple(self.n_hidden)

    def _check_form(self, batches):
        """Refuse to go on where the networks that there are do not fit."""
        anew = "begin anew with fit and warm_start=False."
        for name, have, want in (
            ("n_components", self.prior_.n_units, self.n_components),
            ("likelihood", self.vae_.likelihood, self.likelihood),
            ("n_hidden", self.vae_.n_hidden, self._widths()),
        ):
            if want != have:
                raise ValueError(
                    f"The networks that are to be trained further have {name}={have!r}."
                    f" Got {getattr(self, name)!r}; {anew}"
                )
        prior, code = make_prior(self._settings(), self.n_components, torch.Generator())
        # The buffers are the ends of the couplings.
        had, ends = (dict(law.named_buffers()) for law in (self.prior_, prior))
        same = type(prior) is type(self.prior_) and all(
            torch.equal(had[name].cpu(), ends[name]) for name in ends
        )
        if not same or _family(code) != _family(self.vae_.code):
            raise ValueError(
                "The networks that are to be trained further have another 'prior': its "
                f"graph or relaxation. Got {self.prior!r}; {anew}"
            )
        labels = None if batches is None else batches.combinations
        self._codes(labels, 0 if labels is None else len(labels))

    @contextmanager
    def _undone_by_errors(self, known):
        """Leave the model as it was, or unfitted, where training it raises."""
        modules = (self.vae_, self.prior_) if known else ()
        before = [copy.deepcopy(module.state_dict()) for module in modules]
        try:
            yield
        except BaseException:
            self._trainer = None
            if known:
                self._to("cpu", torch.float64, trained=False)
                for module, state in zip(modules, before, strict=True):
                    module.eval().load_state_dict(state)
            elif hasattr(self, "vae_"):
                del self.vae_, self.prior_
            raise

    def _tables(self, X, batch, size_factor, *, reset):
        """Return the data as an iterable of `Rows`, which begins anew each time."""
        device = self._device()
        if is_stream(X):
            if batch is not None or size_factor is not None:
                raise ValueError(
                    "With chunks the batch and the size factors are part of each "
                    "chunk: (X, batch, size_factor)."
                )
            if self.n_iter_no_change is not None:
                raise ValueError(
                    "n_iter_no_change needs rows to hold out, which chunks do not "
                    "give. Set it to None, or give a memory-mapped CSR matrix."
                )
            return Chunks(self, X, reset=reset, device=device)
        X, batch = self._check(X, reset=reset, observed=True, batch=batch)
        size_factor = check_size_factor(self, size_factor, X.shape[0])
        return [Rows(X, None, None, batch, size_factor, device=device)]

    def _survey(self, tables):
        """Return what one pass over the rows tells."""
        survey = Survey(self.likelihood)
        for table in tables:
            survey.add(table)
        if not survey.lengths:
            raise ValueError("There is no chunk to fit to.")
        survey.finish()
        return survey

    def _learn(self, survey):
        """Keep what later calls must know of the first rows."""
        self.scaling_, self.batches_ = survey.scaling, survey.batches
        rng = check_random_state(self.random_state)
        self._score_seed = int(rng.randint(2**31 - 1))
        sizes = survey.sizes
        if sizes is not None and len(sizes) > _N_SIZES:
            sizes = rng.choice(sizes, _N_SIZES)
        self.sizes_ = sizes
        self._n_features_out = self.n_components

    def _begin(self, known):
        """Return a trainer, of new networks unless they are known, and a generator."""
        rng = check_random_state(self.random_state)
        device = self._device()
        seeds = rng.randint(2**31 - 1, size=4).tolist()
        noise = torch.Generator(device).manual_seed(seeds[1])
        # Of its own, so that the networks' noise does not depend on the sampler.
        heat = torch.Generator(device).manual_seed(seeds[2])
        settings = self._settings()
        if not known:
            self._build(torch.Generator().manual_seed(seeds[0]))
        self._to(device, torch.float32)
        phase, self.sampler_ = negative_phase(
            settings, self.prior_, self.sampler, heat, rng
        )
        trainer = Trainer(
            self.vae_,
            self.prior_,
            phase,
            kl_weight=self.kl_weight,
            learning_rate=self.learning_rate,
            prior_rate=rate_of(settings, self.prior_),
            generator=noise,
            dropout_seed=seeds[3],
        )
        return trainer, heat

    def _build(self, generator):
        """Set networks and prior, not trained."""
        self.prior_, code = make_prior(self._settings(), self.n_components, generator)
        self.vae_ = self._networks(code, generator)

    def _to(self, device, dtype, *, trained=True):
        for module in (self.vae_, self.prior_):
            module.to(device, dtype).requires_grad_(trained)

    def _fit(self, trainer, tables, lengths, heat):
        rows = held_out = validate = None
        if self.n_iter_no_change is not None and lengths[0] > 1:
            rows, held_out = self._split(lengths[0])

            def validate():
                return self._held_out(tables[0], held_out, heat)

        self._trainer = None
        self.loss_curve_, self.validation_scores_ = trainer.fit(
            Epochs(tables, lengths, self.batch_size, trainer.generator, rows),
            max_iter=self.max_iter,
            validate=validate,
            patience=self.n_iter_no_change,
            verbose=self.verbose,
        )
        self.n_iter_ = len(self.loss_curve_)
        self._n_steps = max(trainer.steps, WARM_UP_STEPS)
        return self._finish(trainer, tables)

    def _finish(self, trainer, tables):
        """Measure the fitted model and keep what the negative phase reports."""
        self._to("cpu", torch.float64, trained=False)
        phase = trainer.phase
        self._measure_partition()
        generator = torch.Generator().manual_seed(self._score_seed)
        self.diagnostics_ = code_facts(
            self.vae_,
            self.prior_,
            self.log_partition_bounds_,
            self._some_rows(next(iter(tables))),
            getattr(phase, "spins", None),
            generator,
            self._score_seed,
        )
        self.sampler_report_ = phase.report()
        if trainer.beta_curve:
            self.sampler_report_["beta_eff_curve"] = list(trainer.beta_curve)
        if self.sampler_ is not None:
            phase.warn_of_mixing()
        return self

    def _some_rows(self, table):
        """Yield rows of the fit for the diagnostics, in double precision."""
        rng = np.random.RandomState(self._score_seed)
        rows = rng.permutation(len(table))[:_N_FACTS]
        table = self._rows(table.X, table.batch, table.size_factor)
        for start in range(0, len(rows), 256):
            yield table.take(rows[start : start + 256])

    def _networks(self, code, generator):
        """Return untrained networks; those of counts decode the mean of the rows."""
        counts = self.scaling_.counts
        means = getattr(code, "relaxation", None) == "mean"
        vae = SpinVAE(
            len(self.scaling_.mean),
            self.n_components,
            n_hidden=self.n_hidden,
            likelihood=self.likelihood,
            n_covariates=0 if self.batches_ is None else self.batches_.width,
            code=code,
            # Drawn spins are noise enough where counts are; their means are none.
            input_noise=0.8 if not counts else 0.5 if means else 0.0,
            dropout=0.1 if counts else 0.0,
            generator=generator,
        )
        if counts:
            with torch.no_grad():
                shares = torch.as_tensor(np.log(self.scaling_.shares))
                vae.decoder[-1].bias[: len(shares)] = shares
        return vae

    def _settings(self):
        """Return the parameters of the prior, valid."""
        settings = self.prior
        if not isinstance(settings, BoltzmannPrior):
            settings = BoltzmannPrior(settings)
        settings = clone(settings)
        settings._validate_params()
        return settings

    def _split(self, n):
        """Return the rows to train on and those that tell when to stop."""
        share = min(0.1, _HELD_OUT / n)
        return train_test_split(
            np.arange(n), test_size=share, random_state=self._score_seed
        )

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
        """Set log Z of the prior; its upper bound is what a score counts with."""
        self.log_partition_bounds_, self.log_partition_ess_ = (0.0, 0.0), None
        if isinstance(self.prior_, BoltzmannMachine):
            generator = torch.Generator().manual_seed(self._score_seed)
            bounds = self.prior_.log_partition_bracket(generator=generator)
            self.log_partition_bounds_ = bounds.lower, max(bounds.lower, bounds.upper)
            self.log_partition_ess_ = bounds.ess_lower
        self.log_partition_ = self.log_partition_bounds_[1]

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


def _family(code):
    """Return what tells posteriors apart."""
    return type(code), getattr(code, "relaxation", None)
