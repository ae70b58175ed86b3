# SPDX-License-Identifier: Apache-2.0
"""The page of every message that qestim raises or warns with, read from its sources."""

import ast
import html
import re

HEADER = """# Every error message

A message names the parameter, its limit, the value that came, and the way out. `…`
stands for what is filled in when it is raised. Besides these, parameters of the wrong
type or range raise scikit-learn's `InvalidParameterError` (a `ValueError`), which says
the same four things.

"""


def template(node):
    """Return the text of a message with … for its values, or None if it has none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "…"
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = template(node.left), template(node.right)
        return None if left is None else left + (right or "…")
    return None


def calls(tree):
    """Yield (kind, call) of every error and warning that a module makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            kind = ast.unparse(node.func)
            if kind == "warnings.warn" and len(node.args) > 1:
                kind = ast.unparse(node.args[1])
            # The last name, as in exceptions.HardwareError and KINDS.get(x, SomeError).
            kind = re.findall(r"\w+", kind)[-1]
            if kind.endswith(("Error", "Warning")):
                yield kind, node


def messages(tree):
    """Yield (kind, text) of every error and warning of a module."""
    for kind, call in calls(tree):
        text = template(call.args[0]) if call.args else None
        if text:
            yield kind, " ".join(text.split())


def page(package):
    """Return the page for all modules of a package folder."""
    lines = [HEADER]
    rooms = {}
    for path in sorted(package.rglob("*.py")):
        found = sorted(set(messages(ast.parse(path.read_text()))))
        if found:
            room = ".".join(["qestim", *path.relative_to(package).parts[:-1]])
            rooms.setdefault(room, []).append((path.stem.strip("_"), found))
    for room, files in rooms.items():
        lines.append(f"## {room}\n\n| where | kind | message |\n|-|-|-|\n")
        for stem, found in files:
            for kind, text in found:
                text = html.escape(text).replace("|", "\\|").replace("$", "\\$")
                for mark in "*_[]{}`":
                    text = text.replace(mark, "\\" + mark)
                lines.append(f"| {stem} | {kind} | {text} |\n")
        lines.append("\n")
    return "".join(lines)
