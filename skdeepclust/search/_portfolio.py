"""Classical clusterings at many numbers of clusters, from which a search starts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from joblib import parallel_backend  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..critic._algorithms import ALGORITHMS
from ..critic._damage import complete_noise
from ..critic._view import DataView
from ._deadline import Deadline
from ._lineage import make_founders
from ._partition import Bounds, Codes, Floats, Partition
from ._prototypes import Prototypes

__all__ = ["portfolio"]

# Above, algorithms see this many rows, and the other rows follow their prototypes.
_MAX_ROWS = 5_000
# Clusterings by each algorithm, of 64 in all: more where K matters and a cut costs little.
_SHARES = {
    "ward": 10,
    "k_means": 8,
    "single_absorbing": 8,
    "spectral": 8,
    "average": 6,
    "mixture_full": 6,
    "hdbscan": 5,
    "single": 4,
    "complete": 3,
    "dbscan": 3,
    "mixture_diagonal": 3,
}
_TOTAL = sum(_SHARES.values())
# They choose the number of clusters themselves, by a density that is drawn.
_DENSITY = ("hdbscan", "dbscan")
# The same tree is cut again and again: another run with the same K says nothing new.
_DETERMINISTIC = ("ward", "average", "complete", "single")
_FEWEST_DISTINCT = 8

_NO_LIMIT = Deadline()
# Of the time that is left, what the algorithms may take; one run may take longer.
_SHARE = 0.5


def portfolio(
    X: Floats,
    prototypes: Prototypes,
    rng: np.random.RandomState,
    bounds: Bounds,
    n_clusterings: int = 64,
    deadline: Deadline = _NO_LIMIT,
) -> list[Partition]:
    """Cluster the rows by the usual algorithms, each at several numbers of clusters.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    prototypes : Prototypes
    rng : RandomState
    bounds : Bounds
        At most as many clusters as there are prototypes.
    n_clusterings : int, default=64
        About how many are tried. Fewer are returned, as some turn out equal.
    deadline : Deadline, optional
        When half of the time until then is over, no further algorithm runs: the rest is left
        for scoring.

    Returns
    -------
    list of Partition
        Different ones, each its own founder, without noise (it joins the nearest cluster) and
        within the bounds (clusters are merged or split where there are too many or too few).
        Everything in one cluster is the first, where the bounds admit it.
    """
    # So little is to do at a time that threads, and workers of a backend of joblib that a user
    # chose for larger work, would mostly wait for one another.
    with threadpool_limits(limits=1), parallel_backend("sequential"):
        labelings = _labelings(X, prototypes, rng, bounds, n_clusterings)
        return make_founders(prototypes, rng, deadline.share(_SHARE).limit(labelings), bounds)


def _labelings(
    X: Floats, prototypes: Prototypes, rng: np.random.RandomState, bounds: Bounds, size: int
) -> Iterator[Codes]:
    """Labels (n,) of all rows, one clustering after the other."""
    if len(X) <= _MAX_ROWS:
        yield from _clusterings(DataView(X, rng, n_costly=_MAX_ROWS), rng, bounds, size)
        return
    rows = np.sort(rng.permutation(len(X))[:_MAX_ROWS])
    view = DataView(X[rows], rng, n_costly=_MAX_ROWS)
    for labels in _clusterings(view, rng, bounds, size):
        yield prototypes.expand(prototypes.project(labels, rows)[None])[0]


def _clusterings(
    view: DataView, rng: np.random.RandomState, bounds: Bounds, size: int
) -> Iterator[Codes]:
    """One cluster, then what every algorithm makes; labels (m,) of the view's rows."""
    if bounds.min_clusters == 1:
        yield np.zeros(len(view), dtype=np.int64)
    if bounds.max_clusters == 1:
        return
    if view.n_distinct < _FEWEST_DISTINCT:
        yield from _clusterings_of_few(view, bounds)
        return
    largest = max(2, min(bounds.max_clusters, view.n_distinct // 2, len(view.few) // 2))
    fewest = min(max(2, bounds.min_clusters), largest)
    for name, share in _SHARES.items():
        wanted = max(1, round(share * size / _TOTAL))
        for k in _numbers_of_clusters(rng, fewest, largest, wanted, name):
            yield complete_noise(view, ALGORITHMS[name](view, rng, k))


def _clusterings_of_few(view: DataView, bounds: Bounds) -> Iterator[Codes]:
    """Cuts of a tree: other algorithms have conditions that a handful of rows does not meet."""
    unused = np.random.RandomState(0)
    for name in ("ward", "single"):
        for k in range(2, min(bounds.max_clusters, view.n_distinct) + 1):
            yield ALGORITHMS[name](view, unused, k)


def _numbers_of_clusters(
    rng: np.random.RandomState, fewest: int, largest: int, wanted: int, name: str
) -> list[int]:
    """Half of them the smallest numbers, half spread evenly on the scale of ratios."""
    if name in _DENSITY:
        return [fewest] * wanted
    low = np.arange(fewest, min(largest, fewest + (wanted + 1) // 2 - 1) + 1)
    beyond = wanted - len(low)
    places = (np.arange(beyond) + rng.uniform(size=beyond)) / max(1, beyond)
    high = (low[-1] + 1) * ((largest + 1) / (low[-1] + 1)) ** places
    numbers = [*low, *np.minimum(high.astype(int), largest)]
    if name in _DETERMINISTIC:
        return [int(k) for k in np.unique(numbers)]
    return [int(k) for k in numbers]
