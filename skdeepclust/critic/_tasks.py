"""Tasks to learn from: data sets with clusterings of known quality."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from joblib import parallel_backend  # type: ignore[import-untyped]
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.parallel import Parallel, delayed
from torch import Tensor

from ..graph import PointGraph, Population, computed_once, node_descriptors, population
from ._geometry import measure_points
from ._proposals import propose_clusterings, quality
from ._synthetic import draw_dataset

__all__ = ["Task", "best_overlaps", "draw_tasks", "graded_quality", "make_task"]

_FEWEST_PROPOSALS = 8


@dataclass(frozen=True)
class Task:
    """A data set and clusterings of it.

    Attributes
    ----------
    graph : PointGraph
        Of n rows.
    labels : Tensor of shape (m, n)
        Clusterings, int16; the first is the truth.
    quality : Tensor of shape (m,)
        Adjusted Rand index with the truth, float32.
    family : str
        Where the data set comes from.
    """

    graph: PointGraph
    labels: Tensor
    quality: Tensor
    family: str = ""

    @computed_once
    def clusterings(self) -> Population:
        """The clusterings with their clusters numbered."""
        return population(self.labels.long())

    @computed_once
    def descriptors(self) -> Tensor:
        """Of every row in every clustering, (m, n, 32) float16: they take most of the memory."""
        return node_descriptors(self.graph, self.clusterings).half()

    @computed_once
    def target(self) -> Tensor:
        """What the critic shall say of each clustering, (m,) float32; see `graded_quality`."""
        return graded_quality(self.labels[0], self.labels, self.quality)

    @computed_once
    def cluster_quality(self) -> Tensor:
        """Largest Jaccard index of each cluster with a class of the truth, (T,) float32."""
        return best_overlaps(self.clusterings, self.labels[0].long())

    def extended(self, labelings: Iterable[NDArray[np.integer]], y: ArrayLike) -> Task:
        """The same data set with further clusterings, rated by the truth `y`."""
        more = np.stack(list(labelings)).astype(np.int16)
        return Task(
            self.graph,
            torch.cat([self.labels, torch.from_numpy(more)]),
            torch.cat([self.quality, _rated(y, more)]),
            self.family,
        )


def graded_quality(truth: Tensor, labels: Tensor, quality: Tensor) -> Tensor:
    """The quality, but graded where the truth is a single cluster.

    There the adjusted Rand index of all clusterings but one is 0, also of one that leaves a
    single row out. Instead of it such a truth has twice the share of the pairs of rows that a
    clustering joins, less 1: 0 for two halves, 0.92 where one row of fifty is cut off.

    Parameters
    ----------
    truth : Tensor of shape (n,)
    labels : Tensor of shape (m, n)
    quality : Tensor of shape (m,)

    Returns
    -------
    Tensor of shape (m,), float32
        At least 0 where it is not the quality itself.
    """
    kept = truth >= 0
    n_rows = int(kept.sum())
    if int(truth.max()) > 0 or n_rows < 2:
        return quality
    rows = labels[:, kept].long()
    codes = rows + (rows.max() + 2) * torch.arange(len(rows))[:, None]
    counts = torch.bincount(codes[rows >= 0])
    owner = torch.arange(len(counts)) // (rows.max() + 2)
    pairs = torch.zeros(len(rows)).index_add(0, owner, (counts * (counts - 1)).float())
    return (2 * pairs / (n_rows * (n_rows - 1)) - 1).clamp(min=0)


def best_overlaps(clusterings: Population, truth: Tensor) -> Tensor:
    """Largest Jaccard index of each cluster with a class.

    Parameters
    ----------
    clusterings : Population
        Of n rows, T clusters in all.
    truth : Tensor of shape (n,)
        Classes from 0; -1 for rows of no class, which are left out.

    Returns
    -------
    Tensor of shape (T,)
        float32; 0 for a cluster of nothing but rows of no class.
    """
    n_classes, n_clusters = int(truth.max()) + 1, len(clusterings.owner)
    kept = (clusterings.codes >= 0) & (truth >= 0)
    pairs = (clusterings.codes * n_classes + truth)[kept]
    common = torch.bincount(pairs, minlength=n_clusters * n_classes)
    common = common.reshape(n_clusters, n_classes)  # (T, classes)
    class_sizes = torch.bincount(truth[truth >= 0], minlength=n_classes)
    union = common.sum(dim=1, keepdim=True) + class_sizes - common
    return (common / union.clamp(min=1)).amax(dim=1).float()


def make_task(
    X: NDArray[np.floating],
    y: ArrayLike,
    rng: np.random.RandomState,
    n_proposals: int = 24,
    family: str = "",
) -> Task:
    """Propose clusterings of a labelled data set, the truth first, and rate them."""
    with parallel_backend("sequential"):  # whatever makes many tasks at a time
        labels = np.stack(propose_clusterings(X, rng, y, n_proposals)).astype(np.int16)
    return Task(measure_points(X), torch.from_numpy(labels), _rated(y, labels), family)


def draw_tasks(
    n_tasks: int,
    rng: np.random.RandomState,
    families: Sequence[str] | None = None,
    n_proposals: int = 24,
    n_jobs: int | None = None,
    max_cells: int | None = None,
) -> list[Task]:
    """Tasks on synthetic data sets.

    Parameters
    ----------
    n_tasks : int
    rng : RandomState
        Gives every task a seed of its own, so that `n_jobs` changes nothing.
    families : sequence of str, optional
        Default: all of `FAMILIES`.
    n_proposals : int, default=24
    n_jobs : int, optional
        Processes; see joblib.
    max_cells : int, optional
        Data sets of many rows have fewer clusterings: at most so many rows times clusterings,
        but at least eight clusterings.
    """
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_tasks)
    draw = delayed(_draw_task)
    given = (families, n_proposals, max_cells)
    return list(Parallel(n_jobs)(draw(int(seed), *given) for seed in seeds))


def _draw_task(
    seed: int, families: Sequence[str] | None, n_proposals: int, max_cells: int | None
) -> Task:
    rng = np.random.RandomState(seed)
    data = draw_dataset(rng, families)
    if max_cells is not None:
        n_proposals = min(n_proposals, max(_FEWEST_PROPOSALS, max_cells // len(data.X)))
    return make_task(data.X, data.y, rng, n_proposals, data.family)


def _rated(y: ArrayLike, labels: NDArray[np.integer]) -> Tensor:
    return torch.from_numpy(np.asarray(quality(y, list(labels)), dtype=np.float32))
