"""Pseudo-labels: a clustering of the data to learn from where labels are missing.

Without labels: k-means, made independent of the shape of the clusters by alternating with
within-class whitening, then carried along the neighbour graph, which follows unequal
spreads and curved clusters. With some labels: these are carried along the same
graph, to rows between classes in parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from ._rows import Rows

__all__ = [
    "cluster_codes",
    "complete_targets",
    "diffuse",
    "neighbor_graph",
    "normalized_cut",
    "propagate",
    "spread_codes",
]

_MAX_FEATURES = 50
_N_NEIGHBORS = 10
# A row far from dense neighbours keeps a weak connection to them instead of none.
_MAX_EXPONENT = 50.0
# The neighbour graph holds at most this many unlabelled and as many labelled rows.
_MAX_ROWS = 20_000
_N_DISCRIMINANT_ROUNDS = 10
_N_PROPAGATIONS = 3
# Propagation gives clusters equal weight, so that a tiny one can swallow a part of a large
# one. It then cuts the graph more than the clusters before, and these are taken.
_MAX_CUT_GROWTH = 1.1
# How much of a label comes from the neighbours: nearly all where the labels are guesses,
# less where they are known.
_GUESSED_DIFFUSION = 0.99
_KNOWN_DIFFUSION = 0.9

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def complete_targets(
    rows: Rows, codes: Codes, n_clusters: int, rng: np.random.RandomState, soft: bool = True
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Rows to learn from and what is wanted of them, guessed where `codes` has -1.

    Parameters
    ----------
    rows : Rows
        n rows.
    codes : ndarray of shape (n,)
        Class codes, -1 for unlabelled rows; possibly all of them.
    n_clusters : int
        Number of classes, or without any labels the number of clusters to find.
    rng : RandomState
    soft : bool, default=True
        Whether rows between classes belong to each of them in part.

    Returns
    -------
    indices : ndarray of shape (m,)
        All labelled rows, and up to 20,000 of the others.
    targets : ndarray of shape (m,) or (m, n_clusters)
        Codes, or where some labels are known and `soft` is true, assignments that sum to 1.
        Without any labels unused codes are closed up.
    """
    labelled, missing = np.flatnonzero(codes >= 0), np.flatnonzero(codes < 0)
    if not len(missing):
        return labelled, codes
    guessed = np.sort(rng.permutation(missing)[:_MAX_ROWS])
    if not len(labelled):
        found = cluster_codes(rows.flat(guessed), n_clusters, rng)
        return guessed, np.unique(found, return_inverse=True)[1]
    anchors = rng.permutation(labelled)[:_MAX_ROWS]
    seeds = np.concatenate([codes[anchors], np.full(len(guessed), -1)])
    flat = rows.flat(np.concatenate([anchors, guessed]))
    spread = spread_codes(flat, seeds, n_clusters, rng)[len(anchors) :]  # (guessed, k)
    reached = spread.any(axis=1)
    targets = np.concatenate([np.eye(n_clusters)[codes[labelled]], spread[reached]])
    indices = np.concatenate([labelled, guessed[reached]])
    return indices, targets if soft else targets.argmax(axis=1)


def cluster_codes(X: Floats, n_clusters: int, rng: np.random.RandomState) -> Codes:
    """Cluster rows without any labels.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    n_clusters : int
    rng : RandomState

    Returns
    -------
    ndarray of shape (n,)
        Codes in ``[0, n_clusters)``; some may be unused.

    References
    ----------
    Ding, Li, "Adaptive dimension reduction using discriminant analysis and k-means
    clustering", ICML 2007 (the alternation).
    Zhou et al., "Learning with local and global consistency", NIPS 2003 (the propagation).
    Shi, Malik, "Normalized cuts and image segmentation", PAMI 2000 (what limits it).
    """
    X = _reduce(X, rng)
    seed = int(rng.randint(np.iinfo(np.int32).max))
    codes = KMeans(n_clusters, n_init=10, random_state=seed).fit(X).labels_.astype(np.int64)
    codes, whitened = _discriminant_kmeans(X, codes, n_clusters)
    graph = neighbor_graph(whitened)
    carried = codes
    for _ in range(_N_PROPAGATIONS):
        carried = propagate(graph, carried, n_clusters, _GUESSED_DIFFUSION)
    before = normalized_cut(graph, codes, n_clusters)
    after = normalized_cut(graph, carried, n_clusters)
    return carried if after <= _MAX_CUT_GROWTH * before else codes


def spread_codes(X: Floats, codes: Codes, n_classes: int, rng: np.random.RandomState) -> Floats:
    """Assign unlabelled rows to the classes that reach them through the neighbour graph.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    codes : ndarray of shape (n,)
        Class codes; -1 for unlabelled rows.
    n_classes : int
    rng : RandomState

    Returns
    -------
    ndarray of shape (n, n_classes)
        Assignments that sum to 1: one-hot for given codes, 0 where no label arrives.
    """
    belief = diffuse(neighbor_graph(_reduce(X, rng)), codes, n_classes, _KNOWN_DIFFUSION)
    total = belief.sum(axis=1, keepdims=True)
    spread = belief / np.where(total > 0, total, 1.0)
    known = codes >= 0
    spread[known] = np.eye(n_classes)[codes[known]]
    return spread


def neighbor_graph(X: Floats, n_neighbors: int = _N_NEIGHBORS) -> sp.csr_array:
    """Symmetrically normalised graph of the nearest neighbours, with locally scaled weights.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    n_neighbors : int

    Returns
    -------
    csr_array of shape (n, n)
        About ``n_neighbors`` to twice as many entries a row; spectral radius 1.
    """
    n = len(X)
    n_neighbors = min(n_neighbors, n - 1)
    distances, neighbors = NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors()
    radius = distances[:, -1]
    scale = np.maximum(radius[:, None] * radius[neighbors], np.finfo(float).tiny)
    squares = np.minimum(np.square(distances), _MAX_EXPONENT * scale)
    weights = np.exp(-squares / scale)  # (n, n_neighbors)
    indptr = np.arange(0, n * n_neighbors + 1, n_neighbors)
    graph = sp.csr_array((weights.ravel(), neighbors.ravel(), indptr), shape=(n, n))
    graph = graph.maximum(graph.T).tocsr()
    inverse_root = 1.0 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    return sp.csr_array(sp.diags_array(inverse_root) @ graph @ sp.diags_array(inverse_root))


def propagate(graph: sp.csr_array, codes: Codes, n_classes: int, diffusion: float) -> Codes:
    """Most reached class of each row, (n,); -1 where nothing arrived. See `diffuse`."""
    belief = diffuse(graph, codes, n_classes, diffusion)
    return np.where(belief.max(axis=1) > 0, belief.argmax(axis=1), -1).astype(np.int64)


def diffuse(
    graph: sp.csr_array, codes: Codes, n_classes: int, diffusion: float, n_steps: int = 30
) -> Floats:
    """How much of each class arrives at each row from the rows whose code is known.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        From `neighbor_graph`.
    codes : ndarray of shape (n,)
        Class codes; -1 for none. Every class sends out the same amount.
    n_classes : int
    diffusion : float in (0, 1)
        Share of a row's belief that comes from its neighbours.
    n_steps : int, default=30

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    known = np.flatnonzero(codes >= 0)
    sizes = np.bincount(codes[known], minlength=n_classes)
    seeds = np.zeros((len(codes), n_classes))
    seeds[known, codes[known]] = 1.0 / sizes[codes[known]]
    belief = seeds
    for _ in range(n_steps):
        belief = diffusion * (graph @ belief) + (1 - diffusion) * seeds
    return belief


def normalized_cut(graph: sp.csr_array, codes: Codes, n_clusters: int) -> float:
    """Sum over the clusters of the share of their edge weight that leaves them.

    Parameters
    ----------
    graph : csr_array of shape (n, n)
        Symmetric weights.
    codes : ndarray of shape (n,)
        Codes in ``[0, n_clusters)``.
    n_clusters : int

    Returns
    -------
    float
        From 0 to `n_clusters`; an unused code counts 1.
    """
    edges = graph.tocoo()
    sources, targets = codes[edges.row], codes[edges.col]
    inside = sources == targets
    volume = np.bincount(sources, weights=edges.data, minlength=n_clusters)
    kept = np.bincount(sources[inside], weights=edges.data[inside], minlength=n_clusters)
    return float(n_clusters - (kept / np.maximum(volume, np.finfo(float).tiny)).sum())


def _reduce(X: Floats, rng: np.random.RandomState) -> Floats:
    """Leading principal components, which keep the distances and save the time."""
    if X.shape[1] <= _MAX_FEATURES:
        return X
    seed = int(rng.randint(np.iinfo(np.int32).max))
    pca = PCA(min(_MAX_FEATURES, len(X)), svd_solver="randomized", random_state=seed)
    with np.errstate(invalid="ignore"):  # shares of the variance, which may be 0
        return np.asarray(pca.fit_transform(X), dtype=np.float64)


def _discriminant_kmeans(X: Floats, codes: Codes, n_clusters: int) -> tuple[Codes, Floats]:
    """K-means in the metric in which its own clusters are round, until it is at rest."""
    whitened = X
    for _ in range(_N_DISCRIMINANT_ROUNDS):
        whitened, means = _within_class_whitening(X, codes, n_clusters)
        found = KMeans(n_clusters, init=means, n_init=1).fit(whitened).labels_.astype(np.int64)
        if np.array_equal(found, codes):
            break
        codes = found
    return codes, whitened


def _within_class_whitening(X: Floats, codes: Codes, n_clusters: int) -> tuple[Floats, Floats]:
    """Rows and class means where the (shrunk) within-class covariance is the identity."""
    sizes = np.bincount(codes, minlength=n_clusters)
    members = sp.csr_array(
        (np.ones(len(X)), (codes, np.arange(len(X)))), shape=(n_clusters, len(X))
    )
    means = members @ X / np.maximum(sizes, 1)[:, None]  # (k, p)
    covariance, _ = ledoit_wolf(X - means[codes], assume_centered=True)
    level = np.trace(covariance) / len(covariance) or 1.0
    values, vectors = np.linalg.eigh(covariance + 1e-6 * level * np.eye(len(covariance)))
    whitener = vectors / np.sqrt(values)
    return X @ whitener, means @ whitener
