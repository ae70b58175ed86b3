# SPDX-License-Identifier: Apache-2.0
"""The training loop of a Boltzmann machine on data."""

import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm


def train_machine(
    machine,
    phase,
    data,
    *,
    learning_rate,
    batch_size,
    max_iter,
    generator,
    verbose=0,
    watch=None,
):
    """Climb the likelihood of the visible data.

    Each step takes the hidden means that go with a minibatch (exact where no two
    hidden spins are coupled) and one draw of the negative phase. The rate falls to
    zero, so that the last states average over many draws.

    Parameters
    ----------
    machine : BoltzmannMachine or GaussianBoltzmannMachine
        The machine; changed in place.
    phase : object
        ``phase.step(spins)`` gives spins of the machine as it is now.
    data : tensor of shape (n_samples, n_visible)
        Visible spins or their means, or real numbers.
    learning_rate, batch_size, max_iter : float, int, int
        As of `qestim.BoltzmannMachineTransformer`.
    generator : torch.Generator
        Source of randomness.
    verbose : int, default=0
        Whether to show progress.
    watch : callable, default=None
        Called without arguments after every epoch; a true answer ends the training.

    Returns
    -------
    n_iter : int
        Epochs done; an interruption ends the training where it is, with a warning.
    """
    n_batches = math.ceil(len(data) / batch_size)
    n_steps = max_iter * n_batches
    optimizer = torch.optim.Adam(machine.parameters(), learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / n_steps)
    )
    epoch = 0
    try:
        for epoch in tqdm(range(max_iter), desc="Boltzmann", disable=not verbose):
            order = torch.randperm(len(data), generator=generator)
            for rows in order.tensor_split(n_batches):
                batch, spins = positive_phase(machine, data[rows], generator)
                loss = machine.contrast(batch, phase.step(spins))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                rate.step()
            if not all(p.isfinite().all() for p in machine.parameters()):
                raise ValueError(
                    f"The training diverged in epoch {epoch + 1}. Lower learning_rate, "
                    f"now {learning_rate:g}, or scale the data."
                )
            if watch is not None and watch():
                return epoch + 1
    except KeyboardInterrupt:
        warnings.warn(
            f"The fit was interrupted after {epoch} of {max_iter} epochs; the machine "
            "has the state it had reached.",
            ConvergenceWarning,
            stacklevel=4,
        )
        return epoch
    return max_iter


@torch.no_grad()
def positive_phase(machine, visible, generator):
    """Return what the machine's contrast takes of data, and spins that go with them.

    Parameters
    ----------
    machine : BoltzmannMachine or GaussianBoltzmannMachine
        The machine.
    visible : tensor of shape (batch, n_visible)
        Data.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    data : tensor
        Visible values with the means of the hidden spins beside them; with real
        visible values only these.
    spins : tensor of shape (batch, n_units)
        Spins drawn with these means.
    """
    hidden = machine.hidden_means(visible)
    real = hasattr(machine, "draw_visible")
    means = hidden if real else torch.cat([visible, hidden], 1)
    u = torch.rand(means.shape, generator=generator, dtype=means.dtype)
    spins = torch.where(2 * u - 1 < means, 1.0, -1.0).to(means)
    return visible if real else means, spins
