# SPDX-License-Identifier: Apache-2.0
"""Long sequences: time and memory of forward and backward, and what is still right.

As a script it measures one peak of memory: ``_attention_scaling.py NAME N``.
"""

import functools
import pathlib
import subprocess
import sys

import numpy as np
import torch
from _attention_models import accuracy, train
from _attention_tasks import Needles
from _measure import alternate, cpu_seconds
from torch import nn

from qestim.nn import QAMA

KEEP, CROSS_HEAD = 16, 1.0
FULL, SHARED, SHARED_TOP = "scaled_dot_product_attention", "QAMA shared", "shared top-k"


def layer(name):
    """Return the constructor of a layer from width and heads."""
    if name == FULL:
        return functools.partial(nn.MultiheadAttention, batch_first=True)
    weights = (1.0, CROSS_HEAD) if name == SHARED else (0.0, 0.0)
    return functools.partial(
        QAMA,
        batch_first=True,
        k=KEEP,
        mode="shared",
        redundancy=weights[0],
        cross_head=weights[1],
    )


NAMES = (SHARED, SHARED_TOP, FULL)


def step(name, n):
    """Return a call that runs forward and backward once."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = layer(name)(64, 4)
    x = torch.randn(1, n, 64, generator=torch.Generator().manual_seed(1))

    def call():
        module.zero_grad()
        module(x, x, x, need_weights=False)[0].square().mean().backward()

    return call


def status(field):
    """Return a size from /proc in MiB."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def peak(name, n):
    """Measure in this process: MiB above what was there before the call."""
    torch.set_num_threads(1)
    step(name, 64)()
    call = step(name, n)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forget the old peak
    before = status("VmRSS")
    call()
    return status("VmHWM") - before


def peak_apart(name, n):
    """Measure the peak in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, name, str(n)],
        capture_output=True,
        check=True,
        text=True,
    )
    return float(answer.stdout)


def slope(sizes, values):
    """Return the slope of a straight line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def run(quick):
    sizes = (512, 1024) if quick else (1024, 2048, 4096, 8192, 16384)
    seeds = 1 if quick else 2
    seconds = {name: [] for name in NAMES}
    memory = {name: [] for name in NAMES}
    for n in sizes:
        calls = {name: step(name, n) for name in NAMES}
        for call in list(calls.values())[:2]:
            call()
        timed = {
            name: lambda call=call: cpu_seconds(call)[1] for name, call in calls.items()
        }
        answers = alternate(timed, 1 if n > 4096 else 3)
        for name in NAMES:
            seconds[name].append(float(np.median(answers[name])))
            memory[name].append(peak_apart(name, n))
    right = accuracies(sizes, seeds, quick)
    rows = [
        {
            "attention": name,
            "N": n,
            "forward + backward, cpu s": seconds[name][i],
            "peak memory, MiB": memory[name][i],
            "times faster than SDPA": seconds[FULL][i] / seconds[name][i],
            "needle accuracy %": 100 * float(np.mean(right[name][i])),
        }
        for name in NAMES
        for i, n in enumerate(sizes)
    ]
    rows += [
        {
            "attention": name,
            "N": "log-log slope",
            "forward + backward, cpu s": slope(sizes, seconds[name]),
            "peak memory, MiB": slope(sizes, memory[name]),
            "times faster than SDPA": "",
            "needle accuracy %": "",
        }
        for name in NAMES
    ]
    return {"rows": rows}


def accuracies(sizes, seeds, quick):
    """Return {name: [accuracies over seeds for each N]}, trained at N = 128."""
    right = {name: [[] for _ in sizes] for name in NAMES}
    for seed in range(seeds):
        for name in NAMES:
            short = Needles(128)
            model = train(short, layer(name), seed, steps=10 if quick else None)
            # Only what token 0 attends to is read: full attention may skip the rest.
            model.read_only_first = name == FULL
            for i, n in enumerate(sizes):
                right[name][i].append(accuracy(model, Needles(n), 100, rows=10))
    return right


if __name__ == "__main__":
    print(peak(sys.argv[1], int(sys.argv[2])))
