"""Adversarial rounds: a search attacks the critic, and the critic learns what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from ..search import search_clusterings
from ..training import Store
from ._judging import judge
from ._network import CriticNetwork
from ._state import TrainingState
from ._tasks import Task
from ._training import CriticPlan, OnEpoch, end_training, train_epochs

__all__ = ["attack_tasks", "n_epochs_in_all", "train_in_rounds"]

# Most rows of a task that is attacked.
_MOST_ROWS = 600
_MOST_CLUSTERS = 64
_POPULATION, _GENERATIONS = 32, 20
# Clusterings that a task gains at most.
_N_FOUND = 8


def train_in_rounds(
    network: CriticNetwork,
    tasks: Sequence[Task],
    plan: CriticPlan,
    rng: np.random.RandomState,
    n_rounds: int,
    on_epoch: OnEpoch | None = None,
    n_jobs: int | None = None,
    *,
    store: Store | None = None,
    keep_if_interrupted: bool = False,
) -> dict[str, list[float]]:
    """Train, let a search attack the critic, learn what it found, and so on.

    Parameters
    ----------
    network : CriticNetwork
        Trained in place.
    tasks : sequence of Task
    plan : CriticPlan
        Of the first training; after a round, half the epochs at half the learning rate.
    rng : RandomState
    n_rounds : int
    on_epoch : callable, optional
        Called with the figures of each epoch, also of those that the store has.
    n_jobs : int, optional
        Processes of the search.
    store : Store, optional
        Gets the state after each epoch and each attack. Training goes on from what it has; the
        result is the same bit for bit, if the other parameters are.
    keep_if_interrupted : bool, default=False
        Whether KeyboardInterrupt only ends the training, once an epoch is complete. Network
        and history are then those of the last complete one.

    Returns
    -------
    dict of str to list
        The mean "loss" of each epoch, and for each round the "overrated" mean by which the
        score of what the search found exceeds its quality.
    """
    state = TrainingState(network, tasks, rng, store)
    state.load()
    if on_epoch is not None:
        for loss in state.history["loss"]:
            on_epoch({"loss": loss})
    try:
        _go_on(state, plan, n_rounds, on_epoch, n_jobs)
    except KeyboardInterrupt:
        if not (keep_if_interrupted and state.go_back()):
            raise
        end_training(state, plan)
    return state.history


def _go_on(
    state: TrainingState,
    plan: CriticPlan,
    n_rounds: int,
    on_epoch: OnEpoch | None,
    n_jobs: int | None,
) -> None:
    """The epochs and rounds that are still to be done."""
    later = _after_round(plan)
    train_epochs(state, later if state.n_rounds else plan, on_epoch)
    while state.n_rounds < n_rounds:
        attacked, overrated = attack_tasks(
            state.network, state.tasks, state.rng, n_jobs, plan.attacked
        )
        state.end_attack(attacked, overrated)
        train_epochs(state, later, on_epoch)


def n_epochs_in_all(plan: CriticPlan, n_rounds: int) -> int:
    """Epochs of `train_in_rounds`."""
    return plan.n_epochs + n_rounds * _after_round(plan).n_epochs


def _after_round(plan: CriticPlan) -> CriticPlan:
    n_epochs = max(1, plan.n_epochs // 2)
    return replace(plan, n_epochs=n_epochs, learning_rate=plan.learning_rate / 2)


def attack_tasks(
    network: CriticNetwork,
    tasks: Sequence[Task],
    rng: np.random.RandomState,
    n_jobs: int | None = None,
    share: float = CriticPlan.attacked,
) -> tuple[dict[int, Task], float]:
    """Add to some tasks what a search finds that the critic likes best.

    Parameters
    ----------
    network : CriticNetwork
    tasks : sequence of Task
    rng : RandomState
        Chooses the tasks and gives every search a seed of its own.
    n_jobs : int, optional
    share : float, default=0.25
        Of the tasks, but at least one is attacked.

    Returns
    -------
    attacked : dict of int to Task
        The new tasks by their place among the old ones.
    overrated : float
        Mean score less quality of the best clustering that each search found.
    """
    small = [i for i, task in enumerate(tasks) if task.labels.shape[1] <= _MOST_ROWS]
    chosen = rng.permutation(small)[: max(1, round(share * len(tasks)))].tolist()
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(chosen))
    attack = delayed(_attack)
    found = Parallel(n_jobs)(
        attack(network, tasks[i], int(seed)) for i, seed in zip(chosen, seeds, strict=True)
    )
    attacked, gaps = {}, []
    for i, (labels, score) in zip(chosen, found, strict=True):
        task = tasks[i].extended(labels, tasks[i].labels[0].numpy())
        gaps.append(score - float(task.quality[len(tasks[i].quality)]))
        attacked[i] = task
    return attacked, float(np.mean(gaps)) if gaps else 0.0


def _attack(network: CriticNetwork, task: Task, seed: int) -> tuple[list[NDArray[np.int64]], float]:
    """The clusterings that a search likes best, and the score of the first."""

    def score(labels: NDArray[np.int64]) -> NDArray[np.float64]:
        return judge(network, task.graph, labels).scores

    proposed = task.labels[1:].numpy()  # without the truth
    result = search_clusterings(
        task.graph.points.numpy(),
        score,
        rng=np.random.RandomState(seed),
        max_clusters=min(_MOST_CLUSTERS, task.labels.shape[1] // 2),
        population_size=_POPULATION,
        n_generations=_GENERATIONS,
        starts=[labels for labels in proposed if labels.min() >= 0],
        n_alternatives=_N_FOUND,
    )
    return [found.labels for found in result.alternatives], result.score
