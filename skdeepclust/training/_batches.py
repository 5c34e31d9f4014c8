"""Batches from which the spectral objective can learn.

A batch of n ≤ d rows has objective 0 whatever the embedding, and one with more than d
classes cannot reach 0; so a batch has at most d classes and, where the data allow it, at
least 3 d rows: with more of them there are fewer steps, with fewer the map overfits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = [
    "BatchShape",
    "choose_batch_shape",
    "class_balanced_batches",
    "random_batches",
    "stratified_sample",
]

# Of all training rows, and of a batch.
_ROWS_PER_DIM = 4
_BATCH_ROWS_PER_DIM = 3
_MIN_BATCH_ROWS = 128
_MAX_AUTO_DIM = 128


@dataclass(frozen=True)
class BatchShape:
    """Sizes of embedding and batch.

    Attributes
    ----------
    embedding_dim : int
        d, columns of the embedding.
    n_rows : int
        Rows in a batch.
    n_classes : int
        Classes in a batch.
    """

    embedding_dim: int
    n_rows: int
    n_classes: int


def choose_batch_shape(
    n_rows: int, n_classes: int, embedding_dim: int | None, batch_size: int | None
) -> BatchShape:
    """Fill in what the user left open.

    Parameters
    ----------
    n_rows : int
        Training rows.
    n_classes : int
        Classes, or columns of the assignment matrix.
    embedding_dim : int or None
        None: as many as classes, 2 to 128, and few enough for 4 rows each.
    batch_size : int or None
        None: 3 rows for each embedding dimension and at least 128, all rows where fewer.
    """
    if embedding_dim is None:
        largest = min(_MAX_AUTO_DIM, max(2, n_rows // _ROWS_PER_DIM))
        embedding_dim = min(max(2, n_classes), largest)
    if batch_size is None:
        batch_size = max(_BATCH_ROWS_PER_DIM * embedding_dim, _MIN_BATCH_ROWS)
    batch_size = min(batch_size, n_rows)
    in_batch = max(2, min(n_classes, embedding_dim, batch_size // 2))
    return BatchShape(embedding_dim, batch_size, in_batch)


def class_balanced_batches(
    codes: np.ndarray, shape: BatchShape, rng: np.random.RandomState
) -> Iterator[np.ndarray]:
    """One epoch of batches with equally many rows of each of a few random classes.

    Parameters
    ----------
    codes : ndarray of shape (n,)
        Class code of each row.
    shape : BatchShape
    rng : RandomState

    Yields
    ------
    ndarray of shape (b,)
        Row indices without repetition; b is at most ``shape.n_rows``, and less only where
        classes have too few rows.
    """
    order = np.lexsort((rng.random_sample(len(codes)), codes))
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    cursor = np.zeros(len(sizes), dtype=np.int64)
    per_class = np.arange(max(1, shape.n_rows // shape.n_classes))
    for _ in range(-(-len(codes) // shape.n_rows)):
        chosen = _next_classes(sizes, cursor, len(per_class), shape.n_classes, rng)
        offsets = (cursor[chosen, None] + per_class) % sizes[chosen, None]  # (classes, rows)
        kept = per_class < sizes[chosen, None]
        cursor[chosen] += np.minimum(sizes[chosen], len(per_class))
        yield order[(starts[chosen, None] + offsets)[kept]]


def random_batches(
    n_rows: int, shape: BatchShape, rng: np.random.RandomState
) -> Iterator[np.ndarray]:
    """One epoch of random batches of (almost) equal size, for targets without classes."""
    n_batches = -(-n_rows // shape.n_rows)
    yield from np.array_split(rng.permutation(n_rows), n_batches)


def stratified_sample(targets: np.ndarray, max_rows: int) -> np.ndarray:
    """At most `max_rows` sorted positions, with the same share of each class.

    A plain stride over the rows would miss classes that come in turns.
    """
    codes = targets if targets.ndim == 1 else targets.argmax(axis=1)
    order = np.argsort(codes, kind="stable")
    return np.sort(order[:: -(-len(order) // max_rows)])


def _next_classes(
    sizes: np.ndarray, cursor: np.ndarray, step: int, n_classes: int, rng: np.random.RandomState
) -> np.ndarray:
    """The classes of which the smallest share was seen in this epoch.

    Shares count as up to one visit larger at random: similar classes are due in random order,
    and no class falls behind by more than a visit.
    """
    present = np.flatnonzero(sizes)
    if n_classes >= len(present):
        return present
    visit = np.minimum(sizes[present], step) * rng.random_sample(len(present))
    return present[np.argsort((cursor[present] + visit) / sizes[present])[:n_classes]]
