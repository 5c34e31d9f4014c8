"""Features of partitions, and a regressor on them, in the manner of MetaIVM.

28 numbers describe a clustering: sizes of clusters, internal indices, and what the neighbour
graph says. Gradient-boosted trees learn the adjusted Rand index from them, on the same tasks as
the critic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from critic_pool import Codes, Floats, Pool, few_rows, join_noise
from critic_rivals import corrected_share, distances, dunn_index
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingRegressor

__all__ = ["FEATURES", "fit_regressor", "partition_features", "silhouettes"]

FEATURES = (
    *("log n", "log p", "noise", "log K", "K / sqrt n", "largest share", "smallest share"),
    *("entropy of the shares", "variation of the sizes"),
    *("silhouette", "worst silhouette of a cluster", "share of negative silhouettes"),
    *("simplified silhouette", "log Calinski-Harabasz", "log Davies-Bouldin"),
    *("share of the variance within", "log Dunn", "correlation with the distances"),
    *("1 neighbour", "5 neighbours", "10 neighbours", "20 neighbours"),
    *("10 neighbours, corrected", "worst cluster's neighbours", "modularity"),
    *("components per cluster", "rows outside the largest component", "log ratio of edges"),
)
"""What describes a partition."""

_MAX_ROWS = 1_000
_N_NEIGHBORS = 20
_K = 10
_TINY = 1e-12


def fit_regressor(
    features: Sequence[NDArray[np.floating]],
    qualities: Sequence[NDArray[np.floating]],
    seed: int,
    max_iter: int = 300,
) -> HistGradientBoostingRegressor:
    """Trees that predict the quality of clusterings from their features.

    Parameters
    ----------
    features : sequence of ndarray of shape (m_i, 28)
        One for each data set.
    qualities : sequence of ndarray of shape (m_i,)
    seed : int
    max_iter : int, default=300
        Number of trees.
    """
    model = HistGradientBoostingRegressor(
        max_iter=max_iter, early_stopping=False, random_state=seed
    )
    return model.fit(np.concatenate(features), np.concatenate(qualities))


def partition_features(pool: Pool) -> NDArray[np.float32]:
    """Features (m, 28) of every clustering of a pool; of many rows a sample is seen."""
    noise = (pool.labels < 0).mean(axis=1)
    pool = few_rows(pool, _MAX_ROWS)
    X = np.asarray(pool.X, dtype=np.float64)
    X = X - X.mean(axis=0)
    X = X / max(float(np.sqrt((X**2).sum(axis=1).mean())), _TINY)
    lengths = distances(X)
    neighbors = _nearest(lengths)
    rows = []
    for share, labels in zip(noise, pool.labels, strict=True):
        codes = np.unique(join_noise(X, labels), return_inverse=True)[1]
        rows.append(
            [
                *(np.log(len(X)), np.log(X.shape[1]), share),
                *_size_features(codes),
                *_distance_features(X, lengths, codes),
                *_neighbor_features(lengths, neighbors, codes),
            ]
        )
    return np.array(rows, dtype=np.float32)


def _nearest(lengths: Floats) -> NDArray[np.intp]:
    """The nearest other rows (n, 20), the nearest first."""
    k = min(_N_NEIGHBORS, len(lengths) - 1)
    others = lengths + np.diag(np.full(len(lengths), np.inf))
    return np.asarray(np.argsort(others, axis=1, kind="stable")[:, :k])


def _size_features(codes: Codes) -> list[float]:
    """Six features of the sizes of clusters."""
    sizes = np.bincount(codes)
    shares, k = sizes / len(codes), len(sizes)
    entropy = -(shares * np.log(shares)).sum() / max(np.log(k), np.log(2))
    extremes = [float(shares.max()), float(shares.min())]
    variation = float(sizes.std() / sizes.mean())
    return [float(np.log(k)), k / len(codes) ** 0.5, *extremes, float(entropy), variation]


def _distance_features(X: Floats, lengths: Floats, codes: Codes) -> list[float]:
    """Nine internal indices; of a single cluster what they tend to where nothing is separate."""
    within, davies_bouldin, simplified = _centroid_features(X, codes)
    n, k = len(codes), int(codes.max()) + 1
    between = max(1 - within, _TINY)
    calinski = (between / max(k - 1, 1)) / (max(within, _TINY) / max(n - k, 1))
    widths = silhouettes(lengths, codes)
    means = np.bincount(codes, weights=widths) / np.bincount(codes)
    gap = min(dunn_index(lengths, codes), 1 / _TINY) if k > 1 else 0.0
    return [
        *(float(widths.mean()), float(means.min()), float((widths < 0).mean()), simplified),
        *(float(np.log(calinski)), float(np.log(davies_bouldin + _TINY)), within),
        *(float(np.log(gap + _TINY)), _distance_correlation(lengths, codes)),
    ]


def silhouettes(lengths: Floats, codes: Codes) -> Floats:
    """Silhouette width of every row; 0 for single rows, and where there is one cluster."""
    n, k = len(codes), int(codes.max()) + 1
    if k == 1:
        return np.zeros(n)
    members, sizes = np.eye(k)[codes], np.bincount(codes)
    sums = lengths @ members  # (n, k)
    own = sums[np.arange(n), codes] / np.maximum(sizes[codes] - 1, 1)
    means = sums / sizes
    means[np.arange(n), codes] = np.inf
    other = means.min(axis=1)
    widths = (other - own) / np.maximum(np.maximum(own, other), _TINY)
    return np.where(sizes[codes] > 1, widths, 0.0)


def _centroid_features(X: Floats, codes: Codes) -> tuple[float, float, float]:
    """Share of the variance within clusters, Davies-Bouldin index, simplified silhouette.

    The rows are centred and have mean squared length 1.
    """
    n, sizes = len(codes), np.bincount(codes)
    centers = np.eye(len(sizes))[codes].T @ X / sizes[:, None]
    reach = cdist(X, centers)  # (n, K)
    own = reach[np.arange(n), codes]
    within = float((own**2).mean())
    if len(sizes) == 1:
        return within, 1 / _TINY, 0.0
    reach[np.arange(n), codes] = np.inf
    other = reach.min(axis=1)
    simplified = float(((other - own) / np.maximum(np.maximum(own, other), _TINY)).mean())
    spread = np.bincount(codes, weights=own) / sizes
    apart = distances(centers) + np.diag(np.full(len(sizes), np.inf))
    similarity = (spread[:, None] + spread) / np.maximum(apart, _TINY)
    return within, float(similarity.max(axis=1).mean()), simplified


def _distance_correlation(lengths: Floats, codes: Codes) -> float:
    """Correlation of distance and being in different clusters, over all pairs of rows."""
    n, members = len(codes), np.eye(int(codes.max()) + 1)[codes]
    n_pairs, n_inside = n * (n - 1), float((members.sum(axis=0) * (members.sum(axis=0) - 1)).sum())
    mean = float(lengths.sum()) / n_pairs
    scale = np.sqrt(max(float(np.vdot(lengths, lengths)) / n_pairs - mean**2, 0.0))
    share = 1 - n_inside / n_pairs
    if share in (0.0, 1.0) or scale < _TINY:
        return 0.0
    inside = float(((lengths @ members) * members).sum()) / n_inside
    outside = (mean - (1 - share) * inside) / share
    return float((outside - inside) * np.sqrt(share * (1 - share)) / scale)


def _neighbor_features(lengths: Floats, neighbors: NDArray[np.intp], codes: Codes) -> list[float]:
    """Ten features of the neighbour graph."""
    inside = codes[neighbors] == codes[:, None]  # (n, 20)
    shares = [float(inside[:, :k].mean()) for k in (1, 5, _K, _N_NEIGHBORS)]
    nearest, kept = neighbors[:, :_K], inside[:, :_K]
    corrected = corrected_share(nearest, codes) if codes.max() > 0 else 0.0
    by_cluster = np.bincount(codes, weights=kept.mean(axis=1)) / np.bincount(codes)
    return [
        *shares,
        *(corrected, float(by_cluster.min()), _modularity(nearest, kept, codes)),
        *_component_features(nearest, kept, codes),
        _edge_ratio(lengths, nearest, kept),
    ]


def _modularity(nearest: NDArray[np.intp], kept: NDArray[np.bool_], codes: Codes) -> float:
    """Modularity (Leicht and Newman, 2008) of the graph with an edge to every neighbour."""
    leaving = np.bincount(codes) / len(codes)
    arriving = np.bincount(codes[nearest].ravel(), minlength=len(leaving)) / nearest.size
    return float(kept.mean() - leaving @ arriving)


def _component_features(
    nearest: NDArray[np.intp], kept: NDArray[np.bool_], codes: Codes
) -> list[float]:
    """Components per cluster of the edges inside; share of rows outside their largest one."""
    n = len(codes)
    starts = np.repeat(np.arange(n), kept.sum(axis=1))
    ends = nearest[kept]
    graph = csr_array((np.ones(len(ends)), (starts, ends)), shape=(n, n))
    number, component = connected_components(graph, directed=False)
    largest = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    owner = np.zeros(number, dtype=np.int64)
    owner[component] = codes
    np.maximum.at(largest, owner, np.bincount(component))
    return [number / len(largest), 1 - float(largest.sum()) / n]


def _edge_ratio(lengths: Floats, nearest: NDArray[np.intp], kept: NDArray[np.bool_]) -> float:
    """Log of the mean length of edges that leave clusters over that of those inside."""
    edges = np.take_along_axis(lengths, nearest, axis=1)
    if kept.all() or not kept.any():
        return 0.0
    return float(np.log((edges[~kept].mean() + _TINY) / (edges[kept].mean() + _TINY)))
