# SPDX-License-Identifier: Apache-2.0
"""Coherent Ising machines in torch, for devices that the compiled kernels lack."""

import time

import numpy as np
import scipy.sparse

from qestim._native._fallback._cim import advance


def evolve_on(device):
    """Return a function like ``_native.evolve`` that integrates on a torch device.

    Parameters
    ----------
    device : str or torch.device
        A device of torch.

    Returns
    -------
    evolve : callable
        Takes the arguments of ``_native.evolve``. All reads run side by side and share
        one random generator, so a read depends on their number.

    Raises
    ------
    RuntimeError
        If torch does not find the device.
    """
    import torch

    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "The 'device' parameter of CIMSampler must be a device that torch finds. "
            "Got 'cuda', and torch finds none; use device='cpu'."
        )

    def evolve(h, row, col, value, **parameters):
        with torch.no_grad():
            return _evolve(device, h, row, col, value, **parameters)

    return evolve


def _evolve(
    device,
    h,
    row,
    col,
    value,
    *,
    model,
    schedule,
    dt,
    xi,
    noise,
    k,
    least_error,
    most_error,
    first_error,
    amplitude,
    uniform,
    mean_amplitude,
    interval,
    moments,
    num_reads,
    seed,
    initial=None,
    keep_best=True,
    num_threads=1,
    time_limit=0.0,
    target_energy=-np.inf,
    interrupt=None,
):
    import torch

    n = len(h)
    upper = scipy.sparse.coo_array((value, (row, col)), shape=(n, n))
    matrix = (upper + upper.T).tocsr().tocoo()
    if 20 * len(value) > n * n:
        J = torch.as_tensor(matrix.toarray().astype(np.float32), device=device)
    else:
        J = torch.sparse_coo_tensor(
            torch.as_tensor(np.stack(matrix.coords).astype(np.int64)),
            torch.as_tensor(matrix.data.astype(np.float32)),
            size=(n, n),
            device=device,
            check_invariants=True,
        ).coalesce()
    h = torch.as_tensor(h, dtype=torch.float32, device=device)[:, None]
    generator = torch.Generator(device).manual_seed(seed % 2**63)

    def normal():
        return torch.randn((n, num_reads), generator=generator, device=device)

    x, e = amplitude * normal(), torch.full((n, num_reads), first_error, device=device)
    if model == "wigner":
        e = amplitude * normal()
    if initial is not None:
        x = torch.copysign(x, torch.as_tensor(initial.T.copy(), device=device))
    noisy = model in ("mean_field", "wigner")
    lowest = torch.full((num_reads,), torch.inf, device=device)
    best = torch.ones_like(x)
    # A group of one: room for float32 sums in the comparison with the target.
    room = 1e-6 * float(np.abs(value).sum() + h.abs().sum())
    deadline = time.monotonic() + (time_limit or np.inf)
    record = np.zeros((num_reads, len(moments), n), dtype=np.float32)
    place = {int(step): index for index, step in enumerate(moments)}
    reason = ""
    for step, (pump, target, rate, zeta, clip) in enumerate(schedule.tolist()):
        if step in place:
            record[:, place[step]] = x.T.cpu().numpy()
        scale = zeta * x.abs().mean(dim=0) if mean_amplitude else zeta
        x, e = advance(
            torch,
            model,
            x,
            e,
            J @ x + scale * h,
            J @ e if model == "wigner" else None,
            normal() if noisy else 0.0,
            normal() if model == "wigner" else 0.0,
            pump=pump,
            target=target,
            rate=rate,
            clip=clip,
            dt=dt,
            xi=xi,
            noise=noise,
            k=k,
            errors=(least_error, most_error),
        )
        if (step + 1) % interval and step + 1 < len(schedule):
            continue
        sign = torch.where(x < 0, -1.0, 1.0)
        energy = (sign * (0.5 * (J @ sign) + h)).sum(dim=0)
        better = energy < lowest
        best, lowest = (
            torch.where(better, sign, best),
            torch.where(better, energy, lowest),
        )
        if bool((lowest <= target_energy + room).any()):
            reason = "target_energy"
        elif time.monotonic() > deadline:
            reason = "time_limit"
        elif interrupt is not None and interrupt():
            reason = "interrupt"
        if reason:
            break
    if len(schedule) in place:
        record[:, place[len(schedule)]] = x.T.cpu().numpy()
    completed = np.full(num_reads, not reason)
    if reason == "target_energy":
        completed = (lowest <= target_energy + room).cpu().numpy()
    last = best if keep_best else torch.where(x < 0, -1.0, 1.0)
    spins = np.ascontiguousarray(last.T.cpu().numpy().astype(np.int8))
    return spins, completed, f"torch-{device.type}", reason, record
