# SPDX-License-Identifier: Apache-2.0
r"""Free energies of visible values: hidden spins summed out, exactly or by reads.

With the visible units clamped at v, the hidden spins s have the energy
:math:`b(v) \cdot s + \frac{1}{2} s^T K s`, and the free energy is
:math:`F(v) = E_v(v) - \log \sum_s e^{-b \cdot s - s^T K s / 2}`.
"""

import numpy as np
import torch

from qestim.nn._hidden import free_energy
from qestim.qubo import IsingArrays, spins_of

_FACTORS = 64  # none below 1/2, so that the product stays far above zero


def sum_log_2cosh(fields):
    """Return the sum of log(2 cosh) over the last axis.

    Logarithms are what costs; 64 factors share one.

    Parameters
    ----------
    fields : tensor of shape (n, n_hidden)
        Fields of independent spins.

    Returns
    -------
    total : tensor of shape (n,)
        Dimensionless.
    """
    size = (2 * fields).abs()
    factors = size.sigmoid()  # 2 cosh(x) = exp(|x|) / sigmoid(2 |x|)
    for _ in range(_FACTORS.bit_length() - 1):
        half, odd = divmod(factors.shape[1], 2)
        if odd:
            break
        factors = factors[:, :half] * factors[:, half:]
    return 0.5 * size.sum(1) - factors.log().sum(1)


class ClampedMachine:
    """Fields and couplings of a machine's hidden spins, given its visible values.

    Parameters
    ----------
    machine : BoltzmannMachine
        Its first ``n_visible`` spins are visible.
    visible : tensor of shape (n, n_visible)
        Values in [-1, 1].
    """

    def __init__(self, machine, visible):
        n_visible = visible.shape[1]
        J = machine.couplings()
        self.couplings = J[n_visible:, n_visible:]
        self.fields = machine.h[n_visible:] + visible @ J[:n_visible, n_visible:]
        among = ((visible @ J[:n_visible, :n_visible]) * visible).sum(1)
        self.visible_energy = visible @ machine.h[:n_visible] + 0.5 * among
        self.colours = [
            colour[colour >= n_visible] - n_visible for colour in machine.colours
        ]

    def independent(self):
        """Return the exact free energies where no hidden spins are coupled."""
        return self.visible_energy - sum_log_2cosh(self.fields)

    def bound(self, means):
        r"""Return the variational free energies at given means of the hidden spins.

        :math:`F \le E_v + b \cdot m + \frac{1}{2} m^T K m - H(m)` holds for any means m
        and is the exact F, whatever the means, if no hidden spins are coupled.

        Parameters
        ----------
        means : tensor of shape (n, n_hidden)
            In [-1, 1]; no gradient reaches them.

        Returns
        -------
        bound : tensor of shape (n,)
            Dimensionless.
        """
        inner = free_energy(self.fields, self.couplings, means.detach())
        return self.visible_energy + inner


@torch.no_grad()
def gibbs_means(clamped, n_sweeps, generator):
    """Estimate the means of all candidates' hidden spins by batched block heat bath.

    Parameters
    ----------
    clamped : ClampedMachine
        The hidden spins.
    n_sweeps : int
        Sweeps; the second half is averaged.
    generator : torch.Generator or None
        Source of randomness.

    Returns
    -------
    means : tensor of shape (n, n_hidden)
        Averages of conditional means, which vary less than spins do.
    """
    fields, K = clamped.fields, clamped.couplings
    means = torch.tanh(-fields)
    spins, total, counted = torch.zeros_like(fields), torch.zeros_like(fields), 0
    for sweep in range(n_sweeps + 1):
        for colour in clamped.colours:
            if sweep:
                means[:, colour] = torch.tanh(-fields[:, colour] - spins @ K[:, colour])
            u = torch.rand(
                (len(fields), len(colour)), generator=generator, device=fields.device
            )
            spins[:, colour] = torch.where(2 * u - 1 < means[:, colour], 1.0, -1.0)
        if 2 * sweep > n_sweeps:
            total += means
            counted += 1
    return total / max(counted, 1)


@torch.no_grad()
def sampled_means(clamped, sampler, num_reads, seed):
    """Estimate the same means from reads of one call of a sampler.

    The candidates are blocks of one model without couplings between them.

    Parameters
    ----------
    clamped : ClampedMachine
        The hidden spins.
    sampler : object
        With dimod's ``sample(bqm, **parameters)``.
    num_reads, seed : int
        Given to the sampler if it knows them.

    Returns
    -------
    means : tensor of shape (n, n_hidden)
        Averages over reads of each spin's conditional mean.
    n_reads : int
        Reads that the sampler gave.

    Raises
    ------
    ValueError
        If the sampler returns no reads.
    """
    fields, K = clamped.fields, clamped.couplings
    n, n_hidden = fields.shape
    value = K.triu().cpu().double().numpy()
    row, col = np.nonzero(value)
    start = n_hidden * np.arange(n)[:, None]
    model = IsingArrays(
        fields.flatten().cpu().double().numpy(),
        (start + row).ravel().astype(np.int32),
        (start + col).ravel().astype(np.int32),
        np.tile(value[row, col], n),
    )
    known = getattr(sampler, "parameters", {})
    call = {"num_reads": num_reads, "seed": seed}
    call = {name: given for name, given in call.items() if name in known}
    spins = spins_of(sampler.sample(model.to_bqm(), **call), range(n * n_hidden))
    if len(spins) == 0:
        raise ValueError(
            f"{type(sampler).__name__} returned no reads of {n * n_hidden} variables; "
            "raise its time_limit or num_reads."
        )
    total = torch.zeros_like(fields)
    for read in spins:
        s = torch.tensor(read.reshape(n, n_hidden)).to(fields)
        total += torch.tanh(-fields - s @ K)
    return total / len(spins), len(spins)
