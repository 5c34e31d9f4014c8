"""Clusters of an embedded set whose classes were not there in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans
from torch import Tensor

from ..spectral import spectral_normalization

__all__ = ["cluster_embedding", "k_means_from_ward"]

# Between full whitening, which raises noise to the level of the clusters, and none. The best of 36
# pairs on held-out background alphabets of Omniglot, where all differ little.
_VECTORS_PER_CLUSTER = 2
_RIDGE = 10.0
# Ward's method takes memory that is quadratic in the rows: 16 MiB for these.
_MAX_WARD_ROWS = 2048
# In a sample with fewer rows for each cluster some clusters would be missing.
_MIN_ROWS_PER_CLUSTER = 5
_N_INIT = 10


def cluster_embedding(
    embedding: Tensor, n_clusters: int, rng: np.random.RandomState
) -> NDArray[np.int64]:
    """Spectral normalisation of the set, then k-means: Algorithm 2 of the paper.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
        The whole set.
    n_clusters : int
    rng : RandomState

    Returns
    -------
    ndarray of shape (n,)
    """
    rank = _VECTORS_PER_CLUSTER * n_clusters
    normalized = spectral_normalization(embedding, rank, _RIDGE)
    if not normalized.shape[1]:  # all rows are equal
        normalized = normalized.new_zeros(len(normalized), 1)
    return k_means_from_ward(normalized.numpy(), n_clusters, rng)


def k_means_from_ward(
    X: NDArray[np.float32], n_clusters: int, rng: np.random.RandomState
) -> NDArray[np.int64]:
    """k-means that starts from the centres of Ward's hierarchical clusters.

    With dozens of clusters random starts keep missing some, however many are tried. Where
    there are too many rows, Ward's method sees a random sample; where there would be too few
    for each cluster, k-means starts at random, ten times.
    """
    seed = int(rng.randint(np.iinfo(np.int32).max))
    sample = X
    if len(X) > _MAX_WARD_ROWS:
        sample = X[rng.permutation(len(X))[:_MAX_WARD_ROWS]]
        if len(sample) < _MIN_ROWS_PER_CLUSTER * n_clusters:
            return _k_means(X, n_clusters, "k-means++", _N_INIT, seed)
    return _k_means(X, n_clusters, _ward_centers(sample, n_clusters), 1, seed)


def _ward_centers(X: NDArray[np.float32], n_clusters: int) -> NDArray[np.float32]:
    """Means of Ward's clusters, (n_clusters, d)."""
    if n_clusters == 1:
        return X.mean(axis=0, keepdims=True)
    labels = AgglomerativeClustering(n_clusters).fit_predict(X)
    return np.stack([X[labels == j].mean(axis=0) for j in range(n_clusters)])


def _k_means(
    X: NDArray[np.float32], n_clusters: int, init: object, n_init: int, seed: int
) -> NDArray[np.int64]:
    found = KMeans(n_clusters, init=init, n_init=n_init, random_state=seed).fit(X)
    return found.labels_.astype(np.int64)
