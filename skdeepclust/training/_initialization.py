"""Closed-form solutions for an encoder's last linear layer."""

from __future__ import annotations

from functools import reduce
from operator import add

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
    """Set weights and bias of a linear encoder to the optimum of the objective.

    The bias matters: rows are scaled to length 1 afterwards, and with as few features as
    clusters only a map that keeps off the origin keeps all of their geometry.

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
    indices, y = rows.ranks.share(indices, y)
    # Products of rows with rows would need those of the other ranks.
    if head.in_features >= len(indices) and rows.ranks.n_ranks == 1:
        features = _with_constant(rows.take(indices).flatten(1).cpu().double())
        weights = dual_linear_solution(features, y, n_classes, ridge, head.out_features)
    else:
        statistics = rows.ranks.statistics(_streamed_statistics(rows, indices, y, n_classes))
        weights = linear_solution(statistics, ridge, head.out_features)
    made = nn.Linear(head.in_features, weights.shape[1], dtype=head.weight.dtype)
    network.head = made.to(head.weight)
    _set_head(network.head, weights)


def initialize_head(
    network: EncoderNetwork, rows: Rows, targets: np.ndarray, indices: np.ndarray, ridge: float
) -> None:
    """Set the last layer to the optimum for the features of the untrained body.

    The columns that the solution leaves open keep their random weights.
    """
    if not isinstance(network.head, nn.Linear):
        return
    chosen = stratified_sample(targets, _MAX_ROWS)
    y = torch.as_tensor(targets[chosen])
    n_classes = int(y.max()) + 1 if y.ndim == 1 else None
    own, y = rows.ranks.share(indices[chosen], y)
    features = _body_features(network, rows, own)
    of_own = spectral_statistics(_with_constant(features), y, n_classes)
    statistics = rows.ranks.statistics(of_own)
    weights = linear_solution(statistics, max(ridge, 1e-3), network.head.out_features)
    _set_head(network.head, weights)


def _body_features(network: EncoderNetwork, rows: Rows, indices: np.ndarray) -> Tensor:
    if not len(indices):  # a rank's share of few rows may be empty
        return _body_features(network, rows, np.zeros(1, dtype=np.int64))[:0]
    network.eval()
    with torch.no_grad():
        parts = [
            network.body(rows.take(indices[start : start + BATCH_ROWS])).cpu()
            for start in range(0, len(indices), BATCH_ROWS)
        ]
    return torch.cat(parts).double()


def _with_constant(features: Tensor) -> Tensor:
    """Features and a column of ones, (n, p + 1), whose weights are the bias."""
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)


def _streamed_statistics(
    rows: Rows, indices: np.ndarray, y: Tensor, n_classes: int | None
) -> SpectralStatistics:
    """Float64 statistics of the inputs and a constant, over chunks of rows."""
    chunks = (slice(start, start + _MAX_ROWS) for start in range(0, len(indices), _MAX_ROWS))
    parts = (
        spectral_statistics(
            _with_constant(rows.take(indices[chunk]).flatten(1).cpu().double()), y[chunk], n_classes
        )
        for chunk in chunks
    )
    return reduce(add, parts)


def _set_head(head: nn.Linear, weights: Tensor) -> None:
    """Make the layer compute [x, 1] W, scaled to the size of a usual initialisation."""
    n_set = weights.shape[1]
    usual = head.weight.detach()[:n_set].double().norm().cpu()
    size, whole = weights[:-1].double().norm(), weights.double().norm()
    if bool(size <= 1e-12 * whole):  # features that are all 0 leave the bias alone
        size = whole
    scaled = weights.double() * (usual / size.clamp(min=1e-300))
    with torch.no_grad():
        head.weight[:n_set] = scaled[:-1].T.to(head.weight)
        head.bias[:n_set] = scaled[-1].to(head.bias)
