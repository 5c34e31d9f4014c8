"""Ways to cluster an alphabet whose number of characters is not known, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from alphabet_critics import Embedded
from critic_pool import Codes, Floats
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import normalized_mutual_info_score
from sklearn.utils.parallel import Parallel, delayed
from suite_methods import UNIT, Cluster, by_critic, cluster_quietly, hdbscan, make_methods
from unseen_classes import algorithm_2

from skdeepclust import ClusteringCritic
from skdeepclust.metrics import clustering_accuracy

__all__ = [
    "CHOICE",
    "FIGURES",
    "KNOWN",
    "SEARCH",
    "alphabet_figures",
    "critic_methods",
    "figures_of",
    "rival_methods",
]

FIGURES = ("accuracy", "NMI", "error of K")
SEARCH, CHOICE = "CriticClusterer", "Algorithm 2, K by the critic"
KNOWN = "Algorithm 2, K given"
_MIN_CLUSTER_SIZES = (3, 5, 10)


def critic_methods(critic: ClusteringCritic, parameters: Mapping[str, Any]) -> dict[str, Cluster]:
    """Ours by name: the search, and the critic's choice among clusterings at every K.

    Each takes rows (n, d), a seed and the largest K to try.
    """
    return {
        SEARCH: partial(_search, critic=critic, **parameters),
        CHOICE: partial(_choose, critic=critic),
    }


def _search(rows: Floats, seed: int, k: int, critic: ClusteringCritic, **parameters: Any) -> Codes:
    shared = {"critic": FrozenEstimator(critic), "search": "genetic", "max_clusters": k}
    return by_critic(rows, seed, k=k, **{**parameters, **shared})


def _choose(rows: Floats, seed: int, k: int, critic: ClusteringCritic) -> Codes:
    """Of Algorithm 2 at 2 to k clusters, what the critic likes best."""
    single = np.asarray(rows, dtype=np.float32)
    numbers = range(2, min(k, len(rows) - 1) + 1)
    labelings = [algorithm_2(single, number, seed) for number in numbers]
    return np.asarray(labelings[int(critic.rank(rows, labelings)[0])])


def rival_methods(critic: ClusteringCritic) -> dict[str, Cluster]:
    """Those without a critic by name; the last one is told K."""
    known = make_methods(critic, {})
    named = {f"HDBSCAN, {size}": partial(hdbscan, size=size) for size in _MIN_CLUSTER_SIZES}
    return {**named, UNIT: known[UNIT].cluster, KNOWN: _with_k}


def _with_k(rows: Floats, seed: int, k: int) -> Codes:
    return algorithm_2(np.asarray(rows, dtype=np.float32), k, seed)


def alphabet_figures(characters: NDArray[Any], clusters: Codes) -> dict[str, float]:
    """Accuracy, NMI, and how far the number of clusters is off."""
    k, found = len(np.unique(characters)), len(np.unique(clusters))
    return {
        "accuracy": clustering_accuracy(characters, clusters),
        "NMI": float(normalized_mutual_info_score(characters, clusters)),
        "error of K": float(abs(found - k)),
        "K": float(k),
        "found K": float(found),
    }


def figures_of(
    cluster: Cluster, data: Embedded, seed: int, most: int | None, n_jobs: int | None = None
) -> dict[str, Any]:
    """Figures of a way to cluster on each alphabet, and their means.

    Parameters
    ----------
    cluster : callable
    data : Embedded
    seed : int
    most : int or None
        Largest number of clusters to try; None: the true number is given.
    n_jobs : int, optional
        Processes; see joblib.
    """
    names = np.unique(data.alphabets)
    judge = delayed(_judge)
    found = Parallel(n_jobs)(
        judge(cluster, data.rows[kept], data.characters[kept], seed, most)
        for kept in (data.alphabets == name for name in names)
    )
    each = {str(name): figures for name, figures in zip(names, found, strict=True)}
    means = {f: float(np.mean([figures[f] for figures in each.values()])) for f in FIGURES}
    return {**means, "alphabets": each}


def _judge(
    cluster: Cluster, rows: Floats, characters: NDArray[Any], seed: int, most: int | None
) -> dict[str, float]:
    rows = np.asarray(rows, dtype=np.float64)
    k = most or len(np.unique(characters))
    return alphabet_figures(characters, cluster_quietly(cluster, rows, seed, k))
