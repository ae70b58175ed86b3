# SPDX-License-Identifier: Apache-2.0
"""Masked diffusion guided by a Boltzmann energy, against controls.

``python benchmarks/diffusion.py [--quick] [--only SECTION ...] [--corpus PATH]
[--seeds N]`` writes ``benchmarks/results/diffusion.json`` and ``.md``
(``diffusion_quick`` with ``--quick``, which is not kept). ``--corpus`` names a text
file in place of tiny Shakespeare, which the data folder has (``QESTIM_DATA``) and which
fits a laptop; it measures the sections that read a text, in a file of its own name.
Fitted models are kept in build/diffusion, those of a corpus in a folder of their own.
``--seeds`` is 5 unless said otherwise.
"""

import hashlib
import os
import sys
import tempfile

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pathlib

import _diffusion_cost
import _diffusion_guides
import _diffusion_text
import _diffusion_toy
from _diffusion_notes import NOTES
from _measure import run_sections

# title: (function, whether it needs a text)
MEASURED = {
    "Toy law": (_diffusion_toy.toy, False),
    "Importance weights": (_diffusion_toy.weights, False),
    "Bits a character": (_diffusion_text.bits, True),
    "Text": (_diffusion_text.text, True),
    "Cost of guidance": (_diffusion_cost.cost, False),
    "Engines": (_diffusion_cost.engines, False),
}


def take_corpus(arguments):
    """Read ``--corpus PATH`` off the command line; return whether it is there."""
    if "--corpus" not in arguments:
        return False
    at = arguments.index("--corpus")
    if at + 1 == len(arguments) or not pathlib.Path(arguments[at + 1]).is_file():
        raise SystemExit("--corpus must be followed by the path of a text file.")
    path = pathlib.Path(arguments[at + 1])
    del arguments[at : at + 2]
    os.environ["QESTIM_CORPUS"] = str(path)
    # By content: models of another text of the same name are of no use.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    _diffusion_guides.KEPT /= f"{path.stem}_{digest}"
    return True


def take_seeds(arguments):
    """Read ``--seeds N`` off the command line."""
    if "--seeds" in arguments:
        at = arguments.index("--seeds")
        _diffusion_guides.SEEDS = int(arguments[at + 1])
        del arguments[at : at + 2]


def section(title):
    """Return the function of a section, which adds its note."""
    measure, needs_text = MEASURED[title]

    def run(quick):
        if needs_text and _diffusion_text.corpus_path() is None:
            return {"rows": [], "note": "Not run: QESTIM_DATA names no folder."}
        return {**measure(quick), "note": NOTES[title]}

    return run, False


if __name__ == "__main__":
    other = take_corpus(sys.argv)
    take_seeds(sys.argv)
    if "--quick" in sys.argv:  # keeps nothing, so that it tests the present code
        scratch = tempfile.TemporaryDirectory()
        _diffusion_guides.KEPT = pathlib.Path(scratch.name)
    run_sections(
        f"diffusion_{pathlib.Path(os.environ['QESTIM_CORPUS']).stem}"
        if other
        else "diffusion",
        "Masked diffusion guided by a Boltzmann energy",
        {
            title: section(title)
            for title, (_, needs_text) in MEASURED.items()
            if needs_text or not other
        },
        (),
    )
