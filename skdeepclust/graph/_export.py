"""The clustering as a networkx graph, for looking at and for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    import networkx

__all__ = ["clustering_graph"]

_MAX_EDGES = 1_000_000
# Coordinates of edges' ends that are held at a time.
_BLOCK_CELLS = 2**22


def clustering_graph(
    points: Tensor,
    neighbors: Tensor,
    labels: Tensor,
    kind: Literal["knn", "complete"] = "knn",
) -> networkx.Graph:
    """Join the rows of each cluster by edges.

    Parameters
    ----------
    points : Tensor of shape (n, p)
    neighbors : Tensor of shape (n, k)
        Nearest other rows of each row; not used by ``kind="complete"``.
    labels : Tensor of shape (n,)
        Cluster of each row; negative for noise, which has no edges.
    kind : {"knn", "complete"}, default="knn"
        Edges between rows of a cluster of which one is a neighbour of the other, or between
        all rows of a cluster.

    Returns
    -------
    networkx.Graph
        Nodes 0 ... n - 1 with `pos` (the row, a tuple) and `cluster` (its label); edges with
        `distance` (Euclidean, in the units of the points).

    Raises
    ------
    ValueError
        If `kind` is unknown, or the complete graph would have more than a million edges.

    Examples
    --------
    >>> import torch
    >>> from skdeepclust.graph import clustering_graph
    >>> points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]])
    >>> graph = clustering_graph(points, torch.tensor([[1], [0], [1]]), torch.tensor([5, 5, 7]))
    >>> graph.nodes[1]
    {'pos': (3.0, 4.0), 'cluster': 5}
    >>> list(graph.edges(data="distance"))
    [(0, 1, 5.0)]
    """
    import networkx

    pairs = _edges(neighbors, labels, kind)
    graph = networkx.Graph()
    graph.add_nodes_from(
        (row, {"pos": tuple(point), "cluster": label})
        for row, (point, label) in enumerate(zip(points.tolist(), labels.tolist(), strict=True))
    )
    lengths = _lengths(points.double(), pairs).tolist()
    graph.add_edges_from(
        (first, second, {"distance": length})
        for (first, second), length in zip(pairs.tolist(), lengths, strict=True)
    )
    return graph


def _edges(neighbors: Tensor, labels: Tensor, kind: str) -> Tensor:
    """Pairs of rows (E, 2); some twice, one way and the other."""
    if kind == "knn":
        return _neighbor_edges(neighbors, labels)
    if kind == "complete":
        return _complete_edges(labels)
    raise ValueError(f"kind must be 'knn' or 'complete', got {kind!r}.")


def _neighbor_edges(neighbors: Tensor, labels: Tensor) -> Tensor:
    rows = torch.arange(len(neighbors), device=neighbors.device)[:, None].expand_as(neighbors)
    kept = (labels[neighbors] == labels[:, None]) & (labels >= 0)[:, None]
    return torch.stack([rows[kept], neighbors[kept]], dim=1)


def _complete_edges(labels: Tensor) -> Tensor:
    clusters, counts = torch.unique(labels[labels >= 0], return_counts=True)
    n_edges = int((counts * (counts - 1)).sum()) // 2
    if n_edges > _MAX_EDGES:
        raise ValueError(
            f"kind='complete' would make {n_edges} edges, more than {_MAX_EDGES}; "
            "use kind='knn' or fewer rows."
        )
    none = labels.new_empty(0, 2, dtype=torch.long)
    members = (torch.nonzero(labels == cluster)[:, 0] for cluster in clusters)
    return torch.cat([none, *(torch.combinations(rows, 2) for rows in members)])


def _lengths(points: Tensor, pairs: Tensor) -> Tensor:
    """Distances (E,) between the ends of edges."""
    block = max(1, _BLOCK_CELLS // max(1, points.shape[1]))
    parts = [(points[ends[:, 0]] - points[ends[:, 1]]).norm(dim=1) for ends in pairs.split(block)]
    return torch.cat(parts)
