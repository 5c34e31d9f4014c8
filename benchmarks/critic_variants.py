"""Critics that differ in one thing, and critics that never saw some families of data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import critic_training
from critic_choosers import Bench
from critic_figures import WITH_TRUTH, WITHOUT_TRUTH, all_scores, judge_twice
from critic_pool import Pool, Scorer
from critic_tables import INSIDE, NOTHING_LEFT_OUT, OUTSIDE
from critic_training import critic_score, draw_examples, train_benchmark_critic

from skdeepclust.critic import FAMILIES
from skdeepclust.critic._tasks import Task
from skdeepclust.critic._training import CriticPlan

__all__ = [
    "LEFT_OUT",
    "VARIANTS",
    "Variant",
    "family_groups",
    "measure_families",
    "measure_variants",
]

# Families that no critic of the ablation learns from: compact and curved, one that overlaps.
LEFT_OUT = ("student_t", "hierarchical", "moons", "spirals", "bands", "smooth_manifolds")
_ATTACKS = 2


@dataclass(frozen=True)
class Variant:
    """What differs from the default.

    Attributes
    ----------
    plan : dict
        Of `CriticPlan`.
    encoder : dict
        Of `GraphEncoder`.
    attacks : int
        Adversarial rounds.
    tasks : int or None
        Number of training sets; None for the usual one.
    """

    plan: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)
    attacks: int = 0
    tasks: int | None = None


def _objectives(ranking: float, regression: float, wasserstein: float) -> Variant:
    return Variant({"ranking": ranking, "regression": regression, "wasserstein": wasserstein})


VARIANTS: dict[str, Variant] = {
    "default": Variant(),
    "ranking": _objectives(1.0, 0.0, 0.0),
    "regression": _objectives(0.0, 10.0, 0.0),
    "Wasserstein": _objectives(0.0, 0.0, 1.0),
    "ranking + Wasserstein": _objectives(1.0, 0.0, 1.0),
    "regression + Wasserstein": _objectives(0.0, 10.0, 1.0),
    "ranking + regression + Wasserstein": _objectives(1.0, 10.0, 1.0),
    "complete graph": Variant(encoder={"kind": "complete"}),
    "no reconstruction": Variant({"reconstruction": 0.0}),
    "no quality of single clusters": Variant({"clusters": 0.0}),
    "no message passing": Variant(encoder={"n_rounds": 0}),
    "two rounds of message passing": Variant(encoder={"n_rounds": 2}),
    "two adversarial rounds": Variant(attacks=_ATTACKS),
}
"""Variants of the critic by name; the default ranks and regresses on the neighbour graph."""


def family_groups(text: str) -> list[tuple[str, ...]]:
    """Groups of families that are left out together.

    Parameters
    ----------
    text : str
        A number of groups of about the same size, related families together; "each"; or names,
        with commas between groups and plus signs within one.
    """
    names = list(FAMILIES)
    if text == "each":
        return [(name,) for name in names]
    if text.isdigit():
        n_groups = int(text)
        if not 2 <= n_groups <= len(names):
            raise SystemExit(f"--families {text}: from 2 to {len(names)} groups are wanted.")
        bounds = [i * len(names) // n_groups for i in range(n_groups + 1)]
        return [tuple(names[a:b]) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    groups = [tuple(group.split("+")) for group in text.split(",")]
    unknown = [name for group in groups for name in group if name not in FAMILIES]
    if unknown:
        raise SystemExit(f"--families {text}: {unknown[0]!r} is none of {names}.")
    return groups


def measure_families(bench: Bench) -> None:
    """Critics that never saw a group of families, on it; and one that saw all, on all."""
    groups, pools = bench.options.families, _LazyPools(bench)
    # All of them, so that runs with other groups share this record.
    everything = tuple(FAMILIES)
    if bench.options.quick:
        everything = tuple(name for group in groups for name in group)
    for seed in range(bench.n_seeds):
        for group in ((), *groups):
            judged = group or everything
            settings = {**bench.training, "held_out": bench.n_held_out, "families": judged}
            compute = partial(_judge_group, bench, pools, seed, group, judged)
            bench.record("+".join(group) or NOTHING_LEFT_OUT, seed, settings, compute)


class _LazyPools:
    """Held-out pools by family, drawn when first asked for."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._drawn: dict[str, list[Pool]] = {}

    def of(self, families: Sequence[str]) -> list[Pool]:
        """Pools of some families, the same whichever others are asked for."""
        n, known = self.bench.n_held_out, list(FAMILIES)
        for name in families:
            if name not in self._drawn:
                # Numbers of their own, whatever the size of the run.
                skipped = 1_000_000 * known.index(name)
                self._drawn[name] = self.bench.draw_held_out(n, [name], skipped)
        return [pool for name in families for pool in self._drawn[name]]


def _judge_group(
    bench: Bench, pools: _LazyPools, seed: int, group: Sequence[str], judged: Sequence[str]
) -> dict[str, Any]:
    """Train without a group of families; figures on the pools of the families to be judged."""
    examples = bench.examples(seed)
    tasks = [e.task for e in examples if e.task.family not in group]
    if not tasks:
        raise SystemExit("--tasks: too few, no training set is of a family that is not left out.")
    options = bench.options
    plan = CriticPlan(n_epochs=options.epochs)
    network = train_benchmark_critic(tasks, plan, seed, options.attacks, options.jobs)
    figures = _judge_on(critic_score(network), pools.of(judged))
    return {**figures, "trained_on": len(tasks)}


def _judge_on(score: Scorer, pools: Sequence[Pool]) -> dict[str, Any]:
    return judge_twice(all_scores(score, pools), pools)


def measure_variants(bench: Bench) -> None:
    """Every variant, and the default with other numbers of training sets."""
    sizes = {f"{n} training sets": Variant(tasks=n) for n in bench.options.sizes}
    for seed in range(bench.n_seeds):
        judge = _VariantJudge(bench, seed)
        for name, variant in {**VARIANTS, **sizes}.items():
            # Without a search the row stays empty.
            if variant.attacks == 0 or critic_training.ADVERSARY is not None:
                settings = {**bench.training, **judge.settings(variant)}
                bench.record(name, seed, settings, partial(judge.figures, variant))


class _VariantJudge:
    """Trains variants of one seed on the same sets, and judges them on the same pools."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.seed = bench, seed
        self.learned = [name for name in FAMILIES if name not in LEFT_OUT]
        self._tasks: list[Task] = []
        self._pools: dict[str, list[Pool]] = {}

    def settings(self, variant: Variant) -> dict[str, Any]:
        """What a record of the variant depends on, beside what all have in common."""
        return {
            "tasks": variant.tasks or self.bench.n_tasks,
            "attacks": variant.attacks or self.bench.options.attacks,
            "held_out": self.bench.n_held_out,
            "families left out": list(LEFT_OUT),
            "plan": dict(variant.plan),
            "encoder": dict(variant.encoder),
        }

    def figures(self, variant: Variant) -> dict[str, Any]:
        """Train a variant; its figures on families learned from and on others."""
        options = self.bench.options
        tasks = self._first_tasks(variant.tasks or self.bench.n_tasks)
        plan = CriticPlan(n_epochs=options.epochs, **variant.plan)
        attacks = variant.attacks or options.attacks
        network = train_benchmark_critic(
            tasks, plan, self.seed, attacks, options.jobs, **variant.encoder
        )
        score = critic_score(network)
        return {
            f"{where}, {kind}": found[kind]
            for where, pools in self._held_out()
            for found in [_judge_on(score, pools)]
            for kind in (WITH_TRUTH, WITHOUT_TRUTH)
        }

    def _first_tasks(self, n: int) -> list[Task]:
        """The first n training sets; few are a part of many."""
        missing, options = n - len(self._tasks), self.bench.options
        if missing > 0:
            drawn = draw_examples(
                missing,
                self.seed,
                self.learned,
                options.proposals,
                options.jobs,
                skipped=len(self._tasks),
            )
            self._tasks += [example.task for example in drawn]
        return self._tasks[:n]

    def _held_out(self) -> Iterator[tuple[str, list[Pool]]]:
        """Pools of families learned from, and of half as many sets of others."""
        n = self.bench.n_held_out
        if not self._pools:
            inside = self.bench.draw_held_out(n, self.learned)
            outside = self.bench.draw_held_out(max(1, n // 2), LEFT_OUT, skipped=n)
            self._pools = {INSIDE: inside, OUTSIDE: outside}
        yield from self._pools.items()
