# SPDX-License-Identifier: Apache-2.0
"""A small character language model: counts of up to six characters, interpolated."""

from collections import defaultdict

import numpy as np


class CharacterModel:
    """Witten and Bell's interpolation (1991) of character n-grams.

    The probability of a character after a context is that of the next shorter context,
    mixed with the counts in proportion to how often the context was seen and to how
    many different characters followed it.
    """

    def __init__(self, order=6, alphabet=128):
        self.order = order
        self.alphabet = alphabet

    def fit(self, chunks):
        self.counts_ = [defaultdict(dict) for _ in range(self.order)]
        for chunk in chunks:
            for position, character in enumerate(chunk):
                for length in range(min(self.order, position + 1)):
                    context = chunk[position - length : position]
                    followers = self.counts_[length][context]
                    followers[character] = followers.get(character, 0) + 1
        self.totals_ = [
            {context: sum(f.values()) for context, f in table.items()}
            for table in self.counts_
        ]
        return self

    def perplexity(self, text):
        logs = 0.0
        for position, character in enumerate(text):
            p = 1.0 / self.alphabet
            for length in range(min(self.order, position + 1)):
                context = text[position - length : position]
                total = self.totals_[length].get(context)
                if total is None:
                    break
                followers = self.counts_[length][context]
                kinds = len(followers)
                p = (followers.get(character, 0) + kinds * p) / (total + kinds)
            logs -= np.log(p)
        return float(np.exp(logs / len(text)))
