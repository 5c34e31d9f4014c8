"""Where a clustering cuts: through valleys of the density, or through its hills."""

from __future__ import annotations

import torch
from torch import Tensor

from ._point_graph import PointGraph
from ._population import Population

__all__ = ["N_DENSITY_FEATURES", "density_features"]

N_DENSITY_FEATURES = 6
# Log densities are told apart up to this difference; so deep is the valley around a cluster that
# no edge leaves.
_DEEPEST = 10.0


def density_features(graph: PointGraph, clusterings: Population) -> list[Tensor]:
    """Describe every row by the density around it, and its cluster by that along its border.

    Parameters
    ----------
    graph : PointGraph
    clusterings : Population

    Returns
    -------
    list of 6 Tensors of shape (m, n), float32
        Log density less the highest in the own cluster; less the mean around the neighbours;
        for all rows of a cluster, the highest density at which an edge leaves it, less its
        highest (a pass between two hills; the density of an edge is the lower one of its ends),
        and the mean one of these edges, less its mean; for all rows, log n and the log of the
        intrinsic dimension.
    """
    density = graph.log_density  # (n,)
    codes = clusterings.codes
    everywhere = density.expand(codes.shape)
    highest = _over_clusters(clusterings, everywhere, codes >= 0, "amax")
    leaving, passes, total = _border(graph, clusterings)
    has_border = leaving > 0
    highest_pass = _over_clusters(clusterings, passes, has_border, "amax")
    n_leaving = clusterings.sums(leaving)
    mean_pass = clusterings.sums(total) / n_leaving.clamp(min=1)
    mean_pass = torch.where(n_leaving > 0, mean_pass, -torch.inf)
    mean = clusterings.means(everywhere)
    relief = density - density[graph.neighbors].mean(dim=1)
    sizes = density.new_tensor([len(density), graph.intrinsic_dim]).log()
    return [
        _bounded(everywhere - clusterings.spread(highest)),
        _bounded(relief).expand(codes.shape),
        clusterings.spread(_bounded(highest_pass - highest)),
        clusterings.spread(_bounded(mean_pass - mean)),
        *(size.expand(codes.shape) for size in sizes),
    ]


def _border(graph: PointGraph, clusterings: Population) -> tuple[Tensor, Tensor, Tensor]:
    """Of the edges of each row that leave its cluster: number, highest and sum of densities."""
    codes, density = clusterings.codes, graph.log_density
    count = density.new_zeros(codes.shape)
    total = density.new_zeros(codes.shape)
    highest = density.new_full(codes.shape, -torch.inf)
    for neighbor in graph.neighbors.unbind(1):
        low = torch.minimum(density, density[neighbor])  # (n,)
        leaves = (codes[:, neighbor] != codes) & (codes[:, neighbor] >= 0) & (codes >= 0)
        count += leaves
        total += leaves * low
        highest = torch.maximum(highest, torch.where(leaves, low, -torch.inf))
    return count, highest, total


def _over_clusters(clusterings: Population, values: Tensor, kept: Tensor, reduce: str) -> Tensor:
    """Reduce the values (m, n) of some rows over their clusters, (T,); -inf where none is."""
    n_clusters = len(clusterings.owner)
    index = torch.where(kept, clusterings.codes, n_clusters).flatten()
    empty = values.new_full((n_clusters + 1,), -torch.inf)
    return empty.scatter_reduce_(0, index, values.flatten(), reduce)[:n_clusters]


def _bounded(differences: Tensor) -> Tensor:
    return differences.clamp(-_DEEPEST, _DEEPEST)
