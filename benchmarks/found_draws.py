"""Synthetic sets of six kinds whose clusters do not overlap.

A draw is determined by its kind and number. It counts as free of overlap where nearest neighbours
recognise the cluster of every row: of the five rows nearest to each at least three are of its own
cluster. A draw that fails is drawn again with the same number of clusters, and how often is told.
The sizes are such that a good part fails: what passes is often close.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from critic_pool import Codes, Floats
from sklearn.datasets import make_circles, make_moons
from sklearn.neighbors import NearestNeighbors

__all__ = ["KINDS", "Draw", "Kind", "draw_apart", "overlap"]

_N_NEIGHBORS = 5
_MAX_DRAWS = 10_000
# A seed of several numbers gives other draws than those of a single one, which tasks have.
_SEED = 40

_ROWS = (40, 120)

# Rows (n, p) and their clusters from a source of randomness and the sizes of the clusters.
Maker = Callable[[np.random.RandomState, Sequence[int]], tuple[Floats, Codes]]


@dataclass(frozen=True)
class Kind:
    """A way to draw clusters, and how many there may be."""

    make: Maker
    numbers: Sequence[int]


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


def _blobs(rng: np.random.RandomState, sizes: Sequence[int]) -> tuple[Floats, Codes]:
    """Round clusters of variance 1 in 2 to 8 dimensions."""
    return _gaussians(rng, sizes, _between(rng, (2, 8)), 1.0)


def _unequal_variance(rng: np.random.RandomState, sizes: Sequence[int]) -> tuple[Floats, Codes]:
    """Round clusters in 2 to 4 dimensions, the widest up to five times as wide as others."""
    return _gaussians(rng, sizes, _between(rng, (2, 4)), 5.0)


def _anisotropic(rng: np.random.RandomState, sizes: Sequence[int]) -> tuple[Floats, Codes]:
    """Clusters stretched two to five times in a common direction."""
    X, y = _gaussians(rng, sizes, 2, 1.0, more_room=1.5)
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(2, 5)
    direction = np.array([np.cos(angle), np.sin(angle)])
    return X + (stretch - 1) * np.outer(X @ direction, direction), y


def _gaussians(
    rng: np.random.RandomState,
    sizes: Sequence[int],
    n_features: int,
    widest: float,
    more_room: float = 1.0,
) -> tuple[Floats, Codes]:
    """Round clusters in a box with 6 to 12 deviations of room for each, or more."""
    k = len(sizes)
    y = np.repeat(np.arange(k), sizes)
    deviations = widest ** rng.uniform(-0.5, 0.5, size=k)
    room = more_room * rng.uniform(6, 12) * float(np.mean(deviations)) * k ** (1 / n_features)
    centers = rng.uniform(0, room, size=(k, n_features))
    noise = rng.standard_normal((len(y), n_features))
    return centers[y] + deviations[y, None] * noise, y


def _moons(rng: np.random.RandomState, sizes: Sequence[int]) -> tuple[Floats, Codes]:
    """Pairs of half moons, turned, at random places."""
    noise, room = rng.uniform(0.03, 0.1), rng.uniform(3, 5)
    make = partial(make_moons, noise=noise)
    return _pairs(rng, sizes, make, room)


def _circles(rng: np.random.RandomState, sizes: Sequence[int]) -> tuple[Floats, Codes]:
    """Pairs of concentric circles at random places."""
    noise, inner, room = rng.uniform(0.02, 0.08), rng.uniform(0.3, 0.6), rng.uniform(2.5, 4)
    make = partial(make_circles, noise=noise, factor=inner)
    return _pairs(rng, sizes, make, room)


def _pairs(
    rng: np.random.RandomState,
    sizes: Sequence[int],
    make: Callable[..., tuple[Floats, Codes]],
    room: float,
) -> tuple[Floats, Codes]:
    """Pairs of clusters in a square with so much room for each."""
    X, y = [], []
    side = room * (len(sizes) / 2) ** 0.5
    for i in range(0, len(sizes), 2):
        pair, half = make(sizes[i] + sizes[i + 1], random_state=rng)
        X.append(_turned(rng, pair) + rng.uniform(0, side, size=2))
        y.append(i + half)
    return np.concatenate(X), np.concatenate(y)


def _spirals(rng: np.random.RandomState, sizes: Sequence[int]) -> tuple[Floats, Codes]:
    """Arms of half a turn to a whole one."""
    k = len(sizes)
    y = np.repeat(np.arange(k), sizes)
    turns, noise = rng.uniform(0.5, 1.0), rng.uniform(0.01, 0.05)
    along = np.sqrt(rng.uniform(0.04, 1.0, size=len(y)))  # as dense far out as near the centre
    angle = 2 * np.pi * (turns * along + y / k)
    arms = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return arms + noise * rng.standard_normal(arms.shape), y


def _turned(rng: np.random.RandomState, X: Floats) -> Floats:
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(X @ turn)


KINDS: dict[str, Kind] = {
    "blobs": Kind(_blobs, range(2, 11)),
    "unequal variance": Kind(_unequal_variance, range(2, 11)),
    "anisotropic": Kind(_anisotropic, range(2, 11)),
    "moons": Kind(_moons, range(2, 11, 2)),
    "circles": Kind(_circles, range(2, 11, 2)),
    "spirals": Kind(_spirals, range(2, 6)),
}
"""Kinds by name; clusters have 40 to 120 rows."""


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
        Of the numbers of rows, to shorten quick runs.
    """
    rng = np.random.RandomState([_SEED, list(KINDS).index(kind), number])
    numbers = KINDS[kind].numbers
    n_clusters = numbers[rng.randint(len(numbers))]
    for n_overlapping in range(_MAX_DRAWS):
        sizes = [round(factor * _between(rng, _ROWS)) for _ in range(n_clusters)]
        X, y = KINDS[kind].make(rng, sizes)
        if not overlap(X, y):
            return Draw(X, y, n_overlapping)
    raise RuntimeError(f"{_MAX_DRAWS} draws of {kind} in a row overlap.")
