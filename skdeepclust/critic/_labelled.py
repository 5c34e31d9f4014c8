"""Tasks from labelled data sets: random subsets of their classes and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from ._tasks import Task, make_task

__all__ = ["LabelledSet", "sample_tasks"]

Codes = NDArray[np.int64]

# Up to the first, every number of classes is drawn as often as another; with more, small ones more
# often, each in inverse proportion to its size.
_FEW_CLASSES, _MOST_CLASSES = 10, 64
_MOST_ROWS, _FEWEST_ROWS = 400, 200
_ROWS_OF_A_CLASS = 12
# A single class is a task too: the right answer is then one cluster.
_SINGLE_CLASS = 0.05
_MOST_UNEVEN = 4.0
_MAX_DRAWS = 20


@dataclass(frozen=True)
class LabelledSet:
    """Rows to draw tasks from.

    Attributes
    ----------
    X : ndarray of shape (n, p)
    y : ndarray of shape (n,)
        Class of every row, from 0.
    groups : ndarray of shape (n,)
        A task takes all of its rows from one group.
    """

    X: NDArray[np.floating]
    y: Codes
    groups: Codes


def sample_tasks(
    datasets: Sequence[LabelledSet],
    n_tasks: int,
    rng: np.random.RandomState,
    n_proposals: int = 24,
    n_jobs: int | None = None,
) -> list[Task]:
    """Tasks of 1 to 64 classes and 200 to 400 rows, or what there is; 12 rows for each of many.

    Parameters
    ----------
    datasets : sequence of LabelledSet
        Take turns.
    n_tasks : int
    rng : RandomState
        Gives every task a seed of its own, so that `n_jobs` changes nothing.
    n_proposals : int, default=24
        Clusterings of each task, the truth among them.
    n_jobs : int, optional
        Processes; see joblib.

    Raises
    ------
    ValueError
        If the rows of a data set are all equal.
    """
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_tasks)
    sample = delayed(_sample_task)
    chosen = [datasets[i % len(datasets)] for i in range(n_tasks)]
    pairs = zip(chosen, seeds, strict=True)
    return list(Parallel(n_jobs)(sample(data, int(seed), n_proposals) for data, seed in pairs))


def _sample_task(data: LabelledSet, seed: int, n_proposals: int) -> Task:
    rng = np.random.RandomState(seed)
    for _ in range(_MAX_DRAWS):
        rows = _draw_rows(data, rng)
        X, y = data.X[rows], np.unique(data.y[rows], return_inverse=True)[1]
        if len(rows) >= 4 and (X[0] != X).any():
            return make_task(X, y, rng, n_proposals)
    return make_task(data.X[: 10 * _MOST_ROWS], data.y[: 10 * _MOST_ROWS], rng, n_proposals)


def _draw_rows(data: LabelledSet, rng: np.random.RandomState) -> NDArray[np.intp]:
    """Rows of some classes of one group, in random order."""
    group = data.groups[rng.randint(len(data.groups))]
    members = np.flatnonzero(data.groups == group)
    classes = np.unique(data.y[members])
    k = _draw_number(min(len(classes), _MOST_CLASSES), rng)
    kept = members[np.isin(data.y[members], rng.permutation(classes)[:k])]
    wanted = max(rng.randint(_FEWEST_ROWS, _MOST_ROWS + 1), _ROWS_OF_A_CLASS * k)
    if len(kept) <= wanted:
        return rng.permutation(kept)
    keys = rng.exponential(size=len(kept)) / _weights(data.y[kept], rng)
    return rng.permutation(kept[np.argsort(keys)[:wanted]])


def _draw_number(most: int, rng: np.random.RandomState) -> int:
    """How many classes a task has."""
    if most < 2 or rng.uniform() < _SINGLE_CLASS:
        return 1
    if most <= _FEW_CLASSES:
        return int(rng.randint(2, most + 1))
    return int(np.exp(rng.uniform(np.log(2), np.log(most + 1))))


def _weights(y: Codes, rng: np.random.RandomState) -> NDArray[np.float64]:
    """Chances of the rows (n,): some classes are drawn more often than others."""
    spread = np.log(_MOST_UNEVEN) * rng.uniform()
    chances = np.exp(rng.uniform(-spread, spread, size=int(y.max()) + 1))
    return np.asarray(chances[y])
