"""Closed-form solutions for an encoder's last linear layer."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from ..networks import EncoderNetwork
from ..spectral import (
    SpectralStatistics,
    dual_linear_solution,
    linear_solution,
    spectral_statistics,
)
from ._batches import stratified_sample
from ._inference import BATCH_ROWS
from ._rows import Rows

__all__ = ["fit_linear", "initialize_head"]

_MAX_ROWS = 4096


def fit_linear(
    network: EncoderNetwork, rows: Rows, targets: np.ndarray, indices: np.ndarray, ridge: float
) -> None:
    """Set the weights of a linear encoder to the optimum of the objective.

    Parameters
    ----------
    network : EncoderNetwork
        Its body flattens; its head is replaced by one of as many columns as the solution
        has, at most as many as before.
    rows : Rows
    targets : ndarray of shape (n,) or (n, k)
        Of the rows at `indices`.
    indices : ndarray of shape (n,)
    ridge : float
        Relative to the mean eigenvalue of the Gram of the inputs.
    """
    head = network.head
    assert isinstance(head, nn.Linear)
    y = torch.as_tensor(targets)
    n_classes = int(y.max()) + 1 if y.ndim == 1 else None
    if head.in_features > len(indices):
        features = rows.take(indices).flatten(1).cpu()
        mean = features.mean(dim=0)
        weights = dual_linear_solution(features - mean, y, n_classes, ridge, head.out_features)
    else:
        statistics, mean = _streamed_statistics(rows, indices, y, n_classes)
        weights = linear_solution(statistics, ridge, head.out_features)
    network.head = nn.Linear(head.in_features, weights.shape[1]).to(head.weight)
    _set_head(network.head, weights, mean)


def initialize_head(
    network: EncoderNetwork, rows: Rows, targets: np.ndarray, indices: np.ndarray, ridge: float
) -> None:
    """Set the last layer to the optimum for the features of the untrained body.

    The columns that the solution leaves open keep their random weights.
    """
    if not isinstance(network.head, nn.Linear):
        return
    chosen = stratified_sample(targets, _MAX_ROWS)
    features = _body_features(network, rows, indices[chosen])
    y = torch.as_tensor(targets[chosen])
    n_classes = int(y.max()) + 1 if y.ndim == 1 else None
    mean = features.mean(dim=0)
    statistics = spectral_statistics(features - mean, y, n_classes)
    weights = linear_solution(statistics, max(ridge, 1e-3), network.head.out_features)
    _set_head(network.head, weights, mean)


def _body_features(network: EncoderNetwork, rows: Rows, indices: np.ndarray) -> Tensor:
    network.eval()
    with torch.no_grad():
        parts = [
            network.body(rows.take(indices[start : start + BATCH_ROWS])).cpu()
            for start in range(0, len(indices), BATCH_ROWS)
        ]
    return torch.cat(parts).double()


def _streamed_statistics(
    rows: Rows, indices: np.ndarray, y: Tensor, n_classes: int | None
) -> tuple[SpectralStatistics, Tensor]:
    """Float64 statistics of the centred inputs in one pass, and their mean."""
    total = torch.zeros(prod(rows.input_shape), dtype=torch.float64)
    statistics = None
    for start in range(0, len(indices), _MAX_ROWS):
        part = slice(start, start + _MAX_ROWS)
        features = rows.take(indices[part]).flatten(1).cpu().double()
        total += features.sum(dim=0)
        chunk = spectral_statistics(features, y[part], n_classes)
        statistics = chunk if statistics is None else statistics + chunk
    assert statistics is not None
    return _centered(statistics, y, total / len(indices)), total / len(indices)


def _centered(statistics: SpectralStatistics, y: Tensor, mean: Tensor) -> SpectralStatistics:
    """Statistics of the rows minus `mean`, their mean."""
    weights = statistics.counts if y.ndim == 1 else y.double().sum(dim=0)  # (k,)
    gram = statistics.gram - len(y) * torch.outer(mean, mean)
    return SpectralStatistics(gram, statistics.sums - torch.outer(weights, mean), statistics.counts)


def _set_head(head: nn.Linear, weights: Tensor, mean: Tensor) -> None:
    """Make the layer compute (x - mean) W, scaled to the size of a usual initialisation."""
    n_set = weights.shape[1]
    usual = head.weight.detach()[:n_set].double().norm()
    scaled = weights.double() * (usual.cpu() / weights.double().norm().clamp(min=1e-300))
    with torch.no_grad():
        head.weight[:n_set] = scaled.T.to(head.weight)
        if head.bias is not None:
            head.bias[:n_set] = -(mean.double() @ scaled).to(head.bias)
