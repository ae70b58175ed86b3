# SPDX-License-Identifier: Apache-2.0
"""``python -m qestim``: versions, kernels, threads and optional extras."""

import importlib.metadata
import platform

import qestim
from qestim import _native

_REQUIRED = (
    "dimod",
    "networkx",
    "numpy",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
    "tqdm",
)
_OPTIONAL = ("matplotlib", "anndata", "dask", "dwave-samplers", "openjij")


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def main():
    """Print what a bug report needs to say."""
    print(f"qestim {qestim.__version__} on Python {platform.python_version()}")
    print(f"kernels  {_native.kernel_name}")
    print(f"threads  {_native.available_threads()}")
    for package in (*_REQUIRED, *_OPTIONAL):
        print(f"{package:<15} {_version(package)}")


if __name__ == "__main__":
    main()
