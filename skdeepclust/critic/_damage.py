"""Clusterings that are known to be worse than the truth, each in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ._algorithms import k_means_labels
from ._view import Codes, DataView, Floats

__all__ = ["DAMAGES", "Damage", "complete_noise", "smooth"]

Damage = Callable[[DataView, np.random.RandomState, Codes], Codes]


def complete_noise(view: DataView, labels: Codes) -> Codes:
    """Give rows with -1 the label of the nearest row that has one.

    Parameters
    ----------
    view : DataView
    labels : ndarray of shape (n,)
        Not all of them -1.

    Returns
    -------
    ndarray of shape (n,)
    """
    found, labels = labels >= 0, labels.copy()
    if not found.all():
        nearest = cdist(view.X[~found], view.X[found]).argmin(axis=1)
        labels[~found] = labels[found][nearest]
    return labels


def smooth(view: DataView, labels: Codes, n_rounds: int = 1) -> Codes:
    """Give every row the most frequent label of its neighbours and itself.

    Parameters
    ----------
    view : DataView
    labels : ndarray of shape (n,)
        Labels from 0.
    n_rounds : int, default=1

    Returns
    -------
    ndarray of shape (n,)
    """
    n, k = len(labels), int(labels.max()) + 1
    rows = np.repeat(np.arange(n), view.neighbors.shape[1])
    for _ in range(n_rounds):
        columns = labels[view.neighbors].ravel()
        votes = sp.coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, k)).toarray()
        votes[np.arange(n), labels] += 1.5  # a tie changes nothing
        labels = votes.argmax(axis=1)
    return labels


def _smoothed(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    return smooth(view, y, int(rng.randint(1, 6)))


def _share(rng: np.random.RandomState) -> float:
    """From hardly any to half."""
    return float(np.exp(rng.uniform(np.log(0.01), np.log(0.5))))


def _move_rows(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Random rows to random clusters."""
    moved = rng.uniform(size=len(y)) < _share(rng)
    return np.where(moved, rng.randint(max(2, y.max() + 1), size=len(y)), y)


def _move_boundary_rows(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Rows near another cluster to that cluster: nearest first."""
    centers = _centroids(view.X, y)
    distances = cdist(view.X, centers)
    own = distances[np.arange(len(y)), y]
    distances[np.arange(len(y)), y] = np.inf
    if distances.shape[1] == 1:
        return y
    other = distances.argmin(axis=1)
    order = np.argsort(distances.min(axis=1) / np.maximum(own, 1e-12))
    moved = order[: max(1, int(_share(rng) * len(y)))]
    labels = y.copy()
    labels[moved] = other[moved]
    return labels


def _move_to_neighbors(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Patches to another cluster: random rows of a second cluster, and the rows around them."""
    if y.max() == 0:
        return y
    labels = y.copy()
    for row in rng.randint(len(y), size=rng.randint(1, 6)):
        labels[view.neighbors[row]] = rng.randint(y.max() + 1)
    return labels


def _merge_nearest(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """The two clusters with the nearest centroids into one."""
    distances = cdist(*2 * [_centroids(view.X, y)])
    np.fill_diagonal(distances, np.inf)
    first, second = np.unravel_index(distances.argmin(), distances.shape)
    return np.where(y == first, second, y)


def _merge_random(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Two to four random clusters into one."""
    merged = rng.permutation(y.max() + 1)[: rng.randint(2, 5)]
    return np.where(np.isin(y, merged), merged[0], y)


def _dissolve(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """The rows of one cluster each to the nearest other cluster."""
    if y.max() == 0:
        return y
    gone = y == rng.randint(y.max() + 1)
    centers = _centroids(view.X, y)
    distances = cdist(view.X[gone], centers)
    distances[:, y[gone][0]] = np.inf
    labels = y.copy()
    labels[gone] = distances.argmin(axis=1)
    return labels


def _split_k_means(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """One cluster into the two or three of k-means."""
    members = _some_cluster(rng, y)
    k = int(rng.randint(2, 4))
    parts = k_means_labels(view.X[members], rng, min(k, len(members)))
    return _relabel_parts(y, members, parts)


def _split_hyperplane(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """One cluster in two by a random hyperplane."""
    members = _some_cluster(rng, y)
    projected = view.X[members] @ rng.standard_normal(view.X.shape[1])
    return _relabel_parts(y, members, projected > np.quantile(projected, rng.uniform(0.2, 0.8)))


def _split_all(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Every cluster in two."""
    labels = y
    side = view.X @ rng.standard_normal(view.X.shape[1])
    for c in range(y.max() + 1):
        members = np.flatnonzero(y == c)
        labels = _relabel_parts(labels, members, side[members] > np.median(side[members]))
    return labels


def _nearest_centroid(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Every row to the nearest centroid, some centroids drawing more than others."""
    centers = _centroids(view.X, y)
    strength = np.exp(rng.uniform(0.0, 0.4) * rng.standard_normal(len(centers)))
    return np.asarray((cdist(view.X, centers) * strength).argmin(axis=1))


def _swap_labels(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """Exchange the labels of random rows: the sizes stay."""
    rows = rng.permutation(len(y))[: max(2, int(_share(rng) * len(y)))]
    labels = y.copy()
    labels[rows] = y[rng.permutation(rows)]
    return labels


def _mark_noise(view: DataView, rng: np.random.RandomState, y: Codes) -> Codes:
    """The rows in the sparsest places become noise."""
    density = view.distances[:, -1]
    return np.where(density > np.quantile(density, 1 - 0.6 * _share(rng)), -1, y)


def _centroids(X: Floats, y: Codes) -> Floats:
    """Mean of every cluster (k, d); far away if it is empty."""
    k = int(y.max()) + 1
    counts = np.bincount(y, minlength=k)[:, None]
    members = sp.csr_array((np.ones(len(y)), (y, np.arange(len(y)))), shape=(k, len(y)))
    return np.asarray(np.where(counts > 0, members @ X / np.maximum(counts, 1), 1e9))


def _some_cluster(rng: np.random.RandomState, y: Codes) -> Codes:
    """Rows of the cluster of a random row: large clusters are cut more often."""
    return np.flatnonzero(y == y[rng.randint(len(y))])


def _relabel_parts(y: Codes, members: Codes, parts: NDArray[Any]) -> Codes:
    """Part 0 keeps its label, the others get new ones."""
    labels = y.copy()
    labels[members] = np.where(parts > 0, y.max() + parts, labels[members])
    return labels


DAMAGES: dict[str, Damage] = {
    "smooth": _smoothed,
    "move_rows": _move_rows,
    "move_boundary_rows": _move_boundary_rows,
    "move_to_neighbors": _move_to_neighbors,
    "merge_nearest": _merge_nearest,
    "merge_random": _merge_random,
    "dissolve": _dissolve,
    "split_k_means": _split_k_means,
    "split_hyperplane": _split_hyperplane,
    "split_all": _split_all,
    "nearest_centroid": _nearest_centroid,
    "swap_labels": _swap_labels,
    "mark_noise": _mark_noise,
}
"""Damages by name; each takes a view of the data, a source of randomness and labels from 0."""
