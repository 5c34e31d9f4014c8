"""Clusterings of all qualities for one data set, among which a critic has to choose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from ._algorithms import ALGORITHMS
from ._damage import DAMAGES, complete_noise
from ._view import Codes, DataView, Floats

__all__ = ["propose_clusterings", "quality"]

_MAX_CLUSTERS = 64
# Shares of the proposals that are damaged truths (where there is a truth) and random.
_DAMAGED, _RANDOM = 0.42, 0.05
_SECOND_DAMAGE = 0.35
_STANDARDIZED = 0.25
# Proposals that turn out equal to earlier ones are replaced, up to this many times each.
_MAX_DRAWS = 3


def propose_clusterings(
    X: NDArray[np.floating],
    rng: np.random.RandomState,
    y: ArrayLike | None = None,
    n_proposals: int = 24,
) -> list[Codes]:
    """Different clusterings of one data set: by algorithms, at random, from a damaged truth.

    Algorithms run at several numbers of clusters or densities, on the data as it is or
    standardised; costly ones see 1,000 rows at most, and the other rows follow the nearest
    of these.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        At least four rows.
    rng : RandomState
        The only source of randomness.
    y : array-like of shape (n,) or None, default=None
        The truth: labels from 0, -1 for rows of no cluster. It comes first, and two fifths of
        the others are made from it by moving rows, merging, splitting, smoothing and so on.
    n_proposals : int, default=24
        Number of clusterings, at least 2; fewer are returned where the data do not yield as
        many different ones.

    Returns
    -------
    list of ndarray of shape (n,), int64
        Labels from 0, without gaps, in the order of their first appearance; -1 for noise. No
        two are equal. Everything in one cluster is among them. A truth with noise appears
        also without (its noise joins the nearest clusters), and damaged truths keep the noise
        or lose it, so that noise is no sign of the truth.
    """
    view = DataView(X, rng, standardize=rng.uniform() < _STANDARDIZED)
    truth = None if y is None else _canonical(np.asarray(y, dtype=np.int64))
    found: dict[bytes, Codes] = {}
    for proposed in _schedule(view, rng, truth, n_proposals):
        labels = _canonical(proposed)
        found.setdefault(labels.tobytes(), labels)
        if len(found) == n_proposals:
            break
    return list(found.values())


def quality(y: ArrayLike, labelings: Iterable[ArrayLike]) -> Floats:
    """Adjusted Rand index of clusterings, with noise treated as what it claims to be.

    Rows that are noise in the truth have no right answer and are left out. A row that is
    noise in a clustering is alone, a cluster of its own: it gets no credit for a pair that it
    refuses to join, so that a cluster declared noise as a whole does not count as found, and
    no blame for false pairs.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth; -1 for rows of no cluster.
    labelings : iterable of array-like of shape (n,)
        Clusterings; -1 for noise.

    Returns
    -------
    ndarray of shape (m,)
        1 for the truth, about 0 for random labels. If the truth is a single cluster, 1 for
        this answer and 0 for any other.
    """
    truth = np.asarray(y)
    kept = truth != -1
    return np.array([_adjusted_rand(truth[kept], np.asarray(c)[kept]) for c in labelings])


def _adjusted_rand(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Adjusted Rand index, each -1 of `second` a cluster of its own."""
    joined = second != -1
    codes, a = np.unique(first, return_inverse=True)[1], np.unique(second, return_inverse=True)[1]
    together = _pairs(codes[joined] * (int(a.max(initial=0)) + 1) + a[joined])
    in_first, in_second = _pairs(codes), _pairs(a[joined])
    expected = in_first * in_second / max(len(first) * (len(first) - 1) / 2, 1.0)
    highest = (in_first + in_second) / 2
    # Equal only if both are a single cluster, or both all single rows.
    return float((together - expected) / (highest - expected)) if highest != expected else 1.0


def _pairs(codes: NDArray[np.int64]) -> float:
    """Number of pairs of rows with the same code."""
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())


def _schedule(
    view: DataView, rng: np.random.RandomState, truth: Codes | None, n_proposals: int
) -> Iterator[Codes]:
    """The truth, one cluster, the truth without noise, then a mixture of everything."""
    n_clusters = 1
    if truth is not None:
        n_clusters = int(truth.max()) + 1
        yield truth
    yield np.zeros(len(view), dtype=np.int64)
    if truth is not None:
        yield complete_noise(view, truth)
    algorithms, damages = _endless(rng, list(ALGORITHMS)), _endless(rng, list(DAMAGES))
    for _ in range(_MAX_DRAWS * n_proposals):
        kind = rng.uniform()
        if kind < _RANDOM:
            yield _random_partition(view, rng)
        elif truth is not None and kind < _RANDOM + _DAMAGED:
            yield _damage(view, rng, truth, next(damages))
        else:
            k = _draw_n_clusters(view, rng, n_clusters)
            yield ALGORITHMS[next(algorithms)](view, rng, k)


def _endless(rng: np.random.RandomState, names: list[str]) -> Iterator[str]:
    """All names in random order, again and again."""
    while True:
        yield from (names[i] for i in rng.permutation(len(names)))


def _damage(view: DataView, rng: np.random.RandomState, truth: Codes, name: str) -> Codes:
    """One damage, or two of them, the second one at random; noise stays in one half."""
    labels = DAMAGES[name](view, rng, complete_noise(view, truth))
    if rng.uniform() < _SECOND_DAMAGE and labels.min() >= 0:
        second = list(DAMAGES)[rng.randint(len(DAMAGES))]
        labels = DAMAGES[second](view, rng, _canonical(labels))
    return np.where(truth < 0, -1, labels) if rng.uniform() < 0.5 else labels


def _draw_n_clusters(view: DataView, rng: np.random.RandomState, true: int) -> int:
    """The true number, one near it, or any."""
    most = min(_MAX_CLUSTERS, view.n_distinct // 2, len(view.costly) // 2)
    kind = rng.uniform()
    if true >= 2 and kind < 0.35:
        k = true
    elif true >= 2 and kind < 0.65:
        k = int(round(true * np.exp(rng.uniform(-0.7, 0.7)))) + rng.randint(-1, 2)
    else:
        k = int(np.exp(rng.uniform(np.log(2), np.log(max(3, min(most, 2 * true + 20))))))
    return min(max(k, 2), max(most, 1))


def _random_partition(view: DataView, rng: np.random.RandomState) -> Codes:
    """Labels by lot, by the nearest of random rows, or by slices along a random direction."""
    n, kind = len(view), rng.randint(3)
    k = int(rng.randint(2, min(20, n // 2) + 1))
    if kind == 0:
        return rng.randint(k, size=n).astype(np.int64)
    if kind == 1:
        return cdist(view.X, view.X[rng.permutation(n)[:k]]).argmin(axis=1).astype(np.int64)
    position = np.argsort(np.argsort(view.X @ rng.standard_normal(view.X.shape[1])))
    return np.asarray(position * k // n, dtype=np.int64)


def _canonical(labels: Codes) -> Codes:
    """Labels numbered by their first appearance; -1 stays."""
    names, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    noise = int(names[0] == -1)
    rank = np.full(len(names), -1, dtype=np.int64)
    rank[noise + np.argsort(first[noise:])] = np.arange(len(names) - noise)
    return rank[codes]
