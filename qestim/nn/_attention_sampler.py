# SPDX-License-Identifier: Apache-2.0
"""Masks from any dimod sampler: all problems of a batch in one block-diagonal call."""

import dimod
import numpy as np
import torch

from qestim.qubo import spins_of
from qestim.qubo._attention_masks import MaskForm


def sample_keys(sampler, num_reads, relevance, unit, k, redundancy, cross_head):
    """Draw masks of all problems of a batch.

    Parameters
    ----------
    sampler : object
        With dimod's ``sample(bqm, num_reads=...)``.
    num_reads : int
        Reads of the call.
    relevance : tensor of shape (B, H, Q, S)
        -inf forbids a key.
    unit : tensor of shape (B, H, S, d)
        Unit keys.
    k : int
        Keys a head.
    redundancy, cross_head : float
        Weights of the joint terms.

    Returns
    -------
    indices : tensor of int64 of shape (B, H, Q, k)
        The best repaired read of each problem.
    marginals : tensor of shape (B, H, Q, S)
        By how much the energy falls when a key enters.
    reads : tensor of int8 of shape (num_reads, B, H, Q, S)
        The bits as they came, before any repair.
    """
    form = MaskForm(
        relevance.double().cpu().numpy(),
        unit.double().cpu().numpy(),
        k,
        redundancy,
        cross_head,
    )
    linear, row, col, value, offset = form.arrays()
    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
        linear, (row, col, value), offset, dimod.BINARY
    )
    spins = spins_of(sampler.sample(bqm, num_reads=num_reads), range(len(linear)))
    reads = np.zeros((len(spins), *form.allowed.shape), dtype=bool)
    reads[:, form.allowed] = spins > 0
    masks = form.repair(reads)
    best = form.energies(masks).argmin(0)[None, :, None, :, None]
    mask = np.take_along_axis(masks, best, 0)[0]
    # Forbidden keys fill up where fewer than k are allowed.
    indices = np.argsort(~mask, -1, kind="stable")[..., :k]
    where = {"device": relevance.device}
    return (
        torch.tensor(indices, **where),
        torch.tensor(-form.fields(mask), dtype=relevance.dtype, **where),
        torch.tensor(reads.astype(np.int8), **where),
    )
