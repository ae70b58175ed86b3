# SPDX-License-Identifier: Apache-2.0
"""QAMA against softmax attention, classical selections and controls.

``python benchmarks/attention.py [--quick] [--only SECTION ...]`` writes
``benchmarks/results/attention.json`` and ``.md`` (``attention_quick`` with ``--quick``,
which is not kept). Pictures and texts need the data folder (``QESTIM_DATA``).
"""

import os

# Before numpy and torch: every section has one core to itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import _attention_accuracy
import _attention_annealers
import _attention_masks
import _attention_scaling
from _attention_notes import NOTES
from _measure import data_folder, run_sections

# title: (function, whether it needs the data folder)
MEASURED = {
    "Associative recall": (_attention_accuracy.recall, False),
    "Vision and language": (_attention_accuracy.real, True),
    "Masks": (_attention_masks.run, True),
    "Long sequences": (_attention_scaling.run, False),
    "Time to the best mask": (_attention_annealers.time_to_mask, False),
    "Spectral gap": (_attention_annealers.spectral_gap, False),
}


def section(title):
    """Return the function of a section, which adds its note."""
    measure, needs_data = MEASURED[title]

    def run(quick):
        if needs_data and data_folder() is None:
            return {"rows": [], "note": "Not run: QESTIM_DATA names no folder."}
        return {**measure(quick), "note": NOTES[title]}

    return run, False


if __name__ == "__main__":
    run_sections(
        "attention",
        "Attention as an Ising problem, against softmax and controls",
        {title: section(title) for title in MEASURED},
        (),
    )
