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

__all__ = ["CHUNK_ROWS", "SpectralStatistics", "class_codes", "gram", "spectral_statistics"]

# A product of symmetric blocks below this width is slower than the full product.
_MIN_BLOCKED_DIM = 128
_N_BLOCKS = 4
# From this number of entries on, too many for the caches, sorting the rows first is faster.
_MIN_SORTED_SIZE = 2**22
# Rows converted to float64 at a time.
CHUNK_ROWS = 8192


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
        sums = _product(assignment, embedding, dtype)  # (k, d)
        class_gram = _product(assignment, assignment, torch.float64)  # (k, k)
        return SpectralStatistics(gram(embedding, dtype), sums, class_gram)
    n_classes = n_classes or int(y.max()) + 1
    counts = torch.bincount(y, minlength=n_classes).to(dtype)  # (k,)
    return SpectralStatistics(
        gram(embedding, dtype), _class_sums(embedding, y, n_classes, dtype), counts
    )


def gram(embedding: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """FᵀF accumulated in `dtype`; (d, d), symmetric up to rounding.

    Where it is wide only the upper blocks are computed: 5/8 of the operations.
    """
    if dtype is not None and dtype != embedding.dtype:
        return _product(embedding, embedding, dtype)
    dim = embedding.shape[1]
    if dim < _MIN_BLOCKED_DIM:
        return embedding.T @ embedding
    result = embedding.new_empty(dim, dim)
    edges = [dim * i // _N_BLOCKS for i in range(_N_BLOCKS + 1)]
    for start, stop in pairwise(edges):
        stripe = embedding[:, start:stop].T @ embedding[:, start:]
        result[start:stop, start:] = stripe
        result[start:, start:stop] = stripe.T
    return result


def class_codes(y: Tensor) -> tuple[Tensor, int]:
    """Integer labels as codes in ``[0, n_codes)``; codes may be left unused.

    Labels that already lie in ``[0, n)`` pass through: finding the unused ones afterwards
    in the counts is much cheaper than sorting the labels.
    """
    low, high = (int(v) for v in torch.aminmax(y))
    if low >= 0 and high < y.shape[0]:
        return y, high + 1
    names, codes = torch.unique(y, return_inverse=True)
    return codes, names.shape[0]


def _class_sums(embedding: Tensor, y: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """YᵀF for one-hot Y by summing rows, without forming Y."""
    if embedding.device.type != "cpu" or (
        embedding.dtype == dtype and embedding.numel() >= _MIN_SORTED_SIZE
    ):
        return _sorted_class_sums(embedding.to(dtype), y, n_classes)
    sums = embedding.new_zeros(n_classes, embedding.shape[1], dtype=dtype)
    for start in range(0, embedding.shape[0], CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        sums.index_add_(0, y[rows], embedding[rows].to(dtype))
    return sums  # (k, d)


def _sorted_class_sums(embedding: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Class sums in a fixed order of addition, which scattered adds lack on accelerators."""
    order = torch.argsort(y, stable=True)
    counts = torch.bincount(y, minlength=n_classes)
    offsets = torch.cumsum(counts, 0) - counts
    return functional.embedding_bag(order, embedding, offsets, mode="sum")  # (k, d)


def _product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """leftᵀ right accumulated in `dtype`, converting a bounded number of rows at a time."""
    if left.dtype == right.dtype == dtype:
        return left.T @ right
    result = torch.zeros(left.shape[1], right.shape[1], dtype=dtype, device=left.device)
    for start in range(0, left.shape[0], CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        result.addmm_(left[rows].to(dtype).T, right[rows].to(dtype))
    return result
