"""Retrieval metrics: how well the nearest rows of an embedding answer for the class of a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from .model_selection import _check_same_length, _class_codes

__all__ = ["check_k", "check_option", "map_at_r", "recall_at_k"]

IntArray = NDArray[np.intp]
FloatArray = NDArray[Any]

# Similarities per block: 32 MiB of float64, and a few times that while they are ordered.
_BLOCK_CELLS = 2**22


def recall_at_k(
    embedding: ArrayLike, labels: ArrayLike, k: int | Sequence[int] = 1, *, metric: str = "cosine"
) -> float | NDArray[np.float64]:
    """Share of rows with a row of their own class among their k nearest other rows.

    Every row is a query against all the others. Rows that are alone in their class could
    never be answered: they are no queries, but they remain among the possible answers. Of
    equally near rows the first one in `embedding` is taken for the nearer; equal rows are
    always equally near. Similarities are computed in blocks of bounded memory.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        One row per object. float32 is computed in float32, all else in float64.
    labels : array-like of shape (n,)
        Classes, of any sortable type. Here -1 is a class like any other.
    k : int or sequence of int, default=1
        Number of neighbours, from 1 to n - 1.
    metric : {"cosine", "euclidean"}, default="cosine"
        How near is measured. A row of zeros has the cosine 0 with every row.

    Returns
    -------
    float or ndarray of shape (len(k),)
        Between 0 and 1; an array if `k` is a sequence.

    Raises
    ------
    ValueError
        If no class has two rows, or an argument is not as described.

    References
    ----------
    H. O. Song, Y. Xiang, S. Jegelka, S. Savarese, "Deep Metric Learning via Lifted
    Structured Feature Embedding", CVPR 2016.

    Examples
    --------
    >>> from skdeepclust.metrics import recall_at_k
    >>> embedding = [[0.0], [1.0], [2.0], [9.0], [12.0]]
    >>> recall_at_k(embedding, ["a", "a", "b", "b", "b"], k=[1, 3], metric="euclidean")
    array([0.8, 1. ])

    """
    points, codes, n_relevant = _check_retrieval(embedding, labels, metric)
    ks = check_k(k, len(points) - 1)
    queries = np.flatnonzero(n_relevant)
    found = np.zeros(len(ks))
    for _, hits in _hits(points, codes, queries, np.full(len(queries), ks.max()), metric):
        found += hits.cumsum(axis=1)[:, ks - 1].astype(bool).sum(axis=0)
    recall = found / len(queries)
    return float(recall[0]) if isinstance(k, (int, np.integer)) else recall


def map_at_r(embedding: ArrayLike, labels: ArrayLike, *, metric: str = "cosine") -> float:
    """Mean average precision at R, R being the number of other rows of the query's class.

    The value of one query is ``1/R * sum(P(i) * rel(i) for i in 1..R)``: rel(i) is 1 if the
    i-th nearest other row is of the query's class and 0 otherwise, P(i) the share of such
    rows among the i nearest. Queries and ties are those of :func:`recall_at_k`.

    Parameters
    ----------
    embedding : array-like of shape (n, d)
        One row per object.
    labels : array-like of shape (n,)
        Classes, of any sortable type. Here -1 is a class like any other.
    metric : {"cosine", "euclidean"}, default="cosine"
        How near is measured.

    Returns
    -------
    float
        Between 0 and 1 (the R nearest rows of each query are the R right ones).

    Raises
    ------
    ValueError
        If no class has two rows, or an argument is not as described.

    References
    ----------
    K. Musgrave, S. Belongie, S.-N. Lim, "A Metric Learning Reality Check", ECCV 2020.

    Examples
    --------
    >>> from skdeepclust.metrics import map_at_r
    >>> embedding = [[0.0], [1.0], [3.0], [4.5], [9.0]]
    >>> map_at_r(embedding, ["a", "a", "b", "b", "b"], metric="euclidean")
    0.8

    """
    points, codes, n_relevant = _check_retrieval(embedding, labels, metric)
    # From small classes to large ones: a block ranks no more neighbours than it needs.
    queries = np.argsort(n_relevant, kind="stable")[np.count_nonzero(n_relevant == 0) :]
    depth = n_relevant[queries]
    total = 0.0
    for block, hits in _hits(points, codes, queries, depth, metric):
        rank = np.arange(1, hits.shape[1] + 1)
        hits &= rank <= depth[block, None]
        precision = hits.cumsum(axis=1) / rank
        total += float(((precision * hits).sum(axis=1) / depth[block]).sum())
    return total / len(queries)


def _hits(
    points: FloatArray, codes: IntArray, queries: IntArray, depth: IntArray, metric: str
) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    """Yield blocks of queries and whether their nearest rows, in order, are of their class."""
    points = _prepared(points, metric)
    distinct, copy_of = _distinct_rows(points)
    half_norms = np.einsum("ij,ij->i", distinct, distinct) / 2
    step = max(1, _BLOCK_CELLS // len(points))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        rows = queries[block]
        similarity = points[rows] @ distinct.T
        if metric == "euclidean":  # order of -|q - p|^2 / 2, less what depends on q alone
            similarity -= half_norms
        if len(distinct) < len(points):
            similarity = similarity[:, copy_of]
        similarity[np.arange(len(rows)), rows] = -np.inf
        yield block, codes[_largest(similarity, depth[block].max())] == codes[rows, None]


def _largest(values: FloatArray, k: int) -> IntArray:
    """Columns of the k largest values (b, n) of each row, as a stable sort orders them."""
    if k == 1:
        return values.argmax(axis=1)[:, None]
    top = np.sort(np.argpartition(values, -k, axis=1)[:, -k:], axis=1)
    bound = np.take_along_axis(values, top, axis=1).min(axis=1)
    # Which of the columns equal to the bound argpartition keeps is an accident of its course.
    for i in np.flatnonzero(np.count_nonzero(values >= bound[:, None], axis=1) > k):
        above = np.flatnonzero(values[i] > bound[i])
        level = np.flatnonzero(values[i] == bound[i])
        top[i] = np.sort(np.concatenate([above, level[: k - len(above)]]))
    order = np.argsort(-np.take_along_axis(values, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def _distinct_rows(points: FloatArray) -> tuple[FloatArray, IntArray]:
    """Split points (n, d) into distinct rows (u, d) and, for each row, which one it is (n,).

    A matrix product may round equal columns differently: only a value computed once makes
    the copies of a row tie in every block size and on every machine.
    """
    seen: dict[bytes, int] = {}
    copy_of = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in points], np.intp)
    first = np.unique(copy_of, return_index=True)[1]
    return points[first], copy_of


def _prepared(points: FloatArray, metric: str) -> FloatArray:
    """Scale points (n, d) to unit rows (cosine) or centre their columns (euclidean)."""
    largest = np.abs(points).max(axis=1 if metric == "cosine" else None, keepdims=True)
    # Dividing by a power of two is exact, and afterwards no square overflows or vanishes.
    points = np.ldexp(points, -np.frexp(largest)[1])
    if metric == "cosine":
        norms = np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
        points = points / np.where(norms == 0, 1, norms)
    else:  # the median is an element of its column: integers stay integers, and ties ties
        middle = len(points) // 2
        points = points - np.partition(points, middle, axis=0)[middle]
    return points + 0  # turns -0.0 into 0.0, so that equal rows have equal bytes


def _check_retrieval(
    embedding: ArrayLike, labels: ArrayLike, metric: str
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return points (n, d), class codes (n,), and the number of other rows of the class (n,)."""
    check_option("metric", metric, ("cosine", "euclidean"))
    points = check_array(embedding, dtype=[np.float64, np.float32], input_name="embedding")
    codes = _class_codes(labels, "labels")
    _check_same_length(embedding=points, labels=codes)
    n_relevant = np.bincount(codes)[codes] - 1
    if not n_relevant.any():
        raise ValueError(f"labels must hold a class twice, got {len(codes)} different classes.")
    return points, codes, n_relevant


def check_k(k: int | Sequence[int], largest: int | None = None) -> IntArray:
    """Numbers of neighbours, at least 1 and at most `largest`, as an array."""
    ks = np.atleast_1d(np.asarray(k))
    valid = ks.ndim == 1 and ks.size > 0 and ks.dtype.kind in "iu" and ks.min() >= 1
    if not valid or (largest is not None and ks.max() > largest):
        limit = "" if largest is None else f" and at most n - 1 = {largest}"
        raise ValueError(f"k must be one or several integers of at least 1{limit}, got {k!r}.")
    return ks.astype(np.intp)


def check_option(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is none of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}.")
