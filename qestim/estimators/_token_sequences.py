# SPDX-License-Identifier: Apache-2.0
"""Sequences as people have them, and as rows of one tensor."""

from numbers import Integral

import numpy as np
import torch

_LARGEST = 2**31 - 1  # a larger one does not survive as an index


class TokenSequences:
    """The vocabulary of a set of sequences, and the way to rows of numbers and back.

    Parameters
    ----------
    characters : str or None
        One character a token, in the order of the tokens; None for integers.
    n_tokens : int
        Size of the vocabulary. ``n_tokens + 1`` fills up short rows.
    """

    def __init__(self, characters, n_tokens):
        self.characters = characters
        self.n_tokens = n_tokens
        self.index = {c: k for k, c in enumerate(characters or "")}

    @classmethod
    def learn(cls, X, n_tokens=None):
        """Return the vocabulary of sequences.

        Parameters
        ----------
        X : sequence
            Strings, or sequences of integers where a negative number is filling.
        n_tokens : int, default=None
            Size of the vocabulary of integers; None takes the largest and 1.

        Raises
        ------
        ValueError
            If there is nothing to learn from, or a token is out of range.
        """
        sequences = _listed(X)
        if isinstance(sequences[0], str):
            if not all(isinstance(s, str) for s in sequences):
                raise ValueError("X mixes strings with other sequences; give one kind.")
            characters = "".join(sorted(set().union(*sequences)))
            if not characters:
                raise ValueError("X holds empty strings only; give some text.")
            return cls(characters, len(characters))
        largest = max(
            (int(whole_numbers(s).max(initial=-1)) for s in sequences), default=-1
        )
        if largest < 0:
            raise ValueError("X holds no token: all sequences are empty or filling.")
        return cls(None, largest + 1 if n_tokens is None else n_tokens)

    def rows(self, X, *, length=None, empty=False):
        """Return sequences as a tensor, filled up to one length.

        Parameters
        ----------
        X : sequence
            Of the kind that was learned.
        length : int, default=None
            Columns; None takes the longest sequence.
        empty : bool, default=False
            Whether a sequence may be empty.

        Returns
        -------
        tokens : tensor of shape (n_sequences, length), dtype int64
            With ``n_tokens + 1`` behind the end of short ones.

        Raises
        ------
        ValueError
            If a token is not in the vocabulary, filling is not at the end, or a
            sequence is empty or too long.
        """
        coded = [self.code(s, f"Sequence {k}") for k, s in enumerate(_listed(X))]
        longest = max(len(s) for s in coded)
        length = longest if length is None else length
        for k, s in enumerate(coded):
            if len(s) > length:
                raise ValueError(
                    f"Sequence {k} has {len(s)} tokens; the model takes at most "
                    f"{length}. Cut it, or fit on longer sequences."
                )
            if len(s) == 0 and not empty:
                raise ValueError(f"Sequence {k} is empty; leave it out.")
        tokens = torch.full((len(coded), length), self.n_tokens + 1)
        for row, s in zip(tokens, coded, strict=True):
            row[: len(s)] = torch.from_numpy(s)
        return tokens

    def code(self, sequence, name):
        """Return one sequence as int64 tokens of shape (its length,)."""
        self.check_kind(sequence, name)
        if self.characters is not None:
            unknown = sorted(set(sequence) - set(self.index))
            if unknown:
                raise ValueError(
                    f"{name} has characters that are not in the vocabulary of "
                    f"{self.n_tokens}: {unknown[:10]}. Replace them, or fit on text "
                    "that has them."
                )
            return np.array([self.index[c] for c in sequence], dtype=np.int64)
        tokens = whole_numbers(sequence)
        n_real = int((tokens >= 0).sum())
        if (tokens[:n_real] < 0).any():
            raise ValueError(
                f"{name} has filling (negative numbers) before its last token; filling "
                "belongs at the end."
            )
        if tokens.max(initial=-1) >= self.n_tokens:
            raise ValueError(
                f"{name} has the token {tokens.max()}; the vocabulary is 0 .. "
                f"{self.n_tokens - 1}. Give n_tokens, or leave that token out."
            )
        return tokens[:n_real]

    def check_kind(self, sequence, name):
        """Refuse a string where tokens were learned, and the other way round."""
        if self.characters is None and isinstance(sequence, str):
            raise ValueError(f"{name} is a string, but the model was fitted on tokens.")
        if self.characters is not None and not isinstance(sequence, str):
            raise ValueError(
                f"{name} must be a string, as the model was fitted on strings. Got "
                f"{type(sequence).__name__}."
            )

    def back(self, tokens):
        """Return rows without masks as strings, an array, or a list of arrays."""
        rows = [row[row < self.n_tokens].numpy() for row in tokens]
        if self.characters is not None:
            return ["".join(self.characters[k] for k in row) for row in rows]
        if len({len(row) for row in rows}) == 1:
            return np.stack(rows)
        return rows


def _listed(X):
    if isinstance(X, str):
        raise ValueError(
            "X is a single string; give a list of strings, for example its lines."
        )
    if isinstance(X, np.ndarray) and X.ndim != 2 and X.dtype.kind not in "UO":
        raise ValueError(
            "X must be of shape (n_sequences, length), or a list of sequences. Got "
            f"shape {X.shape}."
        )
    sequences = list(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if not sequences:
        raise ValueError("X is empty; give at least one sequence.")
    return sequences


def whole_numbers(sequence):
    """Return a sequence of whole numbers as int64 of shape (its length,)."""
    if isinstance(sequence, Integral | float):
        raise ValueError(
            f"X must hold sequences of tokens. Got the single number {sequence!r}; "
            "give an array of shape (n_sequences, length) or a list of lists."
        )
    values = np.asarray(sequence)
    if values.ndim != 1:
        raise ValueError(f"A sequence must have one axis. Got shape {values.shape}.")
    if values.size and values.dtype.kind not in "iu":
        whole = values.dtype.kind == "f" and np.isfinite(values).all()
        if not whole or (values != np.rint(values)).any():
            raise ValueError(
                "Tokens must be whole numbers, without NaN. Got dtype "
                f"{values.dtype} with values such as {values[:5].tolist()}; number "
                "words 0, 1, 2, ..., or give a list of strings."
            )
    if np.abs(values.astype(float)).max(initial=0) > _LARGEST:
        raise ValueError(
            f"Tokens must be at most {_LARGEST}. Got {values.max()}; number the "
            "symbols 0, 1, 2, ..."
        )
    return values.astype(np.int64)
