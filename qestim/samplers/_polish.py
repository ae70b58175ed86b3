# SPDX-License-Identifier: Apache-2.0
"""Descend from a read by flips and swaps that keep or mend the constraints."""

import numpy as np
import scipy.sparse

_MAX_SWAPS = 200_000


class Polisher:
    """Local search on the variables themselves, without slacks and penalties.

    A move flips one bit, or two bits of which one is on and one off in the same
    equality: the only small steps within a one-hot set. Each step takes the move that
    lowers the total violation most, and of those that leave it the one that lowers the
    objective most.

    Parameters
    ----------
    arrays : ConstrainedArrays
        The problem; its constraints must be linear (`applies` says whether they are).
    """

    def __init__(self, arrays):
        n = self.num_bits = arrays.num_bits
        self.arrays = arrays
        rows = scipy.sparse.csr_array(arrays.C[:, :n])
        self.rows = rows
        self.linear = arrays.q[:n]
        upper = scipy.sparse.coo_array(
            (arrays.q[n:], (arrays.row, arrays.col)), shape=(n, n)
        ).tocsr()
        self.couplings = (upper + upper.T).tocsr()
        free = np.unique(
            np.concatenate([np.array(e.bits, dtype=int) for e in arrays.expansions])
        )
        first, second = self._swaps(rows, arrays.equality)
        # A single flip is a move whose second bit is none: -1, a bit that adds nothing.
        self.first = np.concatenate([free, first])
        self.second = np.concatenate([np.full(len(free), -1), second])
        self.between = np.zeros(len(self.first))
        if len(first):
            between = self.couplings[first, second]
            self.between[len(free) :] = np.asarray(between).ravel()
        self._entries(rows.T.tocsr())

    @staticmethod
    def applies(arrays):
        """Return whether there are constraints, all linear, in swaps not too many."""
        sizes = np.diff(arrays.C[np.flatnonzero(arrays.equality)].indptr)
        linear = arrays.C[:, arrays.num_bits :].nnz == 0 < arrays.C.nnz
        return bool(linear and (sizes * (sizes - 1) // 2).sum() <= _MAX_SWAPS)

    @staticmethod
    def _swaps(rows, equality):
        """Return the pairs of bits that share an equality."""
        pairs = [np.empty((0, 2), dtype=np.int64)]
        for row in np.flatnonzero(equality):
            members = np.sort(rows.indices[rows.indptr[row] : rows.indptr[row + 1]])
            i, j = np.triu_indices(len(members), 1)
            pairs.append(np.stack([members[i], members[j]], axis=1))
        unique = np.unique(np.concatenate(pairs), axis=0)
        return unique[:, 0], unique[:, 1]

    def _entries(self, columns):
        """List the constraints that each move changes, and by how much a bit."""
        num_moves, num_rows = len(self.first), columns.shape[1]
        double = np.flatnonzero(self.second >= 0)
        parts = []
        for which, (moves, bits) in enumerate(
            ((np.arange(num_moves), self.first), (double, self.second[double]))
        ):
            lengths = columns.indptr[bits + 1] - columns.indptr[bits]
            picked = columns[bits]
            key = np.repeat(moves, lengths) * num_rows + picked.indices
            parts.append((key, picked.data, which))
        key = np.unique(np.concatenate([part[0] for part in parts]))
        self.move, self.row = key // max(num_rows, 1), key % max(num_rows, 1)
        self.a = np.zeros((2, len(key)))
        for part, data, which in parts:
            self.a[which, np.searchsorted(key, part)] = data

    def __call__(self, bits, max_steps=1000):
        """Return the local optimum that a read descends to.

        Parameters
        ----------
        bits : ndarray of shape (n,), dtype int8
            Values in {0, 1}; slack bits are left as they are.
        max_steps : int, default=1000
            Most moves.

        Returns
        -------
        bits : ndarray of shape (n,), dtype int8
            No more violation than before, and at equal violation no higher objective.
        """
        arrays = self.arrays
        x = bits.astype(np.float64)
        excess = self.rows @ x + arrays.c0
        field = self.linear + self.couplings @ x
        second = np.maximum(self.second, 0)
        double = self.second >= 0
        for _ in range(max_steps):
            step = 1 - 2 * x
            allowed = ~double | (step[self.first] != step[second])
            s1, s2 = step[self.first], np.where(double, step[second], 0.0)
            after = excess[self.row] + (
                self.a[0] * s1[self.move] + self.a[1] * s2[self.move]
            )
            change = self._excess(after, self.row) - self._excess(
                excess[self.row], self.row
            )
            mended = np.bincount(self.move, change, len(self.first))
            gain = s1 * field[self.first] + s2 * field[second] + s1 * s2 * self.between
            mended[~allowed] = np.inf
            least = mended.min()
            if least > -1e-9:
                candidates = np.abs(mended) <= 1e-9
                gain = np.where(candidates, gain, np.inf)
            else:
                gain = np.where(mended <= least + 1e-9, gain, np.inf)
            k = int(np.argmin(gain))
            if least > -1e-9 and gain[k] > -1e-12 * arrays.objective_scale:
                break
            for bit, s in ((self.first[k], s1[k]), (self.second[k], s2[k])):
                if s:
                    x[bit] += s
                    column = slice(*self.couplings.indptr[[bit, bit + 1]])
                    field[self.couplings.indices[column]] += (
                        s * self.couplings.data[column]
                    )
            chosen = self.move == k
            excess[self.row[chosen]] = after[chosen]
        return x.astype(np.int8)

    def _excess(self, difference, row):
        return np.where(
            self.arrays.equality[row], np.abs(difference), np.maximum(difference, 0.0)
        )
