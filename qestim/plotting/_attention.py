# SPDX-License-Identifier: Apache-2.0
"""Which keys the heads of an attention layer keep, and what that costs them."""

from typing import Self

import numpy as np

from qestim.plotting._axes import INK, Display, axes_for


class AttentionDisplay(Display):
    """Weights and masks of the heads, with the energy of each.

    Parameters
    ----------
    weights : ndarray of shape (n_heads, n_queries, n_keys)
        Attention weights, dimensionless; 0 for keys that were not kept.
    terms : dict of str to ndarray of shape (n_heads,), default=None
        Parts of the energy of each head, a mean over queries, in the units of the
        scores. Their sum is written beside the head.
    labels : list of str, default=None
        Names of the keys, such as the tokens.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the picture.
    figure_ : matplotlib.figure.Figure
        Figure that holds them.

    Examples
    --------
    >>> import torch
    >>> from qestim.nn import QAMA
    >>> from qestim.plotting import AttentionDisplay
    >>> layer = QAMA(8, 2, k=3, mode="shared")
    >>> display = AttentionDisplay.from_layer(layer, torch.randn(6, 8))
    >>> display.weights.shape, sorted(display.terms)
    ((2, 6, 6), ['cross_head', 'redundancy', 'relevance'])
    """

    def __init__(self, weights, *, terms=None, labels=None) -> None:
        self.weights = weights
        self.terms = terms
        self.labels = labels

    @classmethod
    def from_layer(
        cls, layer, query, key=None, value=None, *, labels=None, **masks
    ) -> Self:
        """Run a layer on one sample.

        Parameters
        ----------
        layer : qestim.nn.QAMA
            The layer; it runs in eval mode and is left as it was.
        query : tensor of shape (L, E)
            Queries of one sample.
        key, value : tensor of shape (S, E), default=None
            None means the queries, and the keys.
        labels : list of str, default=None
            Names of the keys.
        **masks
            ``key_padding_mask``, ``attn_mask`` and ``is_causal``.

        Returns
        -------
        display : AttentionDisplay
            Without terms for ``mode="sparsemax"``, which has no mask.

        Raises
        ------
        AssertionError
            If ``query`` is a batch.
        """
        import torch

        problem = layer.problem(query, key, **masks)
        key = query if key is None else key
        value = key if value is None else value
        training = layer.training
        layer.eval()
        try:
            with torch.no_grad():
                _, weights = layer(
                    query, key, value, average_attn_weights=False, **masks
                )
        finally:
            layer.train(training)
        weights = weights.double().cpu().numpy()
        terms = None
        if problem.mode != "sparsemax":
            kept = weights[:, :1] > 0 if problem.mode == "shared" else weights > 0
            terms = {
                name: part[0].mean(-1)
                for name, part in problem.form.terms(kept[None]).items()
            }
        return cls(weights, terms=terms, labels=labels)

    def plot(self, ax=None, *, head=None, **kwargs) -> Self:
        """Draw the mean weights of all heads, or all weights of one.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. None makes new ones.
        head : int, default=None
            Draw the queries of this head as rows. None: a row a head, means over its
            queries; dots mark keys that every query of the head keeps.
        **kwargs
            Passed to `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : AttentionDisplay
            This object.
        """
        ax = axes_for(self, ax)
        rows = self.weights.mean(1) if head is None else self.weights[head]
        style = {"cmap": "Blues", "vmin": 0.0, "aspect": "auto", **kwargs}
        image = ax.imshow(rows, interpolation="nearest", **style)
        ax.figure.colorbar(image, ax=ax, label="attention weight")
        if head is None:
            always = (self.weights > 0).all(1)
            row, col = np.nonzero(always)
            ax.plot(col, row, ".", color=INK, markersize=4)
            ax.set_yticks(range(len(rows)), [self._name(h) for h in range(len(rows))])
        ax.set_ylabel("head" if head is None else f"query of {self._name(head)}")
        if self.labels is not None:
            turn = {"rotation": 90} if max(map(len, self.labels)) > 3 else {}
            ax.set_xticks(range(len(self.labels)), self.labels, **turn)
        ax.set_xlabel("key")
        return self

    def _name(self, head):
        if self.terms is None:
            return f"{head}"
        energy = sum(part[head] for part in self.terms.values())
        return f"{head}  (E = {energy:.2f})"
