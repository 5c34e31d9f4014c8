"""Where the clusters of a synthetic data set lie: far enough apart to be found, and no further."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

__all__ = ["Family", "Floats", "Sizes", "grid_sites", "place", "spread_points", "uniform_ball"]

_N_CANDIDATES = 10
_GROWTH = 1.15
_MAX_CHECKED = 300

Floats = NDArray[np.float64]
Sizes = NDArray[np.int64]


@dataclass(frozen=True)
class Family:
    """A kind of data set.

    Parameters
    ----------
    make : callable
        ``make(rng, sizes, p)`` returns one array of rows per cluster. `sizes` and `p` are
        wishes: shapes of the plane ignore `p`.
    clusters : tuple of int
        Smallest and largest number of clusters.
    features : tuple of int
        Smallest and largest number of features.
    rows : int
        Fewest rows of a cluster: a ring needs more of them than a ball.
    overlapping : bool
        Whether clusters may overlap as they do in real tables.
    """

    make: Callable[[np.random.RandomState, Sizes, int], list[Floats]]
    clusters: tuple[int, int] = (2, 64)
    features: tuple[int, int] = (2, 2)
    rows: int = 12
    overlapping: bool = False


def spread_points(
    rng: np.random.RandomState,
    k: int,
    p: int,
    gap: float,
    spread: Callable[[Floats], Floats] | None = None,
) -> Floats:
    """Random centres, the closest two of which are exactly as far apart as they need to be.

    Parameters
    ----------
    rng : RandomState
    k, p : int
        Number of centres and of features.
    gap : float
        Distance of two centres in units of the sum of their clusters' spreads.
    spread : callable or None
        ``spread(directions)`` of shape (k, m): the standard deviation of every cluster along
        the m directions (rows); None: 0.5 everywhere.

    Returns
    -------
    ndarray of shape (k, p)
    """
    draw = rng.standard_normal if rng.uniform() < 0.5 else lambda size: rng.uniform(-1, 1, size)
    centers = np.empty((k, p))
    centers[0] = draw((p,))
    for c in range(1, k):
        candidates = draw((_N_CANDIDATES, p))
        centers[c] = candidates[cdist(candidates, centers[:c]).min(axis=1).argmax()]
    if k == 1:
        return centers
    first, second = np.triu_indices(k, 1)
    difference = centers[first] - centers[second]  # (m, p)
    distance = np.linalg.norm(difference, axis=1)
    need = np.ones(len(first))
    if spread is not None:
        along = spread(difference / distance[:, None])  # (k, m)
        pairs = np.arange(len(first))
        need = along[first, pairs] + along[second, pairs]
    return centers * (gap * need / distance).max()


def grid_sites(rng: np.random.RandomState, k: int, step: float, jitter: float = 0.1) -> Floats:
    """Distinct places (k, 2) of a square grid, moved a little."""
    side = int(np.ceil(np.sqrt(k)))
    cells = rng.permutation(side * side)[:k]
    sites = np.stack(np.divmod(cells, side), axis=1) + rng.uniform(-jitter, jitter, (k, 2))
    return np.asarray(step * sites)


def place(rng: np.random.RandomState, parts: Sequence[Floats], tightness: float) -> list[Floats]:
    """Move shapes at random until none comes near another; one may end up inside another.

    Parameters
    ----------
    rng : RandomState
    parts : sequence of ndarray of shape (n_i, p)
    tightness : float
        Smallest distance of two shapes in units of the distance between neighbouring rows of
        the sparsest shape: what makes a gap visible is the density of the rows around it.

    Returns
    -------
    list of ndarray of shape (n_i, p)
    """
    gap = tightness * max(map(_spacing, parts))
    parts = [part - part.mean(axis=0) for part in parts]
    placed = [parts[0]]
    for part in parts[1:]:
        tree = cKDTree(np.concatenate(placed))
        sample = part[:: max(1, len(part) // _MAX_CHECKED)]
        span = 0.5 * max(np.abs(part).max(), np.abs(tree.data).max()) + gap
        shift = rng.uniform(-span, span, part.shape[1])
        while tree.query(sample + shift)[0].min() < gap:
            span *= _GROWTH
            shift = rng.uniform(-span, span, part.shape[1])
        placed.append(part + shift)
    return placed


def uniform_ball(rng: np.random.RandomState, n: int, p: int) -> Floats:
    """Rows (n, p) that fill the unit ball evenly."""
    rows = rng.standard_normal((n, p))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows * rng.uniform(size=(n, 1)) ** (1 / p))


def _spacing(part: Floats) -> float:
    """Distance to the nearest row that nine of ten rows keep."""
    distances = cKDTree(part).query(part, k=2)[0]
    return float(np.quantile(distances[:, 1], 0.9))
