"""The spectral objective's predictions for rows that were left out, as a differentiable loss.

k - tr(C F F⁺) is the error of the best linear map from the embedding of a batch to its clusters,
on the very rows from which the map was found. Here every row is predicted by the map that the
*other* rows give, which costs no more, and the predictions are compared by cross-entropy: rows
that are nearly predicted wrongly count most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ._objective import OnceDifferentiable, check_loss_arguments, exact_products
from ._solve import LENGTH_RANGE, MAX_INFLATION, inverse_or_nan
from ._statistics import SpectralStatistics, class_codes, product, to_device

__all__ = ["LeaveOneOut", "SharedSums", "leave_one_out_dtype", "leave_one_out_loss"]

# Below this ridge the inverse loses too many digits of float32.
_MIN_SINGLE_RIDGE = 0.01
# Without any ridge a row that no other row resembles would be predicted by dividing 0 by 0.
_MIN_RIDGE = 1e-6
# Largest accepted variance inflation (see `solve`), and largest quotient of it and of the least
# 1 - h, by which the error of the prediction for a row is amplified that no other resembles.
_LIMITS = {
    torch.float32: (MAX_INFLATION[torch.float32], 2e2),
    torch.float64: (math.inf, 1e8),
}
# 1 - h below so many eps is rounding noise.
_MIN_FREEDOM_EPS = 8.0


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
        scaled to sum 1, rows of zeros count for nothing. On the device of `embedding` or on
        the CPU.
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
    memory. With A = G FᵀY, the loss of float32 rows is exact to 5e-5 / `temperature`, and the
    gradient to 1e-4 of ‖A‖ / (`temperature` √n) or of its own norm, whatever the rows are: where
    these make float32 inaccurate, float64 is used.

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
        embedding, _shares(y.detach(), embedding), float(ridge), temperature, None
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
        Of the whole batch, in a precision in which the loss is accurate.
    reduce : callable
        Gives the sums of tensors over the processes.
    """

    statistics: SpectralStatistics
    reduce: Callable[..., tuple[Tensor, ...]]


def _shares(y: Tensor, embedding: Tensor) -> Tensor:
    """Assignments (n, k) whose rows sum to 1, or to 0 for unassigned rows."""
    device, dtype = embedding.device, embedding.dtype
    if y.ndim == 1:
        codes, n_classes = class_codes(y.long())
        return functional.one_hot(to_device(codes, device), n_classes).to(dtype)
    if not bool(torch.isfinite(y).all()) or bool((y < 0).any()):
        raise ValueError("y of shape (n, k) must be finite and non-negative.")
    y = to_device(y if y.dtype == torch.float64 else y.to(dtype), device)
    largest = y.amax(dim=1, keepdim=True)  # divided by it no sum can overflow
    shares = (y / largest.where(largest > 0, 1.0)).to(dtype)
    return functional.normalize(shares, p=1, dim=1)


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
        wanted, ridge = ctx.needs_input_grad[0], max(ridge, _MIN_RIDGE)
        with exact_products(embedding.device.type):
            rows, unit = _predict_accurately(embedding.detach(), y, ridge, shared)
            loss, gradient = _loss_and_gradient(rows, temperature, wanted)
        if gradient is not None:
            gradient = gradient if unit == 1.0 else gradient / unit
            ctx.save_for_backward(embedding, gradient.to(embedding.dtype))
        return loss.to(embedding.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        embedding, gradient = ctx.saved_tensors
        gradient = OnceDifferentiable.apply(embedding, gradient * grad_outputs[0])
        return gradient, None, None, None, None


@dataclass(frozen=True)
class _LeftOut:
    """Rows, each predicted by the map that the others give.

    Attributes
    ----------
    embedding, y : Tensor of shape (n, d) and (n, k)
    sums : Tensor of shape (d, k)
        FᵀY over the whole batch.
    n_assigned : Tensor of shape ()
        Rows with a class in the whole batch.
    ridge : float
    inverse : Tensor of shape (d, d)
        G = (FᵀF + λI)⁻¹.
    solved : Tensor of shape (n, d)
        F G.
    freedom : Tensor of shape (n, 1)
        1 - h.
    predicted : Tensor of shape (n, k)
    shared : SharedSums or None
    """

    embedding: Tensor
    y: Tensor
    sums: Tensor
    n_assigned: Tensor
    ridge: float
    inverse: Tensor
    solved: Tensor
    freedom: Tensor
    predicted: Tensor
    shared: SharedSums | None

    def gradient(self, slope: Tensor) -> Tensor:
        """Gradient (n, d) of what has the derivatives `slope` (n, k); these are overwritten."""
        slope = slope.div_(self.freedom)  # with respect to P = F G FᵀY
        solved, inverse, sums = self.solved, self.inverse, self.sums
        # d loss / d h (n, 1)
        by_leverage = (slope * (self.predicted - self.y)).sum(dim=1, keepdim=True)
        by_class = slope.T @ solved  # (k, d)
        spread = solved.T @ (by_leverage * solved)  # (d, d)
        if self.shared is not None:
            by_class, spread = self.shared.reduce(by_class, spread)
        direct = slope @ (sums.T @ inverse)
        direct.add_(self.y @ by_class).add_(2 * by_leverage * solved)
        # Through G: the derivative with respect to S is minus G (Fᵀ slope Mᵀ + Fᵀ diag F) G.
        by_inverse = by_class.T @ (inverse @ sums).T + spread
        by_gram = by_inverse + by_inverse.T
        # λ follows the trace of S.
        by_gram.diagonal().add_(self.ridge * by_gram.diagonal().mean())
        return direct.sub_(self.embedding @ by_gram)


@dataclass(frozen=True)
class _FewLeftOut:
    """The same of no more rows than dimensions, where P and Y may be all but equal.

    Attributes
    ----------
    embedding, y : Tensor of shape (n, d) and (n, k)
    ridge : float
    inverse : Tensor of shape (n, n)
        R = (FFᵀ + λI)⁻¹.
    residuals : Tensor of shape (n, k)
        What is left of Y: the rows of R Y over the diagonal of R.
    """

    embedding: Tensor
    y: Tensor
    ridge: float
    inverse: Tensor
    residuals: Tensor

    @property
    def n_assigned(self) -> Tensor:
        return self.y.sum().clamp(min=1)

    @property
    def predicted(self) -> Tensor:
        return self.y - self.residuals

    def gradient(self, slope: Tensor) -> Tensor:
        """Gradient (n, d) of what has the derivatives `slope` (n, k)."""
        slope = slope / self.inverse.diagonal()[:, None]
        by_inverse = slope @ self.y.T  # (n, n); of R, but for the sign
        by_inverse.diagonal().sub_((slope * self.residuals).sum(dim=1))
        by_kernel = self.inverse @ (by_inverse + by_inverse.T) @ self.inverse
        # λ follows the trace of FFᵀ.
        by_kernel.diagonal().add_(self.ridge / self.embedding.shape[1] * by_kernel.trace())
        return by_kernel @ self.embedding


def _predict_accurately(
    embedding: Tensor, y: Tensor, ridge: float, shared: SharedSums | None
) -> tuple[_LeftOut | _FewLeftOut, float]:
    """Predictions in the cheapest way that is accurate; the unit of length of the rows."""
    dtype = leave_one_out_dtype(embedding.dtype, ridge)
    if shared is not None:
        dtype = shared.statistics.gram.dtype
    rows, is_accurate = _predict(embedding.to(dtype), y.to(dtype), ridge, shared, _by_cholesky)
    if is_accurate or (shared is not None and dtype != torch.float64):
        return rows, 1.0
    if not bool(torch.isfinite(embedding).all()):
        raise ValueError("embedding contains NaN or infinity; finite values are needed.")
    unit = 1.0 if shared is not None else float(embedding.abs().max()) or 1.0
    wide, y = embedding.double() / unit, y.double()
    if dtype != torch.float64:
        rows, is_accurate = _predict(wide, y, ridge, None, _by_cholesky)
    if is_accurate:
        return rows, unit
    if shared is None and len(wide) <= wide.shape[1]:
        return _predict_few(wide, y, ridge), unit
    return _predict(wide, y, ridge, shared, _by_eigenvectors)[0], unit


def _predict(
    embedding: Tensor,
    y: Tensor,
    ridge: float,
    shared: SharedSums | None,
    solve: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]],
) -> tuple[_LeftOut, bool]:
    """Predictions in the precision of the rows, and whether they are accurate."""
    gram, sums, n_assigned = _totals(embedding, y, shared)
    level = ridge * gram.diagonal().mean()
    inverse, solved, leverage, fitted = solve(gram, level, embedding, sums)
    freedom = (1 - leverage).clamp(min=_MIN_FREEDOM_EPS * torch.finfo(leverage.dtype).eps)
    predicted = fitted.sub_(leverage * y).div_(freedom)  # (n, k)
    rows = _LeftOut(
        embedding, y, sums, n_assigned, ridge, inverse, solved, freedom, predicted, shared
    )
    return rows, _is_accurate(gram.diagonal(), inverse.diagonal(), freedom)


def _predict_few(embedding: Tensor, y: Tensor, ridge: float) -> _FewLeftOut:
    """Predictions for float64 rows from their products with each other, (n, n)."""
    shifted = embedding @ embedding.T
    level = ridge * shifted.trace() / embedding.shape[1]
    shifted.diagonal().add_(_nonzero(level))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(shifted))
    residuals = (inverse @ y) / inverse.diagonal()[:, None]
    return _FewLeftOut(embedding, y, ridge, inverse, residuals)


def _totals(
    embedding: Tensor, y: Tensor, shared: SharedSums | None
) -> tuple[Tensor, Tensor, Tensor]:
    """FᵀF (d, d), FᵀY (d, k) and the number of assigned rows () of the batch."""
    if shared is None:
        return product(embedding, embedding), product(embedding, y), y.sum().clamp(min=1)
    gram, sums, counts = shared.statistics.gram, shared.statistics.sums, shared.statistics.counts
    return gram.clone(), sums.T, counts.sum().clamp(min=1)


def _by_cholesky(
    gram: Tensor, level: Tensor, embedding: Tensor, sums: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """G (d, d), F G (n, d), h (n, 1) and P = F G FᵀY (n, k); NaN where that is not possible.

    `gram` becomes FᵀF + λI.
    """
    gram.diagonal().add_(level)
    inverse = inverse_or_nan(gram)
    solved = embedding @ inverse
    return inverse, solved, (solved * embedding).sum(dim=1, keepdim=True), solved @ sums


def _by_eigenvectors(
    gram: Tensor, level: Tensor, embedding: Tensor, sums: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same, where 1 / λ in G would drown what the rows have no part in."""
    values, vectors = torch.linalg.eigh(gram)
    weights = 1 / (values.clamp(min=0) + _nonzero(level))
    rotated = embedding @ vectors
    solved = rotated * weights
    leverage = (solved * rotated).sum(dim=1, keepdim=True)
    fitted = solved @ (vectors.T @ sums)
    return (vectors * weights) @ vectors.T, solved @ vectors.T, leverage, fitted


def _nonzero(level: Tensor) -> Tensor:
    """λ; of rows of zeros alone 1, as any will do: the products with F are 0."""
    return torch.where(level > 0, level, 1.0)


def _is_accurate(lengths: Tensor, inverse_lengths: Tensor, freedom: Tensor) -> bool:
    """Whether to trust predictions, from the diagonals of 1/G and G, (d,) each, and 1 - h."""
    worst = (lengths * inverse_lengths).max()
    least = freedom.min() if len(freedom) else torch.ones_like(worst)
    # One transfer from the device; the comparisons refuse NaN as well.
    figures = torch.stack([worst, *torch.aminmax(lengths), least]).tolist()
    inflation, shortest, longest, least_freedom = map(float, figures)
    most, most_amplified = _LIMITS[lengths.dtype]
    return (
        LENGTH_RANGE[0] <= shortest
        and longest <= LENGTH_RANGE[1]
        and inflation <= most
        and inflation <= most_amplified * least_freedom
    )


def _loss_and_gradient(
    rows: _LeftOut | _FewLeftOut, temperature: float, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """Mean cross-entropy () and, where it is wanted, its gradient (n, d)."""
    n_assigned = rows.n_assigned
    log_shares = functional.log_softmax(rows.predicted / temperature, dim=1)
    loss = -(rows.y * log_shares).sum() / n_assigned
    if not wanted:
        return loss, None
    slope = log_shares.exp_().mul_(rows.y.sum(dim=1, keepdim=True)).sub_(rows.y)
    return loss, rows.gradient(slope.div_(temperature * n_assigned))
