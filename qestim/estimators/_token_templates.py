# SPDX-License-Identifier: Apache-2.0
"""What a generator starts from: masks, and the tokens that are given."""

import numpy as np
import torch

from qestim.estimators._token_sequences import whole_numbers


def templates(sequences, lengths, n_samples, prefix, infill, blank, rng):
    """Return rows of given tokens, masks and filling.

    Parameters
    ----------
    sequences : TokenSequences
        The vocabulary.
    lengths : ndarray of shape (n_sequences,)
        Lengths of the sequences of the fit, to draw from.
    n_samples : int
        Rows.
    prefix, infill : str, sequence of int or None
        Given tokens, as of `QDiffusionGenerator.sample`.
    blank : str
        Character of a gap in ``infill``.
    rng : numpy.random.RandomState
        Source of the lengths.

    Returns
    -------
    tokens : tensor of shape (n_samples, length), dtype int64
        With ``n_tokens`` as mask and ``n_tokens + 1`` as filling.
    """
    mask, longest = sequences.n_tokens, int(lengths.max())
    if prefix is not None and infill is not None:
        raise ValueError(
            "Give prefix or infill, not both; an infill may begin with the prefix."
        )
    if infill is not None:
        row = _infill(sequences, infill, blank)
        _check_length(row, longest, "infill")
        return torch.from_numpy(row).repeat(n_samples, 1)
    given = np.empty(0, dtype=np.int64)
    if prefix is not None:
        given = sequences.code(prefix, "prefix")
        _check_length(given, longest, "prefix")
    drawn = rng.choice(lengths[lengths >= len(given)], n_samples)
    tokens = torch.full((n_samples, int(drawn.max())), mask)
    tokens[:, : len(given)] = torch.from_numpy(given)
    beyond = torch.arange(tokens.shape[1]) >= torch.from_numpy(drawn)[:, None]
    return tokens.masked_fill(beyond, mask + 1)


def _infill(sequences, infill, blank):
    """Return a template of known tokens and masks, int64 of shape (length,)."""
    mask = sequences.n_tokens
    sequences.check_kind(infill, "infill")
    if sequences.characters is not None:
        if not isinstance(blank, str) or len(blank) != 1 or blank in sequences.index:
            raise ValueError(
                "blank must be one character that is not in the vocabulary. Got "
                f"{blank!r}; give another."
            )
        gaps = np.array([c == blank for c in infill], dtype=bool)
        known = sequences.code(infill.replace(blank, ""), "infill")
    else:
        values = whole_numbers(infill)
        gaps = values < 0
        known = sequences.code(values[~gaps], "infill")
    row = np.full(len(gaps), mask)
    row[~gaps] = known
    return row


def _check_length(row, longest, name):
    if len(row) > longest:
        raise ValueError(
            f"{name} has {len(row)} tokens; the model takes at most {longest}. Cut it, "
            "or fit on longer sequences."
        )
    if len(row) == 0 and name == "infill":
        raise ValueError("infill is empty; give a sequence with gaps.")
