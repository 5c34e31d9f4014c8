"""Critics that learned from images, and what learned nothing, measured on pools of clusterings."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from critic_figures import random_choice
from critic_pool import Scorer
from critic_rivals import INDICES, MAX_DBCV_ROWS, MAX_ROWS, index_names
from critic_training import critic_score, keep
from sklearn.utils.parallel import Parallel, delayed
from suite_methods import find_critic, fingerprint
from transfer_critics import TRAINED_ON, VARIANTS, train_on_images
from transfer_figures import judge_choices
from transfer_pools import (
    POOL_SETTINGS,
    RatedPool,
    StoredPool,
    describe_pools,
    make_pools,
    rate_pool,
)
from transfer_tasks import (
    AMOUNTS,
    FEW,
    N_COMPONENTS,
    SOURCES,
    TARGETS,
    load_images,
    training_set,
)
from unseen_classes import Store

from skdeepclust import ClusteringCritic

__all__ = [
    "CHANCE",
    "RIVALS",
    "SHIPPED",
    "UNTRAINED",
    "Bench",
    "lesson_name",
    "lesson_names",
    "measure_critics",
    "measure_untrained",
]

UNTRAINED = "no images"
CHANCE, SHIPPED = "chance", "critic of synthetic data"
RIVALS = ("Silhouette", "Calinski-Harabasz", "Davies-Bouldin", "DBCV")
# Others than those of the tasks on which the distorted copies of few shots were tried.
_SEED = 50
_QUICK_POOL = {
    "classes": (2, 3),
    "rows": (40, 60),
    "search": {"population_size": 4, "n_generations": 1, "max_clusters": 4},
}


class Lesson(NamedTuple):
    """What a critic learns from, how, and with which seed."""

    source: str
    amount: str
    variant: str
    seed: int


class Bench:
    """Options, records, pools and critics; made when first needed.

    Parameters
    ----------
    options : Namespace
    store : Store
    """

    def __init__(self, options: argparse.Namespace, store: Store) -> None:
        self.options, self.store = options, store
        self._rated: dict[int, dict[str, list[RatedPool]]] = {}
        self._stored: dict[tuple[str, int], list[StoredPool]] = {}

    @property
    def folder(self) -> Path | None:
        """Where the images are; None for small ones."""
        return None if self.options.quick else self.options.data_dir

    @cached_property
    def base(self) -> ClusteringCritic:
        """The critic that learned from no images."""
        return find_critic(self.options.critic)

    @property
    def pool_settings(self) -> dict[str, Any]:
        """What the pools are made with."""
        return {**POOL_SETTINGS, **(_QUICK_POOL if self.options.quick else {})}

    @cached_property
    def test_settings(self) -> dict[str, Any]:
        """What the pools of a seed depend on."""
        found = {"search by": fingerprint(self.base), "components": N_COMPONENTS}
        return {**self.pool_settings, **found, "tasks": self.options.test_tasks}

    @property
    def training(self) -> dict[str, Any]:
        """Parameters that all critics trained here share."""
        options = self.options
        return {
            "n_tasks": options.tasks,
            "n_proposals": options.proposals,
            "max_epochs": options.epochs,
            "adversarial_rounds": options.attacks,
        }

    def pools(self, seed: int) -> dict[str, list[RatedPool]]:
        """Pools by data set; those of the latest seed are kept."""
        if seed not in self._rated:
            self._rated = {seed: {name: self._rated_pools(name, seed) for name in TARGETS}}
        return self._rated[seed]

    def _rated_pools(self, name: str, seed: int) -> list[RatedPool]:
        images = load_images(name, "test", self.folder)
        stored = self.stored_pools(name, seed)
        return [rate_pool(pool, images, name) for pool in stored]

    def stored_pools(self, name: str, seed: int) -> list[StoredPool]:
        """Pools of a data set, made once."""
        if (name, seed) not in self._stored:
            self._stored[name, seed] = self._read_or_made(name, seed)
        return self._stored[name, seed]

    def _read_or_made(self, name: str, seed: int) -> list[StoredPool]:
        """Pools of a data set, read from the folder of pools where they are there."""
        options, images = self.options, load_images(name, "test", self.folder)
        make = partial(
            make_pools,
            images,
            options.test_tasks,
            [_SEED, TARGETS.index(name), seed],
            self.base,
            self.pool_settings,
            options.jobs,
        )
        settings = {**self.test_settings, "images": len(images.y), "seed": _SEED}
        kept: list[StoredPool] = keep(options.pools, f"pools-{name}-{seed}", settings, make)
        describe = partial(describe_pools, kept)
        self.store.recall(("pools", name, str(seed)), self.test_settings, describe)
        return kept

    def judge(self, score: Scorer, seed: int, n_jobs: int | None = None) -> dict[str, Any]:
        """Figures of a score on the pools of all data sets."""
        return {
            name: judge_choices(score, pools, n_jobs) for name, pools in self.pools(seed).items()
        }

    def record(
        self,
        keys: tuple[str, str],
        seed: int,
        settings: Mapping[str, Any],
        compute: Callable[[], dict[str, Any]],
    ) -> None:
        """Add a record unless it is there; those made with other settings are dropped."""
        settings = {**self.test_settings, **settings}
        self.store.forget(("figures", *keys), settings)
        self.store.recall(("figures", *keys, str(seed)), settings, compute)


def measure_untrained(bench: Bench) -> None:
    """Chance, internal indices, and the critic that learned from no images."""
    jobs = bench.options.jobs
    for seed in range(bench.options.seeds):
        bench.record((UNTRAINED, CHANCE), seed, {}, partial(bench.judge, random_choice, seed))
        for name in [name for name in RIVALS if name in index_names()]:
            caps = {"max_rows": MAX_DBCV_ROWS if name == "DBCV" else MAX_ROWS}
            compute = partial(bench.judge, INDICES[name], seed, jobs)
            bench.record((UNTRAINED, name), seed, caps, compute)
        judge = partial(bench.judge, critic_score(bench.base.network_), seed)
        bench.record((UNTRAINED, SHIPPED), seed, {}, judge)


def measure_critics(bench: Bench) -> None:
    """Critics of all lessons that are not in the file yet, several trained at a time."""
    missing = [lesson for lesson in lessons(bench) if not _is_known(bench, lesson)]
    for seed in dict.fromkeys(lesson.seed for lesson in missing):
        for name in TARGETS:  # all processes are free for them now
            bench.stored_pools(name, seed)
    train = delayed(_train)
    trained = Parallel(bench.options.jobs, return_as="generator")(
        train(lesson, bench.base, _settings(bench, lesson), bench.folder, bench.options.critics)
        for lesson in missing
    )
    for lesson, (critic, seconds) in zip(missing, trained, strict=True):
        _record_critic(bench, lesson, critic, seconds)


def lessons(bench: Bench) -> Iterator[Lesson]:
    """All that are wanted, seed by seed."""
    options = bench.options
    for seed in range(options.seeds):
        for source, amount in product(SOURCES, AMOUNTS):
            if lesson_name(source, amount) in options.lessons:
                for variant in options.variants:
                    yield Lesson(source, amount, variant, seed)


def lesson_name(source: str, amount: str) -> str:
    """What is learned from."""
    return f"{source} ({amount})"


def lesson_names() -> list[str]:
    """All that is learned from."""
    return [lesson_name(source, amount) for source, amount in product(SOURCES, AMOUNTS)]


def _settings(bench: Bench, lesson: Lesson) -> dict[str, Any]:
    start = {"start": fingerprint(bench.base)} if lesson.variant == TRAINED_ON else {}
    copies = bench.options.copies if lesson.amount == FEW else 0
    small = bench.options.quick
    rows = {"components": N_COMPONENTS, "copies": copies, "small images": small}
    return {"rows": rows, "training": {**bench.training, **VARIANTS[lesson.variant]}, **start}


def _is_known(bench: Bench, lesson: Lesson) -> bool:
    """Whether a record is there; those made with other settings are dropped."""
    keys = ("figures", lesson_name(lesson.source, lesson.amount), lesson.variant)
    bench.store.forget(keys, {**bench.test_settings, **_settings(bench, lesson)})
    place = bench.store.records
    for key in keys:
        place = place.get(key, {})
    return str(lesson.seed) in place


def _train(
    lesson: Lesson,
    base: ClusteringCritic,
    settings: Mapping[str, Any],
    images: Path | None,
    critics: Path | None,
) -> tuple[ClusteringCritic, float]:
    """A critic, and the seconds that it took; read from a folder where it is there."""

    def make() -> tuple[ClusteringCritic, float]:
        copies = settings["rows"]["copies"]
        X, y = training_set(lesson.source, lesson.amount, lesson.seed, images, copies)
        started = time.perf_counter()
        parameters = settings["training"]
        critic = train_on_images(lesson.variant, base, X, y, lesson.seed, parameters)
        return critic, time.perf_counter() - started

    found: tuple[ClusteringCritic, float] = keep(
        critics, "-".join(map(str, lesson)), settings, make
    )
    return found


def _record_critic(bench: Bench, lesson: Lesson, critic: ClusteringCritic, seconds: float) -> None:
    def compute() -> dict[str, Any]:
        return {**bench.judge(critic_score(critic.network_), lesson.seed), "seconds": seconds}

    keys = (lesson_name(lesson.source, lesson.amount), lesson.variant)
    bench.record(keys, lesson.seed, _settings(bench, lesson), compute)
