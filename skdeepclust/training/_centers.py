"""Cluster centres in an embedding."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin_min

from ._distributed import ALONE, OneProcess
from ._inference import EmbeddedRows

__all__ = ["assign", "class_means", "class_sums", "find_centers", "place_centers"]

Floats = NDArray[np.float32]
Embedding = Floats | EmbeddedRows

# Rows of which sums are taken at a time.
_PART_ROWS = 2**17
# Up to this size all rows are clustered where the classes are not the clusters.
_MAX_SAMPLE_BYTES = 2**27


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
    embedding: Embedding,
    wanted: np.ndarray,
    n_classes: int | None = None,
    ranks: OneProcess = ALONE,
    indices: np.ndarray | None = None,
) -> Floats:
    """Weighted mean of the rows of each class over all ranks, (k, d); see `class_sums`.

    Rows are taken in parts. `indices` (n,) are those that `wanted` is about; default: all.
    """
    if n_classes is None:
        n_classes = _n_classes(wanted)
    sums, weights = np.zeros((n_classes, embedding.shape[1])), np.zeros(n_classes)
    for start in range(0, len(wanted), _PART_ROWS):
        part = slice(start, start + _PART_ROWS)
        rows = np.asarray(embedding[part if indices is None else indices[part]])
        for total, added in zip(
            (sums, weights), class_sums(rows, wanted[part], n_classes), strict=True
        ):
            total += added
    sums, weights = (np.asarray(total) for total in ranks.sums(sums, weights))
    return (sums / np.maximum(weights, np.finfo(float).tiny)[:, None]).astype(np.float32)


def place_centers(
    embedding: Embedding,
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
    embedding : ndarray or EmbeddedRows of shape (n, d)
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
    means = class_means(embedding, wanted, n_classes, ranks, own)
    if guessed:
        learned = np.asarray(embedding[own])
        return KMeans(len(means), init=means, n_init=1).fit(learned).cluster_centers_
    if n_clusters in (None, len(means)):
        return means
    return find_centers(_some_rows(embedding, rng), means, int(n_clusters or 0), rng)


def _some_rows(embedding: Embedding, rng: np.random.RandomState) -> Floats:
    """All rows, or of very many a sample."""
    n, d = embedding.shape
    most = _MAX_SAMPLE_BYTES // (4 * d)
    chosen = slice(0, n) if n <= most else np.sort(rng.permutation(n)[:most])
    return np.asarray(embedding[chosen])


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
