# SPDX-License-Identifier: Apache-2.0
"""The README's code runs as it stands."""

import pathlib
import re

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()


def test_the_code_block_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert names["Z"].shape == (1797, 16)
    assert -names["cut"].first.energy == 12
    assert "BoltzmannSampler" in printed
