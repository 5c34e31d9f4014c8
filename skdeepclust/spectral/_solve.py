"""Solve the normal equations of the spectral objective, safely.

Everything that the objective and its gradient need follows from one linear system with the
matrix S + λI, S = FᵀF. Its condition number is the square of that of F, so a float32
solution is accepted only where the inverse shows that it is accurate; otherwise the sums are
repeated in float64, and at last replaced by a rank-revealing decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ._statistics import CHUNK_ROWS, SpectralStatistics, gram, spectral_statistics

__all__ = [
    "SpectralSolution",
    "inverse_or_nan",
    "normalizer",
    "solve",
    "solve_statistics",
    "solve_wide_statistics",
]

# Largest accepted variance inflation S_jj (S⁻¹)_jj: the squared length of a column over that
# of its part which the other columns do not explain. The relative error of the gradient was
# found to stay below 20 eps times it, whatever the lengths of the columns.
MAX_INFLATION = {torch.float32: 32.0, torch.float64: 1e7}
# Squared lengths of columns: largest accepted ratio, and the range in which neither S nor
# its inverse loses digits to underflow in float32.
_MAX_LENGTH_RATIO = 1e6
LENGTH_RANGE = (1e-30, 1e30)
# Rounding of the entries moves singular values by about eps/2 of the largest one.
RANK_TOLERANCE_EPS = 64.0
# Squared singular values of Y below this share of the largest are rounding noise: an
# assignment is known to single precision at best.
_CLASS_TOLERANCE = 1e-10


@dataclass(frozen=True)
class SpectralSolution:
    """Solution of ``(S + λI) A = M`` and what follows from it.

    Attributes
    ----------
    objective : Tensor of shape ()
        ``rank - tr(Mᵀ A)``, which is ``k - tr(C F F⁺)`` where λ is 0.
    class_map : Tensor of shape (k, d)
        T Aᵀ: what a row's assignment contributes to its gradient (see `normalizer` for T).
    quadratic : Tensor of shape (d, d)
        B = A Aᵀ, plus the multiple of I by which a relative ridge follows the scale of F.
    rank : Tensor of shape ()
        k, the rank of the assignments.
    unit : float
        The length by which F was divided before the solution, a guard against overflow.
    """

    objective: Tensor
    class_map: Tensor
    quadratic: Tensor
    rank: Tensor
    unit: float = 1.0

    def gradient(self, embedding: Tensor, y: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """``scale`` times the gradient, 2 (F B - Y T Aᵀ), for these rows of F; (n, d)."""
        factor = torch.as_tensor(scale).to(self.quadratic.dtype) * (2.0 / self.unit)
        quadratic = self.quadratic * factor
        class_map = self.class_map * factor
        if self.quadratic.dtype == embedding.dtype and self.unit == 1.0:
            return _gradient_rows(embedding, y, quadratic, class_map)
        result = torch.empty_like(embedding)
        for start in range(0, embedding.shape[0], CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            wide = embedding[rows].to(quadratic.dtype) / self.unit
            result[rows] = _gradient_rows(wide, y[rows], quadratic, class_map).to(result.dtype)
        return result


def normalizer(statistics: SpectralStatistics) -> tuple[Tensor, Tensor]:
    """T with J = Y T = Y (YᵀY)^(-1/2) restricted to the range of Y, and the rank of Y.

    Returns
    -------
    T : Tensor of shape (k,) or (k, rank)
        A diagonal for integer labels (0 for a class without rows).
    rank : Tensor of shape ()
        Integer, on the device of the statistics.
    """
    counts = statistics.counts
    if counts.ndim == 1:
        return torch.where(counts > 0, counts, torch.inf).rsqrt(), torch.count_nonzero(counts)
    values, vectors = torch.linalg.eigh(counts.double())
    kept = values > _CLASS_TOLERANCE * values[-1].clamp(min=0)
    scaled = vectors[:, kept] * values[kept].rsqrt()
    return scaled.to(statistics.sums.dtype), kept.sum()  # (k, rank)


def solve(
    embedding: Tensor, y: Tensor, n_classes: int | None = None, ridge: float = 0.0
) -> SpectralSolution:
    """Solution for a batch, in the cheapest way that is accurate.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
    y : Tensor of shape (n,) of codes in ``[0, n_classes)``, or (n, k) real
    n_classes : int or None
    ridge : float
        λ as a multiple of the mean eigenvalue of S; 0 is the exact pseudo-inverse.
    """
    solution = solve_statistics(spectral_statistics(embedding, y, n_classes), ridge)
    return solution or _solve_badly_conditioned(embedding, y, n_classes, ridge)


def solve_statistics(statistics: SpectralStatistics, ridge: float) -> SpectralSolution | None:
    """Solution by Cholesky in the precision of the sums; None where that is inaccurate."""
    shifted = statistics.gram
    if ridge > 0:
        shifted = shifted.clone()
        shifted.diagonal().add_(statistics.gram.diagonal().mean(), alpha=ridge)
    inverse = inverse_or_nan(shifted)
    if not _is_accurate(shifted.diagonal(), inverse.diagonal()):
        return None
    scales, rank = normalizer(statistics)
    targets = _normalized_sums(statistics.sums, scales)  # M (d, rank)
    return _finish(inverse @ targets, targets, scales, rank, ridge)


def solve_wide_statistics(statistics: SpectralStatistics, ridge: float) -> SpectralSolution:
    """Solution from float64 sums over float32 rows, whatever their condition."""
    return solve_statistics(statistics, ridge) or _solve_by_eigh(statistics, ridge)


def inverse_or_nan(matrix: Tensor) -> Tensor:
    """Inverse (d, d) by Cholesky, all NaN where that is not possible.

    Whether it is possible is not asked: a device would have to be waited for.
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return torch.cholesky_inverse(factor.masked_fill_(failed > 0, torch.nan))


def _is_accurate(lengths: Tensor, inverse_lengths: Tensor) -> bool:
    """Whether a solution can be trusted, from the diagonals of S and of its inverse; (d,) each."""
    inflation = (lengths * inverse_lengths).max()
    # One transfer from the device; the comparisons refuse NaN and infinity as well.
    worst, shortest, longest = torch.stack([inflation, *torch.aminmax(lengths)]).tolist()
    return (
        worst <= MAX_INFLATION[lengths.dtype]
        and longest <= _MAX_LENGTH_RATIO * shortest
        and shortest >= LENGTH_RANGE[0]
        and longest <= LENGTH_RANGE[1]
    )


def _solve_badly_conditioned(
    embedding: Tensor, y: Tensor, n_classes: int | None, ridge: float
) -> SpectralSolution:
    """Float64 sums for float32 rows; a rank-revealing decomposition where that is not enough."""
    if not bool(torch.isfinite(embedding).all()):
        raise ValueError("embedding contains NaN or infinity; finite values are needed.")
    unit = float(embedding.abs().max()) or 1.0
    scaled = embedding.double() / unit
    statistics = spectral_statistics(scaled, y, n_classes)
    solution = None
    if embedding.dtype == torch.float32:
        solution = solve_wide_statistics(statistics, ridge)
    solution = solution or _solve_by_svd(scaled, y, statistics, ridge)
    return replace(solution, unit=unit)


def _solve_by_eigh(statistics: SpectralStatistics, ridge: float) -> SpectralSolution:
    """Pseudo-inverse from float64 sums over float32 rows, whose rounding noise is cut off."""
    values, vectors = torch.linalg.eigh(statistics.gram)
    weights = _inverse_squares(values.clamp(min=0).sqrt(), ridge, values.shape[0], torch.float32)
    scales, rank = normalizer(statistics)
    targets = _normalized_sums(statistics.sums, scales)
    loadings = vectors @ (weights[:, None] * (vectors.T @ targets))
    return _finish(loadings, targets, scales, rank, ridge)


def _solve_by_svd(
    embedding: Tensor, y: Tensor, statistics: SpectralStatistics, ridge: float
) -> SpectralSolution:
    """Pseudo-inverse from F itself, where squaring its condition would lose the answer."""
    left, values, right = torch.linalg.svd(embedding, full_matrices=False)
    weights = _inverse_squares(values, ridge, embedding.shape[1], embedding.dtype)
    scales, rank = normalizer(statistics)
    basis_sums = spectral_statistics(left, y, statistics.counts.shape[0]).sums  # (k, r)
    targets = values[:, None] * _normalized_sums(basis_sums, scales)  # (r, rank)
    return _finish(right.T @ (weights[:, None] * targets), right.T @ targets, scales, rank, ridge)


def _inverse_squares(values: Tensor, ridge: float, dim: int, dtype: torch.dtype) -> Tensor:
    """1 / (s² + λ) for the singular values s that are more than rounding noise, else 0.

    Under a ridge that is larger than the noise all count: there is nothing to be cut off.
    """
    squares = values.square()
    noise = RANK_TOLERANCE_EPS * torch.finfo(dtype).eps * values.max()
    level = ridge * squares.sum() / dim
    kept = (values > noise) | (level > noise.square())
    return torch.where(kept, 1.0 / torch.where(kept, squares + level, 1.0), 0.0)


def _normalized_sums(sums: Tensor, scales: Tensor) -> Tensor:
    """M = FᵀJ = (Tᵀ YᵀF)ᵀ, (d, rank)."""
    return (sums * scales[:, None]).T if scales.ndim == 1 else sums.T @ scales


def _finish(
    loadings: Tensor, targets: Tensor, scales: Tensor, rank: Tensor, ridge: float
) -> SpectralSolution:
    """Objective and the two small matrices of the gradient from A and M, both (d, rank)."""
    explained = (loadings * targets).sum(dtype=torch.float64)
    quadratic = gram(loadings.T)  # A Aᵀ (d, d)
    # λ follows the trace of S: the derivative of λ adds a multiple of the identity.
    quadratic.diagonal().add_(ridge * quadratic.diagonal().mean())
    # Contiguous, since a row of it is gathered for every row of F.
    class_map = (loadings * scales if scales.ndim == 1 else loadings @ scales.T).T.contiguous()
    return SpectralSolution((rank - explained).clamp(min=0.0), class_map, quadratic, rank)


def _gradient_rows(embedding: Tensor, y: Tensor, quadratic: Tensor, class_map: Tensor) -> Tensor:
    """F B - Y (T Aᵀ): one product and one gather; (n, d)."""
    own = y.to(class_map.dtype) @ class_map if y.ndim == 2 else class_map.index_select(0, y)
    return own.addmm_(embedding, quadratic, beta=-1)
