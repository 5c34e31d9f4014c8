"""Work on rows in batches of one size, so that a row does not depend on its neighbours.

The order in which a matrix product adds up depends on its shape. A last batch is therefore
padded to the size of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ._rows import Rows

__all__ = ["BATCH_ROWS", "EmbeddedRows", "embed_rows", "map_batches"]

BATCH_ROWS = 256
# Up to this size embeddings are kept, instead of being computed whenever they are asked for.
_MAX_KEPT_BYTES = 2**27
# Of larger ones so many bytes are there at a time.
_PART_BYTES = 2**25


class EmbeddedRows:
    """What a row-wise function of embeddings makes of all rows, where these may be very many.

    Small results are computed once and kept, as one part. Of large ones a part is computed when
    it is asked for, and again when it is asked for again.

    Parameters
    ----------
    compute : callable
        Takes indices (b,) or a slice of the rows, and returns a tensor (b, d); what it returns
        for a row must not depend on the other rows.
    n_rows, n_columns : int
    """

    def __init__(
        self, compute: Callable[[np.ndarray | slice], Tensor], n_rows: int, n_columns: int
    ) -> None:
        self._compute = compute
        self.shape = (n_rows, n_columns)
        self._keeps = 4 * n_rows * n_columns <= _MAX_KEPT_BYTES
        self._kept: Tensor | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray | slice) -> Tensor:
        """The rows at `indices`, (b, d)."""
        if not self._keeps:
            return self._compute(indices)
        if self._kept is None:
            self._kept = self._compute(slice(0, len(self)))
        if isinstance(indices, slice):
            return self._kept[indices]
        return self._kept.index_select(0, torch.as_tensor(indices))

    @property
    def n_at_once(self) -> int:
        """Rows of a part."""
        n_rows, n_columns = self.shape
        in_part = _PART_BYTES // (4 * n_columns * BATCH_ROWS) * BATCH_ROWS
        return max(1, n_rows) if self._keeps else max(BATCH_ROWS, in_part)

    def parts(self) -> Iterator[Tensor]:
        """All rows in their order, part by part."""
        for start in range(0, len(self), self.n_at_once):
            yield self[start : min(len(self), start + self.n_at_once)]

    def map(self, function: Callable[[Tensor], Tensor]) -> EmbeddedRows:
        """What a row-wise function that leaves the shape as it is makes of them."""
        return EmbeddedRows(lambda indices: function(self[indices]), *self.shape)

    def collect(self) -> np.ndarray:
        """All rows as an array, (n, d) float32."""
        if self._keeps:
            return self[slice(0, len(self))].numpy()
        collected = np.empty(self.shape, dtype=np.float32)
        start = 0
        for part in self.parts():
            collected[start : start + len(part)] = part
            start += len(part)
        return collected


def embed_rows(network: nn.Module, rows: Rows, indices: np.ndarray | slice | None = None) -> Tensor:
    """Row-normalised embeddings of all rows, or of those at `indices`; (n, d) on the CPU."""
    if indices is None:
        indices = slice(None)
    chosen = range(len(rows))[indices] if isinstance(indices, slice) else indices
    if not len(chosen):  # a rank's share of few rows may be empty
        return embed_rows(network, rows, np.zeros(1, dtype=np.int64))[:0]
    batches = (
        rows.take(np.asarray(chosen[start : start + BATCH_ROWS]))
        for start in range(0, len(chosen), BATCH_ROWS)
    )
    training = network.training
    network.eval()
    embedded = _joined(partial(_embed_batch, network), batches, len(chosen))
    network.train(training)
    return embedded


def map_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Concatenated results of a row-wise function of batches of one size."""
    return _joined(function, rows.split(BATCH_ROWS), len(rows))


def _embed_batch(network: nn.Module, batch: Tensor) -> Tensor:
    with torch.inference_mode():
        return functional.normalize(network(batch), dim=1, eps=1e-12).cpu()


def _joined(function: Callable[[Tensor], Tensor], batches: Iterable[Tensor], n_rows: int) -> Tensor:
    """Results for n rows, each written to its place: no second copy is made to join them."""
    joined, start = torch.empty(0), 0
    for batch in batches:
        result = _padded(function, batch)
        if not start:
            joined = torch.empty(
                n_rows, *result.shape[1:], dtype=result.dtype, device=result.device
            )
        joined[start : start + len(result)] = result
        start += len(result)
    return joined


def _padded(function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """Result for the rows of a batch that is filled up with zeros."""
    n = batch.shape[0]
    if n < BATCH_ROWS:
        padded = batch.new_zeros(BATCH_ROWS, *batch.shape[1:])
        padded[:n] = batch
        batch = padded
    return function(batch)[:n]
