# SPDX-License-Identifier: Apache-2.0
"""The quadratic form of masks that keep k keys, for whole batches at once."""

from dataclasses import dataclass

import numpy as np

# Penalty in units of the marginals' spread.
WEIGHT = 0.1


@dataclass(frozen=True, eq=False)
class MaskForm:
    r"""Choice of k keys in each head, for B * Q problems that share keys by B.

    .. math:: E(x) = -\sum_{hj} a_{hj} x_{hj}
              + \frac{\lambda_r}{k-1} \sum_h \sum_{j<l} R^h_{jl} x_{hj} x_{hl}
              + \frac{\lambda_x}{H-1} \sum_j \sum_{h<h'} x_{hj} x_{h'j},
              \qquad R^h_{jl} = \hat k_{hj} \cdot \hat k_{hl}

    Everything but `arrays` works on the factors of R and is linear in S.

    Parameters
    ----------
    relevance : ndarray of shape (B, H, Q, S), dtype float64
        The a; -inf forbids a key.
    unit : ndarray of shape (B, H, S, d), dtype float64
        Unit keys, which are the factors of R.
    k : int
        Keys a head; where fewer are allowed, all of them.
    redundancy, cross_head : float
        The two weights, in the units of the relevance.
    """

    relevance: np.ndarray
    unit: np.ndarray
    k: int
    redundancy: float
    cross_head: float

    @property
    def allowed(self):
        """Keys that may be kept, bool of shape (B, H, Q, S)."""
        return self.relevance > -np.inf

    @property
    def count(self):
        """Keys to keep, int64 of shape (B, H, Q, 1)."""
        return np.minimum(self.k, self.allowed.sum(-1, keepdims=True))

    @property
    def pair(self):
        """Coupling of two equal keys in a head."""
        return self.redundancy / max(self.k - 1, 1)

    @property
    def cross(self):
        """Coupling of a key's bits in two heads."""
        return self.cross_head / max(self.relevance.shape[1] - 1, 1)

    def fields(self, mask):
        """Return what each key adds to the energy, the others being as they are.

        Parameters
        ----------
        mask : ndarray of bool of shape (..., B, H, Q, S)
            Kept keys.

        Returns
        -------
        fields : ndarray of shape (..., B, H, Q, S)
            +inf for forbidden keys.
        """
        x = mask.astype(np.float64)
        fields = self.cross * (x.sum(-3, keepdims=True) - x) - self.relevance
        if self.pair:
            own = np.square(self.unit).sum(-1)[:, :, None]
            sums = x @ self.unit
            fields += self.pair * (sums @ np.swapaxes(self.unit, -1, -2) - own * x)
        return fields

    def terms(self, mask):
        """Return the parts of the energy of each head, without penalty.

        Parameters
        ----------
        mask : ndarray of bool of shape (..., B, H, Q, S)
            Kept keys.

        Returns
        -------
        terms : dict of str to ndarray of shape (..., B, H, Q)
            "relevance", "redundancy" and "cross_head"; of the last each of the two
            heads has a half.
        """
        alone = np.where(self.allowed, self.relevance, 0.0)
        cross = self.cross * (mask.sum(-3, keepdims=True) - mask)
        pairs = np.where(mask, self.fields(mask) + alone - cross, 0.0)
        return {
            "relevance": -np.where(mask, alone, 0.0).sum(-1),
            "redundancy": pairs.sum(-1) / 2,
            "cross_head": np.where(mask, cross, 0.0).sum(-1) / 2,
        }

    def energies(self, mask):
        """Return the energies of masks without penalty, shape (..., B, Q)."""
        return sum(self.terms(mask).values()).sum(-2)

    def greedy(self):
        """Return a mask that grows by the best key at a time, head after head."""
        mask = np.zeros_like(self.allowed)
        for step in range(self.k):
            for head in range(self.relevance.shape[1]):
                fields = np.where(mask, np.inf, self.fields(mask))[:, head]
                best = fields.argmin(-1)[..., None]
                grows = self.count[:, head] > step
                now = np.take_along_axis(mask[:, head], best, -1) | grows
                np.put_along_axis(mask[:, head], best, now, -1)
        return mask

    def repair(self, mask):
        """Return masks of exactly k keys: the least useful go or the best come.

        Parameters
        ----------
        mask : ndarray of bool of shape (..., B, H, Q, S)
            Any number of keys.

        Returns
        -------
        mask : ndarray of bool of shape (..., B, H, Q, S)
            Unchanged where it has the right number already.
        """
        mask = mask & self.allowed
        count = self.count
        while True:
            excess = mask.sum(-1, keepdims=True) - count
            # A head at a time, as what it does changes the fields of the others.
            wrong = (excess != 0) & (np.cumsum(excess != 0, axis=-3) == 1)
            if not wrong.any():
                return mask
            fields = self.fields(mask)
            worst = np.where(mask, fields, -np.inf).argmax(-1)[..., None]
            best = np.where(mask, np.inf, fields).argmin(-1)[..., None]
            key = np.where(excess > 0, worst, best)
            now = np.take_along_axis(mask, key, -1) ^ wrong
            np.put_along_axis(mask, key, now, -1)

    def shift_and_weight(self):
        r"""Return the automatic penalty.

        With the threshold :math:`\tau` half way between the k-th and the next marginal
        of the greedy choice, the energy without a penalty has its minimum near k keys
        already, so that a tenth of the marginals' spread holds it there; half the
        coupling of two keys is added, so that opposite keys do not pull each other in.
        A larger weight would freeze an annealer.

        Returns
        -------
        shift, weight : ndarray of shape (B, H, Q, 1)
            The threshold and the penalty's weight A, in the units of the relevance.
        """
        marginal = -self.fields(self.greedy())
        number = np.maximum(self.allowed.sum(-1, keepdims=True), 1)
        mean = np.where(self.allowed, marginal, 0.0).sum(-1, keepdims=True) / number
        square = np.where(self.allowed, marginal - mean, 0.0) ** 2
        spread = np.sqrt(square.sum(-1, keepdims=True) / number)
        spread[spread == 0] = 1.0
        ordered = np.sort(marginal, -1)[..., ::-1]
        last = np.take_along_axis(ordered, np.maximum(self.count - 1, 0), -1)
        behind = np.minimum(self.count, marginal.shape[-1] - 1)
        after = np.take_along_axis(ordered, behind, -1)
        # Where no allowed key is left out, all of them are to be above the threshold.
        everything = self.count == self.allowed.sum(-1, keepdims=True)
        after = np.where(everything, last - spread, after)
        shift = np.where(self.count > 0, (last + after) / 2, 0.0)
        return shift, WEIGHT * spread + self.pair / 2

    def arrays(self, penalty="auto"):
        """Return the QUBO of all problems together, block-diagonal.

        Parameters
        ----------
        penalty : float or "auto", default="auto"
            Weight of (number of keys - k)^2, in the units of the relevance.

        Returns
        -------
        linear : ndarray of shape (n,), dtype float64
            A bit for each allowed key, in the order of ``flatnonzero(allowed)``.
        row, col : ndarray of shape (m,), dtype int32
            Ends of the couplings, by the place of their bits; no pair twice.
        value : ndarray of shape (m,), dtype float64
            The couplings.
        offset : float
            What makes the energy of k keys a head that of `energies`.
        """
        shift, weight = self.shift_and_weight()
        if penalty != "auto":
            weight = np.full_like(weight, penalty)
        _, heads, _, size = self.relevance.shape
        allowed, count = self.allowed, self.count
        linear = shift - self.relevance + weight * (1 - 2 * count)
        place = np.cumsum(allowed).reshape(allowed.shape) - 1
        ends, values = [], []
        first, second = np.triu_indices(size, 1)
        if size > 1:
            gram = self.pair * (self.unit @ np.swapaxes(self.unit, -1, -2))
            within = gram[:, :, None, first, second] + 2 * weight
            both = allowed[..., first] & allowed[..., second]
            ends.append((place[..., first][both], place[..., second][both]))
            values.append(within[both])
        if self.cross:
            one, two = np.triu_indices(heads, 1)
            both = allowed[:, one] & allowed[:, two]
            ends.append((place[:, one][both], place[:, two][both]))
            values.append(np.full(both.sum(), self.cross))
        row, col = (
            np.concatenate([e[side] for e in ends] or [np.empty(0)]).astype(np.int32)
            for side in (0, 1)
        )
        value = np.concatenate(values or [np.empty(0)])
        offset = float((weight * count**2 - shift * count).sum())
        return linear[allowed], row, col, value, offset
