"""Critics and regressors trained for the benchmark, on synthetic sets that are drawn by number.

A set is determined by its number alone, whatever else is drawn and in how many processes:
training sets of seed s have the numbers s 10⁶, s 10⁶ + 1, and so on, so that few are a part of
many; held-out ones begin beyond 2³¹, for each part of the benchmark elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from critic_features import partition_features
from critic_pool import Floats, Pool, Scorer, draw_pool
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from skdeepclust import load
from skdeepclust.critic._judging import judge
from skdeepclust.critic._network import CriticNetwork
from skdeepclust.critic._tasks import Task
from skdeepclust.critic._training import CriticPlan, train_critic

__all__ = [
    "ADVERSARY",
    "Example",
    "critic_score",
    "draw_examples",
    "held_out_pools",
    "keep",
    "regressor_score",
    "saved_critic_score",
    "train_benchmark_critic",
]

_TRAINING_SETS = 10**6
# Beyond the 31 bits of the seeds from which the package itself draws tasks.
_FIRST_HELD_OUT = {"synthetic": 22 * 10**8, "families": 25 * 10**8, "ablation": 30 * 10**8}


def _find_adversary() -> Callable[..., Any] | None:
    try:
        from skdeepclust.critic._adversary import train_in_rounds
    except ImportError:
        return None
    return train_in_rounds


ADVERSARY: Callable[..., Any] | None = _find_adversary()
"""Trains a critic in rounds, between which a search attacks it; None where there is no search.

Called with network, tasks, plan, generator of random numbers, number of rounds and `n_jobs`.
"""


@dataclass(frozen=True)
class Example:
    """A data set to learn from.

    Attributes
    ----------
    task : Task
        For the critic.
    features : ndarray of shape (m, 28) or None
        Of its clusterings, for the regressor.
    """

    task: Task
    features: NDArray[np.float32] | None


def draw_examples(
    n_sets: int,
    seed: int,
    families: Sequence[str] | None = None,
    n_proposals: int = 24,
    n_jobs: int | None = None,
    with_features: bool = False,
    skipped: int = 0,
) -> list[Example]:
    """The first training sets of a seed, but for some that are passed over."""
    first = seed * _TRAINING_SETS + skipped
    draw = delayed(_draw_example)
    numbers = range(first, first + n_sets)
    return list(Parallel(n_jobs)(draw(i, families, n_proposals, with_features) for i in numbers))


def _draw_example(
    number: int, families: Sequence[str] | None, n_proposals: int, with_features: bool
) -> Example:
    pool = draw_pool(number, families, n_proposals)
    task = Task(
        pool.graph,
        torch.from_numpy(pool.labels),
        torch.from_numpy(pool.quality.astype(np.float32)),
        pool.group,
    )
    return Example(task, partition_features(pool) if with_features else None)


def held_out_pools(
    part: str,
    n_sets: int,
    families: Sequence[str] | None = None,
    n_proposals: int = 24,
    n_jobs: int | None = None,
    skipped: int = 0,
) -> list[Pool]:
    """Sets that no training sees, others for each part; `skipped` of them are passed over."""
    first = _FIRST_HELD_OUT[part] + skipped
    draw = delayed(draw_pool)
    numbers = range(first, first + n_sets)
    return list(Parallel(n_jobs)(draw(number, families, n_proposals) for number in numbers))


def train_benchmark_critic(
    tasks: Sequence[Task],
    plan: CriticPlan,
    seed: int,
    attacks: int = 0,
    n_jobs: int | None = None,
    **encoder: Any,
) -> CriticNetwork:
    """A critic of the benchmark's own, trained on tasks.

    Parameters
    ----------
    tasks : sequence of Task
    plan : CriticPlan
    seed : int
        Of the weights at the start and of the order of the tasks.
    attacks : int, default=0
        Adversarial rounds.
    n_jobs : int, optional
        Processes of the attacks; see joblib.
    **encoder
        Options of `GraphEncoder`, such as ``kind`` and ``n_rounds``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CriticNetwork(**encoder)
    rng = np.random.RandomState(seed)
    if not attacks:
        train_critic(network, tasks, plan, rng)
    elif ADVERSARY is None:
        raise SystemExit("No adversarial rounds: the package has no search to attack with.")
    else:
        ADVERSARY(network, tasks, plan, rng, attacks, n_jobs=n_jobs)
    return network.eval()


def critic_score(network: CriticNetwork) -> Scorer:
    """Scores by a network."""
    return lambda pool: judge(network, pool.graph, pool.labels).scores


def regressor_score(model: Any) -> Scorer:
    """Scores by a regressor on features of partitions."""

    def score(pool: Pool) -> Floats:
        return np.asarray(model.predict(partition_features(pool)), dtype=np.float64)

    return score


def saved_critic_score(path: Path) -> Scorer:
    """Scores by a saved critic."""
    critic = load(path)
    return lambda pool: np.asarray(critic.score_clusterings(pool.X, list(pool.labels)))


def keep(
    folder: Path | None, name: str, settings: Mapping[str, Any], make: Callable[[], Any]
) -> Any:
    """What was made with these settings, read from a folder where it is there, else made.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    name : str
    settings : dict
    make : callable
    """
    if folder is None:
        return make()
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    path = folder / f"{name}-{digest[:12]}.joblib"
    if not path.exists():
        joblib.dump(make(), path)
    return joblib.load(path)
