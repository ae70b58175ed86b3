# SPDX-License-Identifier: Apache-2.0
"""What the problems share that choose k of n: the form, the solver and the repair."""

import time
from typing import Any

import dimod
import numpy as np
import scipy.sparse

from qestim._native._cardinality import select_k
from qestim.qubo._arrays import spins_of
from qestim.qubo._choice import Choice, checked_indices
from qestim.qubo._problem import Problem

# Elements up to which a second start costs little.
_SMALL = 500


class CardinalityProblem(Problem):
    r"""Minimise a quadratic form over the subsets of n elements.

    .. math:: E(z) = \mathrm{offset} + a \cdot z + \tfrac12 z^T Q z,
              \qquad z \in \{0, 1\}^n, \quad \textstyle\sum_j z_j = k

    with exactly ``k`` ones, or any number of them if ``k`` is None. A subclass states
    ``a`` and ``Q`` by the constructor and the objective in its own terms.

    Parameters
    ----------
    linear : ndarray of shape (n,)
        The terms ``a``.
    quadratic : ndarray or scipy sparse array of shape (n, n)
        Symmetric ``Q`` with a zero diagonal.
    k : int or None
        Elements to choose, at most n; None leaves their number free.
    offset : float, default=0.0
        Constant part of the energy.
    """

    def __init__(self, linear, quadratic, k, offset=0.0) -> None:
        n = len(linear)
        if k is not None and not 0 <= k <= n:
            raise ValueError(
                f"The 'k' parameter must be between 0 and the {n} candidates. Got {k}; "
                "choose fewer or give more candidates."
            )
        self.k = k
        self.linear = linear
        self.quadratic = quadratic
        self.offset = offset

    def __len__(self):
        return len(self.linear)

    def to_bqm(self, penalty="auto") -> dimod.BinaryQuadraticModel:
        r"""Return the BINARY form, with a deliberately soft penalty.

        The form is :math:`E(z) + \mu(\sum_j z_j - k) + A(\sum_j z_j - k)^2`. Both
        additions vanish on feasible assignments. The shift :math:`\mu` lies between
        the fields of chosen and free elements at the native solution, so that adding
        or dropping one element of it does not pay; then a small ``A`` suffices. A
        penalty that makes every infeasible state worse would bury the objective:
        annealers then return worse answers than greedy.

        Parameters
        ----------
        penalty : float or "auto", default="auto"
            The weight ``A``. ``"auto"`` is 0.05 times the range of the linear terms,
            and 0 where ``Q`` is sparse, which the penalty would fill.

        Returns
        -------
        bqm : dimod.BinaryQuadraticModel
            Variables ``0 .. n-1``. Reads may hold more or fewer than ``k`` elements;
            `decode` repairs them.
        """
        return self._to_bqm(penalty, None)

    def _to_bqm(self, penalty, native):
        row, col, value = self._pairs()
        linear, offset = self.linear.astype(np.float64), float(self.offset)
        if self.k is not None and len(self):
            native = self.solve().indices if native is None else native
            shift = self._shift(native)
            weight = self._weight(penalty)
            linear = linear + shift + weight * (1 - 2 * self.k)
            offset += weight * self.k**2 - shift * self.k
            if weight:
                row, col = np.triu_indices(len(self), 1)
                dense = self.quadratic
                dense = dense.toarray() if scipy.sparse.issparse(dense) else dense
                value = dense[row, col].astype(np.float64) + 2 * weight
        return dimod.BinaryQuadraticModel.from_numpy_vectors(
            linear, (row, col, value), offset, dimod.BINARY
        )

    def to_cqm(self) -> dimod.ConstrainedQuadraticModel:
        """Return the objective, and the number of elements as a constraint.

        Returns
        -------
        cqm : dimod.ConstrainedQuadraticModel
            With the constraint "cardinality", unless ``k`` is None.
        """
        bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            self.linear.astype(np.float64), self._pairs(), self.offset, dimod.BINARY
        )
        cqm = dimod.ConstrainedQuadraticModel.from_bqm(bqm)
        if self.k is not None and len(self):
            terms = [(j, 1) for j in range(len(self))]
            cqm.add_constraint(terms, "==", self.k, label="cardinality")
        return cqm

    def encode(self, solution) -> dict:
        """Return the bits of a choice.

        Parameters
        ----------
        solution : set of int
            The chosen elements.

        Returns
        -------
        sample : dict of int to int
            1 for the chosen elements, 0 for the others.
        """
        chosen = set(self._checked(solution).tolist())
        return {j: int(j in chosen) for j in range(len(self))}

    def decode(self, sample) -> Any:
        """Return the choice of an assignment, repaired to exactly k elements.

        While there are too many, the chosen element with the largest field leaves;
        while there are too few, the free one with the smallest enters.

        Parameters
        ----------
        sample : mapping of int to int
            Bits in {0, 1} or spins in {-1, 1}.

        Returns
        -------
        solution : set of int
            The chosen elements.
        """
        try:
            bits = np.array([sample[j] > 0 for j in range(len(self))], dtype=bool)
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(
                f"A sample must map every index below {len(self)} to its bit, as "
                f"sampleset.first.sample does. Got {type(sample).__name__}: {error}."
            ) from error
        return set(self._repair(bits).tolist())

    def objective(self, solution) -> float:
        """Return the energy of a choice; see `Problem.objective`."""
        raise TypeError(f"{type(self).__name__} does not define objective.")

    def energy(self, indices) -> float:
        """Return the energy of a choice through the quadratic form.

        Parameters
        ----------
        indices : array-like of int
            The chosen elements, in any number and order, each once.

        Returns
        -------
        energy : float
            In the units of the problem.

        Raises
        ------
        ValueError
            If an index is no whole number, out of range or repeated.
        """
        chosen = self._checked(indices)
        pairs = self.quadratic[chosen][:, chosen].sum()
        return float(self.offset + self.linear[chosen].sum() + 0.5 * pairs)

    def solve(
        self,
        sampler=None,
        *,
        penalty="auto",
        num_reads=1,
        num_sweeps=0,
        seed=0,
        num_threads=None,
    ) -> Choice:
        """Choose: natively at exact cardinality, and with a sampler if there is one.

        The native solver starts from the greedy choice (up to 500 elements also from
        the backward one) and takes the best swap until none helps; ``num_sweeps`` adds
        annealing by swaps. A sampler draws from `to_bqm`; its three lowest reads are
        repaired and improved by swaps, and the lower of the two answers counts, so
        that no sampler can make it worse.

        Parameters
        ----------
        sampler : dimod.Sampler, default=None
            One of `qestim.samplers`, or any object with dimod's ``sample``.
        penalty : float or "auto", default="auto"
            Weight of the soft penalty for the sampler; see `to_bqm`.
        num_reads : int, default=1
            Anneals of the native solver.
        num_sweeps : int, default=0
            Sweeps of each of them.
        seed : int, default=0
            Seed of the annealing and of the sampler.
        num_threads : int, default=None
            Threads; None means all cores. Results do not depend on it.

        Returns
        -------
        choice : Choice
            Elements, energy and report.
        """
        start = time.perf_counter()
        options = {
            "num_reads": num_reads,
            "num_sweeps": num_sweeps,
            "seed": seed,
            "num_threads": num_threads,
        }
        indices = self._select(**options)
        if len(self) <= _SMALL:
            # Where pairs help each other, dropping from all finds what adding misses.
            fewest = self._select(initial=self.backward(), **options)
            indices = min((indices, fewest), key=self.energy)
        energy = self.energy(indices)
        report: dict[str, Any] = {
            "answer": "native",
            "energy_greedy": self.energy(self.greedy()),
            "energy_native": energy,
            "energy_sampler": None,
            "calls": 0,
            "reads": 0,
            "feasible_fraction": None,
            "seconds_native": time.perf_counter() - start,
            "seconds_sampler": 0.0,
        }
        if sampler is not None and len(self):
            start = time.perf_counter()
            drawn, facts = self._draw(sampler, penalty, indices, seed, num_threads)
            report.update(facts, energy_sampler=self.energy(drawn), calls=1)
            report["seconds_sampler"] = time.perf_counter() - start
            if report["energy_sampler"] < energy:
                report["answer"] = "sampler"
                indices, energy = drawn, report["energy_sampler"]
        return Choice(indices, energy, report)

    def _draw(self, sampler, penalty, native, seed, num_threads):
        """Sample, repair the lowest reads, improve them by swaps: the best, facts."""
        bqm = self._to_bqm(penalty, native)
        known = getattr(sampler, "parameters", {})
        reads = sampler.sample(bqm, **({"seed": seed} if "seed" in known else {}))
        bits = spins_of(reads, range(len(self))) > 0
        if len(bits) == 0:
            raise ValueError(
                f"{type(sampler).__name__} returned no reads of {len(self)} variables; "
                "raise its time_limit or num_reads."
            )
        feasible = np.ones(len(bits), dtype=bool)
        if self.k is not None:
            feasible = bits.sum(axis=1) == self.k
        energies = np.repeat(reads.record.energy, reads.record.num_occurrences)
        best = []
        for read in np.argsort(energies, kind="stable")[:3]:
            repaired = self._repair(bits[read])
            best.append(self._select(initial=repaired, num_threads=num_threads))
        answer = min(best, key=self.energy)
        facts = {"reads": len(bits), "feasible_fraction": float(feasible.mean())}
        return answer, facts

    def greedy(self) -> np.ndarray:
        """Return the greedy choice, the control of every solver.

        Returns
        -------
        indices : ndarray of shape (k,), dtype int64
            One element after the other at the lowest energy, ascending; with a free
            number of them until none lowers it.
        """
        fields = self.linear.astype(np.float64)
        chosen: list[int] = []
        while len(chosen) < (len(self) if self.k is None else self.k):
            j = int(np.argmin(fields))
            if self.k is None and fields[j] >= 0:
                break
            chosen.append(j)
            fields = fields + self._column(j)
            fields[chosen] = np.inf
        return np.sort(np.array(chosen, dtype=np.int64))

    def backward(self) -> np.ndarray:
        """Return the choice left when the worst element leaves, one after the other.

        Returns
        -------
        indices : ndarray of shape (k,), dtype int64
            Ascending; with a free number, all elements: swaps drop them.
        """
        return self._repair(np.ones(len(self), dtype=bool))

    def _select(self, initial=None, **options):
        """Run the kernel; a free number of elements is a fixed one with n dummies."""
        n, linear, quadratic, k = len(self), self.linear, self.quadratic, self.k
        if k is None:
            k, linear = n, np.concatenate([linear, np.zeros(n, linear.dtype)])
            quadratic = scipy.sparse.block_diag(
                [quadratic, scipy.sparse.csr_array((n, n))], format="csr"
            )
            if initial is not None:
                initial = np.concatenate([initial, n + np.arange(n - len(initial))])
        chosen, _ = select_k(linear, quadratic, k, initial=initial, **options)
        return chosen[chosen < n]

    def _repair(self, bits):
        """Return the elements of some bits, brought to exactly k of them."""
        chosen = bits.copy()
        if self.k is None:
            return np.flatnonzero(chosen)
        fields = self.linear + self.quadratic @ chosen.astype(self.linear.dtype)
        while chosen.sum() != self.k:
            if chosen.sum() > self.k:
                j = int(np.argmax(np.where(chosen, fields, -np.inf)))
            else:
                j = int(np.argmin(np.where(chosen, np.inf, fields)))
            sign = -1 if chosen[j] else 1
            chosen[j] = not chosen[j]
            fields = fields + sign * self._column(j)
        return np.flatnonzero(chosen)

    def _checked(self, solution):
        return checked_indices(solution, len(self))

    def _column(self, j):
        if scipy.sparse.issparse(self.quadratic):
            return np.ravel(self.quadratic[[j]].toarray())
        return self.quadratic[j]

    def _pairs(self):
        if scipy.sparse.issparse(self.quadratic):
            upper = scipy.sparse.triu(self.quadratic, 1, format="coo")
            return upper.row, upper.col, upper.data.astype(np.float64)
        row, col = np.nonzero(np.triu(self.quadratic, 1))
        return row, col, self.quadratic[row, col].astype(np.float64)

    def _shift(self, native):
        """Return minus a number between the fields of chosen and free elements."""
        chosen = np.zeros(len(self), dtype=bool)
        chosen[native] = True
        fields = self.linear + self.quadratic @ chosen.astype(self.linear.dtype)
        edges = [
            fields[chosen].max(initial=-np.inf),
            fields[~chosen].min(initial=np.inf),
        ]
        return -float(np.mean([edge for edge in edges if np.isfinite(edge)]))

    def _weight(self, penalty):
        if penalty != "auto":
            if not 0 <= penalty < np.inf:
                raise ValueError(
                    "The 'penalty' parameter must be 'auto' or a finite number of at "
                    f"least 0. Got {penalty!r}."
                )
            return float(penalty)
        if scipy.sparse.issparse(self.quadratic):
            return 0.0
        return 0.05 * float(np.ptp(self.linear) or np.abs(self.quadratic).max() or 1.0)
