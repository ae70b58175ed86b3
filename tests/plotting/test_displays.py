# SPDX-License-Identifier: Apache-2.0
"""What all displays do alike: axes, attributes, and life without matplotlib."""

import subprocess
import sys

import numpy as np
import pytest

from qestim import ExperimentOptimizer, plotting


def trajectory():
    amplitudes = np.linspace(0, 1, 20)[:, None] * np.array([1.0, -1.0, 0.5])
    return plotting.TrajectoryDisplay.from_arrays(
        amplitudes, energies=np.arange(20.0), pump=np.linspace(0, 1, 20)
    )


def experiment():
    optimizer = ExperimentOptimizer([(0.0, 1.0)] * 2, random_state=0)
    for x in optimizer.ask(4):
        optimizer.tell(x, x["x0"])
    return plotting.ExperimentDisplay.from_optimizer(optimizer)


DISPLAYS = {
    "AttentionDisplay": lambda: plotting.AttentionDisplay(np.eye(3)[None].repeat(2, 0)),
    "BetaEffDisplay": lambda: plotting.BetaEffDisplay(
        np.array([0.5, 2.0]),
        *np.array([[0.6, 0.9], [0.55, 0.85], [0.65, 0.93]]),
        beta_eff=1.0,
        beta_eff_error=0.1,
        calibration_p=0.4,
        misfit=1e-4,
    ),
    "EnergyHistogramDisplay": lambda: plotting.EnergyHistogramDisplay(
        {"reads": np.array([0.0, 1.0, 1.0])}, ground_energy=0.0
    ),
    "ExperimentDisplay": experiment,
    "LearningCurveDisplay": lambda: plotting.LearningCurveDisplay.from_scores(
        [10, 20], {"random": [[0.5, 0.6], [0.4, 0.7]], "margin": [0.6, 0.7]}
    ),
    "SuccessProbabilityDisplay": lambda: plotting.SuccessProbabilityDisplay.from_counts(
        [1, 100], [0, 5], [10, 10], param_name="steps"
    ),
    "TimeToSolutionDisplay": lambda: plotting.TimeToSolutionDisplay.from_counts(
        [1, 100], [0, 5], [10, 10], [1.0, 1.0], param_name="steps"
    ),
    "TrainingCurveDisplay": lambda: plotting.TrainingCurveDisplay(
        [3.0, 2.0], label="training loss (nats)", scores=[-4.0, -3.0]
    ),
    "TrajectoryDisplay": trajectory,
}
every = pytest.mark.parametrize("name", plotting.__all__)


@every
def test_the_repr_says_how_to_see_it(name):
    assert repr(DISPLAYS[name]()) == f"{name}, drawn by its plot()"


@every
def test_plot_makes_axes_or_takes_those_given(name, plt):
    display = DISPLAYS[name]()
    assert display.plot() is display
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel()
    assert display.ax_.get_ylabel()
    _, ax = plt.subplots()
    before = len(plt.get_fignums())
    assert display.plot(ax=ax).ax_ is ax
    assert display.figure_ is ax.figure
    assert len(plt.get_fignums()) == before
    display.figure_.canvas.draw()


@every
def test_without_matplotlib_the_error_names_the_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=rf"{name}.plot needs .*qestim\[plot\]"):
        DISPLAYS[name]().plot()


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = (
        "import sys, qestim\n"
        "[getattr(qestim.plotting, name) for name in qestim.plotting.__all__]\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
