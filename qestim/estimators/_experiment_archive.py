# SPDX-License-Identifier: Apache-2.0
"""M-LOOP's text files: its archives and its exchange with an experiment."""

import ast
import math
import pathlib

_NUMBERS = {"nan": math.nan, "inf": math.inf}


def read_mloop_text(text, where):
    """Read lines of ``key = value`` with Python literals and numpy arrays as values.

    Nothing in the file is executed.

    Parameters
    ----------
    text : str
        The lines; what follows a ``#`` is a comment.
    where : str
        Name of the file, for the error.

    Returns
    -------
    found : dict
        Arrays are lists.

    Raises
    ------
    ValueError
        If a line is not of that form.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        key, equals, value = line.partition("=")
        try:
            if not equals or not key.strip().isidentifier():
                raise ValueError("no key")
            found[key.strip()] = _literal(ast.parse(value.strip(), mode="eval").body)
        except (ValueError, SyntaxError) as error:
            raise ValueError(
                f"Line {number} of {where} is not 'key = value' with a number, a list "
                f"or an array as value: {line[:60]!r}."
            ) from error
    return found


def _literal(node):
    """Evaluate a literal that may hold array(...), nan and inf."""
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return _NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_literal(node.operand)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        # numpy 2 writes np.float64(...), which is an Attribute; numpy 1 does not.
        if node.func.id == "array" and node.args:
            return _literal(node.args[0])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if len(node.args) == 1:
            return _literal(node.args[0])
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_literal, node.values), strict=True))
    return ast.literal_eval(node)


def read_mloop_archive(path):
    """Read the space and the runs of an archive of M-LOOP.

    Parameters
    ----------
    path : str or path-like
        A text file, of the controller or of a learner.

    Returns
    -------
    space : dict of str to (float, float)
        Parameters and bounds.
    runs : list of tuple of (list of float, float or None, float or None, bool)
        Setting, cost, uncertainty and whether the run was bad; the cost of a bad run
        is None, an uncertainty of 0 too.

    Raises
    ------
    ValueError
        If the file is no archive in text form.
    """
    path = pathlib.Path(path)
    if path.suffix != ".txt":
        raise ValueError(
            f"{path} is not an archive in text form (.txt). Let M-LOOP write it with "
            "controller_archive_file_type='txt'; pickles are not opened."
        )
    found = read_mloop_text(path.read_text(encoding="utf-8"), str(path))
    try:
        low, high = found["min_boundary"], found["max_boundary"]
        if "out_params" in found:
            settings, costs = found["out_params"], found["in_costs"]
            sigmas, bad = found["in_uncers"], found["in_bads"]
        else:
            settings, costs = found["all_params"], found["all_costs"]
            sigmas = found["all_uncers"]
            bad = [i in found["bad_run_indexs"] for i in range(len(costs))]
    except KeyError as error:
        raise ValueError(
            f"{path} holds no {error}: it is neither a controller's nor a learner's "
            "archive."
        ) from error
    names = found.get("param_names") or [f"x{i}" for i in range(len(low))]
    space = {
        name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)
    }
    # The last setting may have been sent and not answered.
    settings = settings[: len(costs)]
    runs = []
    for x, cost, sigma, failed in zip(settings, costs, sigmas, bad, strict=True):
        failed = bool(failed) or not math.isfinite(cost)
        known = not failed and math.isfinite(sigma) and sigma > 0
        runs.append((x, None if failed else cost, sigma if known else None, failed))
    return space, runs
