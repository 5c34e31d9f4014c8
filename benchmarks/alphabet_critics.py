"""Critics that learn from alphabets: what clusterings of new characters look like.

Characters that a metric has learned lie further apart than new ones. A critic of new characters
therefore learns from embeddings by metrics that never saw the characters it learns from: of some
background alphabets, by a metric of the other ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from bench_omniglot import CHOSEN, OURS, Task, make_method
from critic_pool import Codes
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from skdeepclust import ClusteringCritic
from skdeepclust.critic._adversary import train_in_rounds
from skdeepclust.critic._tasks import Task as CriticTask
from skdeepclust.critic._tasks import make_task
from skdeepclust.critic._training import CriticPlan
from skdeepclust.model_selection import ClassDisjointKFold

__all__ = [
    "CRITICS",
    "SHIPPED",
    "Embedded",
    "embed_held_out",
    "embed_new",
    "held_out_tasks",
    "train_critic_of_alphabets",
]

SHIPPED = "shipped critic"
SCRATCH, WARM, WIDE = "from scratch", "trained on", "trained on, whole alphabets"
CRITICS = (SHIPPED, SCRATCH, WARM, WIDE)
"""Critics by name: as it comes; by `ClusteringCritic.fit` with alphabets as groups, from scratch
and from the shipped one (tasks of few characters more often than of many); and from the shipped one
on tasks in which all numbers of characters are equally likely, up to all of an alphabet."""

_SPLITS = 5
# Of a training that goes on, as the package's own critic of images has it.
_LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Embedded:
    """Embedded images of characters that the metric did not learn.

    Attributes
    ----------
    rows : ndarray of shape (n, d)
    characters, alphabets : ndarray of shape (n,)
    """

    rows: NDArray[np.float32]
    characters: NDArray[Any]
    alphabets: NDArray[Any]


def embed_new(task: Task, minutes: float, seed: int) -> Embedded:
    """Learn a metric for so many minutes; the new images embedded by it."""
    model = make_method(OURS, 60 * minutes, seed, CHOSEN[OURS]).fit(task.images, task.characters)
    return Embedded(model.transform(task.new_images), task.new_characters, task.new_alphabets)


def embed_held_out(task: Task, minutes: float, seed: int, n_folds: int) -> Embedded:
    """Background alphabets, each embedded by a metric of others."""
    found = [embed_new(fold, minutes, seed) for fold in held_out_tasks(task, n_folds)]
    return Embedded(
        np.concatenate([one.rows for one in found]),
        np.concatenate([one.characters for one in found]),
        np.concatenate([one.alphabets for one in found]),
    )


def held_out_tasks(task: Task, n_folds: int) -> list[Task]:
    """Tasks of learning four fifths of the alphabets, each with other ones held out.

    Parameters
    ----------
    task : Task
    n_folds : int
        At most five; then every alphabet is held out once.
    """
    splits = ClassDisjointKFold(_SPLITS).split(None, task.characters, groups=task.alphabets)
    arrays = (task.images, task.characters, task.alphabets)
    return [
        Task(task.name, *(a[learned] for a in arrays), *(a[held_out] for a in arrays))
        for learned, held_out in islice(splits, n_folds)
    ]


def train_critic_of_alphabets(
    name: str, base: ClusteringCritic, data: Embedded, seed: int, training: Mapping[str, Any]
) -> ClusteringCritic:
    """A critic that has learned from embedded alphabets.

    Parameters
    ----------
    name : str
        One of `CRITICS`.
    base : ClusteringCritic
        What is shipped; it is not changed.
    data : Embedded
    seed : int
    training : mapping
        Parameters of `ClusteringCritic` that all share.
    """
    if name == SHIPPED:
        return base
    with _one_thread():
        if name == WIDE:
            return _train_on_whole_alphabets(base, data, seed, training)
        critic = ClusteringCritic() if name == SCRATCH else copy.deepcopy(base)
        start = {} if name == SCRATCH else {"warm_start": True, "learning_rate": _LEARNING_RATE}
        critic.set_params(**training, **start, random_state=seed)
        return critic.fit(data.rows, data.characters, groups=data.alphabets)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Many small operations gain little from a second thread, and lose a lot to a busy one."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _train_on_whole_alphabets(
    base: ClusteringCritic, data: Embedded, seed: int, training: Mapping[str, Any]
) -> ClusteringCritic:
    rng, critic = np.random.RandomState(seed), copy.deepcopy(base)
    seeds = rng.randint(np.iinfo(np.int32).max, size=training["n_tasks"])
    make: Callable[..., Any] = delayed(draw_alphabet_task)
    tasks = list(
        Parallel(training["n_jobs"])(make(data, int(s), training["n_proposals"]) for s in seeds)
    )
    plan = CriticPlan(n_epochs=training["max_epochs"], learning_rate=_LEARNING_RATE)
    train_in_rounds(
        *(critic.network_, tasks, plan, rng, training["adversarial_rounds"]),
        n_jobs=training["n_jobs"],
    )
    return critic


def draw_alphabet_task(data: Embedded, seed: int, n_proposals: int) -> CriticTask:
    """Two to all characters of a random alphabet, and clusterings of their rows."""
    rng = np.random.RandomState(seed)
    alphabets = np.unique(data.alphabets)
    members = np.flatnonzero(data.alphabets == alphabets[rng.randint(len(alphabets))])
    characters: Codes = np.unique(data.characters[members])
    k = int(rng.randint(2, len(characters) + 1))
    chosen = rng.permutation(characters)[:k]
    kept = rng.permutation(members[np.isin(data.characters[members], chosen)])
    y = np.unique(data.characters[kept], return_inverse=True)[1]
    return make_task(data.rows[kept], y, rng, n_proposals)
