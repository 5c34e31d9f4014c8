"""Clustering of many rows by way of points that stand for them: a sample, and prototypes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..critic._geometry import nearest_rows
from ._deadline import Deadline
from ._partition import Floats
from ._prototypes import condense
from ._result import INTERRUPTED, ScoredClustering, SearchResult

__all__ = ["Found", "SearchPoints", "search_rows"]

# Means of so many rows each, at least half as many as the sample has, are clustered as well.
_ROWS_PER_PROTOTYPE = 20
# A second search that has less than this share of the time of the first hardly gets to a score.
_LEAST_SHARE = 0.25


class Found(NamedTuple):
    """Points that stand for the rows, the clustering of them to take, and all that was found.

    Attributes
    ----------
    points : ndarray of shape (m, p)
    chosen : ScoredClustering
    result : SearchResult
    """

    points: Floats
    chosen: ScoredClustering
    result: SearchResult

    @property
    def is_interrupted(self) -> bool:
        """Whether a KeyboardInterrupt ended the search."""
        return self.result.stopped_by == INTERRUPTED

    def interrupted(self) -> Found:
        """The same, as after a KeyboardInterrupt."""
        return self._replace(result=replace(self.result, stopped_by=INTERRUPTED))


Places = tuple[NDArray[np.int32], NDArray[np.intp]]
SearchPoints = Callable[[Floats, str, Deadline], Found]


def search_rows(
    X: NDArray[Any],
    order: NDArray[np.intp],
    n_points: int,
    search: SearchPoints,
    deadline: Deadline,
    n_jobs: int | None = None,
) -> tuple[Found, NDArray[np.int32], NDArray[np.intp]]:
    """Take the better of what is found for a sample and, of many rows, for prototypes.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Of any numeric type, and possibly memory-mapped.
    order : ndarray of shape (n,)
        Rows of X in random order: the first ones are the sample.
    n_points : int
        Rows of the sample, and at most so many prototypes.
    search : callable
        Takes points (m, p) in float64, what they are, "sample" or "prototypes", and the deadline.
    deadline : Deadline
        Prototypes are left out where it comes too early for them.
    n_jobs : int, optional
        Threads that look for the nearest points.

    Returns
    -------
    found : Found
        The best so far after a KeyboardInterrupt; before there is a score it is raised.
    places : ndarray of shape (n,)
        Place of the nearest of its points to each row.
    own_places : ndarray of shape (m,)
        The same of each of the points: equal ones have that of the first.
    """
    find_places = partial(_find_places, X, n_jobs)
    began = time.monotonic()
    sample = np.asarray(X[np.sort(order[:n_points])], dtype=np.float64)
    # Under a deadline what comes afterwards is done first: nobody knows how long it takes.
    places = find_places(sample) if deadline.is_set else None
    ready = time.monotonic()
    found = search(sample, "sample", deadline)
    n_prototypes = min(n_points, len(X) // _ROWS_PER_PROTOTYPE)
    if 2 * n_prototypes >= n_points and not found.is_interrupted:
        least = (ready - began) + _LEAST_SHARE * (time.monotonic() - ready)
        try:
            prototypes = _prototypes(X, order, n_prototypes, deadline.earlier(least))
            if prototypes is not None:
                their_places = find_places(prototypes) if deadline.is_set else None
                other = search(prototypes, "prototypes", deadline)
                found, places = _better((found, places), (other, their_places))
        except KeyboardInterrupt:
            found = found.interrupted()
    return found, *(places or find_places(found.points))


def _find_places(X: NDArray[Any], n_jobs: int | None, points: Floats) -> Places:
    """The nearest of the points to each row, and to each point."""
    return nearest_rows(points, X, n_jobs).astype(np.int32), nearest_rows(points, points)


def _prototypes(
    X: NDArray[Any], order: NDArray[np.intp], n_wanted: int, deadline: Deadline
) -> Floats | None:
    """Means of rows; None where there are too few different rows for them, or no time."""
    if not deadline.allows():
        return None
    prototypes = condense(X, n_wanted, order, deadline)
    return None if prototypes is None or 2 * len(prototypes) < n_wanted else prototypes


def _better(
    sample: tuple[Found, Places | None], prototypes: tuple[Found, Places | None]
) -> tuple[Found, Places | None]:
    """What is found for prototypes where its score is higher, else what is for the sample."""
    (found, places), (other, _) = sample, prototypes
    # Where k-means has evened out the density, that there is one cluster says nothing.
    if other.chosen.labels.any() and other.chosen.score > found.chosen.score:
        return prototypes
    return (found.interrupted() if other.is_interrupted else found), places
