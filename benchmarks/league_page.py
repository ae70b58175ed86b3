# SPDX-License-Identifier: Apache-2.0
"""Write the league's figures into the guide.

``python benchmarks/league_page.py`` renders ``benchmarks/results/league.json`` between
the markers of ``docs/guide/league.md``; a test holds the page to the file.
"""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
RESULTS = HERE / "results" / "league.json"
PAGE = HERE.parent / "docs" / "guide" / "league.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

TABLE = "Every instance, every sampler"
LONGER = "G22 and G81 with more time"
START, VAE = "Feedback models on a torus", "QBM-VAE on digits"
ANNEALING = "annealing"
AMPLITUDES = ("dSB", "bSB", "cac", "cfc", "sfc", "mean_field", "wigner")
MINUS = "mean gap minus annealing's [95 %]"


def table(head, rows):
    """Write a table of Markdown."""
    lines = [head, ["-"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_instance(rows):
    """Return {instance: {sampler: row}}, the rows that were played."""
    found = {}
    for row in rows:
        if "best" in row:
            found.setdefault(row["instance"], {})[row["sampler"]] = row
    return found


def beats(row):
    """Whether the mean gap is below that of annealing, the whole interval."""
    return bool(row[MINUS]) and row[MINUS]["max"] < 0


def gaps(rows, key):
    """Write one gap of every instance and sampler; the least of a row is bold."""
    samplers = list(dict.fromkeys(row["sampler"] for row in rows))
    lines = []
    for instance, played in by_instance(rows).items():
        least = min(row[key] for row in played.values())
        cells = [instance]
        for sampler in samplers:
            row = played.get(sampler)
            text = f"{row[key]:.3f}" if row else "–"
            if row and row[key] == least:
                text = f"**{text}**"
            cells.append(text + (" †" if row and beats(row) else ""))
        lines.append(cells)
    return table(["instance", *samplers], lines)


def figure(value):
    """Write an estimate with its interval."""
    return f"{value['mean']:.3g} [{value['min']:.3g}, {value['max']:.3g}]"


def times(rows):
    """Write the times to solution that rest on enough hits."""
    lines = [
        [
            row["instance"],
            row["sampler"],
            figure(row["success [95 %]"]),
            figure(row["TTS99, s [95 %]"]),
        ]
        for played in by_instance(rows).values()
        for row in played.values()
        if isinstance(row["TTS99, s [95 %]"], dict)
    ]
    return table(["instance", "sampler", "success of a read", "TTS99, CPU s"], lines)


def findings(rows):
    """Write who beat annealing, and who was within the bound everywhere."""
    lines = []
    for instance, played in by_instance(rows).items():
        winners = [
            f"`{name}` ({figure(played[name][MINUS])})"
            for name in AMPLITUDES
            if name in played and beats(played[name])
        ]
        if winners:
            lines.append(f"- {instance}: {', '.join(winners)}")
    if not lines:
        return "On no instance did a machine of amplitudes beat annealing."
    title = (
        "Machines of amplitudes whose mean gap is below that of annealing at equal CPU "
        "time, with the difference in percentage points:"
    )
    return "\n".join([title, "", *lines])


def within(rows):
    """Write for each sampler on how many instances its best read is close enough."""
    lines = []
    played = by_instance(rows)
    for sampler in dict.fromkeys(row["sampler"] for row in rows):
        mine = [of[sampler] for of in played.values() if sampler in of]
        best = sum(row["gap of best, %"] == 0 for row in mine)
        close = sum(
            row["gap of best, %"] <= (0.3 if row["spins"] <= 2000 else 0.5)
            for row in mine
        )
        lines.append([sampler, str(len(mine)), str(best), str(close)])
    return table(
        [
            "sampler",
            "instances",
            "best known reached",
            "within 0.3 % (N > 2000: 0.5 %)",
        ],
        lines,
    )


def digits(rows):
    """Write what the machine adds to its polish."""
    lines = [
        [
            row["measure"],
            row["negative phase"],
            f"{row['mean']:.4g}",
            row["minus the polish alone [95 %]"] or "reference",
        ]
        for row in rows
    ]
    return table(["measure", "negative phase", "mean", "minus the polish alone"], lines)


def reads(rows):
    """Write the reads of each sampler and the time to the best known value."""
    lines = []
    for row in rows:
        time = row["TTS99, s [95 %]"]
        lines.append(
            [
                row["instance"],
                row["sampler"],
                f"{row['best']:.0f}",
                f"{row['gap of best, %']:.3f}",
                f"{row['gap of mean, %']:.3f}",
                figure(row["success [95 %]"]),
                figure(time) if isinstance(time, dict) else time,
            ]
        )
    head = ["instance", "sampler", "best", "its gap, %", "mean gap, %"]
    return table([*head, "success of a read", "TTS99, CPU s"], lines)


def starts(rows):
    """Write the mean gap of every setting, a column for each instance and model."""
    gaps = {}
    for row in rows:
        column = gaps.setdefault(f"{row['instance']}, {row['model']}", {})
        column[row["settings"]] = f"{row['mean gap, % of the energy']:.2f}"
    names = dict.fromkeys(row["settings"] for row in rows)
    lines = [[name, *(column[name] for column in gaps.values())] for name in names]
    return table(["settings", *gaps], lines)


def render(report):
    """Return the figures as Markdown."""
    section, longer, start, vae = (
        report["sections"][key] for key in (TABLE, LONGER, START, VAE)
    )
    rows = section["rows"]
    return "\n\n".join(
        [
            "### Gap of the mean read, % of the best known value",
            gaps(rows, "gap of mean, %"),
            "Bold: the least of the row. †: below annealing's, by the whole 95 % "
            "interval. –: left out, as said below the times to solution.",
            "### Gap of the best read, %",
            gaps(rows, "gap of best, %").replace(" †", ""),
            within(rows),
            "### Who beats annealing",
            findings(rows),
            "### Times to solution",
            times(rows),
            section["note"],
            "### G22 and G81 with more time",
            reads(longer["rows"]),
            longer["note"],
            "### Feedback models on a torus: mean gap, % of the energy",
            starts(start["rows"]),
            start["note"],
            "### QBM-VAE on digits: the machine and its polish",
            digits(vae["rows"]),
            vae["note"],
        ]
    )


def updated(page, report):
    """Return the page with the figures of the report between its markers."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(report)}\n\n{END}{after}"


if __name__ == "__main__":
    found = json.loads(RESULTS.read_text())
    PAGE.write_text(updated(PAGE.read_text(), found))
