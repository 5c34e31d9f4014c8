"""Nearest neighbours of a data set, and the nearest of a few rows to each of many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from joblib import parallel_backend  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.parallel import Parallel, delayed

from ..graph import PointGraph, point_graph

__all__ = ["N_NEIGHBORS", "map_blocks", "measure_points", "nearest_distances", "nearest_rows"]

N_NEIGHBORS = 12

# Rows read at a time, as float64.
_BLOCK_BYTES = 2**24
# Distances kept at a time where they are computed from differences.
_MAX_DISTANCES = 2**21
# So many units away all rows are equally near; squares do not overflow.
_FARTHEST = 1e100

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


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
    centered = centered / _unit(centered)
    centered = centered - centered.mean(axis=0)
    searcher = NearestNeighbors(n_neighbors=min(n_neighbors, len(centered) - 1)).fit(centered)
    with parallel_backend("sequential"):  # whatever was chosen for larger work
        neighbors = searcher.kneighbors(return_distance=False)
    return point_graph(torch.from_numpy(centered), torch.from_numpy(neighbors.astype(np.int64)))


def map_blocks(
    function: Callable[[Floats], NDArray[Any]], X: NDArray[Any], n_jobs: int | None = None
) -> NDArray[Any]:
    """Results of a row-wise function of blocks of rows, one after the other.

    Parameters
    ----------
    function : callable
        Takes rows (b, p) in float64, and returns an array with as many.
    X : ndarray of shape (n, p)
        Of any numeric type, and possibly memory-mapped; of more than 16 MiB there is no copy.
    n_jobs : int, optional
        Threads that take blocks.

    Returns
    -------
    ndarray of shape (n, ...)
    """
    n_rows = max(1, _BLOCK_BYTES // (8 * X.shape[1]))
    blocks = (X[start : start + n_rows] for start in range(0, len(X), n_rows))
    work = (delayed(_of_block)(function, block) for block in blocks)
    return np.concatenate(Parallel(n_jobs=n_jobs, prefer="threads")(work))


def _of_block(function: Callable[[Floats], NDArray[Any]], block: NDArray[Any]) -> NDArray[Any]:
    return function(np.ascontiguousarray(block, dtype=np.float64))


def nearest_rows(rows: Floats, X: NDArray[Any], n_jobs: int | None = None) -> Places:
    """Place of the row that is the nearest to each row of X.

    Parameters
    ----------
    rows : ndarray of shape (m, p)
    X : ndarray of shape (n, p)
        See `map_blocks`.
    n_jobs : int, optional
        Threads. The result depends neither on it nor on the other rows of X.

    Returns
    -------
    ndarray of shape (n,)
        The first of equally near ones.

    Notes
    -----
    O(n m p) operations, most of them in matrix products. Where the rounding of these could
    decide, distances are computed from differences.
    """
    return map_blocks(partial(_nearest_in_block, rows), X, n_jobs)


def nearest_distances(groups: list[Floats], X: NDArray[Any], n_jobs: int | None = None) -> Floats:
    """Distance of each row of X to the nearest row of each of k groups, (n, k).

    Parameters
    ----------
    groups : list of ndarray of shape (m_i, p)
    X : ndarray of shape (n, p)
        See `map_blocks`.
    n_jobs : int, optional
        Threads.
    """
    return map_blocks(partial(_distances_of_block, groups), X, n_jobs)


def _distances_of_block(groups: list[Floats], block: Floats) -> Floats:
    distances, own = np.empty((len(block), len(groups))), _units(block)
    for column, rows in enumerate(groups):
        unit = np.maximum(own, _unit(rows))[:, None]
        nearest = rows[_nearest_in_block(rows, block)]
        lengths = np.linalg.norm(block / unit - nearest / unit, axis=1)
        distances[:, column] = unit[:, 0] * lengths
    return distances


def _nearest_in_block(rows: Floats, block: Floats) -> Places:
    if len(rows) == 1:
        return np.zeros(len(block), dtype=np.intp)
    origin = rows[0]  # an offset common to all rows would swamp their differences
    with np.errstate(over="ignore"):
        rows, block = rows - origin, block - origin
        unit = _unit(rows)
        rows, block = rows / unit, np.clip(block / unit, -_FARTHEST, _FARTHEST)
    center = rows.mean(axis=0)
    found, is_certain = _nearest_by_products(rows - center, block - center)
    doubtful = np.flatnonzero(~is_certain)
    n_at_once = max(1, _MAX_DISTANCES // len(rows))
    for start in range(0, len(doubtful), n_at_once):
        some = doubtful[start : start + n_at_once]
        found[some] = cdist(block[some], rows, "sqeuclidean").argmin(axis=1)
    return found


def _nearest_by_products(rows: Floats, block: Floats) -> tuple[Places, NDArray[np.bool_]]:
    """Nearest rows by |x|² - 2 x·y + |y|², and where no rounding can have changed them."""
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(rows)
    distances, places = search.kneighbors(block)
    reach = np.linalg.norm(block, axis=1) + np.linalg.norm(rows, axis=1).max()
    # Of each of two squares: a unit for every product, and some for sums, root and centring.
    rounding = 2 * (block.shape[1] + 8) * np.finfo(np.float64).eps * reach**2
    return places[:, 0], distances[:, 1] ** 2 - distances[:, 0] ** 2 > rounding


def _unit(rows: Floats) -> float:
    """A power of two near the largest coordinate: dividing by it rounds nothing."""
    return float(_units(rows).max())


def _units(rows: Floats) -> Floats:
    """The same of each row, (m,); that of a row of zeros is the smallest."""
    largest = np.abs(rows).max(axis=1)
    return np.ldexp(1.0, np.frexp(np.maximum(largest, np.finfo(np.float64).tiny))[1] - 1)
