"""Descriptors of a row within a clustering that mean the same in any number of dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

from ._density_features import N_DENSITY_FEATURES, density_features
from ._normal_features import N_NORMAL_FEATURES, normal_features
from ._own_and_other import own_and_other
from ._point_graph import PointGraph
from ._population import Population
from ._spanning_tree import SpanningTree

__all__ = ["N_DESCRIPTORS", "centroid_distances", "cluster_gaps", "node_descriptors"]

N_DESCRIPTORS = 18 + N_NORMAL_FEATURES + N_DENSITY_FEATURES
# Ratios of lengths are told apart between these two.
_SMALLEST, _LARGEST = 1e-3, 1e3
# Distance, in radii of the data, of the nearest other cluster where there is none.
_FAR = 7.4
# Clusters with a smaller radius, in radii of the data, count as points: what rounding leaves of
# the distances within a cluster of duplicates must stay far below it.
_POINT = 1e-4
# Gaps are told apart up to so many typical edges of the spanning tree; a single cluster, which no
# edge leaves, is as far from others as that.
_WIDEST_GAP = 50.0
# An edge is a gap only if this share of the rows, and so many of them, are beyond it: behind
# others are outliers.
_BEYOND_SHARE, _BEYOND_ROWS = 0.01, 3


def node_descriptors(graph: PointGraph, clusterings: Population) -> Tensor:
    """Describe every row in every clustering.

    Parameters
    ----------
    graph : PointGraph
    clusterings : Population
        m clusterings of the n rows of the graph.

    Returns
    -------
    Tensor of shape (m, n, 32)
        Share of the nearest quarter, half and all of the neighbours in the own cluster; log
        distance to the nearest neighbour in the own cluster and to the nearest one outside;
        log mean distance to all neighbours and to those in the own cluster; log distance to
        the own centroid and to the nearest other one, in radii of the data, and their
        simplified silhouette; log radius of the own cluster in radii of the data; log share
        of the rows in it; log distances to both centroids in radii of the own cluster. Of the
        own cluster in the spanning tree: log of the widest gap inside and of the mean length
        inside, log of the shortest edge that leaves it, each in typical edges, and log of the
        number of parts into which it falls. Then those of `normal_features` and of
        `density_features`. Rows of noise have zeros. float32.

    Notes
    -----
    O(m n k + n T p) operations for T clusters in all; O(m n) memory beyond the result.
    """
    features = [*_neighborhoods(graph, clusterings), *_centroid_features(graph, clusterings)]
    gaps = clusterings.spread(cluster_gaps(graph.tree, clusterings))  # (m, n, 4)
    more = [*normal_features(graph, clusterings), *density_features(graph, clusterings)]
    described = torch.cat([torch.stack(features, dim=2), gaps, torch.stack(more, dim=2)], dim=2)
    return described.masked_fill_((clusterings.codes < 0)[:, :, None], 0.0)


def centroid_distances(points: Tensor, clusterings: Population) -> tuple[Tensor, Tensor]:
    """Distance of each row to its own centroid and to the nearest other one.

    Parameters
    ----------
    points : Tensor of shape (n, p)
        Centred, in float64: squared distances are differences of products.
    clusterings : Population

    Returns
    -------
    own : Tensor of shape (m, n)
        For noise, the distance to the origin.
    other : Tensor of shape (m, n)
        Infinite where there is one cluster only; for noise, to the nearest centroid.
    """
    centroids = clusterings.centroids(points)
    lengths = centroids.square().sum(dim=1, keepdim=True)  # (T, 1)
    own, other = own_and_other(
        # Squared distances (T, b), less |x|².
        lambda rows: torch.addmm(lengths, centroids, points[rows].T, alpha=-2),
        clusterings,
        len(points),
    )
    offsets = points.square().sum(dim=1)
    return (own + offsets).clamp(min=0).sqrt(), (other + offsets).clamp(min=0).sqrt()


def _neighborhoods(graph: PointGraph, clusterings: Population) -> list[Tensor]:
    """Three shares, two nearest distances and two mean distances, each (m, n)."""
    codes, k = clusterings.codes, graph.neighbors.shape[1]
    count, within = (graph.distances.new_zeros(codes.shape) for _ in range(2))
    # Where no neighbour qualifies, the next row to come is at least as far as the last one.
    last = 2 * graph.distances[:, -1]
    inside, outside = last.expand_as(count), last.expand_as(count)
    shares: list[Tensor] = []
    for rank, (neighbor, distance) in enumerate(
        zip(graph.neighbors.unbind(1), graph.distances.unbind(1), strict=True), start=1
    ):
        same = codes[:, neighbor] == codes
        count += same
        within += same * distance
        inside = torch.minimum(inside, torch.where(same, distance, torch.inf))
        outside = torch.minimum(outside, torch.where(same, torch.inf, distance))
        shares += [count / rank for size in (k // 4, k // 2, k) if rank == max(1, size)]
    mean = torch.where(count > 0, within / count.clamp(min=1), last)
    overall = graph.distances.mean(dim=1).expand_as(mean)
    return [*shares, _log(inside), _log(outside), _log(overall), _log(mean)]


def _centroid_features(graph: PointGraph, clusterings: Population) -> list[Tensor]:
    """What the centroids say, in radii of the data and of the own cluster; seven of (m, n)."""
    distances = centroid_distances(graph.points, clusterings)
    own, other = ((lengths / graph.radius).float() for lengths in distances)
    silhouette = (other - own) / torch.maximum(own, other).clamp(min=_SMALLEST)
    silhouette = silhouette.masked_fill(other.isinf(), 0.0)
    other = other.clamp(max=_FAR)
    radii = clusterings.means(own.square()).sqrt()  # (T,)
    radius = clusterings.spread(radii).clamp(min=_POINT)
    return [
        _log(own),
        _log(other),
        silhouette,
        clusterings.spread(_log(radii)),
        clusterings.spread(clusterings.shares.log()),
        _log(own / radius),
        _log(other / radius),
    ]


def cluster_gaps(tree: SpanningTree, clusterings: Population) -> Tensor:
    """How the spanning tree runs through each cluster.

    Parameters
    ----------
    tree : SpanningTree
    clusterings : Population
        T clusters in all.

    Returns
    -------
    Tensor of shape (T, 4)
        Log of the widest gap inside, of the mean length of the edges inside, and of the shortest
        edge that leaves the cluster for another one, in units of the median edge; log of the
        number of parts into which the cluster falls without the edges that leave it. float32.
    """
    first, second = clusterings.codes[:, tree.starts], clusterings.codes[:, tree.ends]  # (m, E)
    kept = (first >= 0) & (second >= 0)
    inside, leaving = kept & (first == second), kept & (first != second)
    lengths = tree.lengths.clamp(1 / _WIDEST_GAP, _WIDEST_GAP)
    beyond = max(_BEYOND_SHARE, _BEYOND_ROWS / tree.n_rows)
    gaps = inside & (tree.sides >= beyond)
    n_clusters = len(clusterings.owner)
    counts = _over_clusters(inside.float(), first, inside, n_clusters, "sum")
    totals = _over_clusters(lengths.expand_as(first), first, inside, n_clusters, "sum")
    widest = _over_clusters(lengths.expand_as(first), first, gaps, n_clusters, "amax")
    shortest = torch.minimum(
        *(
            _over_clusters(lengths.expand_as(first), side, leaving, n_clusters, "amin")
            for side in (first, second)
        )
    )
    parts = _rows_in_tree(tree, clusterings) - counts
    mean = torch.where(counts > 0, totals / counts.clamp(min=1), 1.0)
    features = [widest.clamp(min=1 / _WIDEST_GAP), mean, shortest, parts.clamp(min=1)]
    return torch.stack(features, dim=1).log()


def _over_clusters(
    values: Tensor, codes: Tensor, kept: Tensor, n_clusters: int, reduce: str
) -> Tensor:
    """Reduce the values (m, E) of some edges over their clusters, (T,)."""
    empty = {"sum": 0.0, "amax": 0.0, "amin": _WIDEST_GAP}[reduce]
    index = torch.where(kept, codes, n_clusters).flatten()
    result = values.new_full((n_clusters + 1,), empty)
    return result.scatter_reduce_(0, index, values.flatten(), reduce)[:n_clusters]


def _rows_in_tree(tree: SpanningTree, clusterings: Population) -> Tensor:
    """Rows of each cluster that the tree joins, (T,)."""
    # Every row of the tree but the first is the end of one edge.
    rows = torch.cat([tree.starts[:1], tree.ends])
    codes = clusterings.codes[:, rows].flatten()
    return torch.bincount(codes[codes >= 0], minlength=len(clusterings.owner)).float()


def _log(ratios: Tensor) -> Tensor:
    return ratios.clamp(_SMALLEST, _LARGEST).log()
