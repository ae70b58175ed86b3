# SPDX-License-Identifier: Apache-2.0
"""
Four samplers on one Max-Cut problem
====================================

A random graph with three neighbours a node, cut by every sampler that looks for ground
states. The energies of the reads show how far each gets, and the amplitudes of the
coherent Ising machine how it gets there.
"""

import matplotlib.pyplot as plt
import networkx as nx

from qestim.plotting import EnergyHistogramDisplay, TrajectoryDisplay
from qestim.qubo import MaxCutProblem
from qestim.samplers import (
    CIMSampler,
    SimulatedAnnealingSampler,
    SimulatedBifurcationSampler,
)

graph = nx.random_regular_graph(3, 100, seed=0)
problem = MaxCutProblem(graph)
samplers = {
    "CIM, mean field": CIMSampler(model="mean_field", num_reads=200, seed=0),
    "CIM, amplitude control": CIMSampler(model="cac", num_reads=200, seed=0),
    "bifurcation": SimulatedBifurcationSampler(num_reads=200, seed=0),
    "annealing": SimulatedAnnealingSampler(num_reads=200, num_sweeps=100, seed=0),
}
reads = {name: sampler.sample(problem.to_bqm()) for name, sampler in samplers.items()}
for name, sampleset in reads.items():
    cut = problem.cut_size(problem.decode(sampleset.first.sample))
    print(f"{name:<24} best cut: {cut:.0f} of {graph.size()} edges")

# %%
# The energy is minus the size of the cut: reads further to the left cut more edges.

EnergyHistogramDisplay.from_sampleset(reads).plot()
plt.show()

# %%
# One run of the machine: every node is a pulse whose amplitude grows once the pump
# passes its threshold, and whose sign is the side of the cut.

machine = CIMSampler(num_steps=500, return_trajectory=True, seed=1)
run = machine.sample(problem.to_bqm())
(amplitudes,) = run.record.trajectory
TrajectoryDisplay.from_arrays(amplitudes, times=run.info["trajectory_steps"]).plot()
plt.gca().set_xlabel("time step")
plt.show()
