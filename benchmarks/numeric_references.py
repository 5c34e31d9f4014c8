"""The mathematics of `skdeepclust.spectral` in float64, by other means.

Losses, gradients, maps and whitened rows come from a singular value decomposition of the rows
themselves, never from FᵀF; the leave-one-out loss from a system of equations for each row, derived
by autograd. Slow, and exact to about eps64 times the condition number, not its square.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Reference", "leave_one_out", "linear_map", "normalized_rows", "objective", "spectral",
    "targets", "unit_of", "whitened_rows",
]  # fmt: skip

# Singular values below this share of the largest one are rounding noise of float32 entries.
RANK_TOLERANCE = 64 * torch.finfo(torch.float32).eps


class Reference(NamedTuple):
    """A loss and its gradient.

    Attributes
    ----------
    loss : float
    gradient : Tensor of shape (n, d)
    scale : float
        Norm of the gradient that all rows would have at once if each were predicted entirely
        wrong.
    doubtful : bool
        Whether a singular value is so near to the tolerance that it may count or not.
    """

    loss: float
    gradient: Tensor
    scale: float
    doubtful: bool = False


def targets(y: Tensor) -> Tensor:
    """J: one-hot columns over the root of the size of the class, (n, k), empty classes left out."""
    one_hot = (torch.unique(y)[None, :] == y[:, None]).double()
    return one_hot / one_hot.sum(dim=0).sqrt()


def unit_of(rows: Tensor) -> float:
    """The largest absolute entry; 1 of zeros."""
    return float(rows.abs().max()) or 1.0


def spectral(embedding: Tensor, y: Tensor, ridge: float) -> Reference:
    """The objective k - tr(C F (FᵀF + λI)⁺ Fᵀ) of float32 rows."""
    unit = unit_of(embedding)
    rows, wanted = embedding.double() / unit, targets(y)
    left, values, right = torch.linalg.svd(rows, full_matrices=False)
    level = ridge * values.square().sum() / rows.shape[1]
    share = values / (values.max() or 1.0)
    kept = (share > RANK_TOLERANCE) | (level > 0)
    inverse = torch.where(kept, values / (values.square() + level), 0.0).nan_to_num(0.0)
    parts = left.T @ wanted  # Uᵀ J (r, k)
    fitted = left @ ((inverse * values)[:, None] * parts)  # F A (n, k)
    loadings = right.T @ (inverse[:, None] * parts)  # A (d, k)
    gradient = 2 * (fitted - wanted) @ loadings.T
    gradient += 2 * ridge / rows.shape[1] * loadings.square().sum() * rows
    loss = wanted.shape[1] - (inverse * values * parts.square().sum(dim=1)).sum()
    near = (share / RANK_TOLERANCE).log().abs().min() < 0.01
    scale = float(2 * loadings.norm()) / unit
    return Reference(float(loss), gradient / unit, scale, bool(near) and ridge == 0)


def objective(rows: Tensor, y: Tensor) -> float:
    """The objective k - tr(C F F⁺) of float64 rows, with a tolerance of float64."""
    left, values, _ = torch.linalg.svd(rows / unit_of(rows), full_matrices=False)
    kept = left[:, values > 1e-13 * values.max()]
    wanted = targets(y)
    return float(wanted.shape[1] - (kept.T @ wanted).square().sum())


def leave_one_out(embedding: Tensor, y: Tensor, ridge: float, temperature: float) -> Reference:
    """The mean cross-entropy of rows that the ridge regression on the others predicts."""
    unit = unit_of(embedding)
    rows = (embedding.double() / unit).requires_grad_()
    one_hot = (torch.unique(y)[None, :] == y[:, None]).double()
    n, d = rows.shape
    level = max(ridge, 1e-6) * rows.square().sum() / d
    level = torch.where(level > 0, level, 1.0)
    predicted = (_from_kernel if n <= d else _from_equations)(rows, one_hot, level)
    log_shares = torch.log_softmax(predicted / temperature, dim=1)
    loss = -(one_hot * log_shares).sum() / n
    (gradient,) = torch.autograd.grad(loss, rows)
    shifted = rows.T @ rows + level * torch.eye(d, dtype=torch.float64)
    size = torch.linalg.solve(shifted, rows.T @ one_hot).norm() / (temperature * n**0.5)
    scale = max(float(size.detach()), float(gradient.norm())) / unit
    return Reference(float(loss.detach()), gradient / unit, scale)


def _from_equations(rows: Tensor, one_hot: Tensor, level: Tensor) -> Tensor:
    """Prediction (n, k) for each row by the regression on the others, (d, d) equations a row."""
    shift = level * torch.eye(rows.shape[1], dtype=torch.float64)
    others = rows.T @ rows - rows[:, :, None] * rows[:, None, :] + shift  # (n, d, d)
    sums = rows.T @ one_hot - rows[:, :, None] * one_hot[:, None, :]  # (n, d, k)
    return (rows[:, None, :] @ torch.linalg.solve(others, sums)).squeeze(1)


def _from_kernel(rows: Tensor, one_hot: Tensor, level: Tensor) -> Tensor:
    """The same from FFᵀ, (n, n), where the equations would be nearly singular."""
    inverse = torch.linalg.inv(rows @ rows.T + level * torch.eye(len(rows), dtype=torch.float64))
    return one_hot - (inverse @ one_hot) / inverse.diagonal()[:, None]


def linear_map(features: Tensor, y: Tensor, ridge: float, tolerance: float) -> Tensor:
    """W = (XᵀX + λI)⁺ XᵀJ, (p, k), of float64 features; `tolerance` is relative to the largest."""
    left, values, right = torch.linalg.svd(features, full_matrices=False)
    level = ridge * values.square().sum() / features.shape[1]
    kept = values > tolerance * values.max()
    inverse = torch.where(kept, values / (values.square() + level), 0.0).nan_to_num(0.0)
    return right.T @ (inverse[:, None] * (left.T @ targets(y)))


def _centered_parts(embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition of the centred rows; no value is left of equal ones."""
    rows = embedding.double()
    rows = rows / unit_of(rows)
    left, values, right = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
    noise = 64 * torch.finfo(torch.float64).eps * rows.norm()
    return left, values.where(values > noise, 0.0), right


def whitened_rows(embedding: Tensor, strength: float) -> tuple[Tensor, Tensor, bool]:
    """Rows (F - mean) (strength Σ + (1 - strength) tr Σ / d I)^(-1/2) on their kept directions.

    Returns
    -------
    rows : Tensor of shape (n, d)
    inflation : Tensor of shape ()
        Length of the mean over the least kept root of a shrunk variance.
    doubtful : bool
        Whether a variance is so near to the tolerance that it may count or not.
    """
    left, values, right = _centered_parts(embedding)
    variances = values.square() / len(embedding)
    share = variances / (variances.max() or 1.0)
    kept = share > 1e-6
    shrunk = strength * variances + (1 - strength) * variances.sum() / embedding.shape[1]
    weights = torch.where(kept, values / shrunk.sqrt(), 0.0).nan_to_num(0.0)
    length = embedding.double().mean(dim=0).norm() / unit_of(embedding)
    least = torch.where(kept, shrunk, torch.inf).min().sqrt()
    doubtful = bool((share * 1e6).log().abs().min() < 0.1)
    return left * weights @ right, length / least, doubtful


def normalized_rows(embedding: Tensor) -> tuple[Tensor, bool]:
    """Left singular vectors of the centred rows, and whether the number of them is doubtful."""
    left, values, _ = _centered_parts(embedding)
    share = values / (values.max() or 1.0)
    doubtful = bool((share * 1e5).log().abs().min() < 0.1)
    return left[:, share > 1e-5], doubtful
