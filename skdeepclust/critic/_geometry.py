"""Nearest neighbours of a data set, found by scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ..graph import PointGraph, point_graph

__all__ = ["N_NEIGHBORS", "measure_points"]

N_NEIGHBORS = 12


def measure_points(X: NDArray[np.floating], n_neighbors: int = N_NEIGHBORS) -> PointGraph:
    """Positions and neighbours of the rows on the scale of the data.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        At least two rows, not all equal.
    n_neighbors : int, default=12
        All other rows where there are fewer.
    """
    # Distances between far-off rows lose their digits in float32, and to the offset.
    centered = np.asarray(X, dtype=np.float64)
    centered = centered - centered.mean(axis=0)
    searcher = NearestNeighbors(n_neighbors=min(n_neighbors, len(centered) - 1)).fit(centered)
    neighbors = searcher.kneighbors(return_distance=False)
    return point_graph(torch.from_numpy(centered), torch.from_numpy(neighbors.astype(np.int64)))
