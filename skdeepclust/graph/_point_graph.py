"""The geometry of a data set on its own scale: positions and nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._computed_once import computed_once
from ._spanning_tree import SpanningTree, spanning_tree

__all__ = ["PointGraph", "point_graph"]

# Distances in units of the data that float32 still holds.
_FARTHEST = 1e30


@dataclass(frozen=True)
class PointGraph:
    """Rows of a data set, centred and scaled, with their nearest neighbours.

    Attributes
    ----------
    points : Tensor of shape (n, p)
        Centred; lengths in units of the median distance to the farthest of the neighbours.
        float64, so that tight clusters far apart keep their shape.
    neighbors : Tensor of shape (n, k)
        The k nearest other rows, the nearest first.
    distances : Tensor of shape (n, k)
        To these neighbours, in the same units; float32.
    radius : float
        Root of the mean squared distance to the centre, in the same units.
    """

    points: Tensor
    neighbors: Tensor
    distances: Tensor
    radius: float

    @computed_once
    def tree(self) -> SpanningTree:
        """Minimum spanning tree of the rows, or of 2,000 of them; computed when first asked for."""
        return spanning_tree(self.points.cpu()).to(self.points.device)

    def to(self, device: torch.device) -> PointGraph:
        """The same graph on a device, with its tree: that is computed once, whatever the device."""
        if device == self.points.device:
            return self
        tensors = (self.points.to(device), self.neighbors.to(device), self.distances.to(device))
        moved = PointGraph(*tensors, self.radius)
        vars(moved)["tree"] = self.tree.to(device)
        return moved


def point_graph(points: Tensor, neighbors: Tensor) -> PointGraph:
    """Centre and scale rows whose neighbours are known.

    Parameters
    ----------
    points : Tensor of shape (n, p)
    neighbors : Tensor of shape (n, k)
        Indices of the k >= 1 nearest other rows, the nearest first.

    Raises
    ------
    ValueError
        If all rows are equal.
    """
    centered = _centered(points.double())
    lengths = [(centered[neighbor] - centered).norm(dim=1) for neighbor in neighbors.unbind(1)]
    distances = torch.stack(lengths, dim=1)  # (n, k)
    unit = _unit(distances[:, -1], centered)
    scaled = centered / unit
    radius = float(scaled.square().sum(dim=1).mean().sqrt())
    distances = (distances / unit).clamp(max=_FARTHEST)
    return PointGraph(scaled, neighbors, distances.float(), radius)


def _centered(points: Tensor) -> Tensor:
    """Rows around their mean, the largest coordinate of the order of 1."""
    # Equal rows differ by exactly 0 from one of them, but not from their rounded mean.
    shifted = points - points[0]
    largest = shifted.abs().max()
    if not bool(largest > 0):
        raise ValueError("X has the same values in every row: there is nothing to cluster.")
    shifted = shifted / largest  # squares neither overflow nor vanish
    return shifted - shifted.mean(dim=0)


def _unit(farthest: Tensor, centered: Tensor) -> float:
    """Median non-zero distance (n,) to the last neighbour: among duplicates there is none."""
    positive = farthest[farthest > 0]
    if len(positive):
        return float(positive.median())
    return float(centered.norm(dim=1).max())
