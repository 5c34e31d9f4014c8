"""Pools of twenty clusterings of images: the truth among outputs, damages and what a search found.

Each pool has the truth once; up to three clusterings that `CriticClusterer` found, the ones that
its critic likes best; five damaged truths (rows moved to other clusters, two clusters merged, one
split); and outputs of nine kinds of algorithm, each at the true number of clusters or another one,
for all other places. No two are equal. The algorithms are scikit-learn's; the proposals that
critics learn from come from other code with other settings, the damages from the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from critic_pool import Codes, Floats, Pool
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import Birch, BisectingKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.utils.parallel import Parallel, delayed
from suite_methods import Cluster, cluster_quietly, hdbscan, k_means, mixture, spectral, ward
from transfer_tasks import Images, draw_rows, principal_components

from skdeepclust import ClusteringCritic, CriticClusterer
from skdeepclust.critic import quality
from skdeepclust.critic._damage import DAMAGES
from skdeepclust.critic._view import DataView
from skdeepclust.search._partition import canonical

__all__ = [
    "ALGORITHMS",
    "PERTURBATIONS",
    "POOL_SETTINGS",
    "SEARCHED",
    "TRUTH",
    "RatedPool",
    "StoredPool",
    "describe_pools",
    "make_pool",
    "make_pools",
    "rate_pool",
]

TRUTH, SEARCHED = "truth", "found by the search"
POOL_SETTINGS: dict[str, Any] = {
    "size": 20,
    "searched": 3,
    "perturbed": 5,
    "classes": (2, 10),
    "rows": (200, 500),
    "search": {},
}
"""Clusterings of a pool, at most so many of them found by a search, and so many damaged truths;
fewest and most classes and rows; parameters of `CriticClusterer` that are not the defaults."""

# Numbers of clusters that algorithms try where it is not the true one.
_FEWEST, _MOST = 2, 15
_TRUE_NUMBER = 0.5
# Offers that turn out equal to what is there are made up for, up to so many in all.
_MAX_OFFERS = 60


def _tree_cut(rows: Floats, seed: int, k: int, method: str) -> Codes:
    return np.asarray(fcluster(linkage(rows, method), k, "maxclust"), dtype=np.int64)


def _bisecting_k_means(rows: Floats, seed: int, k: int) -> Codes:
    return np.asarray(BisectingKMeans(k, random_state=seed).fit_predict(rows))


def _birch(rows: Floats, seed: int, k: int) -> Codes:
    """Birch whose subclusters have a radius by lot, so that its cuts differ from Ward's."""
    share = np.random.RandomState(seed).uniform(0.2, 0.5)
    radius = share * float(np.median(pdist(rows)))
    return np.asarray(_merged_or_fewer(Birch(threshold=radius, n_clusters=None).fit(rows), rows, k))


def _merged_or_fewer(model: Birch, rows: Floats, k: int) -> Codes:
    """Subclusters merged into k by Ward's method; as they are where there are no more."""
    parts, centers = model.predict(rows), model.subcluster_centers_
    if len(centers) <= k:
        return np.asarray(parts)
    return np.asarray(fcluster(linkage(centers, "ward"), k, "maxclust")[parts])


def _hdbscan(rows: Floats, seed: int, k: int) -> Codes:
    """HDBSCAN with a smallest size by lot."""
    return hdbscan(rows, seed, k, size=int(np.random.RandomState(seed).randint(3, 16)))


ALGORITHMS: dict[str, Cluster] = {
    "k-means": k_means,
    "Gaussian mixture": mixture,
    "Ward": ward,
    "average linkage": partial(_tree_cut, method="average"),
    "complete linkage": partial(_tree_cut, method="complete"),
    "spectral": spectral,
    "bisecting k-means": _bisecting_k_means,
    "Birch": _birch,
    "HDBSCAN": _hdbscan,
}
"""Kinds of algorithm by name; noise that they leave joins the nearest cluster."""

PERTURBATIONS: dict[str, tuple[str, ...]] = {
    "moved rows": ("move_rows", "move_boundary_rows"),
    "merged clusters": ("merge_nearest", "merge_random"),
    "split clusters": ("split_k_means", "split_hyperplane"),
}
"""Ways to damage the truth by name, with the names of `DAMAGES` that are drawn from."""


@dataclass(frozen=True)
class StoredPool:
    """What has to be kept of a pool: the data come from the images again.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Places of the images.
    labels : ndarray of shape (m, n)
        Clusterings, the truth first.
    kinds : tuple of m str
        Where each comes from.
    """

    rows: NDArray[np.int32]
    labels: NDArray[np.uint8]
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class RatedPool:
    """Clusterings with their quality, the truth first, and where each comes from."""

    pool: Pool
    kinds: tuple[str, ...]

    def without(self, kind: str) -> Pool:
        """The pool without the clusterings of one kind."""
        return self.pool.only(self.is_not(kind))

    def is_not(self, kind: str) -> NDArray[np.bool_]:
        """Which of the clusterings are of another kind, (m,)."""
        return np.array([one != kind for one in self.kinds])


class _Candidates:
    """Different clusterings with their kinds, the truth first."""

    def __init__(self, truth: Codes) -> None:
        self._found: dict[bytes, tuple[str, Codes]] = {}
        self.add(TRUTH, truth)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, kind: str, labels: NDArray[np.integer]) -> None:
        """Keep a clustering unless an equal one is there, whatever the names of its labels."""
        codes = canonical(np.asarray(labels, dtype=np.int64)[None])[0]
        self._found.setdefault(codes.tobytes(), (kind, codes))

    def add_from(self, offers: Iterator[tuple[str, Codes]], n: int) -> None:
        """Keep the first n new ones of what is offered."""
        wanted = len(self) + n
        for _ in range(_MAX_OFFERS):
            offer = next(offers, None) if len(self) < wanted else None
            if offer is None:
                return
            self.add(*offer)

    def as_pool(self, rows: NDArray[np.intp]) -> StoredPool:
        kinds, labels = zip(*self._found.values(), strict=True)
        return StoredPool(rows.astype(np.int32), np.stack(labels).astype(np.uint8), kinds)


def make_pools(
    images: Images,
    n_pools: int,
    seed: Sequence[int],
    critic: ClusteringCritic,
    settings: Mapping[str, Any],
    n_jobs: int | None = None,
) -> list[StoredPool]:
    """Pools of random tasks; few of them are the first of many.

    Parameters
    ----------
    images : Images
    n_pools : int
    seed : sequence of int
    critic : ClusteringCritic
        Whom the search pleases.
    settings : mapping
        As `POOL_SETTINGS`.
    n_jobs : int, optional
        Processes; see joblib.
    """
    seeds = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=n_pools)
    make = delayed(make_pool)
    return list(Parallel(n_jobs)(make(images, int(one), critic, settings) for one in seeds))


def make_pool(
    images: Images, seed: int, critic: ClusteringCritic, settings: Mapping[str, Any]
) -> StoredPool:
    """Draw a task and clusterings of it; see `make_pools`."""
    rng = np.random.RandomState(seed)
    rows = draw_rows(images.y, rng, settings["classes"], settings["rows"])
    X = principal_components(images.pixels[rows]).astype(np.float64)
    y = np.unique(images.y[rows], return_inverse=True)[1]
    found = _Candidates(y)
    if settings["searched"]:
        found.add_from(_searched(X, seed, critic, settings["search"]), settings["searched"])
    found.add_from(_perturbed(X, y, rng), settings["perturbed"])
    found.add_from(_by_algorithms(X, int(y.max()) + 1, rng), settings["size"] - len(found))
    return found.as_pool(rows)


def _searched(
    X: Floats, seed: int, critic: ClusteringCritic, parameters: Mapping[str, Any]
) -> Iterator[tuple[str, Codes]]:
    """What the search found, the best first."""
    frozen = FrozenEstimator(critic)
    clusterer = CriticClusterer(critic=frozen, random_state=seed, **parameters).fit(X)
    yield SEARCHED, clusterer.labels_
    for other in clusterer.alternatives_:
        yield SEARCHED, other.labels


def _perturbed(X: Floats, y: Codes, rng: np.random.RandomState) -> Iterator[tuple[str, Codes]]:
    """Damaged truths, all ways in turn."""
    view = DataView(X, rng)
    for kind, names in cycle(PERTURBATIONS.items()):
        yield kind, DAMAGES[names[rng.randint(len(names))]](view, rng, y)


def _by_algorithms(
    X: Floats, true_number: int, rng: np.random.RandomState
) -> Iterator[tuple[str, Codes]]:
    """Outputs of all kinds of algorithm in turn, in one half at the true number of clusters."""
    for kind, cluster in cycle(ALGORITHMS.items()):
        k = true_number if rng.uniform() < _TRUE_NUMBER else int(rng.randint(_FEWEST, _MOST + 1))
        seed = int(rng.randint(np.iinfo(np.int32).max))
        yield kind, cluster_quietly(cluster, X, seed, min(k, len(X) - 1))


def rate_pool(stored: StoredPool, images: Images, name: str) -> RatedPool:
    """The data of a pool again, and the quality of its clusterings."""
    X = principal_components(images.pixels[stored.rows]).astype(np.float64)
    rated = quality(images.y[stored.rows], list(stored.labels))
    pool = Pool(name, name, X, stored.labels.astype(np.int16), rated)
    return RatedPool(pool, stored.kinds)


def describe_pools(pools: Sequence[StoredPool]) -> dict[str, Any]:
    """Their hash, and how many clusterings of each kind a pool has in the mean."""
    digest, kinds = hashlib.sha256(), Counter[str]()
    for pool in pools:
        digest.update(pool.rows.tobytes())
        digest.update(pool.labels.tobytes())
        kinds.update(pool.kinds)
    return {
        "sha256": digest.hexdigest(),
        "tasks": len(pools),
        "kinds": {kind: n / len(pools) for kind, n in kinds.items()},
    }
