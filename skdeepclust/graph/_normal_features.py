"""What normal distributions, one fitted to each cluster, say of a clustering.

Distances to centroids and neighbours cannot tell two clusters that run into one another from one
cluster cut in two; the shape of a cluster as a whole can.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ._own_and_other import own_and_other
from ._point_graph import PointGraph
from ._population import Population

__all__ = ["N_NORMAL_FEATURES", "normal_features"]

N_NORMAL_FEATURES = 8
# Weight of the prior of a covariance: it keeps those of a few rows regular, and fades with rows.
_PRIOR = 0.1
# Log densities are told apart up to this difference; a single cluster is so much ahead of others.
_LARGEST_DIFFERENCE = 50.0
# Squared distances and fourth moments, over those of a normal distribution, between these two.
_SMALLEST, _LARGEST = 1e-2, 1e2


class _Normals(NamedTuple):
    """Normal distributions of T clusters in d dimensions."""

    coefficients: Tensor  # (T, F), of the weighted log density as a polynomial
    constants: Tensor  # (T,), the log density at the mean
    means: Tensor  # (T, d)
    roots: Tensor  # (T, d, d), Cholesky factors of the covariances


def normal_features(graph: PointGraph, clusterings: Population) -> list[Tensor]:
    """Describe every row by the normal distributions of the clusters.

    Parameters
    ----------
    graph : PointGraph
        Its `whitened` coordinates are used: a linear map of the data changes nothing.
    clusterings : Population

    Returns
    -------
    list of 8 Tensors of shape (m, n), float32
        Log density under the own cluster, weighted by its share, less that under one normal
        distribution of all rows, and less that under the best other cluster; log squared
        Mahalanobis distance to the own centroid, per dimension; the same four for all rows of
        a cluster: log volume per dimension, smallest and largest eigenvalue of its fourth
        moments, over those of a normal distribution (two humps make one small, tails make one
        large), log number of rows; and for all rows of a clustering the mean of the first one
        less the penalty of the Bayesian information criterion for the further clusters.
        Differences are on the scale of sign(x) log(1 + abs(x)).

    References
    ----------
    Fraley, Raftery, "Bayesian regularization for normal mixture estimation and model-based
    clustering", 2007 (the prior of a covariance). Cardoso, "Source separation using higher order
    moments", 1989 (the eigenvalues of fourth moments).
    """
    x = graph.whitened
    monomials = _monomials(x)  # (n, F)
    normals = _fit(clusterings, monomials, x.shape[1])
    own, other = own_and_other(
        lambda rows: -normals.coefficients @ monomials[rows].T, clusterings, len(x)
    )
    gain = x.square().sum(dim=1) / 2 - own  # (m, n)
    margin = (other - own).clamp(max=_LARGEST_DIFFERENCE)
    squared = 2 * (own + clusterings.spread(normals.constants)).clamp(min=0)
    d = max(1, x.shape[1])
    low, high = _fourth_moments(clusterings, monomials, squared, normals)
    volume = normals.roots.diagonal(dim1=1, dim2=2).log().sum(dim=1) / d
    features = [
        _squashed(gain),
        _squashed(margin),
        _log(squared / d),
        clusterings.spread(volume),
        clusterings.spread(_log(low)),
        clusterings.spread(_log(high)),
        clusterings.spread(clusterings.counts.log()),
        _squashed(_criterion(clusterings, gain, d))[:, None].expand_as(gain),
    ]
    return [feature.float() for feature in features]


def _monomials(x: Tensor) -> Tensor:
    """Products of two coordinates, the coordinates, and 1; (n, F)."""
    first, second = torch.triu_indices(x.shape[1], x.shape[1], device=x.device)
    return torch.cat([x[:, first] * x[:, second], x, torch.ones_like(x[:, :1])], dim=1)


def _fit(clusterings: Population, monomials: Tensor, d: int) -> _Normals:
    """Distributions of the clusters, and their log densities as polynomials."""
    moments = clusterings.centroids(monomials)  # (T, F)
    means = moments[:, -d - 1 : -1]
    covariances = _symmetric(moments, d) - means[:, :, None] * means[:, None]
    counts = clusterings.counts.to(moments.dtype)
    weight = _PRIOR * (d + 2) / (counts + d + 2)
    volume = clusterings.n_clusters[clusterings.owner].to(moments.dtype) ** (-2 / d)
    eye = torch.eye(d, dtype=moments.dtype, device=moments.device)
    roots = torch.linalg.cholesky(covariances + (weight * volume)[:, None, None] * eye)
    shares = clusterings.shares.to(moments.dtype) / (1 - clusterings.noise)[clusterings.owner]
    constants = shares.log() - roots.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    precisions = torch.cholesky_inverse(roots)
    linear = (precisions @ means[:, :, None])[:, :, 0]
    offsets = constants - (linear * means).sum(dim=1) / 2
    first, second = torch.triu_indices(d, d, device=moments.device)
    # Off the diagonal a product stands for two entries.
    quadratic = precisions[:, first, second] * torch.where(first == second, -0.5, -1.0)
    coefficients = torch.cat([quadratic, linear, offsets[:, None]], dim=1)
    return _Normals(coefficients, constants, means, roots)


def _symmetric(moments: Tensor, d: int) -> Tensor:
    """Matrices (T, d, d) whose upper triangles are the first columns of moments (T, F)."""
    first, second = torch.triu_indices(d, d, device=moments.device)
    matrices = moments.new_empty(len(moments), d, d)
    matrices[:, first, second] = matrices[:, second, first] = moments[:, : len(first)]
    return matrices


def _fourth_moments(
    clusterings: Population, monomials: Tensor, squared: Tensor, normals: _Normals
) -> tuple[Tensor, Tensor]:
    """Extreme eigenvalues (T,) of the mean of |z|² z zᵀ of whitened rows z, over d + 2."""
    d = normals.means.shape[1]
    starts = clusterings.counts.cumsum(0) - clusterings.counts
    of_row = clusterings.owner.repeat_interleave(clusterings.counts)  # (N,)
    summed = functional.embedding_bag(
        *(clusterings.rows, monomials, starts),
        mode="sum",
        per_sample_weights=squared[of_row, clusterings.rows],
    )
    moments = summed / clusterings.counts[:, None]
    cross = normals.means[:, :, None] * moments[:, None, -d - 1 : -1]  # (T, d, d)
    outer = normals.means[:, :, None] * normals.means[:, None]
    centered = _symmetric(moments, d) - cross - cross.mT + moments[:, -1, None, None] * outer
    half = torch.linalg.solve_triangular(normals.roots, centered, upper=False)
    whole = torch.linalg.solve_triangular(normals.roots, half.mT, upper=False)
    values = torch.linalg.eigvalsh(whole) / (d + 2)
    return values[:, 0], values[:, -1]


def _criterion(clusterings: Population, gain: Tensor, d: int) -> Tensor:
    """Mean gain in log density, less the penalty for clusters beyond the first; (m,)."""
    kept = clusterings.codes >= 0
    counts = kept.sum(dim=1)
    n_parameters = 1 + d + d * (d + 1) / 2
    penalty = (clusterings.n_clusters - 1) * n_parameters * counts.log() / (2 * counts)
    return (gain * kept).sum(dim=1) / counts - penalty


def _squashed(differences: Tensor) -> Tensor:
    kept = differences.clamp(-_LARGEST_DIFFERENCE, _LARGEST_DIFFERENCE)
    return kept.sign() * kept.abs().log1p()


def _log(ratios: Tensor) -> Tensor:
    return ratios.clamp(_SMALLEST, _LARGEST).log()
