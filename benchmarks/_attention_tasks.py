# SPDX-License-Identifier: Apache-2.0
"""Tasks in which one token asks about the others.

A task draws batches ``(inputs, labels)`` and makes the module that turns inputs into
tokens of shape (B, N, width); token 0 asks and is where the answer is read.
"""

import csv
import functools
import re

import numpy as np
import torch
from _measure import data_folder
from torch import nn


class Recall:
    """Pairs of a key and a value in one token each; a last key asks for its value."""

    name = "associative recall"
    PAIRS, KEYS, CLASSES = 15, 24, 8
    steps, batch, rate, width, heads = 1200, 128, 8e-3, 32, 4

    def draw(self, size, generator):
        keys = torch.rand(size, self.KEYS, generator=generator).argsort(-1)
        keys = keys[:, : self.PAIRS]
        values = torch.randint(self.CLASSES, keys.shape, generator=generator)
        asked = torch.randint(self.PAIRS, (size, 1), generator=generator)
        key = torch.cat([keys.gather(1, asked), keys], 1)
        none = torch.full((size, 1), self.CLASSES)
        inputs = torch.stack([key, torch.cat([none, values], 1)], -1)
        return inputs, values.gather(1, asked)[:, 0]

    def test(self, size):
        return self.draw(size, torch.Generator().manual_seed(10**6))

    def tokens(self):
        return PairTokens(self.KEYS, self.CLASSES, self.width)


class Needles(Recall):
    """Recall of 8 marked pairs among n tokens; all others are filler."""

    PAIRS, FILLERS = 8, 32
    steps, batch, rate = 400, 32, 5e-3

    def __init__(self, n):
        self.n, self.name = n, f"needles in {n}"

    def draw(self, size, generator):
        pairs, labels = super().draw(size, generator)
        place = torch.rand(size, self.n - 1, generator=generator)
        place = place.argsort(-1)[:, : self.PAIRS, None].expand(-1, -1, 2) + 1
        filler = torch.randint(self.FILLERS, (size, self.n), generator=generator)
        none = torch.full_like(filler, self.CLASSES + 1)
        inputs = torch.stack([filler + self.KEYS, none], -1)
        inputs[:, 0] = pairs[:, 0]
        return inputs.scatter(1, place, pairs[:, 1:]), labels

    def tokens(self):
        return PairTokens(self.KEYS + self.FILLERS, self.CLASSES + 1, self.width)


class PairTokens(nn.Module):
    def __init__(self, keys, values, width):
        super().__init__()
        self.key, self.value = (
            nn.Embedding(keys, width),
            nn.Embedding(values + 1, width),
        )

    def forward(self, inputs):
        return self.key(inputs[..., 0]) + self.value(inputs[..., 1]), None


class Clutter:
    """Four small garments in one picture; the query names the quadrant.

    A picture is 28 x 28 pixels, a garment 14 x 14, a token a patch of 7 x 7.
    """

    name = "cluttered Fashion-MNIST"
    CELLS, CLASSES = 4, 10
    steps, more_steps, batch, rate, width, heads = 800, 200, 64, 4e-3, 32, 4
    k, shared_k = 8, 12

    def draw(self, size, generator, part="train"):
        images, labels = fashion(part)
        index = torch.randint(len(images), (size, self.CELLS), generator=generator)
        asked = torch.randint(self.CELLS, (size,), generator=generator)
        # A garment is four patches: (B, cells * 4, 49).
        patches = images[index].flatten(1, 2)
        return (patches, asked), labels[index[torch.arange(size), asked]]

    def test(self, size):
        return self.draw(size, torch.Generator().manual_seed(10**6), "test")

    def tokens(self):
        return PatchTokens(self.CELLS, self.width)


# One object, so that sections of a run share its trained models.
CLUTTER = Clutter()


class PatchTokens(nn.Module):
    def __init__(self, cells, width):
        super().__init__()
        self.patch = nn.Linear(49, width)
        self.cell = nn.Embedding(cells, width)
        self.corner = nn.Embedding(4, width)
        self.query = nn.Embedding(cells, width)

    def forward(self, inputs):
        patches, asked = inputs
        place = (self.cell.weight[:, None] + self.corner.weight).flatten(0, 1)
        tokens = self.patch(patches) + place
        return torch.cat([self.query(asked)[:, None], tokens], 1), None


@functools.cache
def fashion(part):
    """Return (n, 4, 49) patches of the half-sized images and the labels."""
    with np.load(data_folder() / "fashion_mnist_12k.npz") as file:
        images, labels = file[f"X_{part}"], file[f"y_{part}"]
    small = torch.from_numpy(images / np.float32(255)).unflatten(1, (14, 2))
    small = small.unflatten(3, (14, 2)).mean((2, 4))  # (n, 14, 14)
    patches = small.unflatten(1, (2, 7)).unflatten(3, (2, 7)).transpose(2, 3)
    patches = (patches.reshape(-1, 4, 49) - 0.29) / 0.3
    return patches, torch.from_numpy(labels.astype(np.int64))


class Texts:
    """Classify a text; with ``among`` texts in a row the query names the one to read.

    ``among=1`` is the plain task.
    """

    more_steps, batch, rate, width, heads = 150, 128, 1e-2, 32, 4

    def __init__(self, source, among=1, length=16, steps=700, k=12, shared_k=16):
        self.source, self.among, self.length, self.steps = source, among, length, steps
        self.k, self.shared_k = k, shared_k
        title = {"sst2": "SST-2", "banking77": "BANKING77"}[source]
        self.name = title if among == 1 else f"{title}, one of {among} asked"
        self.CLASSES = {"sst2": 2, "banking77": 77}[source]

    def draw(self, size, generator, part="train"):
        words, labels = texts(self.source, self.length)[part]
        index = torch.randint(len(words), (size, self.among), generator=generator)
        return self._ask(words, labels, index, generator)

    def _ask(self, words, labels, index, generator):
        asked = torch.randint(self.among, (len(index),), generator=generator)
        picked = index[torch.arange(len(index)), asked]
        return (words[index].flatten(1), asked), labels[picked]

    def test(self, size):
        """Ask about every test text in turn, the others drawn at random."""
        words, labels = texts(self.source, self.length)["test"]
        generator = torch.Generator().manual_seed(10**6)
        size = min(size, len(words))
        own = torch.randperm(len(words), generator=generator)[:size]
        index = torch.randint(len(words), (size, self.among), generator=generator)
        asked = torch.randint(self.among, (size,), generator=generator)
        index[torch.arange(size), asked] = own
        return (words[index].flatten(1), asked), labels[own]

    def tokens(self):
        size = texts(self.source, self.length)["size"]
        return WordTokens(size, self.among, self.length, self.width)


class WordTokens(nn.Module):
    def __init__(self, size, among, length, width):
        super().__init__()
        self.word = nn.Embedding(size, width, padding_idx=0)
        self.part = nn.Embedding(among, width)
        self.query = nn.Embedding(among, width)
        self.length = length
        self.drop = nn.Dropout(0.3)

    def forward(self, inputs):
        words, asked = inputs
        part = self.part.weight.repeat_interleave(self.length, 0)
        tokens = torch.cat(
            [self.query(asked)[:, None], self.drop(self.word(words)) + part], 1
        )
        padding = nn.functional.pad(words == 0, (1, 0))
        return tokens, padding


@functools.cache
def texts(name, length):
    """Return word numbers (n, length) and labels of both parts, and how many words.

    0 pads, 1 is a word seen less than twice in training; a text is cut to ``length``.
    """
    read = {"sst2": read_sst2, "banking77": read_banking77}[name]
    parts = {part: read(part) for part in ("train", "test")}
    counts: dict = {}
    for words, _ in parts["train"]:
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    number = {}
    for word, count in counts.items():
        if count > 1:
            number[word] = len(number) + 2
    names = sorted({label for _, label in parts["train"]})
    answer: dict = {"size": len(number) + 2}
    for part, rows in parts.items():
        table = torch.zeros(len(rows), length, dtype=torch.long)
        for row, (words, _) in zip(table, rows, strict=True):
            found = [number.get(word, 1) for word in words[:length]]
            row[: len(found)] = torch.tensor(found)
        labels = torch.tensor([names.index(label) for _, label in rows])
        answer[part] = table, labels
    return answer


def read_sst2(part):
    with open(data_folder() / "text" / "sst2" / f"{part}.tsv") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return [(sentence.split(), label) for sentence, label in rows]


def read_banking77(part):
    folder = data_folder() / "text" / "banking77"
    with open(folder / f"{part}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (re.findall(r"[a-z0-9']+", row["text"].lower()), row["category"])
        for row in rows
    ]
