"""The spectral objective's predictions for rows that were left out, as a differentiable loss.

k - tr(C F F⁺) is the error of the best linear map from the embedding of a batch to its clusters,
on the very rows from which the map was found. Here every row is predicted by the map that the
*other* rows give, which costs no more, and the predictions are compared by cross-entropy: rows
that are nearly predicted wrongly count most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ._objective import OnceDifferentiable, check_loss_arguments, exact_products
from ._statistics import SpectralStatistics, class_codes

__all__ = ["LeaveOneOut", "SharedSums", "leave_one_out_dtype", "leave_one_out_loss"]

# Below this ridge the inverse loses too many digits of float32.
_MIN_SINGLE_RIDGE = 0.01
# Without any ridge a row that no other row resembles would be predicted by dividing 0 by 0.
_MIN_RIDGE = 1e-6
_MIN_FREEDOM = 1e-6


def leave_one_out_loss(
    embedding: Tensor, y: Tensor, *, ridge: float = 1.0, temperature: float = 0.04
) -> Tensor:
    """Cross-entropy of the leave-one-out predictions of ridge regression on the clusters.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
        Embeddings F, one row each; may require a gradient. Half precision is computed in
        float32.
    y : Tensor of shape (n,) or (n, k)
        Class of each row (any integers), or non-negative assignments; rows of a matrix are
        scaled to sum 1, rows of zeros count for nothing.
    ridge : float, default=1.0
        λ I is added to FᵀF, λ being `ridge` times the mean eigenvalue of FᵀF. At least 1e-6.
    temperature : float, default=0.04
        Predictions, 1 for the own class and 0 for others at best, are divided by it before
        the softmax.

    Returns
    -------
    Tensor of shape ()
        Mean over the rows, in nats; differentiable once.

    Raises
    ------
    ValueError
        If a shape does not fit, `ridge` is negative, `temperature` not positive, or a value
        is not finite.

    Notes
    -----
    With G = (FᵀF + λI)⁻¹, P = F G FᵀY and h_i = f_iᵀ G f_i, the prediction for row i by the
    map found without it is (P_i - h_i Y_i) / (1 - h_i) (λ being that of the whole batch), and
    the gradient is in closed form too: O(n d² + n d k + d³) operations, O(n d + n k + d²)
    memory.

    References
    ----------
    The map: Law, Urtasun, Zemel, "Deep Spectral Clustering Learning", ICML 2017. Closed-form
    solvers as part of training for new classes: Bertinetto et al., "Meta-learning with
    differentiable closed-form solvers", ICLR 2019. The formula for left-out rows: Allen, "The
    relationship between variable selection and data augmentation and a method for prediction",
    Technometrics 1974.

    Examples
    --------
    >>> import torch
    >>> from skdeepclust.spectral import leave_one_out_loss
    >>> F = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> y = torch.tensor([0, 0, 1, 1])
    >>> bool(leave_one_out_loss(F, y) < leave_one_out_loss(F, y[[0, 2, 1, 3]]))
    True
    """
    check_loss_arguments(embedding, y, ridge)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be > 0 and finite, got {temperature!r}.")
    if embedding.dtype in (torch.float16, torch.bfloat16):
        embedding = embedding.float()
    loss: Tensor = LeaveOneOut.apply(
        embedding, _shares(y.detach(), embedding.dtype), float(ridge), temperature, None
    )
    return loss


def leave_one_out_dtype(dtype: torch.dtype, ridge: float) -> torch.dtype:
    """Precision in which the loss of an embedding is computed."""
    return dtype if ridge >= _MIN_SINGLE_RIDGE else torch.float64


class SharedSums(NamedTuple):
    """What connects the rows of a batch with those that other processes hold.

    Attributes
    ----------
    statistics : SpectralStatistics
        Of the whole batch, in the precision of the loss.
    reduce : callable
        Gives the sums of tensors over the processes.
    """

    statistics: SpectralStatistics
    reduce: Callable[..., tuple[Tensor, ...]]


def _shares(y: Tensor, dtype: torch.dtype) -> Tensor:
    """Assignments (n, k) whose rows sum to 1, or to 0 for unassigned rows."""
    if y.ndim == 1:
        codes, n_classes = class_codes(y.long())
        return functional.one_hot(codes, n_classes).to(dtype)
    if not bool(torch.isfinite(y).all()) or bool((y < 0).any()):
        raise ValueError("y of shape (n, k) must be finite and non-negative.")
    return functional.normalize(y.to(dtype), p=1, dim=1, eps=1e-30)


class LeaveOneOut(torch.autograd.Function):
    """The loss; the gradient is found along with it, as both need the same products.

    With `shared`, the rows' part of the loss of a batch that is spread over processes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embedding: Tensor,
        y: Tensor,
        ridge: float,
        temperature: float,
        shared: SharedSums | None,
    ) -> Any:
        dtype = leave_one_out_dtype(embedding.dtype, ridge)
        wanted, ridge = ctx.needs_input_grad[0], max(ridge, _MIN_RIDGE)
        with exact_products(embedding.device.type):
            loss, gradient = _loss_and_gradient(
                embedding.to(dtype), y.to(dtype), ridge, temperature, wanted, shared
            )
        if gradient is not None:
            ctx.save_for_backward(embedding, gradient.to(embedding.dtype))
        return loss.to(embedding.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        embedding, gradient = ctx.saved_tensors
        gradient = OnceDifferentiable.apply(embedding, gradient * grad_outputs[0])
        return gradient, None, None, None, None


def _loss_and_gradient(
    embedding: Tensor,
    y: Tensor,
    ridge: float,
    temperature: float,
    wanted: bool,
    shared: SharedSums | None,
) -> tuple[Tensor, Tensor | None]:
    """Mean cross-entropy () and, where it is wanted, its gradient (n, d)."""
    gram, sums, n = _totals(embedding, y, shared)
    inverse = _ridge_inverse(gram, ridge)  # G (d, d)
    solved = embedding @ inverse  # F G (n, d)
    leverage = (solved * embedding).sum(dim=1, keepdim=True)  # h (n, 1)
    freedom = (1 - leverage).clamp(min=_MIN_FREEDOM)
    predicted = (solved @ sums - leverage * y) / freedom  # (n, k)
    log_shares = functional.log_softmax(predicted / temperature, dim=1)
    loss = -(y * log_shares).sum() / n
    if not wanted:
        return loss, None
    slope = (log_shares.exp() * y.sum(dim=1, keepdim=True) - y) / (temperature * n)
    slope = slope / freedom
    return loss, _gradient(embedding, y, inverse, solved, sums, slope, predicted, ridge, shared)


def _totals(
    embedding: Tensor, y: Tensor, shared: SharedSums | None
) -> tuple[Tensor, Tensor, Tensor]:
    """FᵀF (d, d), FᵀY (d, k) and the number of assigned rows () of the batch."""
    if shared is None:
        return embedding.T @ embedding, embedding.T @ y, y.sum().clamp(min=1)
    gram, sums, counts = shared.statistics.gram, shared.statistics.sums, shared.statistics.counts
    return gram.clone(), sums.T, counts.sum().clamp(min=1)


def _ridge_inverse(gram: Tensor, ridge: float) -> Tensor:
    """(FᵀF + λI)⁻¹, (d, d), from an FᵀF that is overwritten."""
    level = gram.diagonal().mean()
    # Rows of zeros alone: any multiple of I will do, the products with F are 0.
    gram.diagonal().add_(torch.where(level > 0, ridge * level, 1.0))
    factor, failed = torch.linalg.cholesky_ex(gram)
    if bool(failed):
        raise ValueError("embedding contains NaN or infinity; finite values are needed.")
    return torch.cholesky_inverse(factor)


def _gradient(
    embedding: Tensor,
    y: Tensor,
    inverse: Tensor,
    solved: Tensor,
    sums: Tensor,
    slope: Tensor,
    predicted: Tensor,
    ridge: float,
    shared: SharedSums | None,
) -> Tensor:
    """Gradient (n, d) from the derivative `slope` (n, k) with respect to P = F G FᵀY."""
    by_leverage = (slope * (predicted - y)).sum(dim=1, keepdim=True)  # d loss / d h (n, 1)
    by_class, by_dim = slope.T @ solved, solved.T @ slope  # (k, d) and (d, k)
    spread = solved.T @ (by_leverage * solved)  # (d, d)
    if shared is not None:
        by_class, spread = shared.reduce(by_class, spread)
        by_dim = by_class.T
    direct = slope @ (sums.T @ inverse) + y @ by_class + 2 * by_leverage * solved
    # Through G: the derivative with respect to S is minus G (Fᵀ slope Mᵀ + Fᵀ diag F) G.
    by_inverse = by_dim @ (inverse @ sums).T + spread
    by_gram = by_inverse + by_inverse.T
    # λ follows the trace of S.
    by_gram.diagonal().add_(ridge * by_gram.diagonal().mean())
    return direct - embedding @ by_gram
