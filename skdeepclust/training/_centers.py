"""Cluster centres in an embedding."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin_min

__all__ = ["assign", "class_means", "find_centers"]

Floats = NDArray[np.float32]


def class_means(embedding: Floats, weights: np.ndarray) -> Floats:
    """Weighted mean of the rows of each class.

    Parameters
    ----------
    embedding : ndarray of shape (n, d)
    weights : ndarray of shape (n,) or (n, k)
        Class codes, or non-negative assignments.
    """
    if weights.ndim == 1:
        n_classes = int(weights.max()) + 1
        sums = np.zeros((n_classes, embedding.shape[1]))
        np.add.at(sums, weights, embedding)
        sizes = np.bincount(weights, minlength=n_classes).astype(np.float64)
    else:
        sums = weights.T @ embedding.astype(np.float64)
        sizes = weights.sum(axis=0)
    return (sums / np.maximum(sizes, np.finfo(float).tiny)[:, None]).astype(np.float32)


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
    """Nearest centre of each row and the squared distance to it, both (n,)."""
    products = embedding @ centers.T  # (n, k)
    distances = centers.square().sum(dim=1) - 2 * products
    nearest = distances.min(dim=1)
    squared = (nearest.values + embedding.square().sum(dim=1)).clamp(min=0)
    return nearest.indices, squared
