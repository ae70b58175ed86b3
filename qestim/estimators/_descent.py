# SPDX-License-Identifier: Apache-2.0
"""Gradient descent with a warm-up, early stopping and a bar."""

import copy
import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm

_WARM_UP = 0.1  # share of the steps over which the rate rises
_LARGEST_GRADIENT = 1.0


def descend(
    module,
    loss_of,
    n_rows,
    *,
    learning_rate,
    batch_size,
    max_iter,
    generator,
    validate=None,
    patience=None,
    verbose=0,
    name="",
):
    """Fit a module by AdamW; the rate rises and falls along a cosine.

    Parameters
    ----------
    module : torch.nn.Module
        What is fitted, in place.
    loss_of : callable
        Gives the loss of some rows, a tensor of shape (); takes their numbers, a tensor
        of int64.
    n_rows, batch_size, max_iter : int
        Rows, rows of a minibatch, epochs.
    learning_rate : float
        Highest rate.
    generator : torch.Generator
        Order of the rows.
    validate : callable, default=None
        Gives the held-out loss of the present state, to be minimised.
    patience : int, default=None
        Epochs without a better held-out loss that end the fit.
    verbose : int, default=0
        Whether to show a bar.
    name : str, default=""
        Title of the bar.

    Returns
    -------
    losses, held_out : list of float
        Mean loss and held-out loss of each epoch. With ``validate`` the module returns
        to its best state, as it does when a key interrupts the fit; without, it stays
        as it is then.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    n_batches = math.ceil(n_rows / batch_size)
    n_steps = max_iter * n_batches
    matrices = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.01},
        {"params": others, "weight_decay": 0.0},
    ]
    descent = torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.98))
    rate = torch.optim.lr_scheduler.LambdaLR(
        descent, lambda k: _rate((k + 1) / n_steps)
    )
    losses, held_out, best, best_epoch = [], [], None, 0
    epochs = tqdm(range(max_iter), desc=name, disable=not verbose)
    try:
        for epoch in epochs:
            total = 0.0
            order = torch.randperm(n_rows, generator=generator)
            for rows in order.tensor_split(n_batches):
                loss = loss_of(rows)
                descent.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(module.parameters(), _LARGEST_GRADIENT)
                descent.step()
                rate.step()
                total += loss.item() * len(rows)
            losses.append(total / n_rows)
            if not math.isfinite(losses[-1]):
                raise ValueError(
                    f"The fit of the {name} diverged: the loss of epoch {epoch + 1} is "
                    f"{losses[-1]}. Lower learning_rate, now {learning_rate:g}."
                )
            epochs.set_postfix(loss=losses[-1])
            if validate is None:
                continue
            held_out.append(validate())
            epochs.set_postfix(loss=losses[-1], held_out=held_out[-1])
            if best is None or held_out[-1] < held_out[best_epoch]:
                best, best_epoch = copy.deepcopy(module.state_dict()), epoch
            elif patience is not None and epoch - best_epoch >= patience:
                break
    except KeyboardInterrupt:
        warnings.warn(
            f"The fit of the {name} was interrupted after {len(losses)} of {max_iter} "
            "epochs; it has the best state so far.",
            ConvergenceWarning,
            stacklevel=2,
        )
    epochs.close()
    if best is not None:
        module.load_state_dict(best)
    return losses, held_out


def _rate(share):
    """Return the factor of the learning rate: up along a line, down along a cosine."""
    if share < _WARM_UP:
        return share / _WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP))
