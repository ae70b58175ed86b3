# SPDX-License-Identifier: Apache-2.0
"""What survives a restart of ExperimentOptimizer, and what files are refused."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from qestim import ExperimentOptimizer
from qestim.estimators._experiment_record import Record, read_record
from qestim.estimators._experiment_space import Space

SPACE = {"power": (0.1, 10.0, "log"), "delay": (-1.0, 2.0), "turns": (1, 9, "int")}


def goal(x):
    return -(np.log(x["power"]) ** 2) - (x["delay"] - 1.0) ** 2 - 0.1 * x["turns"]


def played(n=9, **options):
    options = {"random_state": 0, "n_init": 5, **options}
    optimizer = ExperimentOptimizer(SPACE, **options)
    for _ in range(n):
        x = optimizer.ask()
        optimizer.tell(x, goal(x))
    return optimizer


@pytest.mark.parametrize("surrogate", ["gp", "ensemble"])
def test_a_restart_changes_nothing(tmp_path, surrogate):
    straight = played(8, surrogate=surrogate)
    broken = played(5, surrogate=surrogate, path=tmp_path / "run.json")
    for _ in range(3):
        broken = ExperimentOptimizer.load(tmp_path / "run.json")
        x = broken.ask()
        broken = ExperimentOptimizer.load(tmp_path / "run.json")
        assert broken.pending_ == [x]
        broken.tell(x, goal(x))
    np.testing.assert_array_equal(broken.X_, straight.X_)
    assert broken.ask(2) == straight.ask(2)


def test_a_repeat_that_was_asked_for_counts_though_it_says_the_same():
    space, record = Space({"level": (0, 3, "int")}), Record()
    run = ([2.0], 0.5, None, False)
    assert record.take(run, space)
    assert not record.take(run, space)
    record.pending.append([2.0])
    assert record.take(run, space)
    assert (len(record), record.pending) == (2, [])


def test_an_existing_record_is_not_overwritten(tmp_path):
    played(2, path=tmp_path / "run.json")
    with pytest.raises(FileExistsError, match="load"):
        ExperimentOptimizer(SPACE, path=tmp_path / "run.json")


def test_a_goal_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "run.json"
    played(2, path=path)
    found = json.loads(path.read_text())
    found["y"][0] = float("nan")
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match="is damaged"):
        ExperimentOptimizer.load(path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "run.json"
    played(4, path=path)
    whole = path.read_text()
    for share in (0.0, 0.3, 0.6, 0.99):
        path.write_text(whole[: int(share * len(whole))])
        with pytest.raises(ValueError, match="not a whole record"):
            ExperimentOptimizer.load(path)
    found = json.loads(whole)
    path.write_text(json.dumps({**found, "y": found["y"][:-1]}))
    with pytest.raises(ValueError, match=r"not a whole|damaged"):
        ExperimentOptimizer.load(path)


KILLED = textwrap.dedent(
    """
    import sys
    from qestim import ExperimentOptimizer
    optimizer = ExperimentOptimizer(
        {"a": (0.0, 1.0)}, path=sys.argv[1], acquisition="random", random_state=0
    )
    while True:
        x = optimizer.ask()
        optimizer.tell(x, x["a"])
        print(len(optimizer.y_), flush=True)
    """
)


def test_a_kill_between_tells_loses_nothing(tmp_path):
    path = tmp_path / "run.json"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        told = 0
        while told < 30:
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        told = int(["", *process.stdout.read().split()][-1] or told)
    _, record = read_record(path)
    assert len(record) in (told, told + 1)
    assert [row[0] for row in record.x] == record.y
    ExperimentOptimizer.load(path).ask()


@pytest.mark.parametrize(
    "change",
    [
        {"x": [[1.0, 0.0]] * 4},
        {"x": [[1.0, 0.0, 99]] * 4},
        {"x": [["a", 0.0, 1]] * 4},
        {"pending": [[1.0]]},
        {"settings": {"space": {"a": [0, 1]}, "colour": "red"}},
        {"settings": {}},
    ],
)
def test_a_file_that_something_else_has_changed_is_refused(tmp_path, change):
    path = tmp_path / "run.json"
    played(4, path=path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=r"damaged.*Take an earlier copy"):
        ExperimentOptimizer.load(path)


def test_numbers_of_numpy_are_kept(tmp_path):
    options = {"random_state": np.int64(3), "n_init": np.int32(4)}
    space = {"a": (np.float64(0), np.float32(1)), "n": (np.int64(1), 5, "int")}
    optimizer = ExperimentOptimizer(
        space, maximize=np.bool_(True), path=tmp_path / "run.json", **options
    )
    asked = optimizer.ask(6)
    again = ExperimentOptimizer.load(tmp_path / "run.json")
    assert again.pending_ == asked
    assert again.random_state == 3
    assert again.maximize
