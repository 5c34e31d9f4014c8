"""A data set as the makers of clusterings see it: scaled, reduced, with its neighbours."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from sklearn.neighbors import NearestNeighbors

from ..graph import computed_once

__all__ = ["Codes", "DataView", "Floats"]

_MAX_FEATURES = 32
# Squared lengths along an axis, in those along the first one, that are none.
_NOISE = 1e-12
_N_NEIGHBORS = 12
_MAX_COSTLY_ROWS = 1_000
_MAX_VECTORS = 40
# Up to here the eigenvectors of a dense matrix are the faster ones.
_MAX_DENSE_ROWS = 400

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class DataView:
    """Rows centred, of unit variance overall, in at most 32 principal components.

    What several algorithms need is computed once, when the first of them asks.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    rng : RandomState
        Chooses the rows that costly algorithms see.
    standardize : bool, default=False
        Whether every feature is divided by its standard deviation first.
    n_costly : int, default=1000
        Most rows that costly algorithms see; the others follow the nearest of them.
    """

    def __init__(
        self,
        X: NDArray[np.floating],
        rng: np.random.RandomState,
        standardize: bool = False,
        n_costly: int = _MAX_COSTLY_ROWS,
    ) -> None:
        rows = np.asarray(X, dtype=np.float64)
        # A power of two rounds nothing, and squares neither overflow nor vanish.
        rows = np.ldexp(rows, -int(np.frexp(np.abs(rows).max())[1]))
        rows = rows - rows.mean(axis=0)
        if standardize:
            std = rows.std(axis=0)
            rows = rows / np.where(std > 1e-9 * std.max(), std, 1.0)
        rows = rows / (rows.std() or 1.0)
        if rows.shape[1] > _MAX_FEATURES:
            rows = rows @ _leading_axes(rows)
        self.X: Floats = rows
        self.costly: NDArray[np.intp] = np.sort(rng.permutation(len(rows))[:n_costly])
        self._linkages: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self.X)

    @property
    def few(self) -> Floats:
        """The rows that costly algorithms see, (m, d)."""
        return self.X[self.costly]

    def extend(self, labels: NDArray[Any]) -> Codes:
        """Labels of all rows (n,) from those of the few (m,), each row after the nearest."""
        return np.asarray(labels[self.places], dtype=np.int64)

    @computed_once
    def places(self) -> NDArray[np.intp]:
        """Places (n,) among the few rows: of the row itself, or else of the nearest."""
        if len(self.costly) == len(self.X):
            return np.arange(len(self.X))
        search = NearestNeighbors(n_neighbors=1).fit(self.few)
        return np.asarray(search.kneighbors(self.X, return_distance=False)[:, 0])

    @computed_once
    def n_distinct(self) -> int:
        """Number of different rows."""
        return len(np.unique(self.X, axis=0))

    @computed_once
    def _neighborhood(self) -> tuple[Floats, NDArray[np.intp]]:
        search = NearestNeighbors(n_neighbors=min(_N_NEIGHBORS, len(self.X) - 1)).fit(self.X)
        distances, neighbors = search.kneighbors()
        return distances, neighbors

    @property
    def distances(self) -> Floats:
        """Distances to the nearest other rows, (n, 12)."""
        return self._neighborhood[0]

    @property
    def neighbors(self) -> NDArray[np.intp]:
        """The nearest other rows, (n, 12)."""
        return self._neighborhood[1]

    def tree(self, method: str) -> Floats:
        """The merges of the few rows under a linkage, as scipy writes them."""
        if method not in self._linkages:
            self._linkages[method] = linkage(self.few, method)
        return self._linkages[method]

    @computed_once
    def spectrum(self) -> Floats:
        """Leading eigenvectors (m, up to 40) of the few rows' neighbour graph, largest first."""
        m = len(self.few)
        search = NearestNeighbors(n_neighbors=min(10, m - 1)).fit(self.few)
        graph = search.kneighbors_graph()
        graph = sp.csr_array(graph.maximum(graph.T))
        root = 1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
        graph = sp.diags_array(root) @ graph @ sp.diags_array(root)
        return _leading_eigenvectors(sp.csr_array(graph), min(_MAX_VECTORS, m - 2))


def _leading_axes(rows: Floats) -> Floats:
    """Leading principal axes (p, d) of centred rows (n, p), from the smaller Gram matrix."""
    n, p = rows.shape
    if p <= n:
        return np.asarray(np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, :_MAX_FEATURES])
    squares, vectors = np.linalg.eigh(rows @ rows.T)
    # Axes of rounding noise would tell equal rows apart; of equal rows one axis remains.
    kept = np.flatnonzero(squares > _NOISE * squares[-1])[::-1][:_MAX_FEATURES]
    if not len(kept):
        return np.eye(p, 1)
    return np.asarray(rows.T @ (vectors[:, kept] / np.sqrt(squares[kept])))


def _leading_eigenvectors(graph: sp.csr_array, k: int) -> Floats:
    """Eigenvectors (m, k) of the largest eigenvalues of a symmetric matrix of norm 1."""
    m = graph.shape[0]
    if m > _MAX_DENSE_ROWS:
        # A fixed start makes the iteration reproducible; it needs parts along all vectors.
        start = np.random.RandomState(0).standard_normal(m)
        with suppress(ArpackNoConvergence):
            shifted = graph + sp.diags_array(np.ones(m))  # no negative eigenvalues
            values, vectors = eigsh(shifted, k=k, v0=start, tol=1e-4)
            return np.asarray(vectors[:, np.argsort(-values)])
    return np.asarray(np.linalg.eigh(graph.toarray())[1][:, ::-1][:, :k])
