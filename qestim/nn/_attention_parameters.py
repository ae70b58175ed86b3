# SPDX-License-Identifier: Apache-2.0
"""What QAMA accepts."""

from numbers import Integral, Real

MODES = ("per_query", "shared", "sparsemax")
GRADIENTS = ("ste", "covariance", "none")


def check_parameters(module):
    """Raise ValueError where a parameter of QAMA is not as its docstring states."""
    if module.mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got mode={module.mode!r}")
    if module.grad not in GRADIENTS:
        raise ValueError(f"grad must be one of {GRADIENTS}, got grad={module.grad!r}")
    if module.mode == "sparsemax":
        if module.sampler is not None:
            raise ValueError(
                "sparsemax is solved exactly in closed form and takes no sampler; "
                "qestim.qubo.AttentionProblem(mode='sparsemax') writes it as a QUBO"
            )
    elif not isinstance(module.k, Integral) or module.k < 1:
        raise ValueError(
            "k, the number of keys to keep, must be an integer greater than 0, got "
            f"k={module.k!r}; only mode='sparsemax' needs none"
        )
    if module.num_reads is not None and (
        not isinstance(module.num_reads, Integral) or module.num_reads < 1
    ):
        raise ValueError(
            f"num_reads must be an integer greater than 0, got {module.num_reads!r}"
        )
    for name in ("temperature", "redundancy", "cross_head"):
        value = getattr(module, name)
        if not isinstance(value, Real) or not 0.0 <= float(value) < float("inf"):
            raise ValueError(f"{name} must be a number of at least 0, got {value!r}")
    if module.temperature == 0:
        raise ValueError(
            "temperature must be greater than 0, got 0; grad='none' has no gate"
        )
    if module.grad == "covariance":
        law = getattr(module.sampler, "properties", {}).get("distribution")
        if law != "boltzmann" or module.num_reads == 1:
            raise ValueError(
                "grad='covariance' needs a sampler of a Boltzmann law and "
                "more than one read, got sampler="
                f"{type(module.sampler).__name__} and num_reads={module.num_reads}; "
                "take qestim.samplers.BoltzmannSampler or grad='ste'"
            )
