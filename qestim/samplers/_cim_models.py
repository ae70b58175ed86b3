# SPDX-License-Identifier: Apache-2.0
"""The coherent Ising machines' defaults, and their schedules from the parameters."""

from dataclasses import dataclass

import numpy as np

from qestim.samplers._dynamics import extreme_eigenvalues


@dataclass(frozen=True)
class Defaults:
    """What "auto" means for one model; pairs are the first and the last value."""

    dt: float
    pump: tuple
    # How much stiffer the running machine's feedback is than xi J.
    gain: float = 1.0
    alpha: tuple = (1.0, 1.0)
    rate: tuple = (0.0, 0.0)
    xi: float = 1.0
    noise: float = 0.0
    first_error: float = 1.0
    errors: tuple = (0.0, 32.0)
    amplitude: float = 0.1
    field: str = "mean"


# Found by benchmarks/tune_cim.py; mean_field in units in which xi is 1. sfc as it was:
# what was better in 1000 steps was worse in 5000.
DEFAULTS = {
    "cac": Defaults(
        0.1,
        (-1.0, 0.5),
        2.0,
        (0.5, 2.0),
        (0.9, 0.9),
        xi=1.1,
        amplitude=0.01,
        field="target",
    ),
    "cfc": Defaults(
        0.12, (-2.0, 0.0), 1.6, (2.0, 2.0), (0.3, 0.3), xi=0.8, errors=(0.01, 32.0)
    ),
    "sfc": Defaults(
        0.1, (-1.0, 1.0), 1.5, (1.0, 3.0), (0.3, 0.0), xi=1.414, first_error=0.0
    ),
    "mean_field": Defaults(0.22, (-0.6, 1.1), xi=1.0, noise=0.35, amplitude=0.01),
    "wigner": Defaults(0.085, (0.0, 1.0), xi=2.5, noise=0.36),
}


def machine_of(sampler, scaled):
    """Return the arguments of the kernel and the facts for ``info``.

    Parameters
    ----------
    sampler : CIMSampler
        The parameters.
    scaled : IsingArrays
        The model in units of its rms row norm.

    Returns
    -------
    machine : dict
        Arguments of ``_native.evolve``.
    facts : dict
        JSON-able: what "auto" became.
    """
    defaults = DEFAULTS[sampler.model]
    pairs = {
        name: _pair(name, getattr(sampler, name), getattr(defaults, name))
        for name in ("pump", "alpha", "rate")
    }
    for name in ("alpha", "rate"):
        if min(pairs[name]) < 0:
            raise ValueError(
                f"The '{name}' parameter must not be negative. Got {pairs[name]}."
            )
    xi = defaults.xi if sampler.xi == "auto" else float(sampler.xi)
    noise = defaults.noise if sampler.noise == "auto" else float(sampler.noise)
    lowest, highest = extreme_eigenvalues(scaled)
    dt = _step(sampler, defaults, pairs, xi * lowest, xi * highest, noise)
    steps = np.arange(sampler.num_steps)
    part = np.minimum(steps / max(1.0, sampler.ramp * sampler.num_steps), 1.0)
    pump, alpha, rate = (
        first + (last - first) * part for first, last in pairs.values()
    )
    scaling = (
        defaults.field if sampler.field_scaling == "auto" else sampler.field_scaling
    )
    zeta = np.full(len(steps), 1.0 if isinstance(scaling, str) else float(scaling))
    if scaling == "target":
        zeta = np.sqrt(alpha)
    if sampler.model == "cac":
        clip = 1.5 * np.sqrt(alpha)
    elif sampler.model == "cfc":
        clip = np.full(len(steps), 1.5)
    else:
        # Three times what pump and feedback can sustain: only a runaway gets there.
        sustained = max(max(pairs["pump"]) - 1, 0.0) + xi * max(-lowest, highest) + 1
        clip = np.full(len(steps), 3 * np.sqrt(sustained))
    machine = {
        "model": sampler.model,
        "schedule": np.column_stack([pump, alpha, rate, zeta, clip]),
        "dt": dt,
        "xi": xi,
        "noise": noise,
        "k": 0.2,
        "least_error": defaults.errors[0],
        "most_error": defaults.errors[1],
        "first_error": defaults.first_error,
        "amplitude": defaults.amplitude,
        "uniform": False,
        # Alone with its field a mode would stop at zero instead of crossing it.
        "mean_amplitude": scaling == "mean" and highest > lowest,
    }
    if sampler.model == "wigner" and noise > 0:
        # The vacuum; without it a mode would stay at zero.
        machine["amplitude"] = noise / 2
    ranges = {name: list(pair) for name, pair in pairs.items()}
    facts = {**ranges, "xi": xi, "noise": noise, "dt": dt, "field_scaling": scaling}
    return machine, facts


def _pair(name, value, default):
    if isinstance(value, str):
        return default
    try:
        pair = np.asarray(value, dtype=np.float64)
        pair = np.broadcast_to(pair, 2) if pair.ndim == 0 else pair
    except (TypeError, ValueError):
        pair = np.empty(0)
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(
            f"The '{name}' parameter must be 'auto', a finite number or two of them "
            f"(first, last). Got {value!r}."
        )
    return float(pair[0]), float(pair[1])


def _step(sampler, defaults, pairs, lowest, highest, noise):
    """Return dt: Euler needs dt times the stiffness below 2.

    ``lowest`` and ``highest`` are the ends of the feedback's spectrum.
    """
    highest = max(highest, 0.0)
    loss = 1 - min(pairs["pump"])
    if sampler.model == "wigner":
        loss = 1 + max(pairs["pump"])
    empty = max(loss + highest * max(defaults.first_error, 0.25), 1e-3)
    if sampler.dt == "auto":
        running = max(loss + highest * defaults.gain, 1e-3)
        step = min(defaults.dt, 1 / empty, 1.2 / running)
        if sampler.model in ("mean_field", "wigner"):
            # No wall bounds their amplitudes: where the lowest mode has them all, as
            # in a ferromagnet, the cubic is the stiffest term.
            square = max(max(pairs["pump"]) - 1, 0.0) + max(-lowest, 0.0)
            # Strong noise drives the amplitudes beyond what the pump sustains, and
            # noise that grows with them to several times its own square.
            if sampler.model == "wigner":
                square += 6 * max(noise**2 - defaults.noise**2, 0.0)
            else:
                square += 2 * max(noise - defaults.noise, 0.0)
            step = min(step, 2 / (running + 3 * square))
        return float(step)
    if sampler.dt * empty >= 2:
        raise ValueError(
            f"The 'dt' parameter must be below {2 / empty:.4g} for this model and "
            f"pump, the largest stable step. Got {sampler.dt}; lower dt or use "
            "dt='auto'."
        )
    return float(sampler.dt)
