"""Micro-clusters: the few places that stand for the rows while partitions are searched."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from joblib import parallel_backend  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..graph import computed_once
from ._deadline import Deadline
from ._partition import Codes, Floats

__all__ = ["Prototypes", "condense", "default_n_prototypes", "make_prototypes"]

_FEWEST, _MOST = 200, 800
# K-means sees this many rows per prototype; the others go to the nearest prototype.
_ROWS_PER_PROTOTYPE = 30
# Mini-batch k-means sees this many rows per centre, so many rows at a time.
_SEEN_PER_CENTER, _BATCH_ROWS = 200, 8_192
# Links are counted among this many rows.
_MAX_LINKED_ROWS = 10_000
_N_NEIGHBORS = 10
_N_NEAREST_CENTERS = 3
# A tenth of a row's links: joins what no row links, and gives way where any does.
_WEAK_LINK = 0.1

_NO_LIMIT = Deadline()


@dataclass(frozen=True)
class Prototypes:
    """Micro-clusters of n rows and the neighbour graph among them.

    The graph is undirected and connected; every edge is there in both directions, sorted by
    its source.

    Attributes
    ----------
    codes : ndarray of shape (n,)
        Prototype of each row; every prototype has rows.
    centers : ndarray of shape (q, p)
        Mean of the rows of each prototype.
    counts : ndarray of shape (q,)
        Rows of each prototype.
    sources, targets : ndarray of shape (E,)
        Ends of the edges.
    links : ndarray of shape (E,)
        Rows of one end that are neighbours of rows of the other, a weak link at least.
    lengths : ndarray of shape (E,)
        Distances between the centers, above 0.
    """

    codes: Codes
    centers: Floats
    counts: Codes
    sources: Codes
    targets: Codes
    links: Floats
    lengths: Floats

    def __len__(self) -> int:
        return len(self.centers)

    def expand(self, partitions: Codes) -> Codes:
        """Labels (m, n) of the rows from those of the prototypes, (m, q)."""
        return partitions[:, self.codes]

    def project(self, labels: Codes, rows: NDArray[np.intp] | None = None) -> Codes:
        """Most frequent label in each prototype.

        Parameters
        ----------
        labels : ndarray of shape (n,)
            Labels from 0.
        rows : ndarray of shape (n,), optional
            The rows that the labels belong to. Default: all.

        Returns
        -------
        ndarray of shape (q,)
            The lowest of equally frequent labels. Prototypes without any of the rows take
            the label of the nearest one along the graph.
        """
        codes = self.codes if rows is None else self.codes[rows]
        k = int(labels.max()) + 1
        votes = np.bincount(codes * k + labels, minlength=len(self) * k).reshape(-1, k)
        return self.follow(np.where(votes.any(axis=1), votes.argmax(axis=1), -1))

    def follow(self, labels: Codes) -> Codes:
        """Give prototypes with -1 the label of the nearest other one along the graph.

        Parameters
        ----------
        labels : ndarray of shape (q,)
            Not all of them -1.

        Returns
        -------
        ndarray of shape (q,)
        """
        known = np.flatnonzero(labels >= 0)
        if len(known) == len(labels):
            return labels
        nearest = dijkstra(self.graph, indices=known, min_only=True, return_predecessors=True)[2]
        return np.asarray(labels[nearest], dtype=np.int64)

    @computed_once
    def graph(self) -> sp.csr_array:
        """The lengths of the edges, (q, q)."""
        q = len(self)
        starts = np.searchsorted(self.sources, np.arange(q + 1))
        index = (self.targets.astype(np.int32), starts.astype(np.int32))
        return sp.csr_array((self.lengths, *index), shape=(q, q))


def default_n_prototypes(n: int) -> int:
    """Every row up to 200, then 200 or four times the root of n, at most 800."""
    return min(n, max(_FEWEST, min(_MOST, int(4 * n**0.5))))


def make_prototypes(
    X: Floats, rng: np.random.RandomState, n_prototypes: int | None = None
) -> Prototypes:
    """Micro-clusters of the rows by k-means, or the different rows where they are few.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    rng : RandomState
    n_prototypes : int, optional
        At most this many. Default: all rows up to 200, then 200 or 4 sqrt(n), at most 800.

    Returns
    -------
    Prototypes

    Notes
    -----
    O(n q p) operations. Edges join prototypes that rows link (one has the other among its ten
    nearest rows; counted among 10,000 rows), the three nearest centers of each, and the
    minimum spanning tree of the centers, so that the graph is connected.
    """
    wanted = min(len(X), n_prototypes or default_n_prototypes(len(X)))
    if len(X) <= wanted:
        codes = np.unique(X, axis=0, return_inverse=True)[1].reshape(-1)
    else:
        codes = _k_means_codes(X, rng, wanted)
    codes = np.asarray(np.unique(codes, return_inverse=True)[1].reshape(-1), dtype=np.int64)
    counts = np.bincount(codes)
    centers = _means(X, codes, counts)
    some = np.sort(rng.permutation(len(X))[:_MAX_LINKED_ROWS])
    return Prototypes(codes, centers, counts, *_edges(centers, X[some], codes[some]))


def _k_means_codes(X: Floats, rng: np.random.RandomState, q: int) -> Codes:
    seen = rng.permutation(len(X))[: _ROWS_PER_PROTOTYPE * q]
    # Random rows as starts follow the density, at none of the cost of k-means++.
    model = KMeans(q, init="random", n_init=1, max_iter=10, random_state=rng.randint(2**31 - 1))
    with warnings.catch_warnings():
        # Duplicated rows leave fewer prototypes than wanted.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Three threads or more would add up in an order of their own each time.
        with threadpool_limits(limits=1):
            model.fit(X[seen])
    return np.asarray(model.predict(X))


def condense(
    X: NDArray[Any],
    n_centers: int,
    order: NDArray[np.intp],
    deadline: Deadline = _NO_LIMIT,
) -> Floats | None:
    """Means of the rows around each of some rows, by mini-batch k-means.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Of any numeric type, and possibly memory-mapped: only batches of it are copied.
    n_centers : int
        Number q of rows to start from.
    order : ndarray of shape (m,)
        Rows of X in random order: the first q are those to start from, of the first 200 q the
        means are taken.
    deadline : Deadline, optional

    Returns
    -------
    ndarray of shape (r, p) or None
        At most as many as there are different rows to start from; to each some row that was
        seen is the nearest. None where the pace shows that they would come too late.

    Notes
    -----
    Noise averages out in means: in many dimensions clusters that overlap row by row lie apart.
    What is lost is density, which k-means evens out. O(q² p) operations, whatever n is.
    """
    start = np.asarray(X[np.sort(order[:n_centers])], dtype=np.float64)
    middle = start.mean(axis=0)
    unit = float(np.abs(start - middle).max()) or 1.0  # squares neither overflow nor vanish
    first = np.unique((start - middle) / unit, axis=0)
    # No center is drawn anew: the generator has nothing to do.
    model = MiniBatchKMeans(
        len(first),
        init=first,
        n_init=1,
        reassignment_ratio=0.0,
        compute_labels=False,
        random_state=0,
    )
    seen = order[: _SEEN_PER_CENTER * n_centers]
    ends = range(0, len(seen), max(n_centers, _BATCH_ROWS))
    batches = [np.sort(rows) for rows in np.array_split(seen, ends[1:])]

    def scaled(rows: NDArray[np.intp]) -> Floats:
        return np.asarray((np.asarray(X[rows], dtype=np.float64) - middle) / unit)

    began = time.monotonic()
    for i, rows in enumerate(batches, start=1):
        model.partial_fit(scaled(rows))
        # To count the rows of each mean takes as long again.
        if not deadline.allows((2 * len(batches) - i) * (time.monotonic() - began) / i):
            return None
    counts = sum(np.bincount(model.predict(scaled(r)), minlength=len(first)) for r in batches)
    return np.asarray(model.cluster_centers_[counts > 0] * unit + middle)


def _means(X: Floats, codes: Codes, counts: Codes) -> Floats:
    """Mean of the rows of each prototype, (q, p)."""
    n = len(X)
    members = sp.csr_array((np.ones(n), (codes, np.arange(n))), shape=(len(counts), n))
    return np.asarray((members @ X) / counts[:, None])


def _edges(centers: Floats, rows: Floats, codes: Codes) -> tuple[Codes, Codes, Floats, Floats]:
    """Sources, targets, links and lengths of the neighbour graph."""
    q = len(centers)
    distances = np.maximum(cdist(centers, centers), np.finfo(float).tiny)
    linked = _row_links(rows, codes, q)
    weak = _WEAK_LINK * (_nearest_centers(distances) + _spanning_tree(distances))
    graph = sp.coo_array(linked.maximum(linked.T) + weak.maximum(weak.T))
    sources, targets = (ends.astype(np.int64) for ends in graph.coords)
    kept = sources != targets
    order = np.lexsort((targets[kept], sources[kept]))
    sources, targets, links = (part[kept][order] for part in (sources, targets, graph.data))
    return sources, targets, links, distances[sources, targets]


def _row_links(rows: Floats, codes: Codes, q: int) -> sp.csr_array:
    """How often a row of one prototype has a row of another among its neighbours, (q, q)."""
    n_neighbors = min(_N_NEIGHBORS, len(rows) - 1)
    if n_neighbors < 1:
        return sp.csr_array((q, q))
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(rows)
    with parallel_backend("sequential"):
        neighbors = codes[search.kneighbors(return_distance=False)]  # (n, k)
    ends = (np.repeat(codes, n_neighbors), neighbors.ravel())
    return sp.csr_array(sp.coo_array((np.ones(len(ends[0])), ends), shape=(q, q)))


def _nearest_centers(distances: Floats) -> sp.csr_array:
    """1 from each prototype to its nearest others, (q, q)."""
    q = len(distances)
    k = min(_N_NEAREST_CENTERS, q - 1)
    nearest = np.argsort(distances + np.diag(np.full(q, np.inf)), axis=1, kind="stable")[:, :k]
    ends = (np.repeat(np.arange(q), k), nearest.ravel())
    return sp.csr_array(sp.coo_array((np.ones(q * k), ends), shape=(q, q)))


def _spanning_tree(distances: Floats) -> sp.csr_array:
    """1 for the edges of the minimum spanning tree, each in one direction, (q, q)."""
    tree = sp.csr_array(minimum_spanning_tree(distances))
    tree.data = np.ones_like(tree.data)
    return tree
