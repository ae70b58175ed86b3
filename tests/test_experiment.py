# SPDX-License-Identifier: Apache-2.0
"""M-LOOP's files: archives are read, settings handed out, answers taken."""

import pathlib
import threading
import time

import numpy as np
import pytest

from qestim import ExperimentOptimizer
from qestim.estimators._experiment_archive import read_mloop_text
from qestim.experiment import exchange, main, read_config, run

CONTROLLER = """mloop_version='3.3.5'
archive_type='controller'
num_out_params=4
out_params=[array([-0.86, -0.02]), array([0.09, 1.63]), array([ 0.15, -1.4]), array([1., 1.])]
out_extras=[{}, {}, {}, {}]
in_costs=[0.746, 2.68, inf]
in_uncers=[0.1, 0.0, 0.1]
in_bads=[False, False, True]
max_num_runs=4.0
min_boundary=array([-1., -2.])
max_boundary=array([1., 2.])
param_names=['power', 'delay']
best_cost=np.float64(0.746)
"""  # noqa: E501

LEARNER = """archive_type='random_learner'
min_boundary=array([-1., -2.])
max_boundary=array([1., 2.])
trust_region=nan
all_params=array([[-0.86, -0.02],       [ 0.09,  1.63],       [ 0.15, -1.4]])
all_costs=array([0.746, 2.68,        inf])
all_uncers=array([0.1, 0.1, 0.1])
bad_run_indexs=[2]
"""

CONFIG = """# made for M-LOOP
num_params = 2
min_boundary = [-1, -2]
max_boundary = [1, 2]
max_num_runs = 6
controller_type = 'neural_net'
"""


def laboratory(folder, n, answer, stop):
    """Answer settings as an experiment does, from another thread."""
    while n and not stop.is_set():
        try:
            text = (folder / "exp_input.txt").read_text()
            (folder / "exp_input.txt").unlink()
        except FileNotFoundError:
            time.sleep(0.005)
            continue
        params = np.array(read_mloop_text(text, "exp_input.txt")["params"])
        (folder / "exp_output.txt").write_text(answer(params))
        n -= 1


@pytest.fixture
def start():
    """Start a laboratory that ends with the test."""
    stop, running = threading.Event(), []

    def begin(folder, n, answer):
        running.append(
            threading.Thread(target=laboratory, args=(folder, n, answer, stop))
        )
        running[-1].start()

    yield begin
    stop.set()
    for thread in running:
        thread.join()


@pytest.mark.parametrize(("text", "names"), [(CONTROLLER, "power"), (LEARNER, "x0")])
def test_archives_are_read(tmp_path, text, names):
    (tmp_path / "archive.txt").write_text(text)
    optimizer = ExperimentOptimizer.from_mloop(tmp_path / "archive.txt")
    assert optimizer.names_[0] == names
    assert optimizer.space[names] == (-1.0, 1.0)
    assert optimizer.X_.tolist() == [[-0.86, -0.02], [0.09, 1.63], [0.15, -1.4]]
    assert optimizer.y_[:2].tolist() == [0.746, 2.68]
    assert optimizer.sigma_[0] == 0.1
    assert optimizer.bad_.tolist() == [False, False, True]
    assert not optimizer.maximize
    assert optimizer.best_.y == 0.746


def test_an_archive_is_kept_in_one_step(tmp_path, monkeypatch):
    """A program killed while it reads leaves no record with half of the runs."""
    (tmp_path / "archive.txt").write_text(LEARNER)
    tell = ExperimentOptimizer.tell
    monkeypatch.setattr(
        ExperimentOptimizer,
        "tell",
        lambda self, x, y, **more: (
            killed() if more["bad"] else tell(self, x, y, **more)
        ),
    )
    path = tmp_path / "run.json"
    with pytest.raises(KeyboardInterrupt):
        ExperimentOptimizer.from_mloop(tmp_path / "archive.txt", path=path)
    assert not path.exists()
    monkeypatch.undo()
    ExperimentOptimizer.from_mloop(tmp_path / "archive.txt", path=path)
    assert len(ExperimentOptimizer.load(path).y_) == 3
    with pytest.raises(FileExistsError, match="load"):
        ExperimentOptimizer.from_mloop(tmp_path / "archive.txt", path=path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "archive.txt").write_text("a = 1\n")
    with pytest.raises(ValueError, match="neither"):
        ExperimentOptimizer.from_mloop(tmp_path / "archive.txt")
    with pytest.raises(ValueError, match="pickles are not opened"):
        ExperimentOptimizer.from_mloop(tmp_path / "archive.pkl")


@pytest.mark.parametrize(
    "line", ["a", "a = ", "1 = 2", "a = b", "a = __import__('os').getcwd()", "a = [1,"]
)
def test_text_that_is_no_literal_is_refused(line):
    with pytest.raises(ValueError, match="Line 2"):
        read_mloop_text(f"c = 1\n{line}\n", "file")


def test_the_configuration_is_read(tmp_path):
    path = tmp_path / "exp_config.txt"
    path.write_text(CONFIG)
    space, limits, ignored = read_config(path)
    assert space == {"x0": (-1, 1), "x1": (-2, 2)}
    assert limits["max_num_runs"] == 6
    assert limits["target_cost"] == -np.inf
    assert ignored == ["controller_type"]
    path.write_text(CONFIG.replace("[1, 2]", "[1, 2, 3]"))
    with pytest.raises(ValueError, match="one length"):
        read_config(path)
    path.write_text("min_boundary = 0\nmax_boundary = 1\n")
    with pytest.raises(ValueError, match="min_boundary must be a list"):
        read_config(path)
    path.write_text("num_params = 2\n")
    with pytest.raises(ValueError, match="needs min_boundary"):
        read_config(path)


def test_a_whole_experiment_runs_and_goes_on(tmp_path, start, capsys):
    (tmp_path / "exp_config.txt").write_text(CONFIG)
    command = ["--config", tmp_path / "exp_config.txt", "--folder", tmp_path]
    command += ["--record", tmp_path / "run.json", "--seed", "0", "--timeout", "20"]
    command = list(map(str, command))
    start(
        tmp_path,
        5,
        lambda p: f"cost = {p @ p}\nuncer = 0.01\nbad = {bool(p[0] > 0.8)}\n",
    )
    # The laboratory leaves after five runs; the sixth setting stays pending.
    short = [*command[:-1], "1.5"]
    assert main(short) == 1
    kept = ExperimentOptimizer.load(tmp_path / "run.json")
    assert len(kept.y_) == 5
    assert len(kept.pending_) == 1
    start(tmp_path, 1, lambda p: f"cost = {p @ p}\n")
    assert main(command) == 0
    told = ExperimentOptimizer.load(tmp_path / "run.json")
    assert len(told.y_) == 6
    assert told.X_[5].tolist() == list(kept.pending_[0].values())
    good = ~told.bad_
    np.testing.assert_allclose(told.y_[good], (told.X_[good] ** 2).sum(1))
    assert "Best:" in capsys.readouterr().out


def test_an_archive_is_begun_from_and_a_target_ends(tmp_path, start):
    (tmp_path / "exp_config.txt").write_text(CONFIG + "target_cost = -5\n")
    (tmp_path / "archive.txt").write_text(LEARNER)
    start(tmp_path, 1, lambda p: "cost = -6\n")
    command = ["--config", tmp_path / "exp_config.txt", "--folder", tmp_path]
    command += ["--record", tmp_path / "run.json", "--timeout", "20"]
    command += ["--archive", tmp_path / "archive.txt", "--surrogate", "ensemble"]
    assert main(list(map(str, command))) == 0
    kept = ExperimentOptimizer.load(tmp_path / "run.json")
    assert kept.y_[-1] == -6
    assert len(kept.y_) == 4


def test_no_answer_ends_in_time(tmp_path):
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
        exchange(tmp_path, [1.0], timeout=0.1)
    assert time.monotonic() - begun < 5
    assert (tmp_path / "exp_input.txt").read_text() == "params = array([1.0])\n"


def test_a_half_written_answer_is_waited_for(tmp_path):
    answer = tmp_path / "exp_output.txt"
    answer.write_text("cost = [")
    finish = threading.Timer(0.3, answer.write_text, ["cost = 2.0\nbad = False\n"])
    finish.start()
    assert exchange(tmp_path, [1.0], timeout=20)["y"] == 2.0
    assert not answer.exists()
    finish.join()


def test_half_a_number_is_not_taken(tmp_path):
    answer = tmp_path / "exp_output.txt"
    answer.write_text("cost = 2")
    finish = threading.Timer(0.3, answer.write_text, ["cost = 25.5\nbad = False\n"])
    finish.start()
    assert exchange(tmp_path, [1.0], timeout=20)["y"] == 25.5
    finish.join()


def test_an_answer_without_an_end_of_line_counts_after_a_second(tmp_path):
    (tmp_path / "exp_output.txt").write_text("cost = 2")
    begun = time.monotonic()
    assert exchange(tmp_path, [1.0], timeout=20)["y"] == 2
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("cost = 1\nuncer = 0.5\n", {"y": 1.0, "sigma": 0.5, "bad": False}),
        ("cost = 1\nuncer = 0\n", {"y": 1.0, "sigma": None, "bad": False}),
        ("cost = 1\nuncer = nan\n", {"y": 1.0, "sigma": None, "bad": False}),
        ("cost = nan\nuncer = 0.5\n", {"y": None, "sigma": None, "bad": True}),
        ("cost = inf\n", {"y": None, "sigma": None, "bad": True}),
        ("cost = 3\nbad = True\n", {"y": None, "sigma": None, "bad": True}),
    ],
)
def test_answers_are_read(tmp_path, text, outcome):
    (tmp_path / "exp_output.txt").write_text(text)
    assert exchange(tmp_path, [1.0], timeout=20) == outcome


LIMITS = {
    "max_num_runs": 3,
    "target_cost": -np.inf,
    "max_num_runs_without_better_params": np.inf,
}


def killed(*given, **named):
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["before the record", "after the record"])
def test_a_kill_between_answer_and_record_loses_nothing(
    tmp_path, start, monkeypatch, step
):
    path = tmp_path / "run.json"
    optimizer = ExperimentOptimizer(
        [(0.0, 1.0)], maximize=False, path=path, random_state=0
    )
    start(tmp_path, 3, lambda p: f"cost = {p[0]}\n")
    if step == "before the record":
        monkeypatch.setattr(optimizer, "tell", killed)
    else:
        unlink = pathlib.Path.unlink
        monkeypatch.setattr(
            "pathlib.Path.unlink",
            lambda file: killed() if "output.0" in file.name else unlink(file),
        )
    with pytest.raises(KeyboardInterrupt):
        run(optimizer, tmp_path, LIMITS, timeout=20)
    monkeypatch.undo()
    again = ExperimentOptimizer.load(path)
    assert len(again.pending_) == (step == "before the record")
    run(again, tmp_path, LIMITS, timeout=20)
    np.testing.assert_array_equal(again.X_[:, 0], again.y_)
    assert len(again.y_) == 3


def test_what_nobody_asked_for_is_put_aside(tmp_path, start):
    for name in ("exp_output.txt", "exp_output.0.txt"):
        (tmp_path / name).write_text("cost = -100\n")
    optimizer = ExperimentOptimizer([(0.0, 1.0)], maximize=False, random_state=0)
    start(tmp_path, 1, lambda p: "cost = 7\n")
    said = []
    run(optimizer, tmp_path, {**LIMITS, "max_num_runs": 1}, 20, said.append)
    assert optimizer.y_.tolist() == [7]
    assert "answers nothing" in said[0]
    assert (tmp_path / "exp_output.unasked.txt").exists()


@pytest.mark.parametrize(
    "limit",
    [
        {"max_num_runs": 2},
        {"target_cost": 1.0},
        {"max_num_runs_without_better_params": 1},
    ],
)
def test_a_limit_that_was_reached_stays_reached(tmp_path, limit):
    optimizer = ExperimentOptimizer([(0.0, 1.0)], maximize=False, random_state=0)
    optimizer.tell([[0.1], [0.2]], [1.0, 2.0])
    run(optimizer, tmp_path, {**LIMITS, **limit}, timeout=0.1)
    assert optimizer.pending_ == []


@pytest.mark.parametrize("other", [{"maximize": True}, {"space": [(0.0, 2.0)] * 2}])
def test_the_record_of_another_experiment_is_refused(tmp_path, other, capsys):
    path, record = tmp_path / "exp_config.txt", tmp_path / "run.json"
    path.write_text(CONFIG)
    space, _, _ = read_config(path)
    ExperimentOptimizer(**{"space": space, "maximize": False, **other}, path=record)
    with pytest.raises(SystemExit):
        main(["--config", str(path), "--record", str(record), "--timeout", "0.1"])
    assert "another experiment" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["cost = [", "uncer = 0.1\n", "cost = 'low'\n", "cost = 1\nuncer = -1\n"]
)
def test_an_answer_without_sense_is_an_error(tmp_path, text):
    (tmp_path / "exp_output.txt").write_text(text)
    with pytest.raises(ValueError, match=r"exp_output.txt"):
        exchange(tmp_path, [1.0], timeout=20)
