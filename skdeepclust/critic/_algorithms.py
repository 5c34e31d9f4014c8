"""Clusterings as the usual algorithms make them, at a small and bounded cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN, HDBSCAN, Birch, KMeans, MeanShift, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from ._view import Codes, DataView, Floats

__all__ = ["ALGORITHMS", "Algorithm", "k_means_labels"]

Algorithm = Callable[[DataView, np.random.RandomState, int], Codes]

_MAX_MEAN_SHIFT_ROWS = 300


def _seed(rng: np.random.RandomState) -> int:
    return int(rng.randint(np.iinfo(np.int32).max))


def k_means_labels(rows: Floats, rng: np.random.RandomState, k: int) -> Codes:
    """Labels of one run of k-means, fewer than k where rows are duplicates.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    rng : RandomState
    k : int

    Returns
    -------
    ndarray of shape (n,)
    """
    with warnings.catch_warnings():
        # Duplicated rows leave fewer clusters than wanted, which is as good a clustering.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(k, n_init=1, max_iter=50, random_state=_seed(rng)).fit(rows)
    return np.asarray(model.labels_, dtype=np.int64)


def _k_means(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    return k_means_labels(view.X, rng, k)


def _minibatch_k_means(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """K-means that has hardly converged."""
    size = max(k, min(256, len(view) // 2))
    model = MiniBatchKMeans(
        k, batch_size=size, n_init=1, max_iter=3, init_size=size, random_state=_seed(rng)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit(view.X).labels_, dtype=np.int64)


def _linkage_cut(method: str) -> Algorithm:
    """Agglomerative clustering under a linkage, cut at k clusters."""

    def cut(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
        return view.extend(fcluster(view.tree(method), k, "maxclust") - 1)

    return cut


def _single_linkage_absorbing(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """Single linkage cut lower down, where clusters of a few rows join the nearest others.

    Plain single linkage splits single rows off; this is how it is used in practice.
    """
    m = len(view.few)
    fewest = max(2, int(rng.uniform(0.01, 0.05) * m))
    labels = np.zeros(m, dtype=np.int64)
    for cut in np.unique(np.geomspace(k, max(k, m // 2), 8).astype(int)):
        labels = fcluster(view.tree("single"), cut, "maxclust") - 1
        if (np.bincount(labels) >= fewest).sum() >= k:
            break
    large = np.flatnonzero(np.bincount(labels) >= fewest)
    kept = np.isin(labels, large)
    if not kept.any():
        return np.zeros(len(view), dtype=np.int64)
    nearest = cdist(view.few[~kept], view.few[kept]).argmin(axis=1)
    labels[~kept] = labels[kept][nearest]
    return view.extend(labels)


def _gaussian_mixture(covariance: str, max_features: int) -> Algorithm:
    """Gaussian mixture of k components in the leading principal components."""

    def fit(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
        rows = view.X[:, :max_features]
        centers = _initial_means(rows[view.costly], rng, k)
        model = GaussianMixture(
            k,
            covariance_type=covariance,
            reg_covar=1e-3,  # the rows have unit variance
            max_iter=15,
            means_init=centers,
            init_params="random_from_data",
            random_state=_seed(rng),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows[view.costly])
        return np.asarray(model.predict(rows), dtype=np.int64)

    return fit


def _initial_means(rows: Floats, rng: np.random.RandomState, k: int) -> Floats:
    """Means of the clusters of k-means, or random rows where one is empty."""
    labels = k_means_labels(rows, rng, k)
    means = rows[rng.permutation(len(rows))[:k]].copy()
    for c in np.unique(labels):
        means[c] = rows[labels == c].mean(axis=0)
    return means


def _dbscan(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """DBSCAN whose radius is a quantile of the distances to the `min_samples`-th neighbour.

    The noise stays noise in one half, and joins the nearest cluster in the other.
    """
    min_samples = int(rng.randint(2, view.distances.shape[1] + 1))
    reach = view.distances[:, min_samples - 2]
    radius = float(np.quantile(reach, rng.uniform(0.5, 1.0))) * rng.choice([1.0, 1.5])
    # A graph of the few rows has bounded size, however large the radius is.
    rows = view.few
    radius *= (len(view) / len(rows)) ** (1 / min(rows.shape[1], 3))
    model = DBSCAN(eps=max(radius, 1e-9), min_samples=min_samples).fit(rows)
    return _finish_noise(view, rng, model.labels_.astype(np.int64))


def _hdbscan(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """HDBSCAN at a random smallest size, its noise kept or joined to the nearest cluster."""
    size = int(np.exp(rng.uniform(np.log(3), np.log(max(4, 0.1 * len(view.few))))))
    samples = min(size, int(rng.randint(1, 11)))
    model = HDBSCAN(min_cluster_size=size, min_samples=samples, copy=True).fit(view.few)
    return _finish_noise(view, rng, model.labels_.astype(np.int64))


def _finish_noise(view: DataView, rng: np.random.RandomState, labels: Codes) -> Codes:
    """Labels of all rows; noise stays or goes to the nearest cluster. All noise: one cluster."""
    found = labels >= 0
    if not found.any():
        return np.zeros(len(view), dtype=np.int64)
    if rng.uniform() < 0.5 and not found.all():
        nearest = cdist(view.few[~found], view.few[found]).argmin(axis=1)
        labels[~found] = labels[found][nearest]
    return view.extend(labels)


def _spectral(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """Spectral clustering of the neighbour graph."""
    rows = view.spectrum[:, :k]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return view.extend(k_means_labels(rows, rng, min(k, len(rows))))


def _birch(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """Birch: subclusters of a random radius, merged by Ward's method."""
    radius = float(np.median(view.distances[:, -1])) * rng.uniform(0.5, 1.5)
    model = Birch(threshold=max(radius, 1e-9), n_clusters=None).fit(view.few)
    parts = model.predict(view.X).astype(np.int64)
    centers = model.subcluster_centers_
    if len(centers) <= k:
        return np.asarray(parts)
    return np.asarray(fcluster(linkage(centers, "ward"), k, "maxclust")[parts] - 1)


def _mean_shift(view: DataView, rng: np.random.RandomState, k: int) -> Codes:
    """Mean shift from a few starts; k-means, as the nearest relative, on larger data."""
    if len(view) > _MAX_MEAN_SHIFT_ROWS:
        return _k_means(view, rng, k)
    bandwidth = float(np.median(view.distances[:, -1])) * rng.uniform(1.0, 4.0)
    starts = view.X[rng.permutation(len(view))[:10]]
    model = MeanShift(bandwidth=max(bandwidth, 1e-9), seeds=starts, max_iter=20)
    return np.asarray(model.fit(view.X).labels_, dtype=np.int64)


ALGORITHMS: dict[str, Algorithm] = {
    "k_means": _k_means,
    "minibatch_k_means": _minibatch_k_means,
    "ward": _linkage_cut("ward"),
    "average": _linkage_cut("average"),
    "complete": _linkage_cut("complete"),
    "single": _linkage_cut("single"),
    "single_absorbing": _single_linkage_absorbing,
    "mixture_full": _gaussian_mixture("full", 6),
    "mixture_diagonal": _gaussian_mixture("diag", 32),
    "dbscan": _dbscan,
    "hdbscan": _hdbscan,
    "spectral": _spectral,
    "birch": _birch,
    "mean_shift": _mean_shift,
}
"""Algorithms by name; each takes a view of the data, a source of randomness and K."""
