"""Mixtures of any number of rows, clusterers for them, and one measurement in its own process.

Run by `bench_scale` for every measurement::

    python benchmarks/scale_methods.py '{"method": ..., "rows": "X.npy", "truth": "y.npy", ...}'

which prints one line of JSON. The method `METRIC` is DeepMetricClusterer, of which `fit`,
`transform` and `predict` are measured.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from resident_memory import peak_memory, reset_peak

__all__ = [
    "KINDS",
    "METHODS",
    "METRIC",
    "N_CLUSTERS",
    "N_FEATURES",
    "OURS",
    "STEPS",
    "available",
    "draw_mixture",
]

N_FEATURES, N_CLUSTERS = 16, 10
KINDS = ("blobs", "anisotropic")
OURS, METRIC = "CriticClusterer", "DeepMetricClusterer"
STEPS = ("fit", "transform", "predict")

# Standard deviation of the centres, in units of that of a blob.
_SPREAD = 1.5
_AXES = (0.3, 2.0)
_SMALLEST_WEIGHT = 0.3
_BLOCK_ROWS = 2**17
# The K of MiniBatchKMeans is the best by silhouette of a sample of this size.
_SILHOUETTE_ROWS = 5_000
_NUMBERS = range(2, 21)
# Of HDBSCAN: a cluster has at least this share of the rows; the smallest true one has 3 %.
_SMALLEST_SHARE, _FEWEST = 0.01, 15
_WARM_UP_ROWS = 200
# Of DeepMetricClusterer: the time of a step hardly depends on its rows.
_METRIC = {"max_epochs": 1, "batch_size": 1_024, "random_state": 0}
_MIB = 2**20

Codes = NDArray[np.int64]
Rows = NDArray[np.float32]


# Data.


def draw_mixture(
    kind: str, n_rows: int, folder: Path, seed: int = 0, n_features: int = N_FEATURES
) -> tuple[Path, Path]:
    """Draw rows of ten normal distributions with unequal weights, block by block, into files.

    Parameters
    ----------
    kind : {"blobs", "anisotropic"}
        Round clusters of one width, or ellipsoids of any direction with half-axes 0.3 to 2.
    n_rows : int
    folder : Path
    seed : int
        Of a seed and kind, the distributions are the same whatever the number of rows.
    n_features : int

    Returns
    -------
    rows, truth : Path
        Files in NumPy's format with rows (n, p) in float32 and clusters (n,) in uint8.
    """
    paths = folder / f"{kind}_{n_rows}.npy", folder / f"{kind}_{n_rows}_truth.npy"
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    weights, centers, maps = _components(kind, n_features, rng)
    create = np.lib.format.open_memmap
    X = create(paths[0], mode="w+", dtype=np.float32, shape=(n_rows, n_features))
    y = create(paths[1], mode="w+", dtype=np.uint8, shape=(n_rows,))
    for start in range(0, n_rows, _BLOCK_ROWS):
        rng = np.random.default_rng([seed, KINDS.index(kind), start])
        block = slice(start, min(n_rows, start + _BLOCK_ROWS))
        y[block] = rng.choice(N_CLUSTERS, size=block.stop - start, p=weights)
        rows = rng.standard_normal((block.stop - start, n_features))
        for c in range(N_CLUSTERS):
            rows[y[block] == c] = rows[y[block] == c] @ maps[c] + centers[c]
        X[block] = rows
    X.flush(), y.flush()
    return paths


def _components(kind: str, p: int, rng: np.random.Generator) -> tuple[Any, Any, list[Any]]:
    """Weights (k,), centres (k, p) and k linear maps (p, p) of the standard normal."""
    weights = rng.uniform(_SMALLEST_WEIGHT, 1.0, N_CLUSTERS)
    centers = _SPREAD * rng.standard_normal((N_CLUSTERS, p))
    maps = []
    for _ in range(N_CLUSTERS):
        turn = np.linalg.qr(rng.standard_normal((p, p)))[0]
        lengths = np.exp(rng.uniform(*np.log(_AXES), p))
        maps.append(np.eye(p) if kind == "blobs" else lengths[:, None] * turn)
    return weights / weights.sum(), centers, maps


# Clusterers: labels (n,) of rows (n, p) that are mapped from a file.


def ours(X: Rows, seed: int, critic: Any = "pretrained", **parameters: Any) -> Codes:
    """CriticClusterer as it comes."""
    from skdeepclust import CriticClusterer

    if isinstance(critic, str) and critic == "tiny":
        critic = _tiny_critic()
        parameters = {"population_size": 4, "n_generations": 1, "max_clusters": 4, **parameters}
    labels: Codes = CriticClusterer(critic=critic, random_state=seed, **parameters).fit(X).labels_
    return labels


def _tiny_critic() -> Any:
    from sklearn.frozen import FrozenEstimator
    from suite_methods import find_critic

    return FrozenEstimator(find_critic("tiny"))


def mini_batch_k_means(X: Rows, seed: int) -> Codes:
    """MiniBatchKMeans at K = 2 ... 20, each on all rows; the best silhouette of a sample."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics import silhouette_score

    sample = np.sort(np.random.RandomState(seed).permutation(len(X))[:_SILHOUETTE_ROWS])
    best, labels = -np.inf, np.zeros(len(X), dtype=np.int64)
    for k in _NUMBERS:
        found = MiniBatchKMeans(k, random_state=seed).fit_predict(X)
        several = len(np.unique(found[sample])) > 1
        width = silhouette_score(X[sample], found[sample]) if several else -1.0
        if width > best:
            best, labels = width, found
    return labels


def hdbscan_of_sklearn(X: Rows, seed: int) -> Codes:
    """HDBSCAN of scikit-learn."""
    from sklearn.cluster import HDBSCAN

    return HDBSCAN(**_densities(X), copy=True).fit_predict(X)


def hdbscan_of_hdbscan(X: Rows, seed: int) -> Codes:
    """HDBSCAN of the package hdbscan."""
    from hdbscan import HDBSCAN

    labels: Codes = HDBSCAN(**_densities(X), core_dist_n_jobs=1).fit_predict(X)
    return labels


def _densities(X: Rows) -> dict[str, int]:
    smallest = max(_FEWEST, int(_SMALLEST_SHARE * len(X)))
    return {"min_cluster_size": min(smallest, len(X) - 1), "min_samples": min(_FEWEST, len(X) - 1)}


def genie(X: Rows, seed: int) -> Codes:
    """Genie, which is told the number of clusters."""
    from genieclust import Genie

    labels: Codes = Genie(n_clusters=N_CLUSTERS).fit_predict(X)
    return labels


METHODS: dict[str, Callable[..., Codes]] = {
    OURS: ours,
    "MiniBatchKMeans, Silhouette": mini_batch_k_means,
    "HDBSCAN (scikit-learn)": hdbscan_of_sklearn,
    "HDBSCAN (hdbscan)": hdbscan_of_hdbscan,
    "Genie, K given": genie,
}
_PACKAGES = {"HDBSCAN (hdbscan)": "hdbscan", "Genie, K given": "genieclust"}


def available() -> list[str]:
    """Clusterers whose packages are installed."""
    return [name for name in METHODS if find_spec(_PACKAGES.get(name, "numpy"))]


# One measurement.


def measure(job: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds, growth of the largest resident set, ARI and number of clusters.

    The same clusterer sees a few rows first: what it imports is no need of the data. Noise
    joins the cluster with the nearest mean, after time and memory were taken.
    """
    from sklearn.metrics import adjusted_rand_score

    cluster, parameters = METHODS[job["method"]], job.get("parameters", {})
    X = np.load(job["rows"], mmap_mode="r")
    cluster(np.array(X[:_WARM_UP_ROWS]), job["seed"], **parameters)
    reset_peak()
    before = peak_memory()
    started = time.perf_counter()
    labels = cluster(X, job["seed"], **parameters)
    seconds = time.perf_counter() - started
    after = peak_memory()
    labels = join_noise(X, labels)
    return {
        "status": "done",
        "seconds": seconds,
        "MiB": None if before is None or after is None else (after - before) / _MIB,
        "ARI": float(adjusted_rand_score(np.load(job["truth"]), labels)),
        "n_clusters": len(np.unique(labels)),
    }


def measure_metric(job: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of each step of DeepMetricClusterer, and its largest resident set above the map.

    The whole map counts as resident: of less than it, memory would be underestimated.
    """
    from skdeepclust import DeepMetricClusterer

    X, y = np.load(job["rows"], mmap_mode="r"), np.load(job["truth"])
    few = slice(0, 10 * _WARM_UP_ROWS)
    DeepMetricClusterer(**_METRIC).fit(np.array(X[few]), y[few]).predict(np.array(X[few]))
    clusterer = DeepMetricClusterer(**_METRIC)
    calls = {"fit": lambda: clusterer.fit(X, y)}
    calls |= {name: lambda name=name: getattr(clusterer, name)(X) for name in STEPS[1:]}
    reset_peak()
    before, found = peak_memory(), {"status": "done"}
    for name, call in calls.items():
        reset_peak()
        started = time.perf_counter()
        call()
        peak, seconds = peak_memory(), time.perf_counter() - started
        above = None if before is None or peak is None else (peak - before - X.nbytes) / _MIB
        found[name] = {"seconds": seconds, "MiB": above}
    return found


def join_noise(X: Rows, labels: Codes) -> Codes:
    """Labels where rows of noise (-1) join the cluster with the nearest mean, all noise one."""
    if labels.min() >= 0 or labels.max() < 0:
        return np.maximum(labels, 0)
    means = np.stack([X[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    joined = labels.copy()
    for start in range(0, len(X), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        squares = (means**2).sum(axis=1) - 2 * X[block] @ means.T
        joined[block] = np.where(labels[block] < 0, squares.argmin(axis=1), labels[block])
    return joined


def limit_memory(n_bytes: float | None) -> None:
    """Let allocations beyond a limit fail, where the system can."""
    try:
        import resource
    except ImportError:
        return
    if n_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (int(n_bytes), int(n_bytes)))


def main() -> None:
    """Print what one measurement found, or that memory did not suffice."""
    job = json.loads(sys.argv[1])
    limit_memory(job.get("memory"))
    warnings.simplefilter("ignore")
    try:
        found = measure_metric(job) if job["method"] == METRIC else measure(job)
    except MemoryError:
        found = {"status": "memory"}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
