"""Work on rows in batches of one size, so that a row does not depend on its neighbours.

The order in which a matrix product adds up depends on its shape. A last batch is therefore
padded to the size of all others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ._rows import Rows

__all__ = ["BATCH_ROWS", "embed_rows", "map_batches"]

BATCH_ROWS = 256


def embed_rows(network: nn.Module, rows: Rows, indices: np.ndarray | None = None) -> Tensor:
    """Row-normalised embeddings of all rows, or of those at `indices`; (n, d) on the CPU."""
    indices = np.arange(len(rows)) if indices is None else indices
    if not len(indices):  # a rank's share of few rows may be empty
        return embed_rows(network, rows, np.zeros(1, dtype=np.int64))[:0]
    training = network.training
    network.eval()
    with torch.inference_mode():
        parts = [
            _padded(lambda x: functional.normalize(network(x), dim=1, eps=1e-12), batch).cpu()
            for batch in (
                rows.take(indices[start : start + BATCH_ROWS])
                for start in range(0, len(indices), BATCH_ROWS)
            )
        ]
    network.train(training)
    return torch.cat(parts)


def map_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Concatenated results of a row-wise function of batches of one size."""
    return torch.cat([_padded(function, batch) for batch in rows.split(BATCH_ROWS)])


def _padded(function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """Result for the rows of a batch that is filled up with zeros."""
    n = batch.shape[0]
    if n < BATCH_ROWS:
        padded = batch.new_zeros(BATCH_ROWS, *batch.shape[1:])
        padded[:n] = batch
        batch = padded
    return function(batch)[:n]
