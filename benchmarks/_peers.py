# SPDX-License-Identifier: Apache-2.0
"""Simulated bifurcation against simulated-bifurcation on one dense instance."""

import numpy as np
import simulated_bifurcation as sb
import torch
from _annealing import as_bqm, complete_graph
from _measure import alternate, cpu_seconds, ratios, spread

from qestim.samplers import SimulatedBifurcationSampler

# Of the peer: mode, agents, time step. Its own are ballistic, 128 and 0.1.
PEERS = (
    ("ballistic", 128, 0.1),
    ("ballistic", 32, 0.1),
    ("discrete", 128, 0.1),
    ("discrete", 128, 0.5),
)
LARGE_STEP = 1.25


def bifurcation(quick):
    """CPU to the best cut that the peer reaches in ten seconds."""
    instance = complete_graph(300 if quick else 2000)
    seconds, rounds = (0.3, 1) if quick else (10.0, 3)
    bqm = as_bqm(instance)
    reached = _best_peers(instance, _matrix(instance), seconds, rounds)
    return {
        "rows": [_to_cut(bqm, instance, *peer, quick) for peer in reached],
        "note": "The peer runs as many steps as its CPU time allows at the speed that "
        "a pilot measured, its pump ending with the run, so that nothing is cut off in "
        "mid-ramp. qestim: SimulatedBifurcationSampler() as it is, called with "
        "target_energy, the whole call, mean of five seeds.",
    }


def _matrix(instance):
    n, row, col, weights = instance
    matrix = torch.zeros((n, n))
    matrix[row, col] = torch.as_tensor(weights / 2, dtype=torch.float32)
    return matrix + matrix.T


def _peer(matrix, mode, agents, dt, steps, seed):
    """Run the peer: energies of its agents and CPU seconds."""
    torch.manual_seed(seed)
    # Its pump rises by dt * slope a step, to one.
    sb.set_env(time_step=dt, pressure_slope=1 / (dt * steps))
    (_, energies), seconds = cpu_seconds(
        lambda: sb.minimize(
            matrix,
            domain="spin",
            agents=agents,
            max_steps=steps,
            mode=mode,
            best_only=False,
            early_stopping=False,
            verbose=False,
        )
    )
    return energies.numpy().astype(float), seconds


def _best_peers(instance, matrix, seconds, rounds):
    """Give each setting of the peer its seconds, in turn: name, best cuts, CPU."""
    calls = {}
    for mode, agents, dt in PEERS:
        _, pilot = _peer(matrix, mode, agents, dt, 20, 0)
        _, longer = _peer(matrix, mode, agents, dt, 60, 0)
        steps = max(60, int(40 * seconds / (longer - pilot)))
        seeds = iter(range(1, rounds + 1))
        calls[f"{mode}, {agents} agents x {steps} steps, dt {dt}"] = (
            lambda mode=mode, agents=agents, dt=dt, steps=steps, seeds=seeds: _peer(
                matrix, mode, agents, dt, steps, next(seeds)
            )
        )
    answers = alternate(calls, rounds)
    total = instance[3].sum()
    return [
        (
            name,
            [(total - energies.min()) / 2 for energies, _ in results],
            [used for _, used in results],
        )
        for name, results in answers.items()
    ]


def _to_cut(bqm, instance, name, cuts, used, quick):
    """One row: the CPU that our default sampler needs to the same cuts."""
    sampler = SimulatedBifurcationSampler(
        num_steps=2000, num_reads=64 if quick else 4096, num_threads=1
    )
    ours = []
    for cut in cuts:
        target = instance[3].sum() - 2 * cut
        times = []
        for seed in range(1, 6):
            answer, seconds = cpu_seconds(
                lambda target=target, seed=seed: sampler.sample(
                    bqm, target_energy=target, seed=seed
                )
            )
            times.append(seconds)
            if answer.first.energy > target:
                raise RuntimeError(f"No read got to {cut}; raise num_reads.")
        ours.append(float(np.mean(times)))
    return {
        "simulated-bifurcation": name,
        "best cut": spread(cuts),
        "its cpu-s": spread(used),
        "qestim cpu-s to it": spread(ours),
        "qestim over it": ratios(ours, used),
    }


def bifurcation_steps(quick):
    """Replica-steps per CPU second at one large dt, discrete on both sides."""
    instance = complete_graph(300 if quick else 2000)
    bqm, matrix = as_bqm(instance), _matrix(instance)
    steps, replicas = (100, 32) if quick else (1000, 128)
    sampler = SimulatedBifurcationSampler(dt=LARGE_STEP, num_threads=1, seed=1)

    def ours(count):
        return cpu_seconds(
            lambda: sampler.sample(bqm, num_steps=count, num_reads=replicas)
        )[1]

    def theirs(count):
        return _peer(matrix, "discrete", replicas, LARGE_STEP, count, 1)[1]

    def rate(run):
        return lambda: replicas * steps / (run(steps) - run(1))

    calls = {"qestim": rate(ours), "peer": rate(theirs)}
    rates = alternate(calls, 1 if quick else 3)
    row = {
        "n": instance[0],
        "replicas x steps": f"{replicas} x {steps}",
        "dt": LARGE_STEP,
        "qestim, replica-steps / cpu-s": spread(rates["qestim"]),
        "simulated-bifurcation": spread(rates["peer"]),
        "ratio": ratios(rates["qestim"], rates["peer"]),
    }
    return {"rows": [row], "note": "A run of one step is subtracted on both sides."}
