"""Partitions as DEAP's individuals: labels, their names taken away, and a fitness."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from deap import base
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

__all__ = ["Bounds", "Codes", "Floats", "Partition", "PartitionFitness", "canonical", "difference"]

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


class Bounds(NamedTuple):
    """The fewest and the most clusters that a partition may have."""

    min_clusters: int
    max_clusters: int

    def admit(self, n_clusters: int) -> bool:
        """Whether a number of clusters is within the bounds."""
        return self.min_clusters <= n_clusters <= self.max_clusters


class PartitionFitness(base.Fitness):
    """One figure, to be maximised."""

    weights = (1.0,)


class Partition:
    """A clustering in the course of a search.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Cluster of each row, from 0 and without gaps; never changed in place.
    codes : ndarray of shape (q,) or None, default=None
        Cluster of each prototype, where a strategy changes these.
    founder : int, default=-1
        Position of the starting clustering from which it descends; -1 for none.
    weights : ndarray of shape (w,) or None, default=None
        Of the network that made the labels, where a strategy changes these.

    Attributes
    ----------
    fitness : PartitionFitness
        Invalid until scored.
    key : bytes
        Equal for equal partitions, whatever their clusters are called.
    """

    def __init__(
        self,
        labels: Codes,
        codes: Codes | None = None,
        founder: int = -1,
        weights: Floats | None = None,
    ) -> None:
        self.labels = labels
        self.codes = codes
        self.founder = founder
        self.weights = weights
        self.fitness = PartitionFitness()
        names = canonical(labels[None])[0]
        self.key = blake2b(names.astype(np.int32).tobytes(), digest_size=16).digest()

    def __deepcopy__(self, memo: dict[int, Any]) -> Partition:
        """Copy with a fitness of its own; the arrays, which nobody changes, are shared."""
        twin = object.__new__(Partition)
        twin.__dict__.update(self.__dict__)
        twin.fitness = PartitionFitness()
        twin.fitness.wvalues = self.fitness.wvalues
        return twin

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1

    @property
    def score(self) -> float:
        """The value of the fitness."""
        return float(self.fitness.values[0])


def canonical(labels: Codes) -> Codes:
    """Number the clusters of each partition by their first appearance.

    Parameters
    ----------
    labels : ndarray of shape (m, n)
        Labels from 0, gaps allowed.

    Returns
    -------
    ndarray of shape (m, n)
    """
    m, n = labels.shape
    k = int(labels.max(initial=0)) + 1
    index = labels + k * np.arange(m)[:, None]
    first = np.full(m * k, n)
    np.minimum.at(first, index.ravel(), np.tile(np.arange(n), m))
    ranks = first.reshape(m, k).argsort(axis=1, kind="stable").argsort(axis=1)
    return np.asarray(ranks.ravel()[index], dtype=np.int64)


def difference(first: Codes, second: Codes) -> float:
    """Share of rows on which two partitions disagree after the best matching of clusters.

    Parameters
    ----------
    first, second : ndarray of shape (n,)
        Labels from 0.

    Returns
    -------
    float
        0 for equal partitions; a cluster without a partner counts in full.
    """
    k = int(second.max()) + 1
    together = np.bincount(first * k + second, minlength=(int(first.max()) + 1) * k).reshape(-1, k)
    matched = linear_sum_assignment(together, maximize=True)
    return 1.0 - float(together[matched].sum()) / len(first)
