# SPDX-License-Identifier: Apache-2.0
"""One call of a sampler of constrained models: ask, judge, adapt, until done."""

import time

import dimod
import numpy as np

from qestim.exceptions import InfeasibleWarning
from qestim.samplers._oracle import Oracle
from qestim.samplers._polish import Polisher


class Search:
    """The loop of one ``sample_cqm``: oracle calls, the best read and its proof.

    Parameters
    ----------
    settings : ConstrainedSampler
        The sampler with the parameters of this call.
    arrays : ConstrainedArrays
        The problem.
    seed : int
        Seed of the call.
    """

    def __init__(self, settings, arrays, seed):
        self.settings = settings
        self.arrays = arrays
        self.seed = seed
        self.rule = settings._start(arrays)
        self.polisher = None
        if settings.polish and Polisher.applies(arrays):
            self.polisher = Polisher(arrays)
        self.atoms: list = []  # the read with the lowest energy of every call
        self.rows: list = []  # the best read of every call
        self.best = np.inf
        self.best_call = None
        self.lower_bound = -np.inf
        self.exact = False
        # Of the read that violates the fewest constraints, and those the least.
        self.closest = (np.inf, np.inf)
        self.violations = np.empty(0)
        self.history: dict = {"objective": [], "violation": []}
        self.stopped_by = "max_iter"

    def run(self):
        """Ask until an answer is proven, a limit is met or patience ends."""
        settings, arrays = self.settings, self.arrays
        keywords = {n: getattr(settings, n) for n in ("num_reads", "num_threads")}
        oracle = Oracle(
            settings._inner(), arrays, settings.precision, settings.noise, keywords
        )
        end = time.monotonic() + (settings.time_limit or np.inf)
        seeds = np.random.SeedSequence(self.seed)
        for number in range(1, settings.max_iter + 1):
            seed = int(seeds.spawn(1)[0].generate_state(1)[0])
            left = end - time.monotonic() if settings.time_limit else None
            bits, energies, exact = oracle(self.rule.multipliers, seed, left)
            # What is exact can be proven: there the search goes on until it is.
            self.exact = exact
            if exact:
                self.lower_bound = max(self.lower_bound, float(energies[0]))
            functionals, objective = self._judge(bits, number)
            self.stopped_by = self._stop(number, end)
            if self.stopped_by:
                return
            self.rule.update(functionals, objective)
        self.stopped_by = "max_iter"

    @property
    def proven(self):
        """Whether the best feasible read reaches the lower bound."""
        slack = 1e-9 * max(self.arrays.objective_scale, abs(self.lower_bound))
        return bool(self.best <= self.lower_bound + slack)

    def _judge(self, bits, number):
        """Record the reads of a call; return what the lowest one does."""
        arrays = self.arrays
        lifted, objectives, violations = self._measure(bits)
        self.atoms.append(bits[0])
        self.history["objective"].append(float(objectives[0]))
        self.history["violation"].append(float(violations[0].max(initial=0.0)))
        functionals = arrays.G @ lifted[0] + arrays.g0
        lowest = float(objectives[0])
        if self.polisher is not None:
            k = _closest(objectives, violations)
            bits = np.stack([bits[k], self.polisher(bits[k])])
            _, objectives, violations = self._measure(bits)
        k = _closest(objectives, violations)
        self.rows.append(bits[k])
        count, total = int((violations[k] > 0).sum()), float(violations[k].sum())
        if count == 0 and objectives[k] < self.best:
            self.best, self.best_call = float(objectives[k]), number
        if (count, total) < self.closest:
            self.closest, self.violations = (count, total), violations[k]
        return functionals, lowest

    def _measure(self, bits):
        lifted = self.arrays.lift(bits)
        objectives = lifted @ self.arrays.q + self.arrays.q0
        return lifted, objectives, self.arrays.violations(lifted)

    def _stop(self, number, end):
        settings = self.settings
        if self.proven:
            return "proof"
        if settings.target_energy is not None and self.best <= settings.target_energy:
            return "target_energy"
        if time.monotonic() >= end:
            return "time_limit"
        if settings.patience is None or self.best_call is None or self.exact:
            return None
        return "patience" if number - self.best_call >= settings.patience else None

    def result(self, round_atoms):
        """Return the sample set of the call and what is known of it."""
        arrays = self.arrays
        extra = round_atoms(np.array(self.atoms))
        bits = np.concatenate([np.array(self.rows), extra])
        calls = [*range(1, len(self.rows) + 1), *([0] * len(extra))]
        sampleset = dimod.SampleSet.from_samples_cqm(
            (arrays.values(bits), list(arrays.cqm.variables)),
            arrays.cqm,
            sort_labels=False,
            call=np.array(calls),
        )
        feasible = sampleset.record.is_feasible
        best = float(sampleset.record.energy[feasible].min(initial=np.inf))
        self.best = min(self.best, best)
        found = bool(feasible.any())
        bound = self.lower_bound
        return sampleset, {
            "seed": self.seed,
            "feasible": found,
            "proven_optimal": found and self.proven,
            "lower_bound": bound if np.isfinite(bound) else None,
            "num_calls": len(self.rows),
            "stopped_by": self.stopped_by,
            "num_bits": arrays.num_bits,
            "history": {**self.history, **self.rule.history},
        }

    def complaint(self, advice):
        """Return the warning that names the constraint which is violated most."""
        violations = self.violations
        worst = int(np.argmax(violations))
        label = list(self.arrays.cqm.constraints)[worst]
        return InfeasibleWarning(
            f"No read satisfies all {len(violations)} constraints after "
            f"{len(self.rows)} calls. The closest one violates {self.closest[0]}, most "
            f"of all {label!r}, by {violations[worst]:g}. {advice}"
        )


def _closest(objectives, violations):
    """Return the read that violates the fewest constraints, then least, then lowest."""
    keys = (objectives, violations.sum(axis=1), (violations > 0).sum(axis=1))
    return int(np.lexsort(keys)[0])
