# SPDX-License-Identifier: Apache-2.0
"""
Do these reads follow a Boltzmann law?
======================================

A spin glass small enough to know every probability, read by a sampler that states a
law, by annealing that takes its time and by annealing in a hurry. `qestim.diagnose`
says what the reads are; the picture shows why.
"""

import matplotlib.pyplot as plt

import qestim
from qestim.plotting import BetaEffDisplay
from qestim.samplers import BoltzmannSampler, SimulatedAnnealingSampler
from qestim.testing import sherrington_kirkpatrick

bqm = sherrington_kirkpatrick(16, 0)
samplers = {
    "BoltzmannSampler": BoltzmannSampler(num_reads=2000, beta=1.0, seed=0),
    "annealing, slowly to beta 1": SimulatedAnnealingSampler(
        num_reads=2000, num_sweeps=100, beta_range=(0.1, 1.0), seed=0
    ),
    "annealing, fast to beta 3": SimulatedAnnealingSampler(
        num_reads=2000, num_sweeps=5, beta_range=(0.1, 3.0), seed=0
    ),
}
found = {
    name: qestim.diagnose(bqm, sampler.sample(bqm), beta=1.0)
    for name, sampler in samplers.items()
}
for name, diagnosis in found.items():
    print(f"{name}: {diagnosis.verdict}")

# %%
# The odds that a spin stands on its lower side, against the cost of flipping it: under
# a law they form a straight line through the origin, and its slope is beta.

BetaEffDisplay.from_diagnosis(found["BoltzmannSampler"]).plot()
plt.title("BoltzmannSampler", fontsize=10)
plt.show()

# %%
# In a hurry the reads freeze where they are: hard flips are colder than easy ones.

BetaEffDisplay.from_diagnosis(found["annealing, fast to beta 3"]).plot()
plt.title("annealing, fast to beta 3", fontsize=10)
plt.show()

# %%
# Reads of the last kind must not teach a Boltzmann machine as they are: its estimators
# rescale such reads and polish them by heat bath.

assert "is not rejected" in found["BoltzmannSampler"].verdict
assert "is rejected" in found["annealing, fast to beta 3"].verdict
