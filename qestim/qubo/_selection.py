# SPDX-License-Identifier: Apache-2.0
"""Selection: the k candidates that tell most and repeat each other least."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse

from qestim.qubo._cardinality import CardinalityProblem


class SelectionProblem(CardinalityProblem):
    r"""Choose k of n candidates, useful ones that are not alike.

    .. math:: E(z) = -\sum_j u_j z_j
              + \frac{2\lambda}{k - 1} \sum_{i<j} S_{ij} z_i z_j,
              \qquad \textstyle\sum_j z_j = k

    with utility :math:`u` and similarity :math:`S`. The factor makes the second term
    :math:`\lambda k` times the mean similarity of the chosen pairs, so that
    :math:`\lambda` means the same for every k (for k = 1 there are no pairs).

    Parameters
    ----------
    utility : array-like of shape (n,)
        How much is gained by each candidate, any finite numbers of one unit.
    similarity : array-like or scipy sparse array of shape (n, n)
        Symmetric and finite; its diagonal does not matter. A sparse one holds the
        similarities of near neighbours only: take it above a few thousand candidates.
    k : int
        Number of candidates to choose, 1 to n.
    redundancy : float, default=1.0
        The weight :math:`\lambda \ge 0`, in units of utility over similarity.

    Attributes
    ----------
    utility : ndarray of shape (n,), dtype float64
        The utility.
    similarity : ndarray or scipy sparse array of shape (n, n), dtype float64
        The similarity, without its diagonal.

    Notes
    -----
    The number of variables is ``n``. The penalty of `to_bqm` is soft on purpose: see
    there.

    References
    ----------
    The form is derived in docs/guide/selection.md. With a mean similarity as utility
    it is the graph cut function of

    .. [1] Lin and Bilmes, "A class of submodular functions for document
       summarization", ACL 2011.

    Examples
    --------
    >>> from qestim.qubo import SelectionProblem
    >>> similarity = [[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]
    >>> problem = SelectionProblem([1.0, 0.9, 0.4], similarity, k=2)
    >>> problem.solve().indices
    array([0, 2])
    """

    def __init__(self, utility, similarity, k, *, redundancy=1.0) -> None:
        if not isinstance(k, Integral) or k < 1:
            raise ValueError(
                f"The 'k' parameter must be an int of at least 1. Got {k!r}."
            )
        if not isinstance(redundancy, Real) or not 0 <= float(redundancy) < np.inf:
            raise ValueError(
                "The 'redundancy' parameter must be a finite number of at least 0. Got "
                f"{redundancy!r}."
            )
        self.utility = read_vector(utility, "utility")
        self.similarity = read_matrix(similarity, len(self.utility), "similarity")
        self.redundancy = float(redundancy)
        self._scale = 2 * self.redundancy / max(int(k) - 1, 1)
        super().__init__(-self.utility, self._scale * self.similarity, int(k))

    def objective(self, solution) -> float:
        r"""Return minus the utility of a choice plus its weighted redundancy.

        Parameters
        ----------
        solution : set of int
            The chosen candidates.

        Returns
        -------
        value : float
            In units of utility.
        """
        chosen = sorted(self._checked(solution).tolist())
        gain = sum(float(self.utility[j]) for j in chosen)
        alike = sum(
            float(self.similarity[i, j])
            for a, i in enumerate(chosen)
            for j in chosen[a + 1 :]
        )
        return self._scale * alike - gain


def read_vector(values, name):
    """Return a finite float64 vector, or say what is wrong with it."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or len(vector) == 0:
        raise ValueError(
            f"The '{name}' parameter must have shape (n,) with n at least 1. "
            f"Got {vector.shape}."
        )
    if not np.isfinite(vector).all():
        j = np.flatnonzero(~np.isfinite(vector))[0]
        raise ValueError(
            f"The '{name}' parameter must be finite. Got {vector[j]} at {j}; drop that "
            "candidate."
        )
    return vector


def read_matrix(values, n, name):
    """Return a symmetric finite float64 matrix without its diagonal."""
    sparse = scipy.sparse.issparse(values)
    if sparse:
        matrix = scipy.sparse.csr_array(values, dtype=np.float64)
        matrix.sum_duplicates()
    else:
        matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (n, n):
        raise ValueError(
            f"The '{name}' parameter must have shape {(n, n)}, a row a candidate. "
            f"Got {matrix.shape}."
        )
    entries = matrix.data if sparse else matrix
    if not np.isfinite(entries).all():
        raise ValueError(f"The '{name}' parameter must be finite. Got NaN or infinity.")
    if sparse:
        matrix = (matrix - scipy.sparse.diags_array(matrix.diagonal())).tocsr()
        matrix.eliminate_zeros()
    else:
        np.fill_diagonal(matrix, 0.0)
    reach = float(np.abs(entries).max(initial=0))
    if abs(matrix - matrix.T).max() > 1e-9 * reach:
        raise ValueError(
            f"The '{name}' parameter must be symmetric. Use (S + S.T) / 2."
        )
    return (matrix + matrix.T) / 2
