"""Clusterers to compare: ours, those that find the number of clusters, and those told it.

Where the number of clusters is chosen, it is one of 2 to 20: by the mean silhouette width, by the
Bayesian information criterion (BIC) of a Gaussian mixture, or for Genie by the index DuNN of its
own package. Rows that a clusterer calls noise join the nearest row of a cluster. Every clusterer
runs on all rows; only affinity propagation, which keeps matrices of all pairs, sees a sample.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from critic_pool import Codes, Floats, join_noise
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    AffinityPropagation,
    AgglomerativeClustering,
    KMeans,
    MeanShift,
    SpectralClustering,
    estimate_bandwidth,
)
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from skdeepclust import ClusteringCritic, CriticClusterer, load

__all__ = [
    "GENIE",
    "MAX_PROPAGATION_ROWS",
    "OURS",
    "UNIT",
    "Method",
    "cluster_quietly",
    "find_critic",
    "fingerprint",
    "has_genie",
    "knee_distance",
    "make_methods",
    "mean_silhouettes",
]

OURS = {"genetic": "CriticClusterer, genetic", "cem": "CriticClusterer, cem"}
UNIT = "KMeans, Silhouette"
"""The clusterer of whose time all times are multiples."""
GENIE = "Genie"
MAX_PROPAGATION_ROWS = 1_500

_MIN_CLUSTER_SIZES = (5, 15, 50)
_MAX_BANDWIDTH_ROWS = 2_000
_FEWEST_NEIGHBORS = 4
_TINY = 1e-12
# Rows whose distances to all others are kept at a time.
_BLOCK_ROWS = 500
# How a critic is trained whose only merit is that it takes seconds.
_TINY_CRITIC: dict[str, Any] = {
    "n_tasks": 2,
    "n_proposals": 6,
    "max_epochs": 1,
    "adversarial_rounds": 0,
    "hidden_dim": 8,
    "random_state": 0,
}

# Labels (n,) from rows (n, p), a seed, and the number of clusters: the true one for those that
# are told it, the largest one to try for the others.
Cluster = Callable[[Floats, int, int], Codes]
# Clusterings of rows at 2, 3, ... clusters up to a largest number.
Candidates = Callable[[Floats, int, int], Iterable[Codes]]


@dataclass(frozen=True)
class Method:
    """A clusterer, and what it is given.

    Attributes
    ----------
    cluster : callable
        Takes rows (n, p), a seed, and the number of clusters (see `knows_k`); returns labels.
    knows_k : bool
        Whether it is told the true number of clusters. Otherwise it gets the largest to try.
    is_random : bool
        Whether the result depends on the seed.
    """

    cluster: Cluster
    knows_k: bool = False
    is_random: bool = False


def make_methods(critic: ClusteringCritic, ours: Mapping[str, Any]) -> dict[str, Method]:
    """All clusterers by name: ours, those that find the number of clusters, those told it.

    Parameters
    ----------
    critic : ClusteringCritic
        Fitted.
    ours : mapping
        Parameters of `CriticClusterer` that are not the defaults.
    """
    shared = {"critic": FrozenEstimator(critic), **ours}
    own = {
        name: Method(partial(by_critic, search=search, **shared), is_random=True)
        for search, name in OURS.items()
    }
    return {**own, **_without_k(), **_with_k()}


def _without_k() -> dict[str, Method]:
    def chosen(candidates: Candidates, is_random: bool = False) -> Method:
        cluster = partial(best_silhouette, candidates=candidates)
        return Method(cluster, is_random=is_random)

    methods = {
        UNIT: chosen(partial(at_each_k, cluster=k_means), is_random=True),
        "GaussianMixture, Silhouette": chosen(partial(at_each_k, cluster=mixture), is_random=True),
        "GaussianMixture, BIC": Method(mixture_by_bic, is_random=True),
        "Agglomerative (ward), Silhouette": chosen(partial(tree_cuts, method="ward")),
        "Agglomerative (average), Silhouette": chosen(partial(tree_cuts, method="average")),
        **{f"HDBSCAN, {size}": Method(partial(hdbscan, size=size)) for size in _MIN_CLUSTER_SIZES},
        "DBSCAN, k-distance": Method(dbscan),
        "OPTICS": Method(optics),
        "MeanShift": Method(mean_shift, is_random=True),
        "AffinityPropagation": Method(affinity_propagation, is_random=True),
    }
    return {**methods, f"{GENIE}, DuNN": Method(genie_by_dunn)} if has_genie() else methods


def _with_k() -> dict[str, Method]:
    methods = {
        "KMeans, K given": Method(k_means, True, is_random=True),
        "Ward, K given": Method(ward, True),
        "SpectralClustering, K given": Method(spectral, True, is_random=True),
        "GaussianMixture, K given": Method(mixture, True, is_random=True),
    }
    return {**methods, f"{GENIE}, K given": Method(genie, True)} if has_genie() else methods


def has_genie() -> bool:
    """Whether the package of Genie is installed."""
    return find_spec("genieclust") is not None


def find_critic(name: str) -> ClusteringCritic:
    """A critic that comes with the package, one in a file, or one trained in a second ("tiny")."""
    if name == "tiny":
        X, y = make_blobs(120, centers=4, random_state=0)
        return ClusteringCritic(**_TINY_CRITIC).fit(X, y)
    if name in ("pretrained", "images"):
        return ClusteringCritic.from_pretrained("default" if name == "pretrained" else name)
    if not Path(name).exists():
        raise SystemExit(f"--critic {name}: no file of that name.")
    critic: ClusteringCritic = load(name)
    return critic


def fingerprint(critic: ClusteringCritic) -> str:
    """What tells the weights of a critic from all others."""
    digest = hashlib.sha256()
    for name, weights in sorted(critic.network_.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def cluster_quietly(cluster: Cluster, rows: Floats, seed: int, k: int) -> Codes:
    """Cluster rows without the warnings of what hardly converges; noise joins a cluster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        warnings.filterwarnings("ignore", message="All samples have mutually equal similarities")
        return join_noise(rows, cluster(rows, seed, k))


def by_critic(
    rows: Floats, seed: int, k: int, critic: Any, search: str, **parameters: Any
) -> Codes:
    """Clusters of ours; its largest number of clusters is its own default."""
    clusterer = CriticClusterer(critic=critic, search=search, random_state=seed, **parameters)
    return clusterer.fit_predict(rows)


def best_silhouette(rows: Floats, seed: int, k: int, candidates: Candidates) -> Codes:
    """The clustering with the largest mean silhouette width."""
    labelings = list(candidates(rows, seed, k))
    return labelings[int(np.argmax(mean_silhouettes(rows, labelings)))]


def mean_silhouettes(rows: Floats, labelings: Sequence[Codes]) -> Floats:
    """Mean silhouette width of each clustering; -1 where it is not defined.

    All are computed in one pass over the distances, which takes a fraction of the time of as
    many calls of scikit-learn's function.
    """
    codes = [np.unique(labels, return_inverse=True)[1] for labels in labelings]
    sizes = [np.bincount(code) for code in codes]
    ends = np.cumsum([len(size) for size in sizes])[:-1]
    members = np.hstack([np.eye(len(size))[code] for code, size in zip(codes, sizes, strict=True)])
    totals = np.zeros(len(codes))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        sums = np.split(cdist(rows[block], rows) @ members, ends, axis=1)  # (b, K) each
        parts = zip(sums, codes, sizes, strict=True)
        totals += [_silhouette_widths(part, code[block], size).sum() for part, code, size in parts]
    defined = [1 < len(size) < len(rows) for size in sizes]
    return np.where(defined, totals / len(rows), -1.0)


def _silhouette_widths(sums: Floats, codes: Codes, sizes: Codes) -> Floats:
    """Widths (b,) from the sums of distances to the rows of each cluster, (b, K)."""
    if len(sizes) == 1:
        return np.zeros(len(codes))
    places = np.arange(len(codes))
    own = sums[places, codes] / np.maximum(sizes[codes] - 1, 1)
    means = sums / sizes
    means[places, codes] = np.inf
    other = means.min(axis=1)
    widths = (other - own) / np.maximum(np.maximum(own, other), _TINY)
    return np.where(sizes[codes] > 1, widths, 0.0)


def numbers_of_clusters(rows: Floats, most: int) -> range:
    """2 to the largest number to try."""
    return range(2, min(most, len(rows) - 1) + 1)


def at_each_k(rows: Floats, seed: int, most: int, cluster: Cluster) -> Iterable[Codes]:
    """Clusterings at every number of clusters."""
    return (cluster(rows, seed, k) for k in numbers_of_clusters(rows, most))


def tree_cuts(rows: Floats, seed: int, most: int, method: str) -> Iterable[Codes]:
    """Cuts of one tree of agglomerative clustering."""
    tree = linkage(rows, method)
    return (fcluster(tree, k, "maxclust") for k in numbers_of_clusters(rows, most))


def k_means(rows: Floats, seed: int, k: int) -> Codes:
    """Clusters of k-means, the best of ten starts."""
    return KMeans(k, n_init=10, random_state=seed).fit_predict(rows)


def mixture(rows: Floats, seed: int, k: int) -> Codes:
    """The likeliest components of a Gaussian mixture."""
    return _mixture_model(rows, seed, k).fit_predict(rows)


def mixture_by_bic(rows: Floats, seed: int, k: int) -> Codes:
    """Gaussian mixture, its number of components by the Bayesian information criterion."""
    models = (_mixture_model(rows, seed, n).fit(rows) for n in numbers_of_clusters(rows, k))
    return min(models, key=lambda model: model.bic(rows)).predict(rows)


def _mixture_model(rows: Floats, seed: int, k: int) -> GaussianMixture:
    floor = max(1e-6 * float(rows.var(axis=0).mean()), _TINY)
    return GaussianMixture(k, reg_covar=floor, random_state=seed)


def hdbscan(rows: Floats, seed: int, k: int, size: int) -> Codes:
    """Density-based clusters of a smallest size."""
    return HDBSCAN(min_cluster_size=min(size, len(rows) - 1), copy=True).fit_predict(rows)


def dbscan(rows: Floats, seed: int, k: int) -> Codes:
    """DBSCAN by the rule of thumb of its authors.

    Twice as many neighbours as features, four at least, and a radius at the knee of the sorted
    distances to the last of them.
    """
    n_neighbors = min(max(_FEWEST_NEIGHBORS, 2 * rows.shape[1]), len(rows) - 1)
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(rows)
    farthest = search.kneighbors(rows)[0][:, -1]  # the row itself is the first, as for DBSCAN
    radius = max(knee_distance(farthest), _TINY)
    return DBSCAN(eps=radius, min_samples=n_neighbors).fit_predict(rows)


def knee_distance(distances: Floats) -> float:
    """The value, among the sorted ones, farthest below the line from the first to the last."""
    ordered = np.sort(distances)
    line = np.linspace(ordered[0], ordered[-1], len(ordered))
    return float(ordered[np.argmax(line - ordered)])


def optics(rows: Floats, seed: int, k: int) -> Codes:
    """OPTICS as it comes."""
    with np.errstate(divide="ignore", invalid="ignore"):  # ratios of equal reachabilities
        return OPTICS().fit_predict(rows)


def mean_shift(rows: Floats, seed: int, k: int) -> Codes:
    """Mean shift from binned rows, its bandwidth estimated as scikit-learn does."""
    n_rows = min(len(rows), _MAX_BANDWIDTH_ROWS)
    bandwidth = estimate_bandwidth(rows, n_samples=n_rows, random_state=seed)
    return MeanShift(bandwidth=bandwidth or None, bin_seeding=True).fit_predict(rows)


def affinity_propagation(rows: Floats, seed: int, k: int) -> Codes:
    """Affinity propagation on a sample; the other rows join the nearest one of it."""
    kept = np.random.RandomState(seed).permutation(len(rows))[:MAX_PROPAGATION_ROWS]
    model = AffinityPropagation(damping=0.9, max_iter=500, random_state=seed)
    labels = np.full(len(rows), -1)
    labels[kept] = model.fit_predict(rows[kept])
    return join_noise(rows, labels)


def ward(rows: Floats, seed: int, k: int) -> Codes:
    """Clusters of Ward's method."""
    return AgglomerativeClustering(k).fit_predict(rows)


def spectral(rows: Floats, seed: int, k: int) -> Codes:
    """Spectral clustering of the neighbour graph."""
    n_neighbors = min(10, len(rows) - 1)
    model = SpectralClustering(
        k, affinity="nearest_neighbors", n_neighbors=n_neighbors, random_state=seed
    )
    return model.fit_predict(rows)


def genie(rows: Floats, seed: int, k: int) -> Codes:
    """Clusters of Genie."""
    from genieclust import Genie

    return Genie(n_clusters=k).fit_predict(rows)


def genie_by_dunn(rows: Floats, seed: int, k: int) -> Codes:
    """Genie, its number of clusters by the index DuNN of its package.

    The index is infinite where no near neighbours are in different clusters: of equally good
    clusterings the one with the most clusters is taken.
    """
    from genieclust.cluster_validity import dunnowa_index

    rows = np.ascontiguousarray(rows)
    labelings = [np.asarray(labels, dtype=np.intp) for labels in at_each_k(rows, seed, k, genie)]
    return max(reversed(labelings), key=lambda labels: dunnowa_index(rows, labels))
