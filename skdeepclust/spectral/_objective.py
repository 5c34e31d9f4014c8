"""The spectral clustering objective as a differentiable loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ._solve import SpectralSolution, solve
from ._statistics import class_codes, to_device

__all__ = [
    "OnceDifferentiable",
    "SpectralObjective",
    "check_loss_arguments",
    "exact_products",
    "spectral_clustering_loss",
]

_HAS_PRECISIONS = hasattr(torch.backends.cuda.matmul, "fp32_precision")


def spectral_clustering_loss(embedding: Tensor, y: Tensor, *, ridge: float = 0.0) -> Tensor:
    """Deep spectral clustering loss ``k - tr(C F F⁺)`` with its closed-form gradient.

    C = Y Y⁺ is the orthogonal projector on the wanted clustering, F F⁺ the projector on what
    the embedding can express linearly; the loss is half of ``‖C - F F⁺‖²`` up to a term that
    depends on ranks only. It lies in [0, k], k = rank C, and is 0 where the clusters are
    linearly separated subspaces of the embedding.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
        Embeddings F, one row each; may require a gradient. Half precision is computed in
        float32.
    y : Tensor of shape (n,) or (n, k)
        Class of each row (any integers), or a real assignment matrix Y: one-hot, several
        classes a row, or soft memberships. On the device of `embedding` or on the CPU, which
        saves an accelerator a wait.
    ridge : float, default=0.0
        λ I is added to FᵀF, λ being `ridge` times the mean eigenvalue of FᵀF. 0 is the exact
        pseudo-inverse, with the rank detected. Of the order of 1 it keeps small batches from
        overfitting.

    Returns
    -------
    Tensor of shape ()
        The loss, in the precision of `embedding`, differentiable once.

    Raises
    ------
    ValueError
        If a shape does not fit, `ridge` is negative, or a value is not finite.

    Notes
    -----
    With S = FᵀF, J = Y (YᵀY)^(-1/2), M = FᵀJ and A = (S + λI)⁻¹ M, the loss is k - tr(MᵀA)
    and its gradient 2 (F A Aᵀ - J Aᵀ) (for λ = 0): O(n d² + k d² + d³) operations and
    O(n d + d² + k d) memory, without a matrix of n × n and without a singular value
    decomposition. The gradient is orthogonal to F, and nothing is learned from a batch with
    n ≤ d rows. Scaling F changes nothing but the length of the gradient.

    Of float32 rows the loss is exact to 5e-5 k, and the gradient to 1e-4 of 2 ‖A‖, which is at
    least its norm for λ = 0, whatever the condition of F is: where float32 is not accurate,
    float64 is used. Without a ridge, singular values of F below 64 eps of the largest one count
    as rounding noise; under a ridge that outweighs this noise none is cut off.

    References
    ----------
    Law, Urtasun, Zemel, "Deep Spectral Clustering Learning", ICML 2017, equations 4 to 9.

    Examples
    --------
    >>> import torch
    >>> from skdeepclust import spectral_clustering_loss
    >>> separated = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 3.0], [0.0, 3.0]])
    >>> float(spectral_clustering_loss(torch.ones(5, 2), torch.tensor([0, 0, 1, 1, 1])))
    1.0
    >>> round(float(spectral_clustering_loss(separated, torch.tensor([0, 0, 1, 1, 1]))), 4)
    0.1
    """
    check_loss_arguments(embedding, y, ridge)
    if embedding.dtype in (torch.float16, torch.bfloat16):
        embedding = embedding.float()
    y, n_classes = class_codes(y.long()) if y.ndim == 1 else (_unit_scaled(y.detach()), None)
    y = to_device(y, embedding.device)
    with exact_products(embedding.device.type):
        solution = solve(embedding.detach(), y, n_classes, float(ridge))
    loss: Tensor = SpectralObjective.apply(embedding, y, solution)
    return loss


def check_loss_arguments(embedding: Tensor, y: Tensor, ridge: float) -> None:
    """Raise ValueError where shapes, types or the ridge are not as wanted."""
    if embedding.ndim != 2 or 0 in embedding.shape or not embedding.is_floating_point():
        raise ValueError(
            "embedding must be a floating point tensor of shape (n, d) with n, d >= 1, got "
            f"{embedding.dtype} of shape {tuple(embedding.shape)}."
        )
    if y.ndim not in (1, 2) or y.shape[0] != embedding.shape[0]:
        raise ValueError(
            f"y must have shape ({embedding.shape[0]},) or ({embedding.shape[0]}, k) to match "
            f"embedding, got {tuple(y.shape)}."
        )
    if y.ndim == 1 and (y.is_floating_point() or y.is_complex()):
        raise ValueError(f"y of shape (n,) must hold integer classes, got {y.dtype}.")
    if y.ndim == 2 and (y.shape[1] == 0 or y.is_complex()):
        raise ValueError(
            "y of shape (n, k) must be a real matrix with k >= 1, got "
            f"{y.dtype} of shape {tuple(y.shape)}."
        )
    if not 0 <= ridge < math.inf:
        raise ValueError(f"ridge must be >= 0 and finite, got {ridge!r}.")


def _unit_scaled(y: Tensor) -> Tensor:
    """Y divided by its largest entry: the projector stays, and YᵀY cannot overflow; (n, k)."""
    y = y if y.is_floating_point() else y.float()
    largest = float(y.abs().max())
    if not largest < math.inf:
        raise ValueError("y contains NaN or infinity; finite values are needed.")
    return y / (largest or 1.0)


class SpectralObjective(torch.autograd.Function):
    """k - tr(C F F⁺); the backward pass is the closed form, never a differentiated solver."""

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, y: Tensor, solution: SpectralSolution) -> Any:
        ctx.solution = solution
        ctx.save_for_backward(embedding, y)
        return solution.objective.to(embedding.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        embedding, y = ctx.saved_tensors
        with exact_products(embedding.device.type):
            gradient = ctx.solution.gradient(embedding, y, grad_outputs[0])
        return OnceDifferentiable.apply(embedding, gradient), None, None


class OnceDifferentiable(torch.autograd.Function):
    """A closed-form gradient, as a node of its own so that deriving it fails aloud.

    `once_differentiable` would silently take it for a constant of the embedding.
    """

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, gradient: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        raise RuntimeError("The loss can be differentiated once only.")


@contextmanager
def exact_products(device_type: str) -> Iterator[None]:
    """No autocast, and on CUDA no TF32: the statistics need all the digits they can get."""
    if device_type != "cuda" and not torch.is_autocast_enabled(device_type):
        yield
        return
    matmul = torch.backends.cuda.matmul
    # Where torch has the first, reading the second is an error once somebody has set the first.
    name, exact = ("fp32_precision", "ieee") if _HAS_PRECISIONS else ("allow_tf32", False)
    before = getattr(matmul, name)
    with torch.autocast(device_type, enabled=False):
        setattr(matmul, name, exact)
        try:
            yield
        finally:
            setattr(matmul, name, before)
