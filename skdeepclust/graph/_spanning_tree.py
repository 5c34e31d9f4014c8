"""The minimum spanning tree of a data set: where its gaps are, seen from afar.

Neighbour lists end after a dozen rows: two far clusters under one label look whole to each of
their rows. The tree joins everything, and its long edges are the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SpanningTree", "spanning_tree"]

# Rows in the tree at most: it takes time and memory in proportion to their square.
_MAX_ROWS = 2_000
# A row is dense if so many others are near; lengths are at least the distance to the last.
_CORE_NEIGHBORS = 5
# Share of the plain distance in a length: without it many edges were equally long, and the
# order of rows would choose among them.
_TIE_BREAK = 0.01


@dataclass(frozen=True)
class SpanningTree:
    """Edges of a minimum spanning tree over some rows, in the order in which they reach new ones.

    Attributes
    ----------
    starts, ends : Tensor of shape (E,)
        Rows that each edge joins.
    lengths : Tensor of shape (E,)
        Mutual reachability distances in units of their median; float32.
    sides : Tensor of shape (E,)
        Share of the tree's rows on the smaller side of each edge; float32.
    n_rows : int
        Rows in the tree, E + 1.
    """

    starts: Tensor
    ends: Tensor
    lengths: Tensor
    sides: Tensor
    n_rows: int

    def to(self, device: torch.device) -> SpanningTree:
        """The same tree on a device."""
        edges = (self.starts.to(device), self.ends.to(device))
        return SpanningTree(*edges, self.lengths.to(device), self.sides.to(device), self.n_rows)


def spanning_tree(points: Tensor) -> SpanningTree:
    """Minimum spanning tree under mutual reachability distances.

    Parameters
    ----------
    points : Tensor of shape (n, p)
        At least two rows. Of more than 2,000 as many are taken, evenly spaced in the order of
        their distances to the origin, which neither their own order nor a rotation changes.

    Returns
    -------
    SpanningTree

    References
    ----------
    Campello, Moulavi, Sander, "Density-based clustering based on hierarchical density
    estimates", 2013.
    """
    rows = _sample(points)
    lengths = _reachability(points[rows])
    starts, ends, found = _prim(lengths)
    positive = found[found > 0]
    unit = float(np.median(positive)) if len(positive) else 1.0
    sizes = _subtree_sizes(starts, ends) / len(rows)
    sides = torch.from_numpy(np.minimum(sizes, 1 - sizes)[ends]).float()
    edges = (rows[torch.from_numpy(starts)], rows[torch.from_numpy(ends)])
    return SpanningTree(*edges, torch.from_numpy(found / unit).float(), sides, len(rows))


def _sample(points: Tensor) -> Tensor:
    """Rows (s,) of the tree."""
    n = len(points)
    if n <= _MAX_ROWS:
        return torch.arange(n)
    places = torch.linspace(0, n - 1, _MAX_ROWS, dtype=torch.float64).round().long()
    return points.norm(dim=1).argsort()[places]


def _reachability(points: Tensor) -> NDArray[np.float64]:
    """Mutual reachability distances (s, s): no shorter than either row's core distance."""
    distances = torch.cdist(points, points).numpy()
    last = min(_CORE_NEIGHBORS, len(distances) - 1)
    core = np.partition(distances, last, axis=1)[:, last]
    reach = np.maximum(np.maximum(distances, core[:, None]), core)
    return np.asarray(reach + _TIE_BREAK * distances)


def _prim(
    lengths: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Start, end and length of the edges (s - 1,) in the order in which they reach new rows."""
    n = len(lengths)
    starts, ends = np.zeros(n - 1, dtype=np.int64), np.zeros(n - 1, dtype=np.int64)
    found = np.zeros(n - 1)
    reach, parent = lengths[0].copy(), np.zeros(n, dtype=np.int64)
    outside = np.arange(n) > 0
    reach[0] = np.inf
    for i in range(n - 1):
        new = int(reach.argmin())
        starts[i], ends[i], found[i] = parent[new], new, reach[new]
        outside[new], reach[new] = False, np.inf
        closer = np.flatnonzero((lengths[new] < reach) & outside)
        reach[closer], parent[closer] = lengths[new, closer], new
    return starts, ends, found


def _subtree_sizes(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows below each row (s,), itself among them, seen from row 0."""
    sizes = np.ones(len(ends) + 1)
    for start, end in zip(starts[::-1].tolist(), ends[::-1].tolist(), strict=True):
        sizes[start] += sizes[end]
    return sizes
