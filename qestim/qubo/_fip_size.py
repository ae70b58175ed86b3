# SPDX-License-Identifier: Apache-2.0
"""How many bits and couplings the exact form has, by formula, without building it."""

from typing import NamedTuple

import numpy as np

from qestim.qubo._fip_encoding import cells, slack_width

# What building takes at most, measured: the copies that merging makes.
_BYTES_COUPLING, _BYTES_ENTRY, _BYTES_VARIABLE = 120, 100, 400


class BlockSize(NamedTuple):
    """Size of one activation: its bits, the terms of its result, its rows' own bits."""

    bits: int
    terms: int
    rows: tuple[int, ...]


def block_size(table, reach, encoding):
    """Return the size of one unit's activation over a reach.

    Threshold encoding: each step takes 1 + log2 D bits, a bend log2 D more, and a slope
    that the first piece has ceil(log2(U + 1)). One-hot encoding: C + log2 D, and log2 D
    for each sloped cell.
    """
    used, first, start, _ = table.ends(reach)
    at = (first - reach.low) // reach.gap
    rise = table.slopes[used] * reach.gap
    top = int(reach.top)
    if len(at) == 1 and not rise[0]:
        return BlockSize(0, 0, ())
    if encoding == "onehot" and len(at) > 1:
        width, _, piece = cells(at, top)
        slack = width.bit_length() - 1
        terms = len(piece) + slack * int((rise[piece] != 0).sum())
        return BlockSize(terms + slack, terms, (len(piece), len(piece) + slack))
    bits = terms = top.bit_length() if rise[0] else 0
    rows = [bits] if rise[0] else []
    for m in range(1, len(at)):
        slack = slack_width(at[m], top).bit_length() - 1
        jump = start[m] != start[m - 1] + rise[m - 1] * (at[m] - at[m - 1])
        bend = rise[m] != rise[m - 1]
        bits += 1 + slack + slack * int(bend)
        terms += int(jump) + slack * int(bend)
        rows.append(1 + slack)
    return BlockSize(bits, terms, tuple(rows))


class SizeReport(NamedTuple):
    """Size of an exact form.

    Attributes
    ----------
    weight_bits : int
        Bits of all weights together.
    auxiliary_bits : ndarray of shape (n_samples,), dtype int64
        Bits that each sample adds.
    layer_bits : ndarray of shape (n_layers,), dtype int64
        Auxiliary bits of each layer in all samples: products and activations, in the
        last layer products and loss.
    variables : int
        All bits.
    max_couplings : int
        Upper bound of the number of couplings.
    bytes : int
        Memory that building takes at most, in bytes.
    """

    weight_bits: int
    auxiliary_bits: np.ndarray
    layer_bits: np.ndarray
    variables: int
    max_couplings: int
    bytes: int


def size_report(layers, loss, encoding, reaches, group):
    """Return the size of a form from the reaches of its groups of samples."""
    n_bits = len(layers.code.factors)
    shapes = [layers.shape(layer) for layer in range(len(layers.units))]
    weight_bits = n_bits * sum(out * fan_in for out, fan_in in shapes)
    couplings = sum(out * _pairs(n_bits * fan_in) for out, fan_in in shapes)
    per_group = np.zeros((len(reaches), len(shapes)), dtype=np.int64)
    kinds = np.bincount(group, minlength=len(reaches))
    entries = 0
    for g, walk in enumerate(reaches):
        terms = 0
        for layer, reach in enumerate(walk):
            out, fan_in = shapes[layer]
            products = out * layers.widths[layer] * terms * n_bits
            own = fan_in * n_bits
            form = own + layers.widths[layer] * terms * (n_bits + 1)
            if layer == len(walk) - 1:
                blocks = loss.blocks(reach, encoding)
            else:
                block = block_size(layers.tables[layer], reach, encoding)
                blocks = [(block, out, 1)]
                terms = block.terms
            bits = sum(block.bits * units for block, units, _ in blocks)
            per_group[g, layer] = products + bits
            for block, units, copies in blocks:
                length = copies * form
                pairs = _pairs(length) - _pairs(own)
                pairs += sum(row * length + _pairs(row) for row in block.rows)
                couplings += int(kinds[g]) * (units * pairs + 3 * block.bits * units)
                entries += (
                    int(kinds[g])
                    * units
                    * sum(row + length for row in (*block.rows, 0))
                )
            couplings += int(kinds[g]) * 3 * products
    layer_bits = kinds @ per_group
    variables = weight_bits + int(layer_bits.sum())
    return SizeReport(
        weight_bits,
        per_group.sum(axis=1)[group],
        layer_bits,
        variables,
        couplings,
        _BYTES_COUPLING * couplings
        + _BYTES_ENTRY * entries
        + _BYTES_VARIABLE * variables,
    )


def _pairs(n):
    return n * (n - 1) // 2


def check_memory(report, limit):
    """Refuse to build what would take more than ``limit`` bytes."""
    if report.bytes > limit:
        raise ValueError(
            f"The exact form has {report.variables} variables ({report.weight_bits} "
            f"weight bits, the others for {len(report.auxiliary_bits)} samples) and up "
            f"to {report.max_couplings} couplings; building it takes up to "
            f"{report.bytes / 2**30:.3g} GiB, memory_limit is {limit / 2**30:.3g} GiB. "
            "Take fewer samples or units, raise memory_limit, or train with "
            "QuantizedQNNClassifier, whose default solver has no bits of samples."
        )
