"""Internal indices of clusterings, to be compared with the critic.

Rows of noise join the nearest cluster, except for DBCV, which knows of noise. An index that is not
defined, such as that of a single cluster, counts as the worst. Of large data sets a random sample
of the rows is seen: all indices but two are quadratic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
from critic_pool import Codes, Floats, Pool, Scorer, few_rows, join_noise
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

__all__ = ["DBCV", "INDICES", "SILHOUETTE", "corrected_share", "dunn_index", "index_names"]

SILHOUETTE = "Silhouette"
DBCV = "DBCV"
MAX_ROWS = 1_500
# DBCV copies the distances several times and walks over a spanning tree in Python.
MAX_DBCV_ROWS = 500
_N_NEIGHBORS = 10


def index_names() -> list[str]:
    """Names of the indices that can be computed here."""
    return [name for name in INDICES if name != DBCV or find_spec("hdbscan") is not None]


def silhouette(pool: Pool) -> Floats:
    """Mean silhouette width."""
    pool = few_rows(pool, MAX_ROWS)
    return _each(pool, partial(silhouette_score, distances(pool.X), metric="precomputed"))


def calinski_harabasz(pool: Pool) -> Floats:
    """Variance between clusters over that within."""
    pool = few_rows(pool, MAX_ROWS)
    return _each(pool, partial(calinski_harabasz_score, pool.X))


def davies_bouldin(pool: Pool) -> Floats:
    """Mean similarity of each cluster to the one most similar to it, negative."""
    pool = few_rows(pool, MAX_ROWS)
    return -_each(pool, partial(davies_bouldin_score, pool.X), worst=np.inf)


def dunn(pool: Pool) -> Floats:
    """Least distance between clusters over the largest diameter."""
    pool = few_rows(pool, MAX_ROWS)
    return _each(pool, partial(dunn_index, distances(pool.X)))


def knn_cut(pool: Pool) -> Floats:
    """Share of the edges of the neighbour graph that stay inside clusters, corrected."""
    pool = few_rows(pool, MAX_ROWS)
    k = min(_N_NEIGHBORS, len(pool.X) - 1)
    search = NearestNeighbors(n_neighbors=k).fit(pool.X)
    return _each(pool, partial(corrected_share, search.kneighbors(return_distance=False)))


def dbcv(pool: Pool) -> Floats:
    """Density-based clustering validation, by the package hdbscan."""
    pool = few_rows(pool, MAX_DBCV_ROWS)
    lengths = distances(pool.X)
    X = np.asarray(pool.X, dtype=np.float64) / (np.median(lengths) or 1.0)
    return np.array([_density_validity(X, labels) for labels in pool.labels])


INDICES: dict[str, Scorer] = {
    SILHOUETTE: silhouette,
    "Calinski-Harabasz": calinski_harabasz,
    "Davies-Bouldin": davies_bouldin,
    DBCV: dbcv,
    "Dunn": dunn,
    "k-NN cut": knn_cut,
}
"""Scores of the clusterings of a pool, higher for better ones, by name."""


def distances(X: NDArray[np.floating]) -> Floats:
    """Distances between all rows, (n, n), 0 between a row and itself."""
    return np.asarray(squareform(pdist(np.asarray(X, dtype=np.float64))))


def _each(pool: Pool, index: Callable[[Codes], float], worst: float = -np.inf) -> Floats:
    """An index of every clustering; `worst` for those of one cluster or of single rows only."""
    n = len(pool.X)
    found = np.full(len(pool.labels), worst)
    for i, labels in enumerate(pool.labels):
        codes = np.unique(join_noise(pool.X, labels), return_inverse=True)[1]
        if 0 < codes.max() < n - 1:
            found[i] = index(codes)
    return found


def dunn_index(lengths: Floats, codes: Codes) -> float:
    """Least distance between clusters over the largest diameter.

    Parameters
    ----------
    lengths : ndarray of shape (n, n)
        Distances.
    codes : ndarray of shape (n,)
        Clusters, at least two.
    """
    same = codes[:, None] == codes
    diameter = np.max(lengths, where=same, initial=0.0)
    gap = np.min(lengths, where=~same, initial=np.inf)
    return float(gap / diameter) if diameter > 0 else np.inf


def corrected_share(neighbors: NDArray[np.intp], codes: Codes) -> float:
    """Share of the edges to neighbours (n, k) inside clusters, corrected for chance.

    1 where no edge leaves a cluster, 0 where as many do as with these sizes of clusters and
    random members.
    """
    n, sizes = len(codes), np.bincount(codes)
    share = float((codes[neighbors] == codes[:, None]).mean())
    expected = float((sizes * (sizes - 1)).sum() / (n * (n - 1)))
    return (share - expected) / (1 - expected)


def _density_validity(X: Floats, labels: NDArray[np.integer]) -> float:
    """DBCV; single rows are noise, and duplicates may leave it undefined."""
    from hdbscan.validity import validity_index

    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    clusters = (names >= 0) & (counts >= 2)
    if clusters.sum() < 2:
        return -np.inf
    number = np.where(clusters, np.cumsum(clusters) - 1, -1)
    with np.errstate(all="ignore"):
        try:
            return float(validity_index(X, number[codes]))
        except AssertionError:  # how it says that distances are not numbers
            return -np.inf
