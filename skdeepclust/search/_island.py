"""One search, generation by generation, through DEAP's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

import numpy as np
from deap import algorithms, base, tools

from ._cached_score import CachedScore
from ._deadline import Deadline
from ._lineage import Ancestry
from ._partition import Partition
from ._result import INTERRUPTED

__all__ = ["Callback", "Island", "Limits", "Strategy", "TakesMigrants"]

Callback = Callable[[dict[str, float]], Any]


class Strategy(Protocol):
    """DEAP's interface of ask and tell."""

    ancestry: Ancestry
    rng: np.random.RandomState

    def generate(self) -> list[Partition]:
        """The next partitions to score."""

    def update(self, population: list[Partition]) -> None:
        """Learn from their scores."""


@runtime_checkable
class TakesMigrants(Protocol):
    """A strategy that makes use of what others have found."""

    def receive(self, migrants: list[Partition]) -> None:
        """Take over scored partitions."""


@dataclass(frozen=True)
class Limits:
    """What ends a search; None for no limit, `interrupts` for any KeyboardInterrupt."""

    n_generations: int
    patience: int | None
    tolerance: float
    max_evaluations: int | None
    deadline: Deadline
    interrupts: bool

    def reached(self, log: tools.Logbook) -> str | None:
        """The first limit that the generations so far have reached."""
        if len(log) > self.n_generations:
            return "generations"
        if self.patience is not None and self._stalls(log.select("best")) >= self.patience:
            return "patience"
        if self.max_evaluations is not None and log[-1]["n_evaluations"] >= self.max_evaluations:
            return "evaluations"
        if not self.deadline.allows():
            return "time"
        return None

    def _stalls(self, best: list[float]) -> int:
        """Generations since the score last rose by more than the tolerance."""
        since, reference = 0, best[0]
        for score in best[1:]:
            since += 1
            if score > reference + self.tolerance:
                since, reference = 0, score
        return since


class Island:
    """A search with all that it has found so far.

    Parameters
    ----------
    strategy : Strategy
    score : CachedScore
    limits : Limits
    n_best : int
        Partitions that are remembered.

    Attributes
    ----------
    best : HallOfFame
    population : list of Partition
        The last generation.
    log : Logbook
        A record of each generation; the first one is that of the starts.
    stopped_by : str or None
        The limit that ended the search.
    """

    def __init__(self, strategy: Strategy, score: CachedScore, limits: Limits, n_best: int) -> None:
        self.strategy = strategy
        self.score = score
        self.limits = limits
        self.best = tools.HallOfFame(n_best, similar=_same_partition)
        self.population: list[Partition] = []
        self.log = tools.Logbook()
        self.stopped_by: str | None = None

    @property
    def found(self) -> list[Partition]:
        """Scored partitions: the best ones, and the last generation."""
        return [*self.best, *self.population]

    def copy(self) -> Island:
        """The same search, which does not change with this one; what nobody changes is shared."""
        shared = (self.strategy.ancestry, self.score.function)
        return deepcopy(self, {id(item): item for item in shared})

    def advance(self, n_generations: int) -> Island:
        """Search for some generations, fewer if a limit is reached; the island itself.

        A KeyboardInterrupt is such a limit once the starts are scored, where the limits say so.
        """
        toolbox, statistics = self._toolbox(), tools.Statistics(attrgetter("score"))
        statistics.register("mean", np.mean)
        end = len(self.log) + n_generations
        while self.stopped_by is None and len(self.log) < end:
            with self.ended_by_interrupts():
                # One generation at a time: DEAP's loop has no way to end early.
                self.population, last = algorithms.eaGenerateUpdate(
                    toolbox, 1, halloffame=self.best, stats=statistics, verbose=False
                )
                self._record(last[0]["mean"])
                reached = self.limits.reached(self.log)
                self.stopped_by = "time" if self.score.is_cut_short else reached
        return self

    @contextmanager
    def ended_by_interrupts(self) -> Iterator[None]:
        """A KeyboardInterrupt ends the search if it may, and else is raised."""
        try:
            yield
        except KeyboardInterrupt:
            if not (self.limits.interrupts and self.log):
                raise
            self.stopped_by = INTERRUPTED

    def _toolbox(self) -> base.Toolbox:
        """DEAP's toolbox; its map scores a whole generation in one call."""
        toolbox = base.Toolbox()
        toolbox.register("generate", self.strategy.generate)
        toolbox.register("update", self.strategy.update)
        toolbox.register("evaluate", self.score)
        toolbox.register("map", _score_together)
        return toolbox

    def _record(self, mean: float) -> None:
        self.log.record(
            generation=len(self.log),
            best=self.best[0].score,
            mean=mean,
            n_clusters=self.best[0].n_clusters,
            n_evaluations=self.score.n_evaluations,
        )


def _score_together(evaluate: CachedScore, population: list[Partition]) -> list[tuple[float]]:
    """Fitness of a generation, which loses those for which there was no time."""
    scores = evaluate(population)
    del population[len(scores) :]
    return scores


def _same_partition(first: Partition, second: Partition) -> bool:
    return first.key == second.key
