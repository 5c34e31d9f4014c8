"""Rows of X as standardised float32 batches on a device, without a copy of large data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..spectral import to_device
from ._distributed import ALONE, OneProcess

__all__ = ["InputScaling", "Rows"]

_CHUNK_ROWS = 4096
# Rows farther than so many deviations, none of them a training row, lie at this distance: what a
# network makes of them remains finite.
_FARTHEST = 1e9
# Up to this size the standardised rows are kept, instead of being made for every batch.
_MAX_CACHED_BYTES = 2**28


@dataclass(frozen=True)
class InputScaling:
    """Centre of the inputs and one common scale, which leaves their geometry as it is.

    Attributes
    ----------
    center : ndarray of shape (p,)
        Mean of each feature, or of each channel repeated over its pixels.
    scale : float
        Root mean squared deviation over all features; never 0.
    """

    center: np.ndarray
    scale: float

    @classmethod
    def fit(
        cls, X: np.ndarray, input_shape: tuple[int, ...], ranks: OneProcess = ALONE
    ) -> InputScaling:
        """Measure the inputs of all ranks in two passes over chunks of rows."""
        peak = max((float(np.abs(c).max()) for c in _wide_chunks(X)), default=0.0)
        peak = ranks.largest(peak) or 1.0
        total, n = ranks.sums(sum((c / peak).sum(axis=0) for c in _wide_chunks(X)), float(len(X)))
        center = _per_channel(np.asarray(total) / float(n), input_shape)
        squares = sum(
            float(np.square(c / peak - center).mean(axis=1).sum()) for c in _wide_chunks(X)
        )
        deviation = np.sqrt(float(ranks.sums(float(squares))[0]) / float(n)) * peak
        if _is_constant(X, ranks) or not deviation > 0:
            raise ValueError(
                f"X has the same value in every row of every feature ({center.ravel()[:3] * peak} "
                "...): constant columns alone hold nothing to cluster."
            )
        return cls(center * peak, float(deviation))

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Standardised rows, (n, p) float32."""
        wide = X.reshape(len(X), -1).astype(np.float64)
        with np.errstate(over="ignore"):
            wide -= self.center
            wide /= self.scale
        return np.clip(wide, -_FARTHEST, _FARTHEST, out=wide).astype(np.float32)


class Rows:
    """Batches of the rows of an array, addressed by index.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        Any numeric type; may be memory-mapped.
    scaling : InputScaling
    input_shape : tuple of int
        Shape in which the network wants one input.
    device : torch.device
    ranks : OneProcess
        The processes over which the training set is spread; X is this one's part.
    """

    def __init__(
        self,
        X: np.ndarray,
        scaling: InputScaling,
        input_shape: tuple[int, ...],
        device: torch.device,
        ranks: OneProcess = ALONE,
    ) -> None:
        self.X = X
        self.scaling = scaling
        self.input_shape = input_shape
        self.device = device
        self.ranks = ranks
        self._cache: Tensor | None = None
        if 4 * len(X) * prod(input_shape) <= _MAX_CACHED_BYTES:
            self._cache = self._standardize_all()

    def __len__(self) -> int:
        return len(self.X)

    def take(self, indices: np.ndarray | slice) -> Tensor:
        """The rows at `indices`, ``(b, *input_shape)`` float32 on the device."""
        if self._cache is None:
            return self._standardized(indices)
        if isinstance(indices, slice):
            return self._cache[indices]
        return self._cache.index_select(0, to_device(torch.as_tensor(indices), self.device))

    def flat(self, indices: np.ndarray) -> np.ndarray:
        """The rows at `indices` for use outside torch, (b, p) float64."""
        return self.scaling.apply(self.X[indices]).astype(np.float64)

    def _standardize_all(self) -> Tensor:
        """All rows on the device; float64 is taken of a chunk at a time."""
        rows = torch.empty(len(self.X), *self.input_shape, dtype=torch.float32, device=self.device)
        for start in range(0, len(rows), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            rows[chunk] = self._standardized(chunk)
        return rows

    def _standardized(self, indices: Any) -> Tensor:
        flat = torch.from_numpy(self.scaling.apply(self.X[indices]))
        return to_device(flat.reshape(-1, *self.input_shape), self.device)


def _wide_chunks(X: np.ndarray) -> Iterator[np.ndarray]:
    """Flattened float64 chunks of rows, (b, p)."""
    for start in range(0, len(X), _CHUNK_ROWS):
        yield X[start : start + _CHUNK_ROWS].reshape(-1, prod(X.shape[1:])).astype(np.float64)


def _is_constant(X: np.ndarray, ranks: OneProcess) -> bool:
    """Whether all rows are equal; the rounding of a mean would hide it."""
    starts, row = range(0, len(X), _CHUNK_ROWS), ranks.first(np.asarray(X[0]))
    varies = any((X[start : start + _CHUNK_ROWS] != row).any() for start in starts)
    return not ranks.largest(varies)


def _per_channel(center: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
    """The mean of a channel for all of its pixels: an image keeps its even background."""
    if len(input_shape) != 3:
        return center
    channels = center.reshape(input_shape[0], -1).mean(axis=1, keepdims=True)
    return np.broadcast_to(channels, (input_shape[0], prod(input_shape[1:]))).ravel()
