# SPDX-License-Identifier: Apache-2.0
"""What labels buy: scores against how many rows have one."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import scipy.stats

from qestim.plotting._axes import COLOURS, Display, axes_for


class LearningCurveDisplay(Display):
    """Scores of several ways to choose labels, against the number of labels.

    The band is Student's interval of the mean over repetitions. It says how well each
    mean is known; two ways that ran on the same splits are better told apart by their
    differences, as in ``areas()["a"] - areas()["b"]``.

    Parameters
    ----------
    n_labels : ndarray of float64 of shape (n_rounds,)
        Labels known at each round.
    scores : dict of str to ndarray of shape (n_repetitions, n_rounds), dtype float64
        Scores of each way to choose, one row a repetition.
    confidence : float, default=0.95
        Of the band.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the curves.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.

    References
    ----------
    .. [1] Student, "The probable error of a mean", Biometrika 6, 1 (1908).
       doi:10.1093/biomet/6.1.1

    Examples
    --------
    >>> from qestim.plotting import LearningCurveDisplay
    >>> display = LearningCurveDisplay.from_scores(
    ...     [10, 20, 40], {"random": [[0.5, 0.6, 0.7], [0.4, 0.6, 0.8]]})
    >>> display.areas()["random"].round(4).tolist()
    [0.6167, 0.6333]
    """

    def __init__(self, n_labels, scores, *, confidence=0.95) -> None:
        self.n_labels = n_labels
        self.scores = scores
        self.confidence = confidence

    @classmethod
    def from_scores(cls, n_labels, scores, *, confidence=0.95) -> Self:
        """Make the display from scores that were measured.

        Parameters
        ----------
        n_labels : array-like of int of shape (n_rounds,)
            Labels known at each round, increasing.
        scores : dict of str to array-like of shape (n_repetitions, n_rounds)
            Scores of each way to choose, one row a repetition; a single row may be
            flat.
        confidence : float, default=0.95
            Of the band.

        Returns
        -------
        display : LearningCurveDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If there is nothing to draw, lengths differ, a score is not finite, or the
            confidence is not between 0 and 1.
        """
        labels = numbers_of(n_labels)
        if (
            labels is None
            or labels.ndim != 1
            or len(labels) < 1
            or not (np.diff(labels) > 0).all()
        ):
            raise ValueError(
                "n_labels must be a list of increasing numbers, one a round. "
                f"Got {n_labels!r}."
            )
        if not isinstance(scores, Mapping) or not scores:
            raise ValueError(
                "scores must be a dict that names at least one way to choose: "
                f"{{name: scores}}. Got {scores!r}."
            )
        if not isinstance(confidence, float) or not 0 < confidence < 1:
            raise ValueError(
                "confidence must be between 0 and 1, both excluded. "
                f"Got {confidence!r}."
            )
        tables = {}
        for name, found in scores.items():
            table = numbers_of(found)
            if table is None:
                raise ValueError(
                    f"The scores of {name!r} must be numbers in rows of one length. "
                    f"Got {found!r}."
                )
            table = np.atleast_2d(table)
            if table.shape != (max(len(table), 1), len(labels)):
                raise ValueError(
                    f"The scores of {name!r} must have {len(labels)} columns, one for "
                    f"each of n_labels. Got the shape {table.shape}."
                )
            if not np.isfinite(table).all():
                raise ValueError(f"The scores of {name!r} must be finite numbers.")
            tables[name] = table
        return cls(labels, tables, confidence=confidence)

    def areas(self) -> dict:
        """Return the mean score along each curve, by the trapezoidal rule.

        Returns
        -------
        areas : dict of str to ndarray of shape (n_repetitions,), dtype float64
            Area under the curve over the range of labels, in the unit of the scores.
        """
        if len(self.n_labels) == 1:
            return {name: found[:, 0] for name, found in self.scores.items()}
        width = self.n_labels[-1] - self.n_labels[0]
        return {
            name: np.trapezoid(found, self.n_labels, axis=1) / width
            for name, found in self.scores.items()
        }

    def plot(self, ax=None, *, score_name="score", **kwargs) -> Self:
        """Draw the means and their bands.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. None makes new ones.
        score_name : str, default="score"
            Label of the vertical axis.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot` for each curve.

        Returns
        -------
        display : LearningCurveDisplay
            This object.
        """
        ax = axes_for(self, ax)
        for place, (name, found) in enumerate(self.scores.items(), len(ax.lines)):
            style = {"color": COLOURS[place % len(COLOURS)], "label": name}
            style |= {"marker": "o", "markersize": 4, **kwargs}
            mean, n = found.mean(axis=0), len(found)
            (line,) = ax.plot(self.n_labels, mean, **style)
            if n > 1:
                reach = scipy.stats.t.ppf((1 + self.confidence) / 2, n - 1)
                half = reach * found.std(axis=0, ddof=1) / np.sqrt(n)
                band = {"color": line.get_color(), "alpha": 0.2, "linewidth": 0}
                ax.fill_between(self.n_labels, mean - half, mean + half, **band)
        ax.set_xlabel("labels")
        most = max(len(found) for found in self.scores.values())
        note = f"\n({100 * self.confidence:g} % interval of the mean)"
        ax.set_ylabel(score_name + note * (most > 1))
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
        return self


def numbers_of(values):
    """Return an array of floats, or None where the values make none."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
