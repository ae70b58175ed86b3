# SPDX-License-Identifier: Apache-2.0
"""
How heavy must a penalty be?
============================

Which of forty items to carry, under three limits and with pairs that are worth more
together. An Ising machine knows no limits: a constraint becomes a penalty. Too light,
and its reads violate it; too heavy, and it drowns the worth. `QCGDSampler` and
`AdaptivePenaltySampler` find weights as they go, in one search of as many reads as
each of the sixteen weights gets here. The best weight of all is ahead of them; which
one that is, only the sixteen searches tell.
"""

import dimod
import matplotlib.pyplot as plt
import numpy as np

from qestim.samplers import (
    AdaptivePenaltySampler,
    QCGDSampler,
    SimulatedAnnealingSampler,
)

N_ITEMS, CALLS, READS = 40, 20, 10
rng = np.random.default_rng(1)
take = np.array([dimod.Binary(f"item {i}") for i in range(N_ITEMS)])
worth = np.triu(rng.integers(-4, 9, (N_ITEMS, N_ITEMS)), 1)
np.fill_diagonal(worth, rng.integers(5, 30, N_ITEMS))
cqm = dimod.ConstrainedQuadraticModel()
cqm.set_objective(
    dimod.quicksum(
        -int(worth[i, j]) * take[i] * (take[j] if i != j else 1)
        for i, j in zip(*np.nonzero(worth), strict=True)
    )
)
for name in ("weight", "volume", "price"):
    cost = rng.integers(1, 20, N_ITEMS).tolist()
    cqm.add_constraint(
        dimod.quicksum(c * x for c, x in zip(cost, take, strict=True))
        <= sum(cost) // 3,
        label=name,
    )

# %%
# The usual way: one weight for all penalties, tried over five decades.
weights = np.geomspace(1e-2, 1e3, 16)
shares, best = [], []
for weight in weights:
    bqm, back = dimod.cqm_to_bqm(cqm, lagrange_multiplier=weight)
    reads = SimulatedAnnealingSampler(num_reads=CALLS * READS, seed=0).sample(bqm)
    answers = [back(read) for read in reads.samples()]
    kept = [cqm.objective.energy(a) for a in answers if cqm.check_feasible(a)]
    shares.append(len(kept) / len(answers))
    best.append(-min(kept) if kept else np.nan)

# %%
# The two samplers, with as many reads, ten a call.
machine = SimulatedAnnealingSampler(num_reads=READS)
searches = {
    "QCGDSampler": QCGDSampler(machine, max_iter=CALLS, patience=CALLS, seed=0),
    "AdaptivePenaltySampler": AdaptivePenaltySampler(
        machine, max_iter=CALLS, patience=CALLS, seed=0
    ),
}
found = {}
for name, search in searches.items():
    reads = search.sample_cqm(cqm).filter(lambda row: row.is_feasible)
    found[name] = -reads.first.energy
    print(f"{name}: {found[name]:g}; best fixed weight: {np.nanmax(best):g}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.semilogx(weights, shares, "o-", color="tab:blue")
left.set(xlabel="weight of the penalties", ylabel="share of reads within the limits")
right.semilogx(weights, best, "o-", color="tab:blue", label="one weight for all")
for (name, value), colour in zip(
    found.items(), ("tab:orange", "tab:green"), strict=True
):
    right.axhline(value, color=colour, linestyle="--", label=name)
right.set(xlabel="weight of the penalties", ylabel="worth of the best read within them")
right.legend(fontsize=8, loc="lower left")
plt.show()
