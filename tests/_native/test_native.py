# SPDX-License-Identifier: Apache-2.0
"""Which kernels are in use is chosen at import, and never silently."""

import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

from qestim import _native

ROOT = pathlib.Path(__file__).parents[2]

WITHOUT = (
    "import sys\n"
    "class NoKernels:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name == 'qestim._native._kernels':\n"
    "            raise ImportError('not built')\n"
    "sys.meta_path.insert(0, NoKernels())\n"
)


def run(code, **environment):
    names = ("QESTIM_REQUIRE_NATIVE", "QESTIM_DISABLE_NATIVE")
    base = {key: value for key, value in os.environ.items() if key not in names}
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env={**base, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_kernels_warn_and_numpy_takes_over():
    result = run(WITHOUT + "from qestim import _native; print(_native.kernel_name)")
    assert result.stdout.strip() == "numpy"
    assert "installed without its compiled kernels" in result.stderr


def test_missing_kernels_fail_where_they_are_required():
    result = run(WITHOUT + "import qestim.samplers", QESTIM_REQUIRE_NATIVE="1")
    assert result.returncode == 1
    assert "QESTIM_REQUIRE_NATIVE=1, but" in result.stderr


def test_choosing_numpy_is_quiet():
    code = "from qestim import _native; print(_native.kernel_name)"
    result = run(code, QESTIM_DISABLE_NATIVE="1")
    assert (result.stdout.strip(), result.stderr) == ("numpy", "")


@pytest.mark.parametrize(("setting", "threads"), [("3", 3), ("0", None), ("x", None)])
def test_threads_follow_the_environment(monkeypatch, setting, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert _native.available_threads() == (threads or len(os.sched_getaffinity(0)))


def test_module_prints_versions_and_kernels():
    code = "import runpy; runpy.run_module('qestim', run_name='__main__')"
    result = run(code, QESTIM_DISABLE_NATIVE="1")
    assert result.stdout.startswith("qestim ")
    assert "kernels  numpy" in result.stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for need in [*project["dependencies"], *extras["plot"], *extras["anndata"]]:
        name = re.match(r"[\w-]+", need).group()
        assert re.search(rf"^{name} +(\d|not installed)", result.stdout, re.MULTILINE)


def test_every_kernel_has_its_numpy_twin():
    from qestim._native import _fallback

    kernels = pytest.importorskip("qestim._native._kernels")
    names = {name for name in dir(kernels) if not name.startswith("_")}
    assert names - {"instruction_set"} == set(_fallback.__all__)
