# SPDX-License-Identifier: Apache-2.0
"""Whether a sampler helps: the same estimator on the same folds, controls beside it."""

import html
import math
import time
from numbers import Integral

import dimod
import joblib
import numpy as np
import scipy.stats
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state, indexable
from tqdm.auto import tqdm

from qestim._sklearn import safe_indexing
from qestim.samplers import DimodSampler

COLUMNS = (
    "name",
    "kind",
    "mean",
    "std",
    "seconds",
    "sampler_calls",
    "sampler_seconds",
    "difference",
    "low",
    "high",
)

_LEGEND = (
    "score: mean +- standard deviation over the folds; seconds, calls: of one fold."
)


class Comparison:
    """What `compare` found; printing it shows the table.

    Attributes
    ----------
    rows : list of dict
        A row a candidate: ``name``; ``kind`` ("sampler" or "control"); ``mean`` and
        ``std`` of the score over the folds; ``seconds`` of a fold's fit and score
        (mean, wall clock); ``sampler_calls`` and ``sampler_seconds`` in a fold (mean;
        NaN where the estimator does not report them); ``difference`` to the reference
        row, paired over the folds, and its interval ``low`` to ``high`` at 95 %.
    scores : dict of str to ndarray of shape (n_folds,)
        The scores behind it.
    reference : str
        Name of the reference row.
    scoring : str
        What the scores are.
    """

    def __init__(self, rows, scores, reference, scoring):
        self.rows = rows
        self.scores = scores
        self.reference = reference
        self.scoring = scoring

    def to_frame(self):
        """Return the rows as a pandas.DataFrame, which needs pandas."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(COLUMNS)).set_index("name")

    def _cells(self):
        score = "score" if self.scoring == "score" else f"score ({self.scoring})"
        yield "", score, "seconds", "calls", "difference [95 %]"
        for row in self.rows:
            calls = row["sampler_calls"]
            score = f"{row['mean']:.4g} +- {row['std']:.2g}"
            interval = f"[{row['low']:+.2g}, {row['high']:+.2g}]"
            change = f"{row['difference']:+.2g} {interval}"
            if row["name"] == self.reference:
                change = "reference"
            name = (
                f"{row['name']} (control)" if row["kind"] == "control" else row["name"]
            )
            calls = "-" if math.isnan(calls) else f"{calls:.0f}"
            yield name, score, f"{row['seconds']:.2f}", calls, change

    def _finding(self):
        if len(self.rows) == 1:
            return "One row alone: add 'controls' or another sampler to samplers."
        better = [r for r in self.rows if r["low"] > 0 and r["name"] != self.reference]
        samplers = [row["name"] for row in better if row["kind"] == "sampler"]
        others = [row["name"] for row in better if row["kind"] == "control"]
        folds = len(self.scores[self.reference])
        text = f"Paired over {folds} folds with {self.reference!r}: "
        if samplers:
            text += f"better with {', '.join(samplers)}."
        else:
            text += "no sampler is better (no interval lies above 0)."
        return text + (f" Better controls: {', '.join(others)}." if others else "")

    def __repr__(self):
        cells = list(self._cells())
        widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]))]
        lines = [
            "  ".join(
                text.ljust(width) for text, width in zip(line, widths, strict=True)
            )
            for line in cells
        ]
        return "\n".join([*(line.rstrip() for line in lines), _LEGEND, self._finding()])

    def _repr_html_(self):
        head, *body = self._cells()
        table = "".join(f"<th>{html.escape(text)}</th>" for text in head)
        table = f"<tr>{table}</tr>"
        for line in body:
            cells = "".join(f"<td>{html.escape(text)}</td>" for text in line)
            table += f"<tr>{cells}</tr>"
        return (
            f"<table>{table}</table><p>{_LEGEND}<br>{html.escape(self._finding())}</p>"
        )


def compare(
    estimator,
    X,
    y=None,
    samplers=("controls",),
    *,
    cv=None,
    scoring=None,
    random_state=None,
    n_jobs=None,
    verbose=0,
) -> "Comparison":
    """Compare samplers, and the cheap controls, under one estimator on your data.

    Parameters
    ----------
    estimator : estimator
        An estimator with a ``sampler`` parameter, or a Pipeline with one such step;
        the score is then the Pipeline's.
    X : array-like of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,), default=None
        Targets.
    samplers : list or dict, default=("controls",)
        Samplers of dimod's kind, in a list or as a dict from names; foreign ones are
        wrapped in `qestim.samplers.DimodSampler`. None among them is the estimator's
        own default, and ``"controls"`` the classical controls that it declares: itself
        with its couplings at zero, or with a classical step in the sampler's place.
    cv : int, splitter or iterable, default=None
        Folds as in scikit-learn; None or a number means that many shuffled folds
        (None: 5), stratified for a classifier.
    scoring : str or callable, default=None
        As in scikit-learn; None means the estimator's own ``score``.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of every ``random_state`` in the estimator that is None:
        all candidates get the same.
    n_jobs : int, default=None
        Fits at a time, through joblib. Times are only comparable at 1.
    verbose : int, default=0
        Above 0 shows a progress bar.

    Returns
    -------
    comparison : Comparison
        The table; ``comparison.rows`` as data, ``comparison.to_frame()`` for pandas.

    Raises
    ------
    ValueError
        If no part, or more than one, of the estimator has a ``sampler`` parameter, or
        if ``"controls"`` are asked of one that declares none.

    Notes
    -----
    The reference is the first control, or the first row without controls. Training
    sets of different folds overlap, so the interval is Nadeau and Bengio's corrected
    one [1]_: the variance of the paired differences times 1 / n_folds + n_test /
    n_train, Student's t. An error in a fit is raised, not scored.

    References
    ----------
    .. [1] Nadeau and Bengio, "Inference for the generalization error", Machine
       Learning 52, 239 (2003). doi:10.1023/A:1024068626366

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> import qestim
    >>> from qestim.samplers import BoltzmannSampler
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = qestim.QBMVAETransformer(4, max_iter=2, random_state=0)
    >>> samplers = {"Boltzmann": BoltzmannSampler(), "controls": "controls"}
    >>> table = qestim.compare(model, X[:200] / 16, samplers=samplers, cv=2)
    >>> [row["kind"] for row in table.rows]
    ['sampler', 'control', 'control']
    """
    path = _find_owner(estimator)
    rng = check_random_state(random_state)
    estimator = _seeded(estimator, rng)
    candidates = _candidates(estimator, path, samplers)
    X, y = indexable(X, y)
    splits = list(_splitter(cv, estimator, y, rng).split(X, y))
    if scoring is not None and not (isinstance(scoring, str) or callable(scoring)):
        raise ValueError(
            f"scoring must be one name or one callable, or None. Got {scoring!r}; call "
            "compare once for each."
        )
    scorer = check_scoring(estimator, scoring)
    tasks = [(name, fold) for fold in range(len(splits)) for name in candidates]
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(_fit_and_score)(
            candidates[name][1], path, X, y, *splits[fold], scorer
        )
        for name, fold in tasks
    )
    found: dict = {name: [] for name in candidates}
    bar = tqdm(results, total=len(tasks), desc="compare", disable=not verbose)
    for (name, _), result in zip(tasks, bar, strict=True):
        found[name].append(result)
    scores = {name: np.array([r[0] for r in found[name]]) for name in candidates}
    kinds = {name: kind for name, (kind, _) in candidates.items()}
    reference = next((name for name in kinds if kinds[name] == "control"), None)
    reference = reference or next(iter(kinds))
    overlap = np.mean([len(test) / len(train) for train, test in splits])
    rows = []
    for name in candidates:
        mean_of = np.mean(np.array(found[name], dtype=np.float64), axis=0)
        rows.append(
            {
                "name": name,
                "kind": kinds[name],
                "mean": float(scores[name].mean()),
                "std": float(scores[name].std(ddof=1)) if len(splits) > 1 else 0.0,
                "seconds": float(mean_of[1]),
                "sampler_calls": float(mean_of[2]),
                "sampler_seconds": float(mean_of[3]),
                **_difference(scores[name] - scores[reference], overlap),
            }
        )
    label = (
        scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    )
    return Comparison(rows, scores, reference, label)


def _difference(change, overlap):
    mean, low, high = float(change.mean()), float("nan"), float("nan")
    if len(change) > 1:
        spread = math.sqrt(change.var(ddof=1) * (1 / len(change) + overlap))
        half = float(scipy.stats.t.ppf(0.975, len(change) - 1)) * spread
        low, high = mean - half, mean + half
    return {"difference": mean, "low": low, "high": high}


def _fit_and_score(estimator, path, X, y, train, test, scorer):
    fitted = clone(estimator)
    part, target = (
        safe_indexing(X, train),
        None if y is None else safe_indexing(y, train),
    )
    held, wanted = (
        safe_indexing(X, test),
        None if y is None else safe_indexing(y, test),
    )
    start = time.perf_counter()
    fitted.fit(part) if y is None else fitted.fit(part, target)
    score = scorer(fitted, held) if y is None else scorer(fitted, held, wanted)
    seconds = time.perf_counter() - start
    owner = fitted.get_params()[path] if path else fitted
    report = getattr(owner, "sampler_report_", None) or {}
    nan = float("nan")
    return float(score), seconds, report.get("calls", nan), report.get("seconds", nan)


def _find_owner(estimator):
    """Return the name of the part with a sampler, "" for the estimator itself."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise ValueError(
            "estimator must be an instance of a scikit-learn estimator. Got "
            f"{estimator!r}."
        )
    parameters = estimator.get_params(deep=True)
    owners = []
    for name in parameters:
        path, _, last = name.rpartition("__")
        owner = parameters[path] if path else estimator
        # A composed sampler has a sampler too, but it is not what is compared.
        if last == "sampler" and not isinstance(owner, dimod.Sampler):
            owners.append(path)
    if len(owners) != 1:
        found = f"these do: {owners}" if owners else "none does"
        raise ValueError(
            "estimator must be or hold exactly one estimator with a 'sampler' "
            f"parameter; of {type(estimator).__name__} {found}."
        )
    return owners[0]


def _seeded(estimator, rng):
    estimator = clone(estimator, safe=False)
    for name, value in sorted(estimator.get_params(deep=True).items()):
        if name.rpartition("__")[2] == "random_state" and value is None:
            estimator.set_params(**{name: int(rng.randint(2**31 - 1))})
    return estimator


def _splitter(cv, estimator, y, rng):
    if cv is None or isinstance(cv, Integral):
        kind = StratifiedKFold if y is not None and is_classifier(estimator) else KFold
        return kind(
            5 if cv is None else int(cv),
            shuffle=True,
            random_state=rng.randint(2**31 - 1),
        )
    return check_cv(cv, y, classifier=is_classifier(estimator))


def _candidates(estimator, path, samplers):
    """Return a dict from names to (kind, estimator)."""
    if samplers is None or isinstance(samplers, str) or hasattr(samplers, "sample"):
        samplers = [samplers]
    if isinstance(samplers, dict):
        named = list(samplers.items())
    else:
        named = [(None, sampler) for sampler in samplers]
    candidates: dict = {}
    for name, sampler in named:
        if isinstance(sampler, str):
            for label, control in _controls(estimator, path, sampler).items():
                candidates[_free_name(label, candidates)] = ("control", control)
            continue
        unusable = isinstance(sampler, type) or not hasattr(sampler, "sample")
        if sampler is not None and unusable:
            raise ValueError(
                "samplers must hold instances of dimod samplers, None or 'controls'. "
                f"Got {sampler!r}."
            )
        if sampler is not None and not isinstance(sampler, BaseEstimator):
            sampler = DimodSampler(sampler)
        setting = {f"{path}__sampler" if path else "sampler": sampler}
        candidate = clone(estimator).set_params(**setting)
        name = _free_name(name or _name_of(sampler), candidates)
        candidates[name] = ("sampler", candidate)
    if not candidates:
        raise ValueError("samplers must hold at least one sampler or 'controls'.")
    return candidates


def _controls(estimator, path, word):
    if word != "controls":
        raise ValueError(
            f"The one string that samplers may hold is 'controls'. Got {word!r}; a "
            "sampler is an instance such as SimulatedAnnealingSampler()."
        )
    owner = estimator.get_params()[path] if path else estimator
    if not hasattr(owner, "_controls"):
        raise ValueError(
            f"{type(owner).__name__} declares no controls. Leave 'controls' out of "
            "samplers, or give the estimator a method _controls() that returns a dict "
            "from names to estimators."
        )
    controls = owner._controls()
    if not path:
        return controls
    return {
        name: clone(estimator).set_params(**{path: control})
        for name, control in controls.items()
    }


def _name_of(sampler):
    if sampler is None:
        return "default"
    if isinstance(sampler, DimodSampler):
        sampler = sampler.sampler
    text = repr(sampler)
    return text if len(text) <= 48 and " at 0x" not in text else type(sampler).__name__


def _free_name(name, taken):
    free, number = name, 2
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free
