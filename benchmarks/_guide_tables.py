# SPDX-License-Identifier: Apache-2.0
"""Tables of the guide pages, copied from the results files.

A page marks where a table belongs and which columns it shows::

    <!-- table: RESULTS | SECTION | COLUMN; COLUMN -->
    <!-- end -->

``python benchmarks/_guide_tables.py`` fills every page of docs/guide; a test compares.
"""

import json
import pathlib
import re

from _measure import RESULTS, format_figure

GUIDE = pathlib.Path(__file__).parent.parent / "docs" / "guide"
MARKED = re.compile(
    r"(<!-- table: (?P<name>\w+) \| (?P<section>[^|]+) \| (?P<columns>.+?) -->\n)"
    r".*?(<!-- end -->)",
    re.DOTALL,
)


def table(rows, columns):
    """Write some columns of flat rows as a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "-|" * len(columns)]
    for row in rows:
        cells = (format_figure(row[column]) for column in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def fill(text):
    """Return a page with every marked table as the results have it."""

    def replace(match):
        report = json.loads((RESULTS / f"{match['name']}.json").read_text())
        rows = report["sections"][match["section"]]["rows"]
        columns = [column.strip() for column in match["columns"].split(";")]
        return match[1] + table(rows, columns) + match[5]

    return MARKED.sub(replace, text)


def main():
    for page in sorted(GUIDE.glob("*.md")):
        text = page.read_text()
        if MARKED.search(text):
            page.write_text(fill(text))


if __name__ == "__main__":
    main()
