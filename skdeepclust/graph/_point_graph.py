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
# Shorter ones count as this long where densities are compared: those of duplicates are 0.
_NEAREST = 1e-3
# Principal coordinates kept, and the least variance of one, in those of the first.
_MOST_AXES, _LEAST_VARIANCE = 6, 1e-10
# An intrinsic dimension is told apart from others up to this one.
_HIGHEST_DIM = 16.0


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

    @computed_once
    def whitened(self) -> Tensor:
        """Leading principal coordinates (n, d), of mean 0 and covariance 1; d is at most 6."""
        return _whitened(self.points.cpu()).to(self.points.device)

    @computed_once
    def intrinsic_dim(self) -> float:
        """Dimension in which the neighbourhoods grow, 1 to 16; see `_intrinsic_dim`."""
        return _intrinsic_dim(self.distances)

    @computed_once
    def log_density(self) -> Tensor:
        """Log of the density around each row, up to a constant, (n,); float32."""
        spread = self.distances.mean(dim=1).clamp(min=_NEAREST).log()
        around = (spread + spread[self.neighbors].sum(dim=1)) / (1 + self.neighbors.shape[1])
        return -self.intrinsic_dim * around

    def to(self, device: torch.device) -> PointGraph:
        """The same graph on a device, with its tree: that is computed once, whatever the device."""
        if device == self.points.device:
            return self
        tensors = (self.points.to(device), self.neighbors.to(device), self.distances.to(device))
        moved = PointGraph(*tensors, self.radius)
        vars(moved).update(
            tree=self.tree.to(device),
            whitened=self.whitened.to(device),
            intrinsic_dim=self.intrinsic_dim,
        )
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


def _whitened(points: Tensor) -> Tensor:
    """Leading principal coordinates (n, d) of centred rows (n, p), each of variance 1."""
    n, p = points.shape
    if p <= n:
        squares, axes = torch.linalg.eigh(points.T @ points)
        scores = points @ axes[:, -_MOST_AXES:]
    else:
        squares, rows = torch.linalg.eigh(points @ points.T)
        scores = rows[:, -_MOST_AXES:]
    kept = squares[-_MOST_AXES:] > _LEAST_VARIANCE * squares[-1]
    scores = scores[:, kept]
    return scores / scores.square().mean(dim=0).sqrt()


def _intrinsic_dim(distances: Tensor) -> float:
    """Maximum likelihood estimate from the distances (n, k) to the nearest neighbours.

    References
    ----------
    Levina, Bickel, "Maximum likelihood estimation of intrinsic dimension", 2005, with the mean
    of inverses of MacKay and Ghahramani.
    """
    lengths = distances.double()
    used = (lengths[:, :-1] > 0) & (lengths[:, -1:] > 0)
    growth = (lengths[:, -1:] / lengths[:, :-1]).log()[used]
    mean = float(growth.mean()) if growth.numel() else 0.0
    return float(min(max(1 / max(mean, 1 / _HIGHEST_DIM), 1.0), _HIGHEST_DIM))
