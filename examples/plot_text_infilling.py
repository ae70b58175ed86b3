# SPDX-License-Identifier: Apache-2.0
"""
Letters that agree: filling gaps in a few steps
===============================================

A masked diffusion guesses many letters at once, each on its own, so that they need not
spell anything. A Boltzmann machine that has learned which guesses agree chooses among
whole candidates. Dates are the language here: whether one is spelt right can be
counted.
"""

import matplotlib.pyplot as plt
import numpy as np

import qestim

DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTHS = (
    "January February March April May June July August September October November "
    "December"
).split()
dates = [
    f"{day} {month}"
    for month, n_days in zip(MONTHS, DAYS, strict=True)
    for day in range(1, n_days + 1)
]
model = qestim.QDiffusionGenerator(
    width=32,
    n_steps=3,
    max_iter=100,
    guide_max_iter=20,
    learning_rate=5e-3,
    random_state=0,
).fit(dates)
print(f"{len(model.characters_)} characters, perplexity {model.perplexity(dates):.2f}")

# %%
# Three steps for up to twelve letters: how many dates exist?
drawn = model.sample(400, random_state=1)
guided = np.mean([date in dates for date in drawn])
model.set_params(n_candidates=1)  # nothing to choose from: no guide
alone = np.mean([date in dates for date in model.sample(400, random_state=1)])
model.set_params(n_candidates=8)
print(f"right dates: {guided:.0%} with the guide, {alone:.0%} without")
assert guided > alone

# %%
# What is given stays: the thirty-somethingth of a month of seven letters.
wanted = "3_ _______"
filled = model.sample(6, infill=wanted, random_state=0)
print(filled)
assert all(date[0] == "3" and date[2] == " " for date in filled)

# %%
# The unmasking, step by step: grey is a mask, dark was given.
model.set_params(n_steps=6)
rows = ["2_ ______er", "3_ _______", "_ ______"]
figure, axes = plt.subplots(1, len(rows), figsize=(10, 3.6), layout="constrained")
for axis, row in zip(axes, rows, strict=True):
    _, states = model.sample(1, infill=row, random_state=3, return_states=True)
    states = states[:, 0]
    given = np.array([letter != "_" for letter in row])
    shade = np.where(states < 0, 0.35, np.where(given, 0.75, 0.0))
    axis.imshow(shade, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for (step, place), token in np.ndenumerate(states):
        letter = "" if token < 0 else model.characters_[token]
        colour = "white" if given[place] else "black"
        axis.text(place, step, letter, ha="center", va="center", color=colour)
    axis.set(title=row, xticks=[], yticks=range(len(states)))
axes[0].set_ylabel("step")
plt.show()
