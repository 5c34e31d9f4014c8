"""What chooses among clusterings, measured: critics, trees on features, internal indices."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from critic_features import fit_regressor
from critic_figures import (
    all_scores,
    judge,
    judge_twice,
    oracle,
    random_choice,
    relative_time,
)
from critic_pool import POOL_SETTINGS, Pool, Scorer, load_suite, quick_suite, suite_pools
from critic_rivals import INDICES, MAX_DBCV_ROWS, MAX_ROWS, SILHOUETTE, index_names
from critic_tables import CRITIC, ORACLE, RANDOM, REGRESSOR, SUITE_POOL
from critic_training import (
    Example,
    critic_score,
    draw_examples,
    held_out_pools,
    keep,
    regressor_score,
    saved_critic_score,
    train_benchmark_critic,
)
from unseen_classes import Store

from skdeepclust.critic._training import CriticPlan

__all__ = ["Bench", "measure_choosers"]

# Training sets of a critic, seeds, and held-out sets: in part families, of each family.
_SIZES: dict[str, dict[str, int]] = {
    "suite": {"tasks": 1_500, "seeds": 3, "held_out": 0},
    "synthetic": {"tasks": 1_500, "seeds": 3, "held_out": 500},
    "families": {"tasks": 700, "seeds": 1, "held_out": 8},
    "ablation": {"tasks": 400, "seeds": 1, "held_out": 300},
}
_QUICK_SIZES = {
    "suite": {"tasks": 4, "seeds": 2, "held_out": 0},
    "synthetic": {"tasks": 4, "seeds": 2, "held_out": 4},
    "families": {"tasks": 6, "seeds": 1, "held_out": 2},
    "ablation": {"tasks": 3, "seeds": 1, "held_out": 4},
}
_QUICK_POOL = {"max_clusters": 4, "smallest_sizes": [5]}


class Bench:
    """Options, records, data and critics of a part; made when first needed.

    Parameters
    ----------
    options : Namespace
    store : Store
    part : {"suite", "synthetic", "families", "ablation"}
    """

    def __init__(self, options: argparse.Namespace, store: Store, part: str) -> None:
        self.options, self.store, self.part = options, store, part
        sizes = dict((_QUICK_SIZES if options.quick else _SIZES)[part])
        given = {name: getattr(options, name) for name in sizes}
        sizes.update({name: value for name, value in given.items() if value is not None})
        self.n_tasks, self.n_seeds = sizes["tasks"], sizes["seeds"]
        self.n_held_out = sizes["held_out"]
        self.training = {
            "tasks": self.n_tasks,
            "proposals": options.proposals,
            "epochs": options.epochs,
            "attacks": options.attacks,
        }
        self._examples: dict[int, list[Example]] = {}

    def record(
        self, name: str, seed: int, parameters: Mapping[str, Any], compute: Callable[[], Any]
    ) -> None:
        """Add a record unless it is there; those made with other parameters are dropped."""
        self.store.forget((self.part, name), parameters)
        self.store.recall((self.part, name, str(seed)), parameters, compute)

    @cached_property
    def pools(self) -> list[Pool]:
        """Pools of the suite, or of held-out synthetic sets of all families."""
        if self.part != "suite":
            return self.draw_held_out(self.n_held_out)
        options = self.options
        if options.quick:
            return suite_pools(quick_suite(), options.pool, options.jobs, **_QUICK_POOL)
        sets = load_suite(options.data_dir / "clustering_suite.npz")
        return suite_pools(sets, options.pool, options.jobs)

    @property
    def pool_settings(self) -> dict[str, Any]:
        """What the pools are made with."""
        if self.part == "suite":
            return {**POOL_SETTINGS, **(_QUICK_POOL if self.options.quick else {})}
        return {"held_out": self.n_held_out, "proposals": self.options.proposals}

    def draw_held_out(
        self, n_sets: int, families: Sequence[str] | None = None, skipped: int = 0
    ) -> list[Pool]:
        """Pools of held-out synthetic sets of this part."""
        options = self.options
        return held_out_pools(self.part, n_sets, families, options.proposals, options.jobs, skipped)

    def examples(self, seed: int) -> list[Example]:
        """Training sets with their features; those of the latest seed are kept."""
        if seed not in self._examples:
            options = self.options
            drawn = draw_examples(
                self.n_tasks,
                seed,
                None,
                options.proposals,
                options.jobs,
                with_features=self.part in ("suite", "synthetic"),
            )
            self._examples = {seed: drawn}
        return self._examples[seed]

    def critic(self, seed: int) -> Scorer:
        """Scores by a saved critic if there are such, else by one trained here."""
        if self.options.weights:
            return saved_critic_score(self.options.weights[seed])

        def train() -> Any:
            tasks = [example.task for example in self.examples(seed)]
            plan = CriticPlan(n_epochs=self.options.epochs)
            options = self.options
            return train_benchmark_critic(tasks, plan, seed, options.attacks, options.jobs)

        return critic_score(keep(self.options.critics, f"critic-{seed}", self.training, train))

    def regressor(self, seed: int) -> Scorer:
        """Scores by trees on features of the same training sets."""

        def fit() -> Any:
            examples = self.examples(seed)
            features = [e.features for e in examples if e.features is not None]
            return fit_regressor(features, [e.task.quality.numpy() for e in examples], seed)

        name = f"regressor-{seed}"
        return regressor_score(keep(self.options.critics, name, self.training, fit))

    @property
    def critic_settings(self) -> dict[str, Any]:
        """What the critics are made with."""
        if not self.options.weights:
            return self.training
        files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.options.weights]
        return {"weights": files}


def measure_choosers(bench: Bench) -> None:
    """Random choice, the best in the pool, indices, then what is trained from each seed."""
    jobs = bench.options.jobs
    for name, score in {RANDOM: random_choice, ORACLE: oracle}.items():
        _measure(bench, name, 0, {}, partial(_itself, score), None, timed=False)
    for name in index_names():
        caps = {"max_rows": MAX_DBCV_ROWS if name == "DBCV" else MAX_ROWS}
        _measure(bench, name, 0, caps, partial(_itself, INDICES[name]), jobs)
    for seed in range(len(bench.options.weights or range(bench.n_seeds))):
        _measure(bench, CRITIC, seed, bench.critic_settings, partial(bench.critic, seed), None)
        make = partial(bench.regressor, seed)
        _measure(bench, REGRESSOR, seed, bench.training, make, jobs)


def _itself(score: Scorer) -> Scorer:
    return score


def _measure(
    bench: Bench,
    name: str,
    seed: int,
    settings: Mapping[str, Any],
    make: Callable[[], Scorer],
    n_jobs: int | None,
    timed: bool = True,
) -> None:
    """Add a chooser's figures on the pools, and its time as a multiple of that of Silhouette."""

    def compute() -> dict[str, Any]:
        score = make()
        scores = all_scores(score, bench.pools, n_jobs)
        found = judge_twice(scores, bench.pools)
        if bench.part == "suite":
            found = {SUITE_POOL: judge(scores, bench.pools)}
        time = {"time": relative_time(score, INDICES[SILHOUETTE], bench.pools)} if timed else {}
        return {**found, **time}

    bench.record(name, seed, {**bench.pool_settings, **settings}, compute)
