# SPDX-License-Identifier: Apache-2.0
"""Coherent Ising machines and ballistic bifurcation in numpy."""

import numpy as np

from qestim._native._fallback._anneal import _Stop
from qestim._native._fallback._bifurcation import Watch, couplings

MODELS = ("cac", "cfc", "sfc", "mean_field", "wigner", "ballistic")


def evolve(
    h,
    row,
    col,
    value,
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
    isa="",
    form="",
):
    r"""Integrate the equations of a machine; `advance` has them.

    Parameters
    ----------
    h, row, col, value : ndarray
        The model, as in `anneal`, scaled so that its rows are of order one.
    model : {"cac", "cfc", "sfc", "mean_field", "wigner", "ballistic"}
        The equations.
    schedule : ndarray of shape (num_steps, 5), dtype float64
        Of every step the pump p (ballistic: a), the target alpha (SFC: c), the rate
        beta, the scale zeta of the fields and the bound of the amplitudes.
    dt, xi, noise : float
        Step, strength of the feedback, and standard deviation of the noise per unit of
        time; dimensionless.
    k : float
        SFC: coupling of the feedback and its error; ballistic: a0.
    least_error, most_error, first_error : float
        Bounds of e and where it starts (SFC: bounds are +-most_error).
    amplitude : float
        Standard deviation of the first amplitudes, or their bound if ``uniform``; the
        second variable of "wigner" and "ballistic" starts alike.
    uniform : bool
        Law of the first amplitudes: uniform, else normal.
    mean_amplitude : bool
        Scale the fields by zeta times the read's mean :math:`|x|`, else by zeta.
    interval : int
        Steps between looks at the energy.
    moments : ndarray of shape (k,), dtype int64
        Steps before which the amplitudes are recorded, ascending.
    num_reads, seed, num_threads, time_limit, interrupt, isa
        As in `anneal`.
    initial, keep_best, target_energy
        As in `bifurcate`.
    form : str, default=""
        "dense" or "sparse" rows of J; "" takes what suits the density.

    Returns
    -------
    spins, completed, kernel, reason
        As in `anneal`.
    record : ndarray of shape (num_reads, k, n), dtype float32
        Amplitudes at the moments.

    Raises
    ------
    ValueError
        If the arrays do not fit each other or a number is not finite.
    """
    h, value, coupling = couplings(h, row, col, value, num_reads, initial, "evolve")
    if model not in MODELS:
        raise ValueError(
            f"The 'model' parameter of evolve must be one of {MODELS}. Got {model!r}."
        )
    n = len(h)
    schedule = np.asarray(schedule, dtype=float)
    if schedule.ndim != 2 or schedule.shape[1] != 5:
        raise ValueError("schedule must have the shape (num_steps, 5).")
    streams = [
        np.random.Generator(np.random.Philox(key=[seed, read]))
        for read in range(num_reads)
    ]

    def draws(law):
        return np.stack([getattr(s, law)(size=(2, n)) for s in streams], axis=1)

    first = 2 * draws("random") - 1 if uniform else draws("standard_normal")
    x, second = amplitude * first
    if initial is not None:
        x = np.copysign(x, initial)
    paired = model in ("wigner", "ballistic")
    e = second if paired else np.full_like(x, first_error)
    noisy = model in ("mean_field", "wigner")
    watch = Watch(h, coupling, num_reads, target_energy)
    stop = _Stop(time_limit, interrupt)
    record = np.zeros((num_reads, len(moments), n), dtype=np.float32)
    place = {int(step): index for index, step in enumerate(moments)}
    for step, (pump, target, rate, zeta, clip) in enumerate(schedule):
        if watch.hit.any() or stop.reason:
            break
        if step in place:
            record[:, place[step]] = x
        scale = zeta * np.abs(x).mean(axis=1, keepdims=True) if mean_amplitude else zeta
        f = x @ coupling + scale * h
        q = e @ coupling if model == "wigner" else None
        z1, z2 = draws("standard_normal") if noisy else (0.0, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            x, e = advance(
                np,
                model,
                x,
                e,
                f,
                q,
                z1,
                z2,
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
        if stop() or (step + 1) % interval == 0 or step + 1 == len(schedule):
            watch.look(np.where(x < 0, -1.0, 1.0))
    if len(schedule) == 0:
        watch.look(np.where(x < 0, -1.0, 1.0))
    if len(schedule) in place:
        record[:, place[len(schedule)]] = x
    last = watch.best if keep_best else np.where(x < 0, -1.0, 1.0)
    return (*watch.answer(last, stop), record)


def advance(
    xp, model, x, e, f, q, z1, z2, *, pump, target, rate, clip, dt, xi, noise, k, errors
):
    r"""Return x and e one Euler step later, in numpy or torch (``xp``).

    With f = J x + zeta h, all right-hand sides taken at the old values:

    - cac: :math:`\dot x = (p-1-x^2)x - \xi e f,\ \dot e = -\beta e (x^2 - \alpha)`;
    - cfc: :math:`z = \xi e f,\ \dot x = (p-1-x^2)x - z,\ \dot e = -\beta e
      (z^2 - \alpha)`;
    - sfc: :math:`z = \xi f,\ \dot x = (p-1-x^2)x - \tanh(cz) - k(z-e),\ \dot e =
      -\beta(e-z)`;
    - mean_field: :math:`dx = [(p-1-x^2)x - \xi f]dt + g\,dW`;
    - wigner: :math:`dx = [(p-1-x^2-e^2)x - \xi f]dt + g\sqrt{x^2+e^2+1/2}\,dW_1,\ de =
      [(-p-1-x^2-e^2)e - \xi q]dt + g\sqrt{x^2+e^2+1/2}\,dW_2` (Ito), q = J e;
    - ballistic: :math:`e \leftarrow e - dt[(a_0-a)x + \xi f]`, then :math:`x
      \leftarrow x + dt\,a_0 e`, and e = 0 where x met a wall.
    """

    def kept(values, least, most):
        # What is not a number becomes the lower bound, as in the compiled kernels.
        values = xp.where(values > least, values, xp.full_like(values, least))
        return xp.where(values < most, values, xp.full_like(values, most))

    gain, square = pump - 1, x * x
    least, most = errors
    if model == "cac":
        new = x + dt * ((gain - square) * x - xi * e * f)
        return kept(new, -clip, clip), kept(
            e - dt * rate * e * (square - target), least, most
        )
    if model == "cfc":
        z = xi * e * f
        new = x + dt * ((gain - square) * x - z)
        return kept(new, -clip, clip), kept(
            e - dt * rate * e * (z * z - target), least, most
        )
    if model == "sfc":
        z = xi * f
        drift = (gain - square) * x - xp.tanh(target * z) - k * (z - e)
        return kept(x + dt * drift, -clip, clip), kept(
            e + dt * rate * (z - e), -most, most
        )
    if model == "mean_field":
        new = x + dt * ((gain - square) * x - xi * f) + noise * dt**0.5 * z1
        return kept(new, -clip, clip), e
    if model == "wigner":
        both = square + e * e
        root = noise * dt**0.5 * xp.sqrt(both + 0.5)
        new = x + dt * ((gain - both) * x - xi * f) + root * z1
        other = e + dt * ((-pump - 1 - both) * e - xi * q) + root * z2
        return kept(new, -clip, clip), kept(other, -clip, clip)
    momentum = e - dt * ((k - pump) * x + xi * f)
    moved = x + dt * k * momentum
    inside = (moved > -1) & (moved < 1)
    return kept(moved, -1.0, 1.0), xp.where(inside, momentum, xp.zeros_like(momentum))
