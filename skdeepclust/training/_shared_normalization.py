"""Batch normalisation over the rows of a batch that is spread over ranks.

The means over a rank's own rows would not be those of the batch. torch has a layer for this, but
for CUDA only. Here the layers stay those of torch, so that a trained network is a usual one; only
while it is trained their passes add up sums over the ranks: of c channels 2 c + 1 numbers forward
and 2 c backward.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["batch_normalizations", "normalized_together"]


class _Sums(Protocol):
    """What the layers need of the ranks.

    Attributes
    ----------
    n_counted : int
        Rows of the inputs that belong to the batch.
    """

    n_counted: int

    def sums(self, *values: Any) -> tuple[Any, ...]:
        """Sums over the ranks."""


def batch_normalizations(network: nn.Module) -> list[_BatchNorm]:
    """The layers of which a row's output depends on the other rows of the batch."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


@contextmanager
def normalized_together(network: nn.Module, ranks: _Sums) -> Iterator[None]:
    """Let batch normalisation see the rows of all ranks while `network` is in training mode."""
    layers = batch_normalizations(network)
    for layer in layers:
        layer.forward = partial(_normalize, layer, ranks)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _normalize(layer: _BatchNorm, ranks: _Sums, x: Tensor) -> Tensor:
    """What the layer makes of inputs (b, c, ...)."""
    if not layer.training:
        out: Tensor = type(layer).forward(layer, x)
        return out
    weight: Tensor = layer.weight if layer.affine else x.new_ones(x.shape[1])
    bias: Tensor = layer.bias if layer.affine else x.new_zeros(x.shape[1])
    out, mean, variance, n = _Normalization.apply(x, weight, bias, layer.eps, ranks)
    if layer.track_running_stats:
        _follow(layer, mean, variance * n / (n - 1))
    return out


def _follow(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move the statistics for later use towards those of a batch."""
    assert layer.num_batches_tracked is not None
    assert layer.running_mean is not None and layer.running_var is not None
    layer.num_batches_tracked.add_(1)
    step = layer.momentum
    if step is None:
        step = 1.0 / float(layer.num_batches_tracked)
    layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), step)
    layer.running_var.lerp_(variance.to(layer.running_var.dtype), step)


class _Normalization(torch.autograd.Function):
    """Inputs (b, c, ...) less their mean over their deviation, times a weight, plus a bias."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, ranks: _Sums
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        counted = x[: ranks.n_counted].double()
        n_own = torch.tensor(counted.numel() / x.shape[1], dtype=torch.float64, device=x.device)
        total, squares, n = ranks.sums(_by_channel(counted), _by_channel(counted.square()), n_own)
        mean = total / n
        variance = (squares / n - mean.square()).clamp(min=0)
        scale = (variance + eps).rsqrt()
        normal = ((x - _along(mean, x)) * _along(scale, x)).to(weight.dtype)
        ctx.save_for_backward(normal, weight, scale, n)
        ctx.ranks, ctx.n_counted = ranks, ranks.n_counted
        ctx.mark_non_differentiable(mean, variance, n)
        out = torch.addcmul(_along(bias, x), normal, _along(weight, x))
        return out.to(x.dtype), mean, variance, n

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        normal, weight, scale, n = ctx.saved_tensors
        slope = grad_outputs[0].to(normal.dtype)
        by_bias, by_weight = _by_channel(slope.double()), _by_channel((slope * normal).double())
        all_bias, all_weight = ctx.ranks.sums(by_bias, by_weight)
        inner = slope - _along(all_bias / n, slope) - normal * _along(all_weight / n, slope)
        by_input = inner * _along(weight * scale, slope)
        by_input[ctx.n_counted :] = 0  # rows that have stood in for none
        by_input = by_input.to(grad_outputs[0].dtype)
        return by_input, by_weight.to(weight.dtype), by_bias.to(weight.dtype), None, None


def _by_channel(x: Tensor) -> Tensor:
    """Sums of (b, c, ...) over all but the channels, (c,)."""
    return x.transpose(0, 1).flatten(1).sum(dim=1)


def _along(values: Tensor, x: Tensor) -> Tensor:
    """Values of the channels (c,), to be combined with inputs (b, c, ...) of their precision."""
    return values.to(torch.promote_types(x.dtype, torch.float32)).view(-1, *[1] * (x.ndim - 2))
