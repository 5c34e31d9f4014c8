"""Sufficient statistics of the spectral clustering objective.

The objective sees a batch of embeddings F and assignments Y only through three sums over
its rows: the Gram FᵀF, the class sums YᵀF and the class Gram YᵀY. They add up over chunks
of rows and over processes, which is what makes large and distributed batches exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "CHUNK_ROWS",
    "SpectralStatistics",
    "class_codes",
    "gram",
    "product",
    "spectral_statistics",
    "to_device",
]

# A product of symmetric blocks below this width is slower than the full product.
_MIN_BLOCKED_DIM = 128
_N_BLOCKS = 4
# From this number of entries on, too many for the caches, sorting the rows first is faster.
_MIN_SORTED_SIZE = 2**22
# Rows converted to float64 at a time.
CHUNK_ROWS = 8192
# Rows added one after the other in float32: where they are alike, each addition errs to the
# same side. Products of matrices as wide as this add up in blocks by themselves.
_MAX_ADDED_ROWS = 4096
_MIN_UNSPLIT_DIM = 16


@dataclass(frozen=True)
class SpectralStatistics:
    """Gram, class sums and class counts of a batch.

    Attributes
    ----------
    gram : Tensor of shape (d, d)
        FᵀF.
    sums : Tensor of shape (k, d)
        YᵀF: the sum of the rows of each class.
    counts : Tensor of shape (k,) or (k, k)
        Rows in each class for integer labels (the diagonal of YᵀY, which then is all of it);
        the whole of YᵀY, in float64, for a real assignment matrix: its rank is wanted.
    """

    gram: Tensor
    sums: Tensor
    counts: Tensor

    def __add__(self, other: SpectralStatistics) -> SpectralStatistics:
        """Statistics of the union of two disjoint batches."""
        return SpectralStatistics(
            self.gram + other.gram, self.sums + other.sums, self.counts + other.counts
        )

    def scaled(self, factor: float) -> SpectralStatistics:
        """All sums multiplied by ``factor``: exponential forgetting of old rows."""
        return SpectralStatistics(self.gram * factor, self.sums * factor, self.counts * factor)


def spectral_statistics(
    embedding: Tensor, y: Tensor, n_classes: int | None = None, dtype: torch.dtype | None = None
) -> SpectralStatistics:
    """Sum the three statistics over the rows of a batch.

    Parameters
    ----------
    embedding : Tensor of shape (n, d)
        Embeddings F.
    y : Tensor of shape (n,) or (n, k)
        Class codes in ``[0, n_classes)``, or a real assignment matrix.
    n_classes : int, optional
        Number of classes for integer codes. Default: the largest code plus one.
    dtype : torch.dtype, optional
        Precision of the sums. Default: that of `embedding`.

    Returns
    -------
    SpectralStatistics
        Adds up over batches that share `n_classes`.
    """
    dtype = dtype or embedding.dtype
    if y.ndim == 2:
        assignment = y.to(dtype)
        sums = _wide_product(assignment, embedding, dtype)  # (k, d)
        class_gram = _wide_product(assignment, assignment, torch.float64)  # (k, k)
        return SpectralStatistics(gram(embedding, dtype), sums, class_gram)
    n_classes = n_classes or int(y.max()) + 1
    counts = _class_counts(y, n_classes).to(dtype)  # (k,)
    return SpectralStatistics(
        gram(embedding, dtype), _class_sums(embedding, y, n_classes, dtype), counts
    )


def gram(embedding: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """FᵀF accumulated in `dtype`; (d, d), symmetric up to rounding.

    Where it is wide only the upper blocks are computed: 5/8 of the operations.
    """
    if dtype is not None and dtype != embedding.dtype:
        return _wide_product(embedding, embedding, dtype)
    dim = embedding.shape[1]
    if dim < _MIN_BLOCKED_DIM:
        return product(embedding, embedding)
    result = embedding.new_empty(dim, dim)
    edges = [dim * i // _N_BLOCKS for i in range(_N_BLOCKS + 1)]
    for start, stop in pairwise(edges):
        stripe = embedding[:, start:stop].T @ embedding[:, start:]
        result[start:stop, start:] = stripe
        result[start:, start:stop] = stripe.T
    return result


def product(left: Tensor, right: Tensor) -> Tensor:
    """leftᵀ right of many rows, (d, k), in parts where either is narrow."""
    n, dim = left.shape[0], min(left.shape[1], right.shape[1])
    if n <= _MAX_ADDED_ROWS or dim >= _MIN_UNSPLIT_DIM or left.dtype == torch.float64:
        return left.T @ right
    end = n - n % _MAX_ADDED_ROWS
    parts = [m[:end].reshape(-1, _MAX_ADDED_ROWS, m.shape[1]) for m in (left, right)]
    total = (parts[0].transpose(1, 2) @ parts[1]).sum(dim=0, dtype=torch.float64)
    return (total + left[end:].T @ right[end:]).to(left.dtype)


def class_codes(y: Tensor) -> tuple[Tensor, int]:
    """Integer labels as codes in ``[0, n_codes)``; codes may be left unused.

    Labels that already lie in ``[0, n)`` pass through: finding the unused ones afterwards
    in the counts is much cheaper than sorting the labels.
    """
    low, high = torch.stack(torch.aminmax(y)).tolist()  # one transfer from a device
    if low >= 0 and high < y.shape[0]:
        return y, high + 1
    names, codes = torch.unique(y, return_inverse=True)
    return codes, names.shape[0]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; what comes from the host is not waited for."""
    # The other way round it could be read before it is there.
    return tensor.to(device, non_blocking=tensor.device.type == "cpu")


def _class_counts(y: Tensor, n_classes: int) -> Tensor:
    """Rows of each class, (k,)."""
    if y.device.type == "cpu":
        return torch.bincount(y, minlength=n_classes)
    return _added_counts(y, n_classes)


def _added_counts(y: Tensor, n_classes: int) -> Tensor:
    """The same; on a device `bincount` would wait for the largest and the smallest code."""
    return y.new_zeros(n_classes).scatter_add_(0, y, torch.ones_like(y))


def _class_sums(embedding: Tensor, y: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """YᵀF for one-hot Y by summing rows, without forming Y."""
    if embedding.device.type != "cpu" or (
        embedding.dtype == dtype and embedding.numel() >= _MIN_SORTED_SIZE
    ):
        return _sorted_class_sums(embedding.to(dtype), y, n_classes)
    at_once = max(_MAX_ADDED_ROWS, 8 * n_classes)
    if dtype == embedding.dtype == torch.float32 and embedding.shape[0] > at_once:
        return _class_sums_of_parts(embedding, y, n_classes, at_once)
    sums = embedding.new_zeros(n_classes, embedding.shape[1], dtype=dtype)
    for start in range(0, embedding.shape[0], CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        sums.index_add_(0, y[rows], embedding[rows].to(dtype))
    return sums  # (k, d)


def _class_sums_of_parts(embedding: Tensor, y: Tensor, n_classes: int, at_once: int) -> Tensor:
    """Class sums over at most `at_once` rows each, added up in float64."""
    n, dim = embedding.shape
    n_parts = -(-n // at_once)
    first = n_classes * torch.arange(n_parts)
    codes = y + first.repeat_interleave(at_once)[:n]
    parts = embedding.new_zeros(n_parts * n_classes, dim).index_add_(0, codes, embedding)
    total = parts.view(n_parts, n_classes, dim).sum(dim=0, dtype=torch.float64)
    return total.to(embedding.dtype)  # (k, d)


def _sorted_class_sums(embedding: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Class sums in a fixed order of addition, which scattered adds lack on accelerators."""
    order = torch.argsort(y, stable=True)
    counts = _class_counts(y, n_classes)
    offsets = torch.cumsum(counts, 0) - counts
    # Parts of at most so many rows, each of one class; where two begin together, one is empty.
    cuts = torch.arange(0, embedding.shape[0], _MAX_ADDED_ROWS, device=y.device)
    starts = torch.cat([offsets, cuts]).sort().values
    parts = functional.embedding_bag(order, embedding, starts, mode="sum").double()
    own = torch.arange(len(starts), device=y.device)
    first = torch.searchsorted(starts, offsets)
    return functional.embedding_bag(own, parts, first, mode="sum").to(embedding.dtype)  # (k, d)


def _wide_product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """leftᵀ right accumulated in `dtype`, converting a bounded number of rows at a time."""
    if left.dtype == right.dtype == dtype:
        return product(left, right)
    result = torch.zeros(left.shape[1], right.shape[1], dtype=dtype, device=left.device)
    for start in range(0, left.shape[0], CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        result.addmm_(left[rows].to(dtype).T, right[rows].to(dtype))
    return result
