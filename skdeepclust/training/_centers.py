"""Cluster centres in an embedding."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin_min

from ._distributed import ALONE, OneProcess

__all__ = ["assign", "class_means", "class_sums", "find_centers", "place_centers"]

Floats = NDArray[np.float32]


def class_sums(
    embedding: Floats, wanted: np.ndarray, n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted sum of the rows of each class and its total weight.

    Parameters
    ----------
    embedding : ndarray of shape (n, d)
    wanted : ndarray of shape (n,) or (n, n_classes)
        Class codes, or non-negative assignments.
    n_classes : int

    Returns
    -------
    sums : ndarray of shape (n_classes, d)
    weights : ndarray of shape (n_classes,)
    """
    if wanted.ndim == 2:
        return wanted.T @ embedding.astype(np.float64), wanted.sum(axis=0)
    sums = np.zeros((n_classes, embedding.shape[1]))
    np.add.at(sums, wanted, embedding)
    return sums, np.bincount(wanted, minlength=n_classes).astype(np.float64)


def class_means(
    embedding: Floats, wanted: np.ndarray, n_classes: int | None = None, ranks: OneProcess = ALONE
) -> Floats:
    """Weighted mean of the rows of each class over all ranks, (k, d); see `class_sums`."""
    if n_classes is None:
        n_classes = _n_classes(wanted)
    own = class_sums(embedding, wanted, n_classes)
    sums, weights = (np.asarray(total) for total in ranks.sums(*own))
    return (sums / np.maximum(weights, np.finfo(float).tiny)[:, None]).astype(np.float32)


def place_centers(
    embedding: Floats,
    wanted: np.ndarray,
    indices: np.ndarray,
    n_clusters: int | None,
    rng: np.random.RandomState,
    guessed: bool,
    ranks: OneProcess = ALONE,
) -> Floats:
    """Cluster centres after training.

    Parameters
    ----------
    embedding : ndarray of shape (n, d)
        All training rows of this rank.
    wanted : ndarray of shape (m,) or (m, k)
        Codes or assignments that were learned, of the rows at `indices`.
    indices : ndarray of shape (m,)
    n_clusters : int or None
        None: as many as classes.
    rng : RandomState
    guessed : bool
        Whether the codes came from the data alone; then k-means has the last word.
    ranks : OneProcess
        In a group there have to be as many clusters as classes.
    """
    n_classes = _n_classes(wanted)
    own, wanted = ranks.share(indices, wanted)
    learned = embedding[own]
    means = class_means(learned, wanted, n_classes, ranks)
    if guessed:
        return KMeans(len(means), init=means, n_init=1).fit(learned).cluster_centers_
    if n_clusters in (None, len(means)):
        return means
    return find_centers(embedding, means, int(n_clusters or 0), rng)


def _n_classes(wanted: np.ndarray) -> int:
    return int(wanted.max()) + 1 if wanted.ndim == 1 else int(wanted.shape[1])


def find_centers(
    embedding: Floats, means: Floats, n_clusters: int, rng: np.random.RandomState
) -> Floats:
    """Centres of `n_clusters` clusters, where the classes are not the clusters.

    With more clusters than classes the first ones grow from the class means and the others
    from rows far away from them; with fewer, classes are merged by k-means.
    """
    n_new = n_clusters - len(means)
    if n_new <= 0:
        seed = int(rng.randint(np.iinfo(np.int32).max))
        return KMeans(n_clusters, n_init=10, random_state=seed).fit(embedding).cluster_centers_
    candidates, _ = kmeans_plusplus(
        embedding, min(2 * n_clusters, len(embedding)), random_state=rng
    )
    _, distances = pairwise_distances_argmin_min(candidates, means)
    start = np.concatenate([means, candidates[np.argsort(-distances, kind="stable")[:n_new]]])
    return KMeans(n_clusters, init=start, n_init=1).fit(embedding).cluster_centers_


def assign(embedding: torch.Tensor, centers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Nearest centre of each row and the squared distance to it, both (n,).

    A centre of NaN stands for a class of which no row is known: it is nearest to none.
    """
    distances = centers.square().sum(dim=1) - 2 * (embedding @ centers.T)  # (n, k)
    distances = distances.masked_fill(distances.isnan(), torch.inf)
    nearest = distances.min(dim=1)
    squared = (nearest.values + embedding.square().sum(dim=1)).clamp(min=0)
    return nearest.indices, squared
