"""The best linear map for the spectral objective, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from ._solve import normalizer
from ._statistics import SpectralStatistics, spectral_statistics

__all__ = ["dual_linear_solution", "linear_solution"]


def linear_solution(
    statistics: SpectralStatistics, ridge: float, max_dim: int | None = None
) -> Tensor:
    """W = (XᵀX + λI)⁻¹ Xᵀ J, the linear map whose embedding X W minimises the objective.

    Parameters
    ----------
    statistics : SpectralStatistics
        Sums over the rows of the features X (n, p), centred by the caller if the map is to
        have a bias. Float64 sums are advised.
    ridge : float
        λ as a multiple of the mean eigenvalue of XᵀX.
    max_dim : int, optional
        Keep the `max_dim` directions in which X W varies most.

    Returns
    -------
    Tensor of shape (p, min(rank Y, max_dim))
        In the precision of the sums.

    References
    ----------
    Law, Yu, Cord, Xing, "Closed-Form Training of Mahalanobis Distance for Supervised
    Clustering", CVPR 2016.
    """
    targets = _normalized_targets(statistics)  # XᵀJ (p, rank)
    solved = _regularized_solve(statistics.gram, targets, ridge)
    return _leading(solved, solved.T @ statistics.gram @ solved, max_dim)


def dual_linear_solution(
    features: Tensor, y: Tensor, n_classes: int | None, ridge: float, max_dim: int | None = None
) -> Tensor:
    """The same W found from the rows, W = Xᵀ (XXᵀ + λI)⁻¹ J, for more columns than rows.

    Parameters
    ----------
    features : Tensor of shape (n, p)
        X with n < p, so that XXᵀ is smaller than X itself.
    y : Tensor of shape (n,) or (n, k)
        Class codes in ``[0, n_classes)``, or a real assignment matrix.
    n_classes, ridge, max_dim
        As for `linear_solution`.

    Returns
    -------
    Tensor of shape (p, min(rank Y, max_dim))
        In the precision of `features`.
    """
    n, p = features.shape
    wide = features.double()
    kernel = wide @ wide.T
    rows = torch.eye(n, dtype=torch.float64, device=features.device)
    targets = _normalized_targets(spectral_statistics(rows, y, n_classes))  # J (n, rank)
    coefficients = _regularized_solve(kernel, targets, ridge * n / p)
    fitted = kernel @ coefficients  # X W
    solved = _leading(wide.T @ coefficients, fitted.T @ fitted, max_dim)
    return solved.to(features.dtype)


def _normalized_targets(statistics: SpectralStatistics) -> Tensor:
    """(YᵀX)ᵀ T with the empty classes left out; (p, rank)."""
    scales, _ = normalizer(statistics)
    if scales.ndim == 2:
        return statistics.sums.T @ scales
    present = statistics.counts > 0
    return (statistics.sums[present] * scales[present, None]).T


def _regularized_solve(matrix: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """(S + λI)⁺ targets for a symmetric positive semidefinite S; λ relative to its mean."""
    level = ridge * matrix.diagonal().mean()
    if level > 0:
        shifted = matrix.clone()
        shifted.diagonal().add_(level)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if not bool(failed):
            return torch.cholesky_solve(targets, factor)
    values, vectors = torch.linalg.eigh(matrix)
    floor = torch.finfo(matrix.dtype).eps * values.numel() * values.max().clamp(min=0)
    weights = torch.where(values > floor, 1.0 / (values + level), 0.0)
    return vectors @ (weights[:, None] * (vectors.T @ targets))


def _leading(solved: Tensor, spread: Tensor, max_dim: int | None) -> Tensor:
    """Rotate W so that X W keeps its `max_dim` largest directions; (p, r)."""
    if max_dim is None or max_dim >= solved.shape[1]:
        return solved
    _, directions = torch.linalg.eigh(spread)
    return solved @ directions[:, -max_dim:].flip(1)
