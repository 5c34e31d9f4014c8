"""Clusterers measured: on the clustering suite, on scikit-learn's toy sets, and against time."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from critic_pool import (
    Codes,
    Floats,
    LabelledSet,
    load_suite,
    quick_suite,
    reference_quality,
)
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler
from suite_memory import memory_growth
from suite_methods import (
    OURS,
    UNIT,
    Cluster,
    Method,
    cluster_quietly,
    find_critic,
    fingerprint,
    make_methods,
)
from unseen_classes import Store, choose_names

from skdeepclust import ClusteringCritic

__all__ = ["NO_STRUCTURE", "Bench", "measure_sets", "measure_time", "toy_sets"]

NO_STRUCTURE = "no structure"
_TOY_ROWS, _TOY_SEED, _BLOB_SEED = 500, 30, 170
_SHEAR = [[0.6, -0.6], [-0.4, 0.8]]
# Rows of the sets that are timed: they have ten features, and eight blobs that overlap.
_TIMED_ROWS = (1_000, 20_000, 100_000)
_TIMED_FEATURES, _TIMED_BLOBS, _TIMED_DEVIATION = 10, 8, 3.0
# Of more rows Silhouette sees a sample of this size, where it is timed.
_SILHOUETTE_ROWS = 2_000
_LEAST_ROWS = 100
_QUICK = {"population_size": 4, "n_generations": 1, "max_clusters": 4}
_QUICK_ROWS, _QUICK_TIMED_ROWS = 60, (60, 120)


class Bench:
    """Options, records, critic and clusterers; made when first needed.

    Parameters
    ----------
    options : Namespace
    store : Store

    Attributes
    ----------
    units : dict of str to float
        Seconds of the unit of time by data set, as measured in this very run.
    """

    def __init__(self, options: argparse.Namespace, store: Store) -> None:
        self.options, self.store = options, store
        self.units: dict[str, float] = {}

    @property
    def ours(self) -> dict[str, Any]:
        """Parameters of `CriticClusterer` that are not the defaults."""
        return dict(_QUICK) if self.options.quick else {}

    @cached_property
    def critic(self) -> ClusteringCritic:
        """The fitted critic."""
        return find_critic(self.options.critic)

    @cached_property
    def critic_settings(self) -> dict[str, Any]:
        """What the results of ours depend on, but for the data."""
        return {"critic": fingerprint(self.critic), **self.ours}

    @cached_property
    def methods(self) -> dict[str, Method]:
        """The clusterers that are wanted."""
        methods = make_methods(self.critic, self.ours)
        wanted = self.options.methods
        names = choose_names(wanted, list(methods)) if wanted else list(methods)
        return {name: methods[name] for name in names}

    def settings(self, name: str) -> dict[str, Any]:
        """What the results of a clusterer depend on, but for the data."""
        if name in OURS.values():
            return self.critic_settings
        return {} if self.methods[name].knows_k else {"max_clusters": self.options.max_clusters}

    def seeds(self, name: str) -> range:
        """Seeds of a clusterer: one is enough where the result does not depend on it."""
        return range(self.options.seeds if self.methods[name].is_random else 1)

    def sets(self, part: str) -> list[LabelledSet]:
        """The data sets of a part that are wanted."""
        options = self.options
        if part == "toys":
            return toy_sets(_QUICK_ROWS)[::5] if options.quick else toy_sets(_TOY_ROWS)
        path = options.data_dir / "clustering_suite.npz"
        sets = quick_suite() if options.quick else load_suite(path)
        return [standardized(one) for one in sets] if options.standardize else sets

    def unit_seconds(self, one: LabelledSet) -> float:
        """Seconds of the unit of time on a data set in this very run, whose load they share."""
        if one.name not in self.units:
            unit = make_methods(self.critic, self.ours)[UNIT]
            self.units[one.name] = self.judge(unit, one, 0)["seconds"]
        return self.units[one.name]

    def judge(self, method: Method, one: LabelledSet, seed: int) -> dict[str, float]:
        """ARI, number of clusters, its error, and seconds.

        A clusterer that is told the number of clusters gets that of each reference partition,
        and its best result counts.
        """
        rows, found = _rows(one), []
        for k in reference_numbers(one) if method.knows_k else [self.options.max_clusters]:
            started = time.perf_counter()
            labels = cluster_quietly(method.cluster, rows, seed, k)
            found.append({"seconds": time.perf_counter() - started, **_figures(labels, one)})
        best = max(found, key=lambda figures: figures["ARI"])
        return {**best, "seconds": float(np.mean([figures["seconds"] for figures in found]))}


def toy_sets(n: int) -> list[LabelledSet]:
    """The six sets of scikit-learn's page "Comparing different clustering algorithms"."""
    blobs, sheared = make_blobs(n, random_state=_TOY_SEED), make_blobs(n, random_state=_BLOB_SEED)
    deviations = [1.0, 2.5, 0.5]
    square = np.random.RandomState(_TOY_SEED).rand(n, 2)
    drawn = {
        "noisy circles": make_circles(n, factor=0.5, noise=0.05, random_state=_TOY_SEED),
        "noisy moons": make_moons(n, noise=0.05, random_state=_TOY_SEED),
        "varied variances": make_blobs(n, cluster_std=deviations, random_state=_BLOB_SEED),
        "anisotropic": (sheared[0] @ _SHEAR, sheared[1]),
        "blobs": blobs,
        NO_STRUCTURE: (square, np.zeros(n, dtype=np.int64)),
    }
    return [standardized(LabelledSet(name, X, (y + 1,))) for name, (X, y) in drawn.items()]


def standardized(one: LabelledSet) -> LabelledSet:
    """The same with features of mean 0 and variance 1."""
    return LabelledSet(one.name, StandardScaler().fit_transform(_rows(one)), one.references)


def measure_sets(bench: Bench, part: str) -> None:
    """Every clusterer on every set of a part with every seed; in part suite also its memory."""
    sets = bench.sets(part)
    names = [n for n, method in bench.methods.items() if part == "suite" or not method.knows_k]
    names.sort(key=lambda name: name != UNIT)
    for one in sets:
        for name in names:
            for seed in bench.seeds(name):
                _record_clusters(bench, part, one, name, seed)
    if part == "suite":
        _record_memory(bench, max(sets, key=lambda one: len(one.X)))


def _record_clusters(bench: Bench, part: str, one: LabelledSet, name: str, seed: int) -> None:
    keys, settings = (part, name, one.name), bench.settings(name)
    bench.store.forget(keys, settings)

    def compute() -> dict[str, Any]:
        found = bench.judge(bench.methods[name], one, seed)
        if name == UNIT:
            bench.units.setdefault(one.name, found["seconds"])
        return {**found, "unit_seconds": bench.unit_seconds(one)}

    bench.store.recall((*keys, str(seed)), settings, compute)


def _figures(labels: Codes, one: LabelledSet) -> dict[str, float]:
    n_clusters = len(np.unique(labels))
    error = min(abs(n_clusters - k) for k in reference_numbers(one))
    ari = reference_quality(one.references, labels)
    return {"ARI": ari, "n_clusters": n_clusters, "error": float(error)}


def reference_numbers(one: LabelledSet) -> list[int]:
    """Numbers of clusters of the reference partitions, their noise left out."""
    return sorted({len(np.unique(y[y > 0])) for y in one.references})


def _rows(one: LabelledSet) -> Floats:
    return np.ascontiguousarray(one.X, dtype=np.float64)


def _record_memory(bench: Bench, one: LabelledSet) -> None:
    """Memory of every clusterer on one set; in a quick run of the first one only."""
    names = list(bench.methods)[: 1 if bench.options.quick else None]
    for name in names:
        method = bench.methods[name]
        settings = {**bench.settings(name), "set": one.name, "rows": len(one.X)}
        bench.store.recall(("memory", name), settings, partial(_memory, bench, method, one))


def _memory(bench: Bench, method: Method, one: LabelledSet) -> dict[str, Any]:
    k = reference_numbers(one)[-1] if method.knows_k else bench.options.max_clusters
    return {"MiB": memory_growth(method.cluster, _rows(one), 0, k)}


def measure_time(bench: Bench, part: str) -> None:
    """Seconds of ours at several numbers of rows, each beside k-means with Silhouette."""
    sizes: Sequence[int] = _QUICK_TIMED_ROWS if bench.options.quick else _TIMED_ROWS
    for name in OURS.values():
        for n in sizes:
            _record_times(bench, (part, name, str(n)), n)


def _record_times(bench: Bench, keys: tuple[str, str, str], n: int) -> None:
    cluster = make_methods(bench.critic, bench.ours)[keys[1]].cluster
    most = bench.options.max_clusters
    settings = {**bench.critic_settings, "max_clusters": most}
    bench.store.forget(keys, settings)
    for seed in range(bench.options.seeds):
        compute = partial(_time_both, cluster, n, seed, most)
        bench.store.recall((*keys, str(seed)), settings, compute)


def _time_both(cluster: Cluster, n: int, seed: int, most: int) -> dict[str, float]:
    """Seconds of a clusterer and of k-means with Silhouette, one after the other."""
    cluster(_timed_rows(_LEAST_ROWS, 0), 0, most)  # what the first call alone does is not counted
    rows = _timed_rows(n, seed)
    started = time.perf_counter()
    labels = cluster(rows, seed, most)
    between = time.perf_counter()
    _usual_choice(rows, seed, most)
    ended = time.perf_counter()
    figures = {"seconds": between - started, "unit_seconds": ended - between}
    return {**figures, "n_clusters": len(np.unique(labels)), "cores": _n_cores()}


def _n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _timed_rows(n: int, seed: int) -> Floats:
    X, _ = make_blobs(
        n,
        n_features=_TIMED_FEATURES,
        centers=_TIMED_BLOBS,
        cluster_std=_TIMED_DEVIATION,
        random_state=seed,
    )
    return X


def _usual_choice(rows: Floats, seed: int, most: int) -> Codes:
    """K-means at every number of clusters, chosen by Silhouette: scikit-learn's functions."""
    sample_size = min(len(rows), _SILHOUETTE_ROWS)
    labelings = [
        KMeans(k, random_state=seed).fit_predict(rows)
        for k in range(2, min(most, len(rows) - 1) + 1)
    ]
    score = partial(silhouette_score, rows, sample_size=sample_size, random_state=seed)
    return max(labelings, key=score)
