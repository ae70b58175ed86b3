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
    assert names["code"].transform(names["X"]).shape == (1797, 16)
    assert -names["cut"].energy == 12
    assert "beta_eff" in printed
    assert "no couplings (J = 0) (control)" in printed
