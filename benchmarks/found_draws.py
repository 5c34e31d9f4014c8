"""Synthetic sets of six kinds whose clusters do not overlap.

A draw is determined by its kind and number. It counts as free of overlap where nearest neighbours
recognise the cluster of every row: of the five rows nearest to each at least three are of its own
cluster. A draw that fails is drawn again, and how often is told. The sizes are such that a good
part fails: what passes is often close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from critic_pool import Codes, Floats
from sklearn.datasets import make_circles, make_moons
from sklearn.neighbors import NearestNeighbors

__all__ = ["KINDS", "Draw", "draw_apart", "overlap"]

_N_NEIGHBORS = 5
_MAX_DRAWS = 1_000
# A seed of several numbers gives other draws than those of a single one, which tasks have.
_SEED = 40

_CLUSTERS, _ROWS = (2, 10), (40, 120)

# Rows (n, p) and their clusters from a source of randomness; the factor shortens quick runs.
Maker = Callable[[np.random.RandomState, float], tuple[Floats, Codes]]


@dataclass(frozen=True)
class Draw:
    """A data set without overlap.

    Attributes
    ----------
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)
    n_overlapping : int
        Draws before it whose clusters overlapped.
    """

    X: Floats
    y: Codes
    n_overlapping: int


def _between(rng: np.random.RandomState, bounds: tuple[int, int]) -> int:
    return int(rng.randint(bounds[0], bounds[1] + 1))


def _sizes(rng: np.random.RandomState, n_clusters: int, factor: float) -> list[int]:
    return [round(factor * _between(rng, _ROWS)) for _ in range(n_clusters)]


def _blobs(rng: np.random.RandomState, factor: float) -> tuple[Floats, Codes]:
    """Round clusters of variance 1 in 2 to 8 dimensions."""
    return _gaussians(rng, factor, _between(rng, (2, 8)), 1.0)


def _unequal_variance(rng: np.random.RandomState, factor: float) -> tuple[Floats, Codes]:
    """Round clusters, the widest up to five times as wide as the narrowest."""
    return _gaussians(rng, factor, _between(rng, (2, 4)), 5.0)


def _anisotropic(rng: np.random.RandomState, factor: float) -> tuple[Floats, Codes]:
    """Clusters stretched two to five times in a common direction."""
    X, y = _gaussians(rng, factor, 2, 1.0)
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(2, 5)
    direction = np.array([np.cos(angle), np.sin(angle)])
    return X + (stretch - 1) * np.outer(X @ direction, direction), y


def _gaussians(
    rng: np.random.RandomState, factor: float, n_features: int, widest: float
) -> tuple[Floats, Codes]:
    """Round clusters in a box with 6 to 12 deviations of room for each."""
    k = _between(rng, _CLUSTERS)
    y = np.repeat(np.arange(k), _sizes(rng, k, factor))
    deviations = widest ** rng.uniform(-0.5, 0.5, size=k)
    room = rng.uniform(6, 12) * float(np.mean(deviations)) * k ** (1 / n_features)
    centers = rng.uniform(0, room, size=(k, n_features))
    noise = rng.standard_normal((len(y), n_features))
    return centers[y] + deviations[y, None] * noise, y


def _moons(rng: np.random.RandomState, factor: float) -> tuple[Floats, Codes]:
    """One to five pairs of half moons, turned, at random places."""
    n_pairs = _between(rng, (1, 5))
    noise = rng.uniform(0.03, 0.1)
    room = rng.uniform(3, 5) * n_pairs**0.5
    X, y = [], []
    for i in range(n_pairs):
        pair, side = make_moons(sum(_sizes(rng, 2, factor)), noise=noise, random_state=rng)
        X.append(_turned(rng, pair) + rng.uniform(0, room, size=2))
        y.append(2 * i + side)
    return np.concatenate(X), np.concatenate(y)


def _circles(rng: np.random.RandomState, factor: float) -> tuple[Floats, Codes]:
    """One to five pairs of concentric circles at random places."""
    n_pairs = _between(rng, (1, 5))
    noise, inner = rng.uniform(0.02, 0.08), rng.uniform(0.3, 0.6)
    room = rng.uniform(2.5, 4) * n_pairs**0.5
    X, y = [], []
    for i in range(n_pairs):
        size = sum(_sizes(rng, 2, factor))
        pair, side = make_circles(size, noise=noise, factor=inner, random_state=rng)
        X.append(pair + rng.uniform(0, room, size=2))
        y.append(2 * i + side)
    return np.concatenate(X), np.concatenate(y)


def _spirals(rng: np.random.RandomState, factor: float) -> tuple[Floats, Codes]:
    """Two to five arms, of half a turn to a whole one."""
    k = _between(rng, (2, 5))
    y = np.repeat(np.arange(k), _sizes(rng, k, factor))
    turns, noise = rng.uniform(0.5, 1.0), rng.uniform(0.01, 0.05)
    along = np.sqrt(rng.uniform(0.04, 1.0, size=len(y)))  # as dense far out as near the centre
    angle = 2 * np.pi * (turns * along + y / k)
    arms = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return arms + noise * rng.standard_normal(arms.shape), y


def _turned(rng: np.random.RandomState, X: Floats) -> Floats:
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(X @ turn)


KINDS: dict[str, Maker] = {
    "blobs": _blobs,
    "unequal variance": _unequal_variance,
    "anisotropic": _anisotropic,
    "moons": _moons,
    "circles": _circles,
    "spirals": _spirals,
}
"""Makers by kind: 2 to 10 clusters of some 40 to 120 rows; 2 to 5 where they are spirals."""


def overlap(X: Floats, y: Codes) -> bool:
    """Whether most of the rows nearest to any one are of other clusters."""
    search = NearestNeighbors(n_neighbors=_N_NEIGHBORS).fit(X)
    own = y[search.kneighbors(return_distance=False)] == y[:, None]
    return bool((2 * own.sum(axis=1) < _N_NEIGHBORS).any())


def draw_apart(kind: str, number: int, factor: float = 1.0) -> Draw:
    """The data set of a kind and number, drawn until no clusters overlap.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    number : int
        From 0.
    factor : float, default=1.0
        Of the numbers of rows.
    """
    rng = np.random.RandomState([_SEED, list(KINDS).index(kind), number])
    for n_overlapping in range(_MAX_DRAWS):
        X, y = KINDS[kind](rng, factor)
        if not overlap(X, y):
            return Draw(X, y, n_overlapping)
    raise RuntimeError(f"{_MAX_DRAWS} draws of {kind} in a row overlap.")
