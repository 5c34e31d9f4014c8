"""Pools of clusterings of known quality, among which scores have to choose.

The pool of a set of the suite holds, no number of clusters given: k-means, agglomerative
clustering under four linkages, Gaussian mixtures and spectral clustering at 2 to 20 clusters, and
HDBSCAN at five smallest sizes, its noise joined to the nearest cluster. No two are equal, none
has a single cluster. The pool of a synthetic set holds what training tasks hold, see
`propose_clusterings`.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import spectral_embedding
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors, kneighbors_graph
from sklearn.utils.parallel import Parallel, delayed

from skdeepclust.critic import draw_dataset, propose_clusterings, quality
from skdeepclust.critic._geometry import measure_points
from skdeepclust.graph import PointGraph

__all__ = [
    "POOL_SETTINGS",
    "Floats",
    "LabelledSet",
    "Pool",
    "Scorer",
    "draw_pool",
    "few_rows",
    "join_noise",
    "load_suite",
    "make_candidates",
    "quick_suite",
    "reference_quality",
    "suite_pools",
]

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

_LINKAGES = ("ward", "average", "complete", "single")
_SPECTRAL_NEIGHBORS = 10
# What a pool of the suite is made with; a file made with anything else is refused.
POOL_SETTINGS: dict[str, Any] = {
    "max_clusters": 20,
    "smallest_sizes": [5, 10, 15, 25, 50],
    "max_rows": 1_500,
    "seed": 0,
}


@dataclass(frozen=True)
class LabelledSet:
    """Rows, and one or more equally valid partitions of them: from 1, 0 for rows of noise."""

    name: str
    X: NDArray[np.floating]
    references: tuple[NDArray[np.integer], ...]


@dataclass(frozen=True)
class Pool:
    """Clusterings of one data set.

    Attributes
    ----------
    name : str
    group : str
        Battery or family of the data set.
    X : ndarray of shape (n, p)
    labels : ndarray of shape (m, n)
        Clusterings; -1 for noise.
    quality : ndarray of shape (m,)
        Adjusted Rand index of each with the truth.
    """

    name: str
    group: str
    X: NDArray[np.floating]
    labels: NDArray[np.integer]
    quality: Floats

    @cached_property
    def graph(self) -> PointGraph:
        """Positions and neighbours of the rows."""
        return measure_points(self.X)

    def only(self, kept: NDArray[Any]) -> Pool:
        """The same with some of the clusterings."""
        return replace(self, labels=self.labels[kept], quality=self.quality[kept])


# Scores (m,) of the clusterings of a pool, higher for better ones; -inf where there is none.
Scorer = Callable[[Pool], Floats]


def draw_pool(seed: int, families: Sequence[str] | None, n_proposals: int) -> Pool:
    """Clusterings of a synthetic data set, the truth first."""
    rng = np.random.RandomState(seed)
    data = draw_dataset(rng, families)
    labels = np.stack(propose_clusterings(data.X, rng, data.y, n_proposals)).astype(np.int16)
    return Pool(str(seed), data.family, data.X, labels, quality(data.y, labels))


def few_rows(pool: Pool, max_rows: int, seed: int = 0) -> Pool:
    """The same of at most so many rows, a random sample; the quality is that of all rows."""
    n = len(pool.X)
    if n <= max_rows:
        return pool
    kept = _sample(n, max_rows, seed)
    return replace(pool, X=pool.X[kept], labels=pool.labels[:, kept])


def _sample(n: int, max_rows: int, seed: int) -> NDArray[np.intp]:
    return np.sort(np.random.RandomState(seed).permutation(n)[:max_rows])


def join_noise(X: NDArray[np.floating], labels: NDArray[np.integer]) -> Codes:
    """Labels where rows of noise (-1) join the nearest other row; all noise is one cluster."""
    codes: Codes = np.array(labels, dtype=np.int64)
    noise = codes < 0
    if noise.all():
        return np.zeros_like(codes)
    if noise.any():
        search = NearestNeighbors(n_neighbors=1).fit(X[~noise])
        codes[noise] = codes[~noise][search.kneighbors(X[noise], return_distance=False)[:, 0]]
    return codes


def load_suite(path: Path) -> list[LabelledSet]:
    """Sets of the clustering suite with all their reference partitions."""
    if not path.exists():
        raise SystemExit(f"No file {path}: give its folder as --data-dir, or try --quick.")
    with np.load(path) as archive:
        return [
            LabelledSet(
                str(name),
                archive[f"{name}/data"],
                tuple(archive[key] for key in archive.files if key.startswith(f"{name}/labels")),
            )
            for name in archive["names"]
        ]


def quick_suite() -> list[LabelledSet]:
    """Two small sets of two batteries."""
    moons, halves = make_moons(60, noise=0.05, random_state=0)
    blobs, thirds = make_blobs(60, random_state=0)
    sets = {"curved/moons": (moons, halves), "round/blobs": (blobs, thirds)}
    return [LabelledSet(name, X, (y + 1,)) for name, (X, y) in sets.items()]


def suite_pools(
    sets: Sequence[LabelledSet],
    path: Path | None = None,
    n_jobs: int | None = None,
    **changes: Any,
) -> list[Pool]:
    """The pool of each set, read from a file where there is one, else made and written.

    Parameters
    ----------
    sets : sequence of LabelledSet
    path : Path, optional
        An npz file; None keeps the pools in memory alone.
    n_jobs : int, optional
        Processes; see joblib.
    **changes
        Of `POOL_SETTINGS`.
    """
    settings = {**POOL_SETTINGS, **changes, "sets": {s.name: list(s.X.shape) for s in sets}}
    few = [_few_rows_of_set(one, settings) for one in sets]
    if path is None or not path.exists():
        make = delayed(make_candidates)
        made = Parallel(n_jobs)(make(one.X, settings) for one in few)
        candidates = {one.name: labels for one, labels in zip(few, made, strict=True)}
        _write(path, settings, candidates)
    else:
        candidates = _read(path, settings)
    return [_rated_pool(one, candidates[one.name]) for one in few]


def _few_rows_of_set(one: LabelledSet, settings: Mapping[str, Any]) -> LabelledSet:
    kept = _sample(len(one.X), settings["max_rows"], settings["seed"])
    return LabelledSet(one.name, one.X[kept], tuple(y[kept] for y in one.references))


def _rated_pool(one: LabelledSet, labels: NDArray[np.integer]) -> Pool:
    rated = np.array([reference_quality(one.references, candidate) for candidate in labels])
    return Pool(one.name, one.name.split("/")[0], one.X, labels.astype(np.int16), rated)


def reference_quality(references: Sequence[NDArray[np.integer]], labels: ArrayLike) -> float:
    """Largest ARI with a reference partition, its rows of noise (0) left out."""
    found = np.asarray(labels)
    return max(float(adjusted_rand_score(y[y > 0], found[y > 0])) for y in references)


def make_candidates(X: NDArray[np.floating], settings: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Different clusterings (m, n) by the usual algorithms, none of a single cluster."""
    rows = np.asarray(X, dtype=np.float64)
    found: dict[bytes, NDArray[np.uint8]] = {}
    with warnings.catch_warnings():
        # What hardly converged or is torn apart is a candidate as good as any.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        for labels in _candidates(rows, settings):
            codes = _numbered(labels)
            if codes.max() > 0:
                found.setdefault(codes.tobytes(), codes)
    return np.stack(list(found.values()))


def _candidates(rows: Floats, settings: Mapping[str, Any]) -> Iterator[NDArray[Any]]:
    numbers = range(2, min(settings["max_clusters"], len(rows) - 1) + 1)
    trees = [linkage(rows, method) for method in _LINKAGES]
    spectrum = _spectrum(rows, numbers[-1], settings["seed"])
    floor = 1e-6 * rows.var(axis=0).mean()
    for k in numbers:
        seeded: dict[str, Any] = {"random_state": settings["seed"]}
        yield KMeans(k, n_init=10, **seeded).fit_predict(rows)
        yield KMeans(k, n_init=10, **seeded).fit_predict(spectrum[:, :k])
        yield GaussianMixture(k, reg_covar=floor, **seeded).fit_predict(rows)
        yield from (fcluster(tree, k, "maxclust") for tree in trees)
    for size in settings["smallest_sizes"]:
        if size < len(rows):
            labels = HDBSCAN(min_cluster_size=size, copy=True).fit(rows).labels_
            yield join_noise(rows, labels)


def _spectrum(rows: Floats, n_vectors: int, seed: int) -> Floats:
    """Leading eigenvectors (n, n_vectors) of the neighbour graph, as SpectralClustering has them.

    The first k of them are those of spectral clustering into k clusters.
    """
    k = min(_SPECTRAL_NEIGHBORS, len(rows) - 1)
    graph = kneighbors_graph(rows, k, include_self=True)
    vectors = spectral_embedding(
        (graph + graph.T) / 2, n_components=n_vectors, drop_first=False, random_state=seed
    )
    return np.asarray(vectors)


def _numbered(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Labels numbered by their first appearance."""
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.uint8)[codes]


def _write(
    path: Path | None, settings: Mapping[str, Any], candidates: Mapping[str, NDArray[np.uint8]]
) -> None:
    """Write in one step: a run that is killed meanwhile leaves no half a file."""
    if path is None:
        return
    draft = path.with_name(path.name + ".part")
    contents: dict[str, Any] = {"settings": np.array(json.dumps(settings)), **candidates}
    with draft.open("wb") as file:
        np.savez_compressed(file, **contents)
    os.replace(draft, path)


def _read(path: Path, settings: Mapping[str, Any]) -> dict[str, NDArray[np.uint8]]:
    with np.load(path) as archive:
        found = json.loads(str(archive["settings"]))
        if found != json.loads(json.dumps(settings)):
            raise SystemExit(
                f"{path} was made with {found}, this run has {settings}: give it a file of its own."
            )
        return {name: archive[name] for name in archive.files if name != "settings"}
