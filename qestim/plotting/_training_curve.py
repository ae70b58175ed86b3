# SPDX-License-Identifier: Apache-2.0
"""How the loss of an estimator fell while it was trained."""

from typing import Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from qestim.plotting._axes import COLOURS, Display, axes_for

# Name of a curve: where it is kept, label of its axis, where its held-out scores are.
CURVES = {
    "loss": ("loss_curve_", "training loss (nats)", "validation_scores_"),
    "guide_loss": (
        "guide_loss_curve_",
        "training loss of the guide (nats)",
        "guide_validation_scores_",
    ),
    "beta_eff": (
        "beta_eff_curve",
        "inverse temperature of the reads (dimensionless)",
        None,
    ),
}


class TrainingCurveDisplay(Display):
    """Loss of a fitted estimator after each epoch.

    Any estimator with a ``loss_curve_`` can be drawn, scikit-learn's
    `~sklearn.neural_network.MLPClassifier` too.

    Parameters
    ----------
    values : array-like of shape (n_epochs,)
        What was recorded after each epoch.
    label : str
        Label of its axis, with the unit.
    scores : array-like of shape (n_epochs,), default=None
        Score of the held-out rows after each epoch, higher is better. None where none
        were held out.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the curve.
    score_ax_ : matplotlib.axes.Axes or None
        Axes on the right with the scores; None where there are none.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.
    line_ : matplotlib.lines.Line2D
        The curve.

    Examples
    --------
    >>> import numpy as np
    >>> from qestim import QBMVAETransformer
    >>> from qestim.plotting import TrainingCurveDisplay
    >>> X = np.random.default_rng(0).random((50, 4))
    >>> model = QBMVAETransformer(2, max_iter=3, random_state=0).fit(X)
    >>> len(TrainingCurveDisplay.from_estimator(model).values)
    3
    """

    def __init__(self, values, *, label, scores=None) -> None:
        self.values = values
        self.label = label
        self.scores = scores

    @classmethod
    def from_estimator(cls, estimator, *, curve="loss") -> Self:
        """Take a curve from a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator.
        curve : {"loss", "guide_loss", "beta_eff"}, default="loss"
            The training loss; that of the guide of a `QDiffusionGenerator`; or the
            inverse temperature of the sampler's reads (those of a
            `QBMVAETransformer` with a sampler).

        Returns
        -------
        display : TrainingCurveDisplay
            The display, not drawn yet.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError
            If ``curve`` has another value or the estimator has recorded no such curve.
        """
        if curve not in CURVES:
            raise ValueError(
                f"The 'curve' parameter must be one of {', '.join(CURVES)}. "
                f"Got {curve!r}."
            )
        check_is_fitted(estimator)
        home, label, scores = CURVES[curve]
        report = getattr(estimator, "sampler_report_", None) or {}
        values = getattr(estimator, home, report.get(home))
        if values is None or len(values) == 0:
            have = [
                name
                for name, (home, *_) in CURVES.items()
                if len(getattr(estimator, home, report.get(home)) or ())
            ]
            step = " Give the step that has one." if hasattr(estimator, "steps") else ""
            raise ValueError(
                f"{type(estimator).__name__} has recorded no curve {curve!r}. "
                f"It has: {', '.join(have) or 'none'}.{step}"
            )
        held_out = getattr(estimator, scores, None) if scores else None
        if held_out is None or len(held_out) == 0:
            held_out = None
        return cls(values, label=label, scores=held_out)

    def plot(self, ax=None, *, name=None, **kwargs) -> Self:
        """Draw the curve, and the scores of held-out rows with an axis of their own.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on, those of another display for a comparison. None makes new
            ones.
        name : str, default=None
            Label of the curve in the legend.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : TrainingCurveDisplay
            This object.
        """
        ax = axes_for(self, ax)
        epochs = np.arange(1, len(self.values) + 1)
        style = {"color": COLOURS[len(ax.lines) % len(COLOURS)], "label": name}
        # A point shows where a line of one epoch would not.
        style |= {"marker": "o", "markersize": 3} if len(epochs) < 30 else {}
        (self.line_,) = ax.plot(epochs, self.values, **{**style, **kwargs})
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("epoch")
        ax.set_ylabel(self.label)
        ax.grid(alpha=0.3)
        self.score_ax_ = None
        if self.scores is not None:
            self.score_ax_ = right_of(ax)
            self.score_ax_.plot(
                epochs, self.scores, "--", color=self.line_.get_color(), alpha=0.7
            )
            self.score_ax_.set_ylabel("score of held-out rows (dashed)")
        if name is not None:
            # Losses end low and scores high: the middle of the right is free.
            ax.legend(frameon=False, loc="center right")
        return self


def right_of(ax):
    """Return the axes on the right of ``ax``: an earlier curve's, or new ones."""
    for other in ax.get_shared_x_axes().get_siblings(ax):
        if other is not ax and other.bbox.bounds == ax.bbox.bounds:
            return other
    return ax.twinx()
