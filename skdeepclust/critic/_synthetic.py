"""Labelled synthetic data sets, of as many kinds as can be: what a critic learns from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ._compact_families import COMPACT_FAMILIES
from ._layout import Family, Floats, Sizes
from ._modifiers import Codes, modify
from ._shape_families import SHAPE_FAMILIES

__all__ = ["FAMILIES", "SyntheticSet", "draw_dataset", "separation"]

FAMILIES: dict[str, Family] = {**COMPACT_FAMILIES, **SHAPE_FAMILIES}
"""All families of data sets, by name."""

_MIN_ROWS, _MAX_ROWS = 30, 5_000
# Larger sets than usual teach little more and cost most of the time: they are rare.
_USUAL_ROWS, _LARGE = 1_000, 0.07
# Wide sets have fewer rows, which bounds the cost of one.
_MAX_CELLS = 400_000
_MAX_ATTEMPTS = 500
_N_NEIGHBORS = 3
# Nearest neighbours must recognise the clusters, in the mean and each; in families that
# overlap they must do better than guessing.
_MIN_SEPARATION, _MIN_WORST = 0.9, 0.7
_MIN_OVERLAPPING = 0.5


@dataclass(frozen=True)
class SyntheticSet:
    """A labelled data set.

    Parameters
    ----------
    X : ndarray of shape (n, p), float32
    y : ndarray of shape (n,), int64
        Cluster of every row, from 0 to K - 1; -1 for outliers that belong to none.
    family : str
        A key of `FAMILIES`.
    """

    X: NDArray[np.float32]
    y: Codes
    family: str


def draw_dataset(rng: np.random.RandomState, families: Iterable[str] | None = None) -> SyntheticSet:
    """Draw a random data set with known clusters.

    30 to 5,000 rows, 1 to 256 features, 1 to 64 clusters; the logarithm of each is about
    uniform, so that small sets are far more frequent, and only some 7 % have more than 1,000
    rows. At most 400,000 values.

    Parameters
    ----------
    rng : RandomState
        The only source of randomness.
    families : iterable of str or None, default=None
        Families to draw from; None means all.

    Returns
    -------
    SyntheticSet
        Rows in random order. Every cluster has at least two rows. Except in the families
        that overlap, the three nearest neighbours of a row recognise its cluster in 90 % of
        the rows of a cluster on average, and in 70 % of the rows of every cluster.

    Raises
    ------
    ValueError
        If `families` is empty or holds an unknown name.
    """
    names = list(FAMILIES if families is None else families)
    if not names or not set(names) <= set(FAMILIES):
        raise ValueError(f"families == {names!r}, must be one or several of {list(FAMILIES)}.")
    name = names[rng.randint(len(names))]
    for _ in range(_MAX_ATTEMPTS):
        X, y = _attempt(rng, FAMILIES[name])
        if len(X) >= _MIN_ROWS and _is_honest(X, y, FAMILIES[name]):
            return SyntheticSet(X, y, name)
    raise RuntimeError(f"No valid data set of the family {name!r} was drawn.")


def separation(X: NDArray[np.floating], y: Codes) -> Floats:
    """How well the nearest neighbours of a row know its cluster.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)
        Labels from 0 to K - 1; rows with -1 are left out.

    Returns
    -------
    ndarray of shape (K,)
        Share of the rows of each cluster whose three nearest other rows are mostly in it.
    """
    X, y = X[y >= 0], y[y >= 0]
    search = NearestNeighbors(n_neighbors=min(_N_NEIGHBORS, len(X) - 1)).fit(X)
    agree = (y[search.kneighbors(return_distance=False)] == y[:, None]).mean(axis=1) > 0.5
    return np.asarray(np.bincount(y, weights=agree) / np.bincount(y))


def _attempt(rng: np.random.RandomState, family: Family) -> tuple[NDArray[np.float32], Codes]:
    """One draw of a family, which may turn out to be unusable."""
    p = _log_uniform(rng, *family.features)
    n = _draw_n_rows(rng, max(_MIN_ROWS, _MAX_CELLS // p))
    low, high = family.clusters
    k = _log_uniform(rng, low, max(low, min(high, n // family.rows)))
    parts = family.make(rng, _draw_sizes(rng, n, k, family.rows), p)
    X = np.concatenate(parts)
    y = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    if not len(X):
        return X.astype(np.float32), y
    X, y = modify(rng, X, y)
    order = rng.permutation(len(X))
    return _tidy(X[order].astype(np.float32), y[order])


def _draw_n_rows(rng: np.random.RandomState, most: int) -> int:
    """Usual numbers of rows, now and then a large one."""
    low, high = _MIN_ROWS, _USUAL_ROWS
    if rng.uniform() < _LARGE:
        low, high = _USUAL_ROWS, _MAX_ROWS
    return _log_uniform(rng, min(low, most), min(high, most))


def _log_uniform(rng: np.random.RandomState, low: int, high: int) -> int:
    """An integer from `low` to `high`, each in inverse proportion to its size."""
    drawn = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
    return min(max(drawn, low), high)


def _draw_sizes(rng: np.random.RandomState, n: int, k: int, rows: int) -> Sizes:
    """Equal to very unequal sizes that sum to n, each at least `rows`, or the mean if less."""
    rows = min(rows, n // k)
    evenness = np.exp(rng.uniform(np.log(0.5), np.log(100)))
    shares = rng.dirichlet(np.full(k, evenness))
    return np.asarray(rows + rng.multinomial(n - k * rows, shares), dtype=np.int64)


def _tidy(X: NDArray[np.float32], y: Codes) -> tuple[NDArray[np.float32], Codes]:
    """Drop clusters of a single row, close up the labels."""
    counts = np.bincount(y[y >= 0], minlength=1)
    counts = np.append(counts, 2)  # what -1 finds: outliers are kept
    kept = counts[y] >= 2
    X, y = X[kept], y[kept]
    names = np.unique(y[y >= 0])
    return X, np.where(y >= 0, np.searchsorted(names, y), -1).astype(np.int64)


def _is_honest(X: NDArray[np.float32], y: Codes, family: Family) -> bool:
    """Whether the clusters are as many as wanted, finite, and can be told apart."""
    k = int(y.max(initial=-1)) + 1
    if k < family.clusters[0] or not np.isfinite(X).all() or not X.std() > 0:
        return False
    known = separation(X, y)
    if family.overlapping:
        return bool(known.mean() >= _MIN_OVERLAPPING)
    return bool(known.mean() >= _MIN_SEPARATION and known.min() >= _MIN_WORST)
